/* Annotations that mean something to us: the rtvmd.io/ extensions and a few of KubeVirt's. */
#pragma once

#include "runtime/spec/spec.h"

/* Applies one annotation to the spec; keys that are not ours do nothing. ERROR_INVALID names value and remedy. */
int annotation_apply(const char *key, const char *value, struct vm_spec *spec, struct error *err);

struct annotation {
    const char *key;
    int (*apply)(const char *value, struct vm_spec *spec, struct error *err);
    const char *values; /* "strict|prefer|spread" */
    const char *doc;
};
/* The table, for `explain` and the documentation. */
const struct annotation *annotation_table(size_t *ret_count);
