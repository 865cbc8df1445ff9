/* api/target: what a path under /api or /apis names. Pure. */
#pragma once

#include "api/resource.h"
#include "rtvmd/base/limits.h"

struct target {
    const struct resource *resource;
    char version[32];
    bool subresources_group; /* asked through subresources.kubevirt.io */
    bool has_namespace;      /* the path names one; a namespaced resource without: all namespaces */
    char namespace_[LIMIT_NAME_BYTES + 1];
    bool has_name;
    char name[LIMIT_NAME_BYTES + 1];
    char sub[64];     /* "status", "console", "portforward"; "" none */
    char rest[2][64]; /* what follows the subresource: a port and a protocol */
};

/* The path as sent (percent-encoded). ERROR_NOT_FOUND when it names nothing we serve, ERROR_BAD_REQUEST when a part is
 * too long or badly encoded. */
int target_of_path(const char *path, struct target *ret_target, struct error *err);

/* Kubernetes' rules for names: lower case letters, digits, '-' and '.', at most 253 bytes, beginning and ending with a
 * letter or digit. NULL when good, else what is wrong. */
const char *name_check(const char *name);
