/* What /proc/PID/task/TID/stat and …/status say of a thread (man 5 proc). */
#pragma once

#include "rtvmd/base/cpuset.h"

struct task_stat {
    char name[64];        /* the command; may hold blanks and brackets */
    bool kernel;          /* a thread of the kernel's own */
    bool bound;           /* nobody may move it to other CPUs */
    uint64_t start_ticks; /* since the machine was booted */
    int last_cpu;
    int priority; /* real-time priority; 0 of ordinary threads */
    int policy;   /* SCHED_OTHER, SCHED_FIFO, … */
};

/* False when the line is cut or no stat line at all. */
bool task_stat_parse(const char *line, struct task_stat *ret_stat);
/* Its Cpus_allowed_list. ERROR_NOT_FOUND: there is no such line. */
int task_status_cpus(const char *status, struct cpuset *ret_cpus, struct error *err);
