/* One line of /proc/PID/task/TID/stat (man 5 proc). */
#pragma once

#include <stdbool.h>

struct task_stat {
    char name[64]; /* the command; may hold blanks and brackets */
    bool kernel;   /* a thread of the kernel's own */
    bool bound;    /* nobody may move it to other CPUs */
    int last_cpu;
    int priority; /* real-time priority; 0 of ordinary threads */
    int policy;   /* SCHED_OTHER, SCHED_FIFO, … */
};

/* False when the line is cut or no stat line at all. */
bool task_stat_parse(const char *line, struct task_stat *ret_stat);
