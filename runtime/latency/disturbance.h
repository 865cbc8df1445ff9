/* Who disturbed some CPUs for a while: interrupts by source, and threads that were switched in, as differences of the
 * kernel's counters; where it is wanted and can be had, how long each took, by the kernel's osnoise tracer. Without it
 * only /proc is read; the tracer is put back (tracer.h). */
#pragma once

#include "rtvmd/base/cpuset.h"
#include "rtvmd/base/json.h"

struct disturbance;
struct disturbance *disturbance_start(const struct cpuset *cpus, bool trace);
/* A few times a second while a tracer may run; else it does nothing. */
void disturbance_poll(struct disturbance *d);
/* A thread of this process that ended already. */
void disturbance_mark_own(struct disturbance *d, int tid);
/* {"interrupts":[{"cpu","source","what","count"}],"threads":[{"cpu","name","tid","count"}]}, most switches first, at
 * most LIMIT_DISTURBANCES each. A thread counts for the CPU it ran on last, the only one the kernel tells; threads of
 * this process do not count. If tracing was wanted: "noise", which is what tracer_end gives, threads of this process
 * marked as own, or {"because"}. Frees *d. New reference. */
json_t *disturbance_end(struct disturbance *d);

/* The rows of /proc/interrupts that grew on those CPUs. Pure. New reference. */
json_t *disturbance_interrupts(const char *before, const char *after, const struct cpuset *cpus);
