/* hostprobe: what this machine has. Reads /sys and /proc, live or under the root of a recorded tree, and tries what
 * cannot be read (FIFO, KVM). It never changes anything, and reads only the files on its one list (files.c).
 *
 * struct host is a plain value: whoever holds one decides on it without asking the machine again. It is large
 * (a few hundred KiB): keep it on the heap or static, pass it by const pointer. */
#pragma once

#include "rtvmd/base/cpuset.h"
#include "rtvmd/base/json.h"
#include "rtvmd/base/limits.h"

enum host_core_kind { HOST_CORE_UNKNOWN, HOST_CORE_PERFORMANCE, HOST_CORE_EFFICIENCY };
/* An answer that may not be known: a recorded tree cannot be tried. */
enum host_answer { HOST_UNKNOWN, HOST_NO, HOST_YES };

/* The kernel's own threads that share a CPU with what runs there. */
enum host_kernel_thread {
    HOST_THREAD_RCUC,
    HOST_THREAD_KTIMERS,
    HOST_THREAD_KSOFTIRQD,
    HOST_THREAD_RCUB, /* RCU's boosting threads, where they may run on isolated CPUs only */
    HOST_THREAD_IRQ,
    HOST_KERNEL_THREADS,
};

struct host_cpu {
    bool present; /* the kernel lists it; numbering may be sparse */
    bool online;  /* only online CPUs have a place in the topology */
    bool isolated;
    bool nohz_full;
    int node;    /* where its local memory is; -1: unknown or none */
    int package; /* physical_package_id; -1 unknown */
    int die;     /* -1 unknown */
    int core;    /* core_id as the kernel numbers it: unique only within package (and die) */
    int l3;      /* index of its L3 group: the smallest CPU sharing it; -1 none */
    enum host_core_kind kind;
    struct cpuset siblings; /* threads of its core, itself included */
    /* When host.threads_known: real-time priority by enum host_kernel_thread; 0: an ordinary thread, -1: there is none.
     * Of interrupt threads that may run here the lowest, with its name ("irq/120-eth0"). */
    int8_t thread_priority[HOST_KERNEL_THREADS];
    char irq_thread[24];
};

struct host_page_pool {
    uint64_t size_bytes;
    uint64_t total;
    uint64_t free;
    uint64_t surplus;
};

struct host_node {
    int id; /* as the kernel numbers it; sparse ids happen */
    struct cpuset cpus;
    uint64_t memory_bytes; /* MemTotal of the node; 0 for a memory-less node */
    unsigned pool_count;
    struct host_page_pool pool[LIMIT_HOST_PAGE_SIZES];
    int distance[LIMIT_HOST_NODES]; /* by index into host.node; 0 unknown */
};

struct host {
    unsigned cpu_limit; /* cpu[] is used below this */
    struct host_cpu cpu[CPUSET_MAX];
    struct cpuset online;   /* and ours: what the cgroup above us withholds is neither here nor in cpu[] */
    struct cpuset isolated; /* what the kernel says, isolcpus or isolated partitions */
    struct cpuset nohz_full;
    struct cpuset withheld; /* online CPUs that the cgroup above us does not give */

    /* Ordered by id, at least one. CPU-less and memory-less nodes are included; those that overlap a node before them
     * without being nested (a firmware bug), hold a GPU's memory, or are withheld by the cgroup above us are not. */
    unsigned node_count;
    struct host_node node[LIMIT_HOST_NODES];
    uint64_t memory_bytes;
    bool mounts_known;        /* the mount table was there; else nothing is known of hugetlbfs */
    unsigned hugetlbfs_count; /* page sizes that have a hugetlbfs mounted */
    uint64_t hugetlbfs_size_bytes[LIMIT_HOST_PAGE_SIZES];
    bool threads_known; /* the kernel's own threads were seen; else nothing is known of their priorities */

    /* What follows stays while the machine runs (but for throttling): see host_look_again. */
    char architecture[16]; /* as uname -m: "x86_64" */
    char kernel_release[128];
    enum host_answer rt_kernel;   /* PREEMPT_RT */
    bool has_rt_runtime;          /* /proc/sys/kernel/sched_rt_runtime_us exists */
    int64_t rt_runtime_us;        /* -1: not throttled */
    enum host_answer fair_server; /* kernel >= 6.12 behaviour: a fair server replaces throttling (by feature) */
    char clocksource[32];
    uint64_t tsc_hz; /* what KVM says the time-stamp counter runs at; 0 unknown */

    enum host_answer kvm_works;  /* 64-bit guest code really ran at speed through /dev/kvm */
    char kvm_because[160];       /* why not, or how fast */
    enum host_answer fifo_works; /* SCHED_FIFO was granted to a thread of ours */
    char fifo_because[160];
    enum host_answer locking_works; /* guest memory can be locked: memlock limit or capability */
    char locking_because[160];
    enum host_answer virtualized; /* we are a guest ourselves */
    struct cpuset usable_cpus;    /* what libnuma says this very process may use; empty: not asked */
    struct cpuset usable_nodes;
    char libvirt_version[32]; /* "" unknown; filled by whoever talks to libvirt */
    char qemu_version[32];
};

/* Reads the topology, memory and kernel facts under root (NULL or "": the live machine). Missing files are facts, not
 * errors: a tree without any CPU is ERROR_INVALID. Nothing is tried; see host_try. */
int host_probe(const char *root, struct host *ret_host, struct error *err);

/* Only what changes while a machine runs: CPUs on and offline, memory, pools, kernel threads, throttling; the rest of
 * *host stays. Reads no file that interrupts other CPUs, as /proc/cpuinfo does on older kernels. On failure *host is as
 * it was. */
int host_look_again(const char *root, struct host *host, struct error *err);

/* Tries on the live machine what reading cannot tell: KVM (a loop of 64-bit guest code with a deadline), FIFO, memory
 * locking, and asks libnuma which CPUs and nodes this process may use at all. Takes up to a second. */
void host_try(struct host *host);

/* The snapshot: `rtvmd host -o json` prints it, --host FILE reads it back; every field above survives the round trip.
 * The keys are the contract of DESIGN: cpus[{id,online,isolated,node,package,core,siblings,kernelThreads}],
 * nodes[{id,cpus,memoryBytes,distances,hugepages[{sizeBytes,total,free}]}], … */
json_t *host_to_json(const struct host *host);
int host_from_json(const json_t *snapshot, struct host *ret_host, struct error *err);
/* --host: NULL is the live machine (probed and tried), a folder is a recorded tree (see
 * host_tree_root), a file is a snapshot. */
int host_load(const char *file_or_folder, struct host *ret_host, struct error *err);

/* Where the tree begins in a recorded folder: the folder itself or, as archives unpack, the only one with a sys/ or
 * proc/ up to two levels below. The caller frees. */
char *host_tree_root(const char *folder);

/* Index into host.node of a node id, or -1. */
int host_node_index(const struct host *host, int node_id);
/* CPUs nobody but the host may use: `reserved` when not empty; else the online CPUs that are not isolated, when any are
 * isolated; else the core (all threads) of the lowest online CPU. Never empty. */
struct cpuset host_housekeeping(const struct host *host, const struct cpuset *reserved);
