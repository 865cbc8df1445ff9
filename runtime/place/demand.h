/* What one VM needs of the host's CPUs and memory, worked out of its spec once. */
#pragma once

#include "runtime/place/place.h"

struct demand {
    unsigned vcpus;     /* that need a CPU of their own; 0 without dedicated CPUs */
    unsigned threads;   /* per guest core */
    unsigned emulator;  /* 0 or 1: CPUs of its own for QEMU's own threads */
    unsigned io;        /* CPUs of their own for IO threads: the supplemental pool */
    unsigned extras;    /* emulator + io */
    unsigned iothreads; /* IO threads QEMU will have, pinned somewhere */
    bool realtime;      /* any real-time vCPU */
    bool passthrough;   /* guest cells mirror host cells */
    enum vm_smt_policy smt;
    enum vm_numa_policy numa;
    bool sibling;           /* the extras sit on siblings of the VM's own vCPUs */
    struct cpuset floating; /* vCPUs that share the housekeeping CPUs */
    uint64_t page_bytes;    /* 0: ordinary pages */
    uint64_t memory_bytes;
    uint64_t pages; /* of page_bytes, or of PLACE_ORDINARY_PAGE_BYTES */
    /* Huge pages the VM may have: page_bytes, then the others that divide its memory. None: ordinary pages. */
    struct vm_page_sizes sizes;
};

struct demand demand_of(const struct vm_spec *spec);
/* How many IO threads the VM has: KubeVirt's rules (converter, iothreads). */
unsigned demand_iothreads(const struct vm_spec *spec);
