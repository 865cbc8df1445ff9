/* runtime/prove: is every thread of a running VM where the plan says? Reads /proc under a root (a recorded tree in
 * tests); the comparing is pure. Repairing is a separate, explicit call. It knows nothing of libvirt or the store. */
#pragma once

#include "runtime/place/place.h"

enum prove_role {
    PROVE_VCPU,
    PROVE_EMULATOR,
    PROVE_IOTHREAD,
    PROVE_VHOST,
    PROVE_KVM_PIT,
    PROVE_NX_RECOVERY,
    PROVE_HELPER
};
const char *prove_role_text(enum prove_role role);

struct prove_thread {
    int tid; /* 0: a vCPU or IO thread that should be there and is not */
    char name[32];
    enum prove_role role;
    int index; /* vCPU or iothread number; -1 */
    struct cpuset wanted_cpus;
    struct cpuset cpus; /* allowed, as found */
    int last_cpu;
    int wanted_policy; /* SCHED_OTHER, SCHED_FIFO, … */
    int policy;
    int wanted_priority;
    int priority;
    uint64_t start_ticks; /* since boot; with the tid it names the thread for good */
    bool ok;
    char because[200]; /* when not ok */
};

/* Huge pages of one size on one node: what backs one guest cell. */
struct prove_huge {
    int node; /* id */
    uint64_t page_bytes;
    uint64_t bytes;
    uint64_t wanted_bytes;
};
enum { PROVE_HUGE_MAX = 2 * LIMIT_HOST_NODES };

struct prove_memory {
    uint64_t wanted_locked_bytes; /* at least; 0: not asked */
    uint64_t locked_bytes;
    uint64_t wanted_hugepage_bytes;
    uint64_t hugepage_bytes;
    struct cpuset wanted_nodes; /* empty: any */
    struct cpuset nodes;        /* nodes that hold guest pages */
    bool huge_known;            /* the kernel told where huge pages are */
    unsigned huge_count;
    struct prove_huge huge[PROVE_HUGE_MAX];
    bool ok;
    char because[200];
};

struct proof {
    int pid;
    size_t thread_count;
    struct prove_thread *thread;
    struct prove_memory memory;
    bool ok;
    unsigned drift_count; /* threads and memory facts that are not as planned */
};
void proof_finish(struct proof *proof);
#define auto_proof __attribute__((cleanup(proof_finish))) struct proof

/* Reads /proc/PID/task, the helper kernel threads of the VM (kvm-pit/PID, vhost-PID, kvm-nx-lpage-re*), status, maps
 * and numa_maps. want_locked: memory was asked to be locked; then everything resident must be covered by VmLck, and
 * guest memory too (huge pages are locked by nature and never counted there). A process that is gone, or has no vCPU
 * thread (its number is somebody else's by now): ERROR_NOT_FOUND. */
int prove_vm(const char *root, int pid, const struct placement *placement, const struct vm_spec *spec, bool want_locked,
             struct proof *ret_proof, struct error *err);
/* The threads only, memory taken as it was: to be repeated while the VM runs. Looking at the memory maps holds a lock
 * of the process that its page faults need. */
int prove_threads(const char *root, int pid, const struct placement *placement, struct proof *ret_proof,
                  struct error *err);
/* Puts drifted threads back (affinity, policy) on the live machine; a thread that is no longer the one looked at is
 * left alone. Memory cannot be put back. Returns how many were repaired, or -1 when any could not be (the last one is
 * in err). */
int prove_repair(const struct proof *proof, struct error *err);
/* {"ok","pid","driftCount","threads":[{"name","tid","role","index","cpus","wantedCpus","lastCpu","policy","priority",
 * "wantedPolicy","wantedPriority","ok","because"}],"memory":{"lockedBytes","wantedLockedBytes","hugepageBytes",
 * "wantedHugepageBytes","hugepages":[{"node","pageBytes","bytes","wantedBytes"}],"nodes","wantedNodes","ok",
 * "because"}}: CPU and node sets as text ("0-3"), policies as words.
 */
json_t *proof_to_json(const struct proof *proof);
/* The table a person reads, from that JSON. */
void proof_write_table(const json_t *proof, struct text *out);
