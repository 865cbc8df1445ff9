/* api/subresource: what can be done to a VM or VMI beside reading and writing it: subresources.kubevirt.io, one row
 * each (facts 5.3), and the proof of a Placement. */
#pragma once

#include "api/call.h"

#define SUBRESOURCE_GROUP "subresources.kubevirt.io"

struct subresource {
    const char *group; /* where it is served */
    const char *plural;
    const char *name;
    unsigned methods; /* of enum http_method */
    call_handler *handle;
    int status; /* of an answer without a body */
    enum runtime_action action;
    const char *why; /* it is refused; not in the discovery then */
};
extern const struct subresource SUBRESOURCES[];
extern const size_t SUBRESOURCE_COUNT;

/* A subresource of our own group, below the resource itself. */
bool subresource_is_own(const struct target *target);
/* The call's target was read through the subresource group. */
call_handler subresource_handle;
/* PUT …/namespaces/NS/expand-vm-spec: the object in the body, expanded. */
call_handler subresource_expand;
