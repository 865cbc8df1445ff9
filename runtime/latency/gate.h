/* The gate in front of a VM (annotation rtvmd.io/latency-gate): the CPUs it is about to get are measured, and what they
 * are worth decides whether it starts. */
#pragma once

#include "runtime/latency/latency_job.h"

struct latency_gate {
    /* In. */
    uint64_t limit_ns; /* 0: no gate */
    bool only_warns;
    struct latency_job job;

    /* Out. */
    bool is_measured;
    bool is_shut; /* the VM must not start */
    json_t *verdict;
};
/* [blocks] Measures and judges. A CPU that could not be measured is an error. */
int latency_gate_run(struct latency_gate *gate, struct error *err);
void latency_gate_finish(struct latency_gate *gate);

/* The verdict as a condition: {"status":"True|False|Unknown","reason","message","shut"}. result and run as the job
 * gives them. What is not real hardware has no verdict and lets everybody in: a machine like that is for trying things
 * out. Without load there is no grade, but the limit counts. Pure. New reference. */
json_t *latency_gate_judge(uint64_t limit_ns, bool only_warns, const json_t *result, const char *run);
