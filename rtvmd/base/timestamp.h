/* Points in time as Kubernetes writes them (RFC 3339, seconds, UTC): "2026-03-01T12:00:00Z". */
#pragma once

#include "rtvmd/base/base.h"

enum { TIMESTAMP_TEXT_MAX = 32 };
/* Returns buffer. */
const char *timestamp_format(int64_t wall_s, char buffer[TIMESTAMP_TEXT_MAX]);
/* Fractions of a second are dropped; "Z" and "+01:00" are understood. 0 for NULL, "" and anything else. */
int64_t timestamp_parse(const char *text);
