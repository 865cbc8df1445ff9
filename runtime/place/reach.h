/* Which numbers of vCPUs and extra CPUs can be taken at all, before any set of nodes is tried. */
#pragma once

#include "runtime/place/table.h"

/* may_take(node, vcpus, extras, arg): can one node give exactly that? */
struct reach_input {
    const struct demand *demand;
    unsigned node_count;
    const unsigned *node;       /* board nodes */
    const unsigned *most_vcpus; /* by board node */
    bool (*may_take)(unsigned node, unsigned vcpus, unsigned extras, const void *arg);
    const void *arg;
};

/* ret_sizes[k]: the vCPUs alone can be shared out over exactly k nodes, at least one guest core each; k <= node_count.
 * False when no number of nodes can hold vCPUs and extras together. */
bool reach_sizes(const struct reach_input *input, bool ret_sizes[LIMIT_HOST_NODES + 1]);
