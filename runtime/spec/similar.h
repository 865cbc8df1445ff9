/* "Did you mean …?": the nearest of many candidates. */
#pragma once

#include "rtvmd/base/text.h"

struct similar {
    const char *word;
    const char *best;  /* NULL while nothing is near enough */
    unsigned distance; /* of best */
};
struct similar similar_to(const char *word);
/* The candidate is kept (borrowed) when it is nearer than the best so far: at most a third of the letters wrong,
 * missing, too many or swapped; case does not count. */
void similar_consider(struct similar *similar, const char *candidate);
