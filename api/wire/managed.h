/* api/managed: metadata.managedFields, who set which field: kept on every write, and what server-side apply decides
 * with. Lists are owned whole (atomic), except finalizers (a set) and ownerReferences (by uid). Pure but for the clock.
 */
#pragma once

#include "rtvmd/base/json.h"

/* An ordinary write by `manager`: what it changed against before (NULL: everything) becomes its own and nobody else's.
 * The object is about to be stored; what it says about managedFields itself is not believed, except that an empty list
 * resets them. */
void managed_update(json_t *object, const json_t *before, const char *manager, const char *subresource);

/* Server-side apply: what `wanted` says, merged into before (NULL: create) for the manager; fields it applied earlier
 * and says no more go, unless somebody else owns them, too. ERROR_CONFLICT lists fields of others it would change,
 * unless forced; *ret_causes is then a new array of them, as a Status has its causes, else NULL. A new object. */
json_t *managed_apply(const json_t *wanted, const json_t *before, const char *manager, const char *subresource,
                      bool force, json_t **ret_causes, struct error *err);
