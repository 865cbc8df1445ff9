/* What was measured on one CPU: the histogram, and the same time cut into blocks, from which compare.h tells whether
 * two runs differ. */
#pragma once

#include "runtime/latency/histogram.h"

enum { MEASUREMENT_BLOCKS = 50 }; /* that our own tests cut their time into */

enum measurement_kind {
    MEASUREMENT_TIMER, /* how late a sleeping thread woke: cyclictest's method */
    MEASUREMENT_GAPS,  /* how long a running thread was kept from running: oslat's method */
    MEASUREMENT_KINDS,
};
extern const char *const MEASUREMENT_KIND[MEASUREMENT_KINDS]; /* "timer", "gaps" */

struct measurement_block {
    uint64_t max_ns;
    uint64_t lost_ns;
};

struct measurement {
    enum measurement_kind kind;
    unsigned cpu; /* of the host, or vCPU of the guest */
    int tid;      /* of our own measuring thread, while this process knows it; not kept */
    uint64_t measured_ns;
    uint64_t involuntary;       /* context switches forced on the measuring thread */
    struct histogram histogram; /* its threshold is what blocks count as lost */
    size_t block_count;
    struct measurement_block *block; /* owned */
};

struct measurements {
    size_t count;
    struct measurement *at;
};
void measurements_finish(struct measurements *measurements);
/* A new zeroed one at the end with room for that many blocks; valid until the next call. */
struct measurement *measurements_add(struct measurements *measurements, size_t block_count);

/* [{"kind","cpu","measuredNs","involuntarySwitches","histogram":{…},"blocks":[[maxNs,lostNs],…]}] */
json_t *measurements_json(const struct measurements *measurements);
int measurements_read(const json_t *json, struct measurements *ret_measurements, struct error *err);
