/* api/collect: what goes because something else went: objects whose last owner was deleted, and the content of a
 * namespace that is being deleted. (A VMI owned by a VM is runtime's own business.) */
#pragma once

#include "api/call.h"

/* Follows the store's deletions. Also finishes what a crash left half done. */
void collect_start(struct api *api);
void collect_stop(struct api *api);
/* Deletes what is in a namespace that is marked; the namespace itself goes with its last object. */
void collect_namespace(struct api *api, const char *namespace_);
/* Takes the owner with this uid off everything it owns, so that nothing follows it. */
void collect_orphans(struct api *api, const char *uid);
