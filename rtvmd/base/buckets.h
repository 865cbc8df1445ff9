/* A histogram of durations with fixed bounds, counted as Prometheus wants it: for what happens often and is looked at
 * from outside. Owned by one thread. */
#pragma once

#include "rtvmd/base/base.h"

enum { BUCKET_COUNT = 16 };
extern const uint64_t BUCKET_BOUND_NS[BUCKET_COUNT]; /* growing; the last is ten seconds */

struct buckets {
    uint64_t count[BUCKET_COUNT + 1]; /* each on its own, not added up; the last holds what is above all bounds */
    uint64_t sum_ns;
};

/* What is exactly at a bound belongs below it. */
void buckets_add(struct buckets *buckets, uint64_t ns);
uint64_t buckets_total(const struct buckets *buckets);
