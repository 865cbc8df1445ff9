/* A histogram of durations in constant memory: the probe guest's buckets (probe_format.h) over nanoseconds, 12 % wide,
 * with extremes, sum and threshold counts exact beside them. Pure. */
#pragma once

#include "rtvmd/base/json.h"
#include "runtime/latency/probe_format.h"

struct probe_report;

struct histogram {
    uint64_t threshold_ns; /* what counts as over; set before the first value */
    uint64_t count;
    uint64_t sum_ns;
    uint64_t min_ns; /* 0 while empty */
    uint64_t max_ns;
    uint64_t over;    /* values of at least the threshold */
    uint64_t lost_ns; /* their sum */
    uint64_t bucket[PROBE_BUCKETS];
};

static inline void histogram_add(struct histogram *h, uint64_t ns)
{
    if (h->count++ == 0 || ns < h->min_ns)
        h->min_ns = ns;
    if (ns > h->max_ns)
        h->max_ns = ns;
    h->sum_ns += ns;
    if (ns >= h->threshold_ns) {
        h->over++;
        h->lost_ns += ns;
    }
    h->bucket[probe_bucket(ns)]++;
}

/* The same value many times; their sum must fit. */
void histogram_add_many(struct histogram *h, uint64_t ns, uint64_t count);
/* Adds everything of `from`, measured with the same threshold. */
void histogram_merge(struct histogram *into, const struct histogram *from);
/* A vCPU of the probe's report; its buckets, over cycles, land in those of their middle. */
void histogram_from_probe(const struct probe_report *report, uint32_t cpu, struct histogram *ret_histogram);

/* The value that ppm millionths of all values do not exceed; by time: of the summed durations. Weighing by time shows
 * what counting hides: a loop reads millions of short gaps for every long one, but most time may pass in the long
 * ones. Rounded up to the end of its bucket, never above the exact maximum; 0 when empty. */
uint64_t histogram_percentile_ns(const struct histogram *h, uint32_t ppm, bool by_time);

/* {"thresholdNs","count","sumNs","minNs","maxNs","over","lostNs","byCount":{…},"byTime":{"p50Ns","p99Ns","p999Ns",
 * "p9999Ns","p99999Ns"},"buckets":[[fromNs,count],…]}, only buckets that are not empty. New reference. */
json_t *histogram_json(const struct histogram *h);
/* Percentiles are computed anew. ERROR_INVALID when the numbers do not fit together. */
int histogram_read(const json_t *json, struct histogram *ret_histogram, struct error *err);

/* The percentiles that are reported, in order. */
struct histogram_rank {
    const char *key;   /* "p9999Ns" */
    const char *label; /* "99.99" */
    uint32_t ppm;
};
enum { HISTOGRAM_RANKS = 5, HISTOGRAM_TAIL_PPM = 999900 };
extern const struct histogram_rank HISTOGRAM_RANK[HISTOGRAM_RANKS];
