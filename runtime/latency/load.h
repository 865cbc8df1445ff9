/* The built-in load for the CPUs that are not measured: memory traffic, page faults, system calls and pipes. A number
 * measured without load says nothing about the day the load comes.
 *
 * Processes, not threads: a thread that unmaps memory interrupts every CPU on which another thread of its process runs,
 * and the measuring threads would suffer from nothing but their own tool. */
#pragma once

#include "rtvmd/base/cpuset.h"

#include <sys/types.h>

struct load {
    size_t count;
    pid_t pid[CPUSET_MAX];
};

/* One process for each CPU, with ordinary scheduling. Each ends by itself after duration_ms, and when we die. */
int load_start(const struct cpuset *cpus, uint64_t duration_ms, struct load *ret_load, struct error *err);
/* Ends and reaps what runs. */
void load_stop(struct load *load);
