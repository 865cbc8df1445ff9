/* One measurement of host CPUs with everything around it: the methods one after the other, load on other CPUs, and who
 * disturbed meanwhile. In this very process (verbs), or in a child of the daemon: its threads must neither be disturbed
 * by nor disturb what answers requests, and a child can be ended at any time. */
#pragma once

#include <stdatomic.h>

#include "runtime/latency/host_test.h"

struct measure_request {
    bool wanted[MEASUREMENT_KINDS]; /* several share the duration */
    struct cpuset cpus;             /* empty: nothing is measured, there is only load */
    struct cpuset load_cpus;        /* empty: no load */
    uint64_t duration_ms;
    bool trace; /* who disturbs, by the kernel's tracer, which costs those CPUs some hundred ns each time */
};
struct measure_result {
    bool fifo;
    struct measurements measurements;
    json_t *disturbance; /* disturbance.h */
};
void measure_result_finish(struct measure_result *result);
#define auto_measure_result __attribute__((cleanup(measure_result_finish))) struct measure_result

/* "both", "timer" or "gaps". */
int measure_kind_parse(const char *text, bool ret_wanted[MEASUREMENT_KINDS], struct error *err);
const char *measure_kind_text(const bool wanted[MEASUREMENT_KINDS]);

/* Here and now. progress as in host_test.h, over the whole; what: the name of the method in hand, for people. */
int measure_here(const struct measure_request *request, bool (*progress)(unsigned percent, const char *what, void *arg),
                 void *arg, struct measure_result *ret_result, struct error *err);

/* [blocks] The same in a child; not longer than the duration and LIMIT_LATENCY_GRACE_MS. *stop, set by another thread,
 * ends it soon with ERROR_CONFLICT. *percent (may be NULL): how far it is. */
int measure_apart(const struct measure_request *request, const atomic_bool *stop, atomic_uint *percent,
                  struct measure_result *ret_result, struct error *err);
/* Load alone, beside something else that is measured: a child until measure_load_end. *ret_pid is 0 when no CPU is
 * given. */
int measure_load_start(const struct cpuset *cpus, uint64_t duration_ms, pid_t *ret_pid, struct error *err);
void measure_load_end(pid_t pid);

/* The child's whole life; argv as a verb gets it. Returns the exit status. */
#define MEASURE_VERB "latency-measure"
int measure_child(int argc, char **argv);
