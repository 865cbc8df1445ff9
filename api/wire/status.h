/* api/status: v1 Status objects. Pure. */
#pragma once

#include "api/resource.h"
#include "runtime/spec/spec.h"

/* What a Status is about; all may be NULL. */
struct status_about {
    const char *group;
    const char *kind; /* the plural of the resource, as Kubernetes has it */
    const char *name;
    const char *uid;
};

/* causes (borrowed, may be NULL): what the details list. */
json_t *status_failure(const struct error *failure, const struct status_about *about, json_t *causes);
/* 422 with every cause; the message joins at most ten of them, as KubeVirt's does. Fills *ret_failure for the HTTP
 * status. */
json_t *status_invalid(const struct findings *findings, const struct status_about *about, const char *kind,
                       struct error *ret_failure);
json_t *status_success(const struct status_about *about);
