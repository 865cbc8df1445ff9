/* Image names as manifests write them: "quay.io/org/fedora:40", "fedora", "host:5000/x@sha256:…". Pure. */
#pragma once

#include "rtvmd/base/json.h"

/* Letters, digits and . _ - / : @ only, starting with a letter or digit, no "//" or "..": so it can be an argument of a
 * program and never a path. ERROR_INVALID. */
int image_name_check(const char *name, struct error *err);
/* The same image: a name without tag and digest means ":latest". */
bool image_name_equal(const char *a, const char *b);
/* Names IMAGE_PROBE_NAME, with any tag. */
bool image_name_is_probe(const char *name);
/* Pinned by digest ("…@sha256:…"): such a name cannot come to mean another image. */
bool image_name_has_digest(const char *name);
/* The repository: the name without tag and digest. New string. */
char *image_name_repository(const char *name);

enum image_policy { IMAGE_IF_NOT_PRESENT, IMAGE_ALWAYS, IMAGE_NEVER };
/* imagePullPolicy of a containerDisk source, with KubeVirt's default: Always for ":latest" or a bare name. */
enum image_policy image_policy_of(const json_t *source);
