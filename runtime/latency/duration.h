/* Durations as people write them. Pure. */
#pragma once

#include "rtvmd/base/error.h"

/* "40us", "1ms": with a unit, from 1 ns to LIMIT_LATENCY_GATE_NS. ERROR_INVALID. */
int latency_gate_parse(const char *text, uint64_t *ret_ns, struct error *err);
/* "10s", "500ms", "5m", "12h", "30": seconds; more than nothing and at most LIMIT_LATENCY_S. ERROR_BAD_REQUEST. */
int latency_duration_parse(const char *text, uint64_t *ret_ms, struct error *err);
