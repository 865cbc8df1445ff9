/* The board the solver plays on: what of the host is free for this VM, in the shape the solver walks: nodes > L3 groups
 * > physical cores > free threads. Made once per plan; read-only after. */
#pragma once

#include "runtime/place/place.h"

enum { BOARD_THREADS_MAX = 8, BOARD_CORES_MAX = CPUSET_MAX };

/* A physical core with at least one free thread. A core wider than BOARD_THREADS_MAX counts as several. */
struct board_core {
    int16_t cpu[BOARD_THREADS_MAX]; /* the free ones in the order of use: isolated first, CPU 0 last */
    uint8_t free;
    uint8_t width;    /* online threads, free or not */
    uint8_t isolated; /* how many of the free ones the kernel isolates */
    uint8_t kind;     /* enum host_core_kind; unknown counts as performance */
    bool has_cpu0;    /* the last of cpu[] is CPU 0 */
    bool foreign;     /* another thread is promised to another VM */
    bool foreign_realtime;
    bool housekeeping; /* another thread is the host's */
};

/* Cores of one node behind one L3 cache; without L3 facts the whole node is one group. */
struct board_group {
    unsigned first_core;
    unsigned core_count;
    unsigned free; /* threads */
};

/* The pool of one page size on one node. */
struct board_pages {
    bool exists;
    uint64_t total;
    uint64_t claimed;
    uint64_t left;  /* total - claimed, never below 0, and what the pool may grow by */
    uint64_t ready; /* the part of them that is in the pool already */
    uint64_t free;  /* what the kernel calls free */
    bool limited;   /* it may grow by less than the node's memory: the kernel found no more */
};

/* A node that has memory, with the CPUs of the memory-less nodes nearest to it. */
struct board_node {
    unsigned index; /* in host.node */
    int id;
    struct cpuset cpus;      /* online */
    struct cpuset available; /* free for this VM */
    unsigned first_group;
    unsigned group_count;
    unsigned free;
    bool whole;      /* no CPU of it is promised to any VM */
    int filling_cpu; /* whence huge pages here are filled for a VM without a CPU here; -1: no CPU, no pages of it */
    struct board_pages pages[1 + LIMIT_VM_OTHER_PAGE_SIZES]; /* by board.sizes */
    /* ordinary memory left if all unbound promises were taken here */
    uint64_t ordinary_left_bytes;
};

struct board {
    const struct host *host;
    const struct claims *claims;
    struct cpuset housekeeping;
    struct cpuset available;    /* online - housekeeping - claimed, within the CPUs the VM asks for */
    struct vm_page_sizes sizes; /* the VM may have, most wanted first */
    bool hybrid;                /* free cores of both kinds */
    uint64_t ordinary_total_bytes;
    uint64_t ordinary_left_bytes;
    unsigned node_count;
    unsigned group_count;
    unsigned core_count;
    uint8_t distance[LIMIT_HOST_NODES][LIMIT_HOST_NODES]; /* by board node; 10 to itself, 20 when unknown */
    struct board_node node[LIMIT_HOST_NODES];
    struct board_group group[BOARD_CORES_MAX];
    struct board_core core[BOARD_CORES_MAX];
};

/* grow: pools may grow into the ordinary memory of their node. sizes NULL or none: the VM wants no huge pages. wanted
 * empty: any CPU. The caller frees. */
struct board *board_new(const struct host *host, const struct place_policy *policy, const struct claims *claims,
                        const struct vm_page_sizes *sizes, const struct cpuset *wanted, bool grow);
/* The board node a CPU belongs to, or -1. */
int board_node_of(const struct board *board, int cpu);
