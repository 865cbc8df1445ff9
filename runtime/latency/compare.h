/* Do two runs differ in the tail, or is that noise? Pure and deterministic.
 *
 * The time of each run is cut into blocks; what counts of a block is its worst value over all CPUs, and the time lost
 * in it. Both are resampled with replacement many times (the bootstrap), which gives an interval for the difference of
 * the means. An interval without zero is "real". This judges the two runs; whether a setting made the difference needs
 * runs that alternate. */
#pragma once

#include "runtime/latency/run.h"

enum { COMPARE_RESAMPLES = 2000, COMPARE_BLOCKS_MIN = 20 };

struct compare_interval {
    bool known;        /* enough blocks on both sides */
    double difference; /* B minus A */
    double low;        /* 99 %: several tails are judged at once, of few blocks */
    double high;
    bool real;
};

/* Means of n values each: of b minus of a. */
struct compare_interval compare_bootstrap(const double *a, size_t a_count, const double *b, size_t b_count);

/* {"a","b","tails":[{"kind","what","known","difference","low","high","real"}],"cpus":[{"kind","cpu","a":{…},"b":{…}}],
 *  "differences":[{"what","a","b"}]}: what: "maxNs" (worst of a block) or "lostPpm" (of the time, only gaps). CPUs that
 * only one run has come with one side. New reference. */
json_t *compare_runs(const struct run *a, const struct run *b);
void compare_write(const json_t *comparison, struct text *out);
