/* What only this room adds to findings. */
#pragma once

#include "runtime/spec/spec.h"

/* Notes the path of a field that has no row; the warning with the remedy is the caller's. */
void findings_unknown(struct findings *findings, const char *field);
