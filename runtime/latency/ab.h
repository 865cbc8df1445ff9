/* Was it the knob? Two sides measured in turns (A, B, A, B, …), so that what changes with time is on both. Pure. */
#pragma once

#include "runtime/latency/measurement.h"

/* One more round of a side: histograms are added up, blocks follow one another. Steals the content of round. */
void ab_add(struct measurements *side, struct measurements *round);

enum ab_verdict {
    AB_UNKNOWN, /* too little time on both sides */
    AB_NOISE,   /* no tail differs beyond noise */
    AB_BETTER,  /* some tail is really shorter with B, and none longer */
    AB_WORSE,   /* some tail is really longer with B */
};
extern const char *const AB_VERDICT[]; /* "unknown", "noise", "better", "worse" */
/* From what compare_runs() says of A and B. */
enum ab_verdict ab_judge(const json_t *comparison);
