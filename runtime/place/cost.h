/* What makes one placement better than another: a list of whole numbers, compared in order, the smaller the better.
 * Packed into one integer (each number has enough bits for the largest host), so that adding and comparing are one
 * instruction each. */
#pragma once

#include "runtime/place/board.h"
#include "runtime/place/demand.h"

enum cost_term {
    COST_PAGE_SIZE,  /* vCPUs whose cell has not the most wanted pages, where sizes may be mixed */
    COST_LOOSE,      /* threads of guest cores that are not on the siblings of one host core */
    COST_DISTURB,    /* CPUs taken beside another VM's real-time vCPU */
    COST_SHARED,     /* vCPUs whose core somebody else uses too: another VM, the host, our emulator, each other */
    COST_CPU0,       /* a vCPU on CPU 0 */
    COST_KIND,       /* 1: on efficiency cores, 2: on cores of any kind */
    COST_UNISOLATED, /* vCPUs on CPUs the kernel does not isolate */
    COST_BROKEN,     /* whole cores broken: some threads taken, some left */
    COST_L3,         /* L3 groups touched */
    COST_DISTANCE,   /* between the nodes used, and from the emulator to them */
    COST_IMBALANCE,  /* unequal guest cells */
    COST_WHOLE_NODE, /* nodes nobody used before */
    COST_NODE_LEFT,  /* CPUs left on the nodes used: the tightest fit keeps the others for a big VM */
    COST_PAGES_LEFT, /* pages left there, the same; not counted where sizes are mixed */
    COST_L3_LEFT,    /* CPUs left in the L3 groups used */
    COST_EXTRA_KIND, /* emulator and IO on performance cores, where efficiency cores would do */
    COST_TERM_COUNT,
};

struct cost {
    unsigned __int128 sum;
};

/* The order of the terms: a real-time VM puts latency (shared cores, isolation) before packing; numa-policy spread
 * wants equal cells before all else. mixed_pages: guest cells may have pages of different sizes. */
enum { COST_NOT_COUNTED = 128 }; /* as a shift */
struct cost_order {
    uint8_t shift[COST_TERM_COUNT];
};
struct cost_order cost_order_of(const struct demand *demand, bool mixed_pages);

static inline struct cost cost_infinite(void)
{
    return (struct cost){~(unsigned __int128)0};
}
static inline bool cost_is_infinite(struct cost cost)
{
    return cost.sum == ~(unsigned __int128)0;
}
static inline struct cost cost_of(const struct cost_order *order, enum cost_term term, uint64_t amount)
{
    return (struct cost){(unsigned __int128)amount << order->shift[term]};
}
static inline struct cost cost_plus(struct cost a, struct cost b)
{
    return (struct cost){a.sum + b.sum};
}
static inline bool cost_less(struct cost a, struct cost b)
{
    return a.sum < b.sum;
}
/* One number out of the list. */
uint64_t cost_get(const struct cost_order *order, struct cost cost, enum cost_term term);
/* The first term in which they differ; COST_TERM_COUNT when equal. */
enum cost_term cost_first_difference(const struct cost_order *order, struct cost a, struct cost b);
/* "whole cores broken" */
const char *cost_term_text(enum cost_term term);

/* What taking `vcpus` threads for vCPUs and `extras` for the emulator and IO threads on one core costs; infinite when
 * the rules forbid it. kinds is a mask of 1 << host_core_kind the vCPUs may use. */
struct cost cost_core(const struct cost_order *order, const struct demand *demand, const struct board_core *core,
                      unsigned kinds, unsigned vcpus, unsigned extras);
/* What is charged once per L3 group touched. */
struct cost cost_group(const struct cost_order *order, const struct board_group *group, unsigned taken);
