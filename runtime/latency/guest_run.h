/* Runs measuring tools inside a guest through its agent, QEMU's guest-exec and guest-exec-status
 * (docs/interop/qemu-ga-ref). Knows the agent's words, not how they get there. */
#pragma once

#include <stdatomic.h>

#include "runtime/latency/guest_tools.h"

struct guest_agent {
    char *(*ask)(void *arg, const char *command, struct error *err); /* [blocks] the answer; the caller frees */
    void *arg;
};

struct guest_run {
    struct guest_agent agent;
    struct cpuset vcpus; /* meant to be measured; empty: all */
    unsigned vcpu_count;
    uint64_t duration_ms;           /* shared by the tools, whole seconds each, at least one */
    bool wanted[MEASUREMENT_KINDS]; /* of several, those whose tool is not there are left out, and false afterwards */
    const atomic_bool *stop;        /* ends it soon, the tool too, with ERROR_CONFLICT */
    atomic_uint *percent;           /* told meanwhile */
};
/* [blocks] Appends what was measured. ret_how: "cyclictest as SCHED_FIFO, …", appended. An agent that may not run
 * programs and a tool that is not there give ERROR_UNAVAILABLE with what to do. */
int guest_run(struct guest_run *run, struct measurements *into, struct text *ret_how, struct error *err);
