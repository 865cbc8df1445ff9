/* What the probe guest says on its serial port, as it comes: report after report becomes measurements, with a block of
 * time for each report. Keeps one report of text and two of numbers, whatever the guest writes. Pure. */
#pragma once

#include "runtime/latency/measurement.h"
#include "runtime/latency/probe_report.h"

struct probe_stream;
struct probe_stream *probe_stream_new(void);
void probe_stream_free(struct probe_stream *stream); /* NULL is fine */

/* ERROR_INVALID for a report that contradicts itself or the ones before. */
int probe_stream_feed(struct probe_stream *stream, const char *bytes, size_t length, struct error *err);
/* Complete reports so far. */
unsigned probe_stream_reports(const struct probe_stream *stream);
/* Appends one measurement for each kind and each vCPU that ran. ERROR_NOT_FOUND: no report came. */
int probe_stream_measurements(const struct probe_stream *stream, struct measurements *into, struct error *err);
