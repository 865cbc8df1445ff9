/* YAML text <-> JSON values. libyaml is included here and nowhere else. */
#pragma once

#include "rtvmd/base/json.h"

/* One document after the other, appended to the array `documents`; null documents are skipped. Scalars get the types
 * Kubernetes' YAML reader gives them (YAML 1.1: yes/no/on/off are booleans, 0x, 0o and 0-octal integers). Anchors,
 * aliases, tags, merge keys, duplicate keys, complex keys, not-UTF-8, NUL characters, and everything over the limits
 * (limits.h) are refused with line and column: ERROR_BAD_REQUEST or ERROR_TOO_LARGE. */
int yaml_read(const char *text, size_t length, json_t *documents, struct error *err);

/* The value of a plain (unquoted) scalar; NULL for what has no JSON value (.inf, .nan, integers past 64 bits). */
json_t *yaml_plain_value(const char *text, size_t length);

/* Appends a block-style document without "---"; reading it back gives an equal value. */
void yaml_write(const json_t *value, struct text *out);
