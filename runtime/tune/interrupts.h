/* /proc/interrupts as counters per CPU, by what matters to a real-time CPU: devices, the local timer, and calls from
 * other CPUs. */
#pragma once

#include "hostprobe/files.h"

struct interrupts {
    bool known;
    struct cpuset cpus; /* that have a column */
    uint64_t device[CPUSET_MAX];
    uint64_t timer[CPUSET_MAX]; /* LOC */
    uint64_t call[CPUSET_MAX];  /* RES, CAL, TLB: sent by other CPUs */
};

void interrupts_read(const struct files *files, struct interrupts *ret_interrupts);
