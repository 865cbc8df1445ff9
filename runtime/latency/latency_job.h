/* The acting half of a LatencyTest: measures, and stores what was measured. On a thread of its own that may block for
 * as long as the test takes; everything it touches is in the job. */
#pragma once

#include <stdatomic.h>

#include "runtime/latency/guest_run.h"
#include "runtime/latency/latency_test.h"

struct latency_job {
    /* In. */
    enum latency_target target;
    struct measure_request request; /* cpus: for a VM those its vCPUs have */
    const struct host *host;        /* borrowed */
    char *folder;                   /* of the stored runs */
    char *run_name;                 /* "": made up */
    char *subject;                  /* "host", or "NAMESPACE/NAME" */
    char *console;                  /* path of the serial port's socket; LATENCY_VM */
    struct guest_agent agent;       /* LATENCY_GUEST, with the next two */
    struct cpuset guest_vcpus;      /* real-time ones; empty: all */
    unsigned vcpu_count;
    char *scheduling; /* of a guest's vCPUs */
    bool emulated;
    json_t *vm;              /* its configuration; NULL: none */
    const atomic_bool *stop; /* borrowed */
    atomic_uint *percent;    /* told meanwhile; borrowed, may be NULL */

    /* Out. */
    char *stored_name;
    json_t *result; /* for the status: {"grade","because","maxNs","cpus":[…]} */
};
int latency_job_run(struct latency_job *job, struct error *err);
void latency_job_finish(struct latency_job *job);

/* The short form of a run: {"grade","because","maxNs","cpus":[{"cpu","kind","p50Ns","p9999Ns","p9999ByTimeNs","maxNs",
 * "lostNs","measuredNs"}]}. Pure. New reference. */
json_t *latency_job_result(const json_t *run, const struct measurements *measurements);
