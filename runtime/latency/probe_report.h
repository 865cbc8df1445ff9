/* Reads what the probe guest wrote on its serial port. The text comes from a guest: it is believed only as far as its
 * numbers fit together, and everything in it is bounded. Pure. */
#pragma once

#include "rtvmd/base/json.h"
#include "runtime/latency/probe_format.h"

struct probe_cpu_report {
    bool started;
    uint64_t measured_ns;
    uint64_t samples;
    uint64_t min_ns;
    uint64_t max_ns;
    uint64_t run_max_ns; /* since the report before */
    uint64_t over;       /* gaps of at least the threshold */
    uint64_t lost_ns;    /* their sum */
    uint64_t bucket[PROBE_BUCKETS];
};

struct probe_report {
    uint32_t number; /* 1 for the first since the guest started */
    uint32_t tsc_khz;
    bool tsc_invariant;
    uint32_t threshold_ns;
    bool timer; /* delays of the timer; else gaps */
    uint32_t cpu_count;
    struct probe_cpu_report cpu[];
};

/* The last complete report in the text; lines that are not the probe's are skipped, and a report cut off at either end
 * of the text does not count. Heap; free(). ERROR_NOT_FOUND when there is none, ERROR_INVALID when the last one
 * contradicts itself. */
struct probe_report *probe_report_parse(const char *text, size_t length, struct error *err);

/* The gap that `ppm` millionths of all gaps do not exceed, and the one that ppm millionths of the measured time was
 * spent in gaps no longer than. Rounded up to the end of its bucket (12 %), never above the exact maximum. */
uint64_t probe_gap_by_count_ns(const struct probe_report *report, uint32_t cpu, uint32_t ppm);
uint64_t probe_gap_by_time_ns(const struct probe_report *report, uint32_t cpu, uint32_t ppm);

/* {"report","tscKhz","invariantTsc","thresholdNs","vcpus":[{"id","measuredNs","samples","minNs","maxNs","lastMaxNs",
 * "over","lostNs","byCount":{"p50Ns","p99Ns","p999Ns","p99999Ns"},"byTime":{same},"buckets":[[fromNs,count],…]}]};
 * a vCPU that did not start has only "id" and "started": false. New reference. */
json_t *probe_report_json(const struct probe_report *report);
