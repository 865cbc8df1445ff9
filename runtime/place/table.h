/* Best costs, tabulated: for every number of vCPUs and extra CPUs, the cheapest way to take them from one L3 group
 * (over its cores) and from one node (over its groups). */
#pragma once

#include "runtime/place/cost.h"

/* cost[(step * (vcpus + 1) + v) * (extras + 1) + x]: the cheapest way to take v and x from the steps >= step. */
struct table {
    unsigned steps;
    unsigned vcpus;
    unsigned extras;
    struct cost *cost;
};

struct tables {
    const struct board *board;
    const struct demand *demand;
    struct cost_order order;
    unsigned kinds;
    struct table *group; /* by group; cost NULL: see group_as */
    unsigned *group_as;  /* the first group that looks the same */
    struct table *node;  /* by board node */
    unsigned *node_as;
    struct cost *scratch;
};

/* kinds: the core kinds vCPUs may use, as a mask. */
void tables_make(struct tables *tables, const struct board *board, const struct demand *demand, unsigned kinds,
                 bool mixed_pages);
void tables_finish(struct tables *tables);
/* The cheapest way to take v and x from one node; infinite when there is none. */
struct cost tables_node_cost(const struct tables *tables, unsigned node, unsigned vcpus, unsigned extras);
/* That way, core by core: vcpus_of[core] and extras_of[core] of the board's cores are added to. Among equals lower CPU
 * numbers are filled first. */
void tables_spread(const struct tables *tables, unsigned node, unsigned vcpus, unsigned extras, uint8_t *vcpus_of,
                   uint8_t *extras_of);
