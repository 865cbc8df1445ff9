/* Every thread of the machine, as far as the doctor cares: who it is, how it is scheduled, where it may run. */
#pragma once

#include "hostprobe/files.h"

struct task {
    int pid;
    int tid;
    char name[64];
    bool kernel;  /* a thread of the kernel */
    bool bound;   /* the kernel will not let its affinity be changed */
    int policy;   /* SCHED_* */
    int priority; /* real-time priority, 0 for others */
    int last_cpu; /* where it ran last */
    struct cpuset allowed;
};

struct task_list {
    bool known; /* /proc listed any thread */
    size_t count;
    size_t capacity;
    struct task *at;
};

void tasks_read(const struct files *files, struct task_list *ret_list);
void tasks_finish(struct task_list *list);
/* The first thread whose name begins so, or NULL. */
const struct task *tasks_named(const struct task_list *list, const char *prefix);
