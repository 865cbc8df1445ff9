/* runtime/usage: what a QEMU process has used, by /proc alone: no lock of QEMU's is taken and no CPU is interrupted. */
#pragma once

#include "rtvmd/base/error.h"
#include "rtvmd/base/limits.h"

struct vcpu_usage {
    unsigned index;
    uint64_t run_ns;   /* on a CPU */
    uint64_t delay_ns; /* runnable, and something else ran */
    uint64_t wait_ns;  /* the same as the scheduler's own statistics have it; UINT64_MAX: the kernel does not tell */
    int last_cpu;
};

struct process_usage {
    uint64_t user_ns, system_ns; /* of all threads */
    uint64_t resident_bytes;     /* without huge pages */
    uint64_t hugepage_bytes;
    uint64_t locked_bytes;
    size_t vcpu_count;
    struct vcpu_usage *vcpu; /* in no order */
};
void process_usage_finish(struct process_usage *usage);

/* root is put before every path ("" live). A process that is gone: ERROR_NOT_FOUND. */
int process_usage_read(const char *root, int pid, struct process_usage *ret_usage, struct error *err);
