/* The cost of using a core, and the two orders of the terms.
 *
 * Widths: a VM has at most LIMIT_VM_VCPUS vCPUs and the host CPUSET_MAX CPUs, so ten or eleven bits hold any sum; the
 * distance is an average over node pairs plus one per node that holds only an emulator or IO thread; imbalance is
 * divided by the number of nodes; nodes nobody used before stop counting at 31. Together 128 bits: either the pages
 * left are counted or, where page sizes are mixed, who has which. */
#include "runtime/place/cost.h"

static const uint8_t WIDTH[COST_TERM_COUNT] = {
    [COST_PAGE_SIZE] = 10, [COST_LOOSE] = 10,      [COST_DISTURB] = 10,    [COST_SHARED] = 10,
    [COST_CPU0] = 1,       [COST_KIND] = 2,        [COST_UNISOLATED] = 10, [COST_BROKEN] = 10,
    [COST_L3] = 10,        [COST_DISTANCE] = 11,   [COST_IMBALANCE] = 10,  [COST_WHOLE_NODE] = 5,
    [COST_NODE_LEFT] = 11, [COST_PAGES_LEFT] = 10, [COST_L3_LEFT] = 11,    [COST_EXTRA_KIND] = 7,
};

static const enum cost_term REALTIME_ORDER[COST_TERM_COUNT] = {
    COST_PAGE_SIZE, COST_LOOSE,      COST_DISTURB, COST_SHARED,     COST_CPU0,      COST_UNISOLATED,
    COST_KIND,      COST_BROKEN,     COST_L3,      COST_DISTANCE,   COST_IMBALANCE, COST_WHOLE_NODE,
    COST_NODE_LEFT, COST_PAGES_LEFT, COST_L3_LEFT, COST_EXTRA_KIND,
};
static const enum cost_term PACKING_ORDER[COST_TERM_COUNT] = {
    COST_PAGE_SIZE, COST_LOOSE,      COST_DISTURB,   COST_KIND,       COST_BROKEN,    COST_SHARED,
    COST_L3,        COST_DISTANCE,   COST_IMBALANCE, COST_WHOLE_NODE, COST_NODE_LEFT, COST_PAGES_LEFT,
    COST_L3_LEFT,   COST_UNISOLATED, COST_CPU0,      COST_EXTRA_KIND,
};

struct cost_order cost_order_of(const struct demand *demand, bool mixed_pages)
{
    const enum cost_term *terms = demand->realtime ? REALTIME_ORDER : PACKING_ORDER;
    struct cost_order order;
    unsigned shift = 0;
    enum cost_term not_counted = mixed_pages ? COST_PAGES_LEFT : COST_PAGE_SIZE;
    order.shift[not_counted] = COST_NOT_COUNTED;
    for (unsigned i = COST_TERM_COUNT; i-- > 0;) {
        if (terms[i] == not_counted || (terms[i] == COST_IMBALANCE && demand->numa == VM_NUMA_SPREAD))
            continue;
        order.shift[terms[i]] = (uint8_t)shift;
        shift += WIDTH[terms[i]];
    }
    if (demand->numa == VM_NUMA_SPREAD)
        order.shift[COST_IMBALANCE] = (uint8_t)shift;
    return order;
}

uint64_t cost_get(const struct cost_order *order, struct cost cost, enum cost_term term)
{
    if (order->shift[term] == COST_NOT_COUNTED)
        return 0;
    return (uint64_t)(cost.sum >> order->shift[term]) & ((1u << WIDTH[term]) - 1);
}

enum cost_term cost_first_difference(const struct cost_order *order, struct cost a, struct cost b)
{
    enum cost_term first = COST_TERM_COUNT;
    for (enum cost_term term = 0; term < COST_TERM_COUNT; term++)
        if (cost_get(order, a, term) != cost_get(order, b, term) &&
            (first == COST_TERM_COUNT || order->shift[term] > order->shift[first]))
            first = term;
    return first;
}

const char *cost_term_text(enum cost_term term)
{
    static const char *const TEXT[COST_TERM_COUNT] = {
        [COST_PAGE_SIZE] = "vCPUs on less wanted pages",
        [COST_LOOSE] = "guest cores split over host cores",
        [COST_DISTURB] = "CPUs beside another VM's real-time vCPU",
        [COST_SHARED] = "vCPUs sharing a core",
        [COST_CPU0] = "CPU 0 used",
        [COST_KIND] = "not on performance cores only",
        [COST_UNISOLATED] = "CPUs that are not isolated",
        [COST_BROKEN] = "whole cores broken",
        [COST_L3] = "L3 groups used",
        [COST_DISTANCE] = "distance between nodes",
        [COST_IMBALANCE] = "unequal guest cells",
        [COST_WHOLE_NODE] = "unused nodes taken",
        [COST_NODE_LEFT] = "CPUs left on the node",
        [COST_PAGES_LEFT] = "pages left on the node",
        [COST_L3_LEFT] = "CPUs left in the L3 group",
        [COST_EXTRA_KIND] = "emulator on performance cores",
    };
    return term < COST_TERM_COUNT ? TEXT[term] : "equal, lower numbers win";
}

static bool core_allows(const struct demand *demand, const struct board_core *core, unsigned kinds, unsigned vcpus,
                        unsigned extras)
{
    if (vcpus + extras > core->free)
        return false;
    if (vcpus && !(kinds & (1u << core->kind)))
        return false;
    if (demand->sibling && extras && !vcpus)
        return false;
    if (!vcpus || demand->smt == VM_SMT_PREFER)
        return true;
    if (core->free != core->width)
        return false;
    if (demand->smt == VM_SMT_REQUIRE)
        return vcpus == core->width;
    unsigned fill = demand->threads < core->width ? demand->threads : core->width;
    return vcpus == fill && (extras == 0 || demand->sibling);
}

/* Does anything but its own guest core run beside these vCPUs? */
static bool core_is_shared(const struct demand *demand, const struct board_core *core, unsigned vcpus, unsigned extras)
{
    if (core->foreign || core->housekeeping)
        return true;
    if (!demand->realtime)
        return false;
    if (extras && !demand->sibling)
        return true;
    return demand->smt != VM_SMT_REQUIRE && vcpus > demand->threads;
}

struct cost cost_core(const struct cost_order *order, const struct demand *demand, const struct board_core *core,
                      unsigned kinds, unsigned vcpus, unsigned extras)
{
    if (!core_allows(demand, core, kinds, vcpus, extras))
        return cost_infinite();
    struct cost cost = {0};
    unsigned taken = vcpus + extras;
    if (taken == 0)
        return cost;
    if (vcpus && demand->smt == VM_SMT_ISOLATE)
        taken = core->width; /* the rest is parked */
    if (core->foreign_realtime)
        cost = cost_plus(cost, cost_of(order, COST_DISTURB, taken));
    if (core->width > 1 && core->free == core->width && taken < core->width)
        cost = cost_plus(cost, cost_of(order, COST_BROKEN, 1));
    if (core->kind == HOST_CORE_PERFORMANCE)
        cost = cost_plus(cost, cost_of(order, COST_EXTRA_KIND, extras));
    if (vcpus == 0)
        return cost;
    cost = cost_plus(cost, cost_of(order, COST_LOOSE, vcpus % demand->threads));
    if (core_is_shared(demand, core, vcpus, extras))
        cost = cost_plus(cost, cost_of(order, COST_SHARED, vcpus));
    if (core->has_cpu0 && vcpus == core->free)
        cost = cost_plus(cost, cost_of(order, COST_CPU0, 1));
    if (vcpus > core->isolated)
        cost = cost_plus(cost, cost_of(order, COST_UNISOLATED, vcpus - core->isolated));
    return cost;
}

struct cost cost_group(const struct cost_order *order, const struct board_group *group, unsigned taken)
{
    if (taken == 0)
        return (struct cost){0};
    return cost_plus(cost_of(order, COST_L3, 1), cost_of(order, COST_L3_LEFT, group->free - taken));
}
