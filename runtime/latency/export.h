/* A run in the words of other tools. Pure. */
#pragma once

#include "runtime/latency/run.h"

/* "kind,cpu,from_ns,count": a line for each bucket that is not empty, after a head line. */
void export_csv(const struct run *run, struct text *out);
/* OpenMetrics text: rtvmd_latency_max_seconds, rtvmd_latency_lost_seconds, rtvmd_latency_measured_seconds and
 * rtvmd_latency_quantile_seconds, with labels run, kind, cpu (and quantile, weight); ends in "# EOF". */
void export_openmetrics(const struct run *run, struct text *out);
