/* A VM keeps its CPUs: is an earlier placement still possible and still what the spec asks for? */
#pragma once

#include "runtime/place/board.h"
#include "runtime/place/demand.h"

/* Copies the CPU half of `kept` (not memory: that is placed anew on the same nodes) when every CPU of it is free for
 * this VM and it meets the demand; else false and *placement is untouched. */
bool kept_take(const struct board *board, const struct demand *demand, const struct placement *kept,
               struct placement *placement);
