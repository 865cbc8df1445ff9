/* api/source: the objects behind a resource, wherever they come from, in the version asked for. */
#pragma once

#include "api/call.h"

/* New reference, or NULL when there is none. What comes from the store is shared: never change it. */
json_t *source_get(struct api *api, const struct resource *resource, const char *version, const char *namespace_,
                   const char *name);
/* New array; namespace_ NULL: all. */
json_t *source_list(struct api *api, const struct resource *resource, const char *version, const char *namespace_,
                    uint64_t *ret_version);
/* Made when asked for, from what runs: nothing in the store tells when it changes. */
bool source_is_made(const struct resource *resource);
/* A stored object as this version of the resource shows it: new reference, shared when nothing differs. */
json_t *source_view(const struct resource *resource, const char *version, json_t *stored);
