/* Measures on this very machine what a real-time thread on the given CPUs has to suffer. Changes nothing: power
 * management and everything else is left as a VM would find it. */
#pragma once

#include "rtvmd/base/cpuset.h"
#include "runtime/latency/measurement.h"

struct host_test {
    enum measurement_kind kind;
    struct cpuset cpus;
    uint64_t duration_ms;
    uint64_t interval_ns;  /* of the timer */
    uint64_t threshold_ns; /* gaps of at least this are lost time */
    /* Called about five times a second from the calling thread; false ends the test early. May be NULL. */
    bool (*progress)(unsigned percent, void *arg);
    void *arg;
};
enum { HOST_TEST_INTERVAL_NS = 1000000, HOST_TEST_THRESHOLD_NS = 1000 };

/* The CPUs this process may run on. */
struct cpuset host_test_allowed(void);
/* ERROR_BAD_REQUEST naming CPUs that are not ours to use, or the lack of one that is left for everybody else: whoever
 * looks for gaps never sleeps. */
int host_test_check(const struct host_test *test, struct error *err);

/* Runs a thread on each CPU for the duration, never longer, and appends a measurement for each. *ret_fifo: the threads
 * ran as SCHED_FIFO; else they had ordinary scheduling, and ordinary load on those CPUs is part of the result. */
int host_test_run(const struct host_test *test, struct measurements *into, bool *ret_fifo, struct error *err);
