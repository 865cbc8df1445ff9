/* JSON values: jansson is included here and nowhere else; every folder says json_t through this header.
 * Integers outside int64 and duplicate keys are refused by json_from_text. */
#pragma once

#include <jansson.h>

#include "rtvmd/base/error.h"
#include "rtvmd/base/text.h"

#define auto_json __attribute__((cleanup(json_release_p))) json_t
void json_release_p(json_t **value);

/* A new reference, or NULL with ERROR_BAD_REQUEST naming line and column. The text need not end in NUL. */
json_t *json_from_text(const char *text, size_t length, struct error *err);
/* Compact text, keys in insertion order. The caller frees. */
char *json_to_text(const json_t *value);
/* Indented by two, final newline: for people and golden files. */
void json_write_pretty(const json_t *value, struct text *out);

/* json_deep_copy in half the time: it does not look for loops at every step, and nothing of ours has any. NULL gives
 * NULL. */
json_t *json_clone(const json_t *value);

/* Borrowed value at a path of object keys and array indexes, "spec.domain.cpu.cores" or "items.0.name"; NULL when any
 * part is missing. Keys that hold dots cannot be reached this way. */
json_t *json_at(const json_t *value, const char *path);
/* The same, as a string / integer / boolean; the default when missing or of another type. */
const char *json_text_at(const json_t *value, const char *path, const char *otherwise);
int64_t json_int_at(const json_t *value, const char *path, int64_t otherwise);
bool json_bool_at(const json_t *value, const char *path, bool otherwise);
/* Sets a value at a path of object keys, making the objects on the way. Steals value. */
void json_put_at(json_t *object, const char *path, json_t *value);
/* Removes the key at a path; missing is fine. */
void json_drop_at(json_t *object, const char *path);
