/* A run as one HTML page that needs nothing else: verdict, a histogram for each CPU with logarithmic axes, when it
 * happened, who disturbed, the machine. Pure. Everything from the run is escaped. */
#pragma once

#include "runtime/latency/run.h"

/* against (may be NULL): another run, drawn as a line over the first and compared with it. gate_ns 0: the limits of the
 * grades are drawn instead. */
void report_html(const struct run *run, const struct run *against, uint64_t gate_ns, struct text *out);
