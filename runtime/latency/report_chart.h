/* The drawings of a report, as SVG. Pure. Colors are CSS classes: b (bars), a (the line of the other run), grid, axis,
 * gate, limit. */
#pragma once

#include "runtime/latency/measurement.h"

struct chart_limits {
    uint64_t gate_ns; /* 0: those of the grades */
    uint64_t from_ns; /* of the time axis: powers of ten */
    uint64_t to_ns;
};
/* One axis for all CPUs of a kind, so that drawings can be compared. */
struct chart_limits chart_limits_of(const struct measurements *measurements, const struct measurements *against,
                                    enum measurement_kind kind, uint64_t gate_ns);
/* How often each duration was seen; against (may be NULL): the same CPU in another run. */
void chart_histogram(const struct measurement *m, const struct measurement *against, const struct chart_limits *limits,
                     struct text *out);
/* The worst value of each block of time. */
void chart_blocks(const struct measurement *m, const struct chart_limits *limits, struct text *out);
