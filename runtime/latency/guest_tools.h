/* Measuring tools inside a running Linux guest: how they are called, and what they print, as measurements. They are
 * cyclictest (timer) and oslat (gaps) of rt-tests, which report whole microseconds. Pure: the text comes from the
 * guest, and nobody trusts it. */
#pragma once

#include "rtvmd/base/cpuset.h"
#include "rtvmd/base/error.h"
#include "runtime/latency/measurement.h"

/* Gaps of at least this are lost time: oslat's first bucket is the loop itself. The last bucket holds all that is
 * longer; the longest is told apart. */
enum { GUEST_GAP_NS = 2000, GUEST_BUCKETS = 1024 };

struct guest_tool {
    const char *program; /* the agent looks for it on its path */
    json_t *(*arguments)(const struct cpuset *vcpus, unsigned seconds, bool fifo);
    /* Appends a measurement for each of these vCPUs. ERROR_INVALID: it does not look like the tool's. */
    int (*read)(const char *text, const struct cpuset *vcpus, unsigned seconds, struct measurements *into,
                struct error *err);
};
extern const struct guest_tool GUEST_TOOL[MEASUREMENT_KINDS];

/* Where a tool runs, out of the vCPUs that are meant: what never sleeps leaves the first one to everybody else if it
 * would have all. *ret_fifo: with real-time priority; not if there is only one vCPU that such a tool would stop. */
struct cpuset guest_tool_vcpus(enum measurement_kind kind, const struct cpuset *meant, unsigned vcpu_count,
                               bool *ret_fifo);
