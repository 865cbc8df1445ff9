/* The probe's reports from the unix socket behind a VM's serial port. */
#pragma once

#include <stdatomic.h>

#include "runtime/latency/probe_stream.h"

/* [blocks] Reads until `wanted` reports came. The guest ending before that, or the deadline (monotonic clock), is an
 * error that says how many came; *stop, set by another thread, ends it with ERROR_CONFLICT. *percent (may be NULL): of
 * the reports that came. */
int console_read(const char *path, unsigned wanted, uint64_t deadline_ms, const atomic_bool *stop, atomic_uint *percent,
                 struct probe_stream *stream, struct error *err);
