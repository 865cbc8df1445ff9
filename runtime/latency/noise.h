/* Who took CPUs away, for how long: the text of the kernel's osnoise events, summed up by source in constant memory.
 * The kernel leaves out of each duration what interrupted it, so durations of one CPU may be added. Pure.
 *
 * Formats: include/trace/events/osnoise.h, Documentation/trace/osnoise-tracer.rst. */
#pragma once

#include "rtvmd/base/json.h"
#include "rtvmd/base/limits.h"

enum noise_kind { NOISE_NMI, NOISE_IRQ, NOISE_SOFTIRQ, NOISE_THREAD, NOISE_KINDS };
extern const char *const NOISE_KIND[NOISE_KINDS]; /* "nmi", … */

enum { NOISE_NAME_MAX = 32, NOISE_LINE_MAX = 512 };

struct noise_sum {
    uint64_t count;
    uint64_t total_ns;
    uint64_t max_ns;
};

struct noise_source {
    enum noise_kind kind;
    unsigned cpu;
    int id; /* interrupt, vector of the softirq, thread; 0 for NMIs */
    char name[NOISE_NAME_MAX];
    bool own; /* a thread that should be there */
    struct noise_sum sum;
};

/* Zeroed, but for is_own, is empty. */
struct noise {
    bool (*is_own)(int tid, void *arg); /* asked once for each thread; may be NULL */
    void *arg;
    size_t count;
    struct noise_source source[LIMIT_NOISE_SOURCES];
    struct noise_sum others; /* of sources beyond these */
    uint64_t lost;           /* events the kernel had no room for */
    size_t partial;          /* bytes of a line that is not whole yet */
    bool skips;              /* the rest of a line that is too long */
    char line[NOISE_LINE_MAX];
};

/* A piece of trace_pipe, cut anywhere. Lines that are no osnoise events are passed over; so is the idle thread. */
void noise_feed(struct noise *noise, const char *bytes, size_t length);
/* This thread, of what was fed so far, should have been there. */
void noise_mark_own(struct noise *noise, int tid);
/* {"lost","sources":[{"cpu","kind","name","id","own","count","totalNs","maxNs"}],"others":{"count","totalNs","maxNs"}},
 * who took most first; at most LIMIT_DISTURBANCES sources. New reference. */
json_t *noise_json(const struct noise *noise);
