/* The solver: which nodes, how many vCPUs on each, and which cores. */
#pragma once

#include "runtime/place/pages.h"
#include "runtime/place/table.h"

/* What was tried, for people: a set of nodes and what it would cost, or why not. */
struct candidate {
    unsigned node_count;
    uint8_t node[8]; /* board nodes; more are not listed */
    bool feasible;
    bool remote_memory;
    unsigned kinds;
    struct page_set set;
    uint8_t size[8]; /* of pages, by node[] */
    struct cost cost;
};
enum { CANDIDATES_MAX = 64 };
struct candidates {
    unsigned count;
    unsigned tried; /* all of them */
    bool cut;       /* the limit was reached */
    struct candidate candidate[CANDIDATES_MAX];
};

struct solution {
    struct cost cost;
    struct cost_order order;
    unsigned nodes; /* with vCPUs */
    struct page_choice pages;
    bool remote_memory; /* no room for the pages beside the CPUs: memory may come from any node */
    unsigned vcpus_on[LIMIT_HOST_NODES];
    unsigned extras_on[LIMIT_HOST_NODES];
    uint8_t vcpus_of[BOARD_CORES_MAX];
    uint8_t extras_of[BOARD_CORES_MAX];
};

/* False when the VM does not fit. log may be NULL. demand->vcpus > 0. */
bool search_solve(const struct board *board, const struct demand *demand, struct solution *ret_solution,
                  struct candidates *log);
