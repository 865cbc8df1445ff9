/* The kernel's osnoise tracer, set to watch some CPUs: it tells how long which interrupt, softirq and thread took, and
 * runs nothing itself (option OSNOISE_WORKLOAD off; Linux 6.2). It records into an instance of tracefs of our own, so
 * that nobody else's trace is touched; what is not ours alone is that option, which is put back. One at a time on a
 * machine. The instance's name says whether the option was on: whoever finds one of a process that was killed can put
 * everything back. Documentation/trace/osnoise-tracer.rst, Documentation/trace/ftrace.rst ("Instances"). */
#pragma once

#include "rtvmd/base/cpuset.h"
#include "rtvmd/base/json.h"

/* Where tracefs is, and what is done to it; tests bring their own. */
struct tracefs {
    const char *root; /* "/sys/kernel/tracing" */
    int (*write_file)(const struct tracefs *tracefs, const char *path, const char *value, struct error *err);
    int (*make)(const struct tracefs *tracefs, const char *path, struct error *err);
    int (*remove)(const struct tracefs *tracefs, const char *path, struct error *err);
    void *arg;
};
extern const struct tracefs TRACEFS_LIVE;

struct tracer;
/* NULL: it cannot be, and nothing is changed; *err says why in a sentence for people. is_own: noise.h. */
struct tracer *tracer_start(const struct tracefs *tracefs, const struct cpuset *cpus,
                            bool (*is_own)(int tid, void *arg), void *arg, struct error *err);
/* Takes in what was recorded so far; a few times a second, before the kernel runs out of room. */
void tracer_poll(struct tracer *tracer);
/* The same, and a thread that ended meanwhile is one that should have been there. */
void tracer_mark_own(struct tracer *tracer, int tid);
/* Stops, puts everything back, and gives what noise.h says with "name": "osnoise". Frees *tracer. New reference. */
json_t *tracer_end(struct tracer *tracer);

/* Puts back what a killed process left; not while somebody traces. Nothing to do is success. */
int tracer_sweep(const struct tracefs *tracefs, struct error *err);
