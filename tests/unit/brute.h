/* The solver's question answered the slow way: every way to hand every free CPU to a vCPU, to the emulator or IO
 * threads, or to nobody, judged from the host itself (none of the solver's tables). Only for hosts of a few free CPUs.
 */
#pragma once

#include "runtime/place/demand.h"
#include "runtime/place/memory.h"
#include "runtime/place/place.h"

enum { BRUTE_MAX_FREE = 10, BRUTE_TERMS = 18, BRUTE_NODES = 4 };
enum brute_role { BRUTE_FREE, BRUTE_VCPU, BRUTE_EXTRA };

struct brute {
    const struct host *host;
    const struct claims *claims;
    const struct board *board; /* only nodes and what is free: checked by other tests */
    struct demand demand;
    unsigned free_count;
    int free_cpu[BRUTE_MAX_FREE];
    uint8_t role[CPUSET_MAX]; /* the assignment being judged */
    uint64_t unit;            /* what memory is shared out in; guest memory is pages of it */
    uint64_t pages;
    bool mixed;
    uint64_t size[BRUTE_NODES]; /* of the pages on each node; 0: ordinary */
    uint64_t first;             /* the most wanted size that may be used */
};

/* How good an assignment is: compared number by number. found: it is allowed at all. */
struct brute_score {
    bool found;
    bool split_extras;   /* the extras are on several nodes */
    unsigned vcpu_nodes; /* as a mask */
    uint64_t term[BRUTE_TERMS];
};

static inline bool brute_less(const struct brute_score *a, const struct brute_score *b)
{
    for (unsigned i = 0; i < BRUTE_TERMS; i++)
        if (a->term[i] != b->term[i])
            return a->term[i] < b->term[i];
    return false;
}

struct brute_core { /* one physical core as it would be used */
    unsigned width, vcpus, extras, free_before, isolated_vcpus;
    bool foreign, foreign_realtime, housekeeping, cpu0_used, efficiency;
};

static inline struct brute_core brute_look(const struct brute *brute, const struct cpuset *threads)
{
    struct brute_core core = {.width = cpuset_count(threads)};
    cpuset_foreach(cpu, threads)
    {
        const struct host_cpu *of = &brute->host->cpu[cpu];
        core.efficiency |= of->kind == HOST_CORE_EFFICIENCY;
        if (cpuset_has(&brute->claims->cpus, (unsigned)cpu)) {
            core.foreign = true;
            core.foreign_realtime |= cpuset_has(&brute->claims->realtime_cpus, (unsigned)cpu);
            continue;
        }
        core.housekeeping |= cpuset_has(&brute->board->housekeeping, (unsigned)cpu);
        bool available = cpuset_has(&brute->board->available, (unsigned)cpu);
        core.free_before += available;
        core.vcpus += brute->role[cpu] == BRUTE_VCPU;
        core.extras += brute->role[cpu] == BRUTE_EXTRA;
        core.isolated_vcpus += brute->role[cpu] == BRUTE_VCPU && of->isolated && cpu != 0;
        core.cpu0_used |= cpu == 0 && brute->role[cpu] == BRUTE_VCPU;
    }
    return core;
}

static inline bool brute_core_allowed(const struct brute *brute, const struct brute_core *core)
{
    const struct demand *demand = &brute->demand;
    if (demand->sibling && core->extras && !core->vcpus)
        return false;
    if (!core->vcpus || demand->smt == VM_SMT_PREFER)
        return true;
    if (core->free_before != core->width)
        return false;
    if (demand->smt == VM_SMT_REQUIRE)
        return core->vcpus == core->width;
    unsigned full = demand->threads < core->width ? demand->threads : core->width;
    return core->vcpus == full && (!core->extras || demand->sibling);
}

struct brute_sums {
    uint64_t loose, disturb, shared, cpu0, unisolated, broken, groups, group_left, extra_kind;
    unsigned performance, efficiency; /* vCPUs on each kind */
};

static inline bool brute_add_core(const struct brute *brute, const struct brute_core *core, struct brute_sums *sums)
{
    const struct demand *demand = &brute->demand;
    if (!core->vcpus && !core->extras)
        return true;
    if (!brute_core_allowed(brute, core))
        return false;
    bool parks = core->vcpus && demand->smt == VM_SMT_ISOLATE;
    unsigned taken = parks ? core->width : core->vcpus + core->extras;
    sums->disturb += core->foreign_realtime ? taken : 0;
    sums->broken += core->width > 1 && core->free_before == core->width && taken < core->width;
    sums->extra_kind += core->efficiency ? 0 : core->extras;
    if (!core->vcpus)
        return true;
    *(core->efficiency ? &sums->efficiency : &sums->performance) += core->vcpus;
    sums->loose += core->vcpus % demand->threads;
    bool crowded = demand->realtime && ((core->extras && !demand->sibling) ||
                                        (demand->smt != VM_SMT_REQUIRE && core->vcpus > demand->threads));
    sums->shared += core->foreign || core->housekeeping || crowded ? core->vcpus : 0;
    sums->cpu0 += core->cpu0_used;
    sums->unisolated += core->vcpus - core->isolated_vcpus;
    return true;
}

static inline bool brute_cores(const struct brute *brute, struct brute_sums *sums)
{
    struct cpuset seen = {0};
    cpuset_foreach(cpu, &brute->host->online)
    {
        if (cpuset_has(&seen, (unsigned)cpu))
            continue;
        struct cpuset threads = cpuset_and(&brute->host->cpu[cpu].siblings, &brute->host->online);
        seen = cpuset_or(&seen, &threads);
        struct brute_core core = brute_look(brute, &threads);
        if (!brute_add_core(brute, &core, sums))
            return false;
    }
    return true;
}

static inline void brute_groups(const struct brute *brute, struct brute_sums *sums)
{
    struct cpuset seen = {0};
    for (unsigned i = 0; i < brute->free_count; i++) {
        unsigned left = 0, used = 0;
        int l3 = brute->host->cpu[brute->free_cpu[i]].l3, node = board_node_of(brute->board, brute->free_cpu[i]);
        for (unsigned k = 0; k < brute->free_count; k++) {
            int cpu = brute->free_cpu[k];
            if (brute->host->cpu[cpu].l3 != l3 || board_node_of(brute->board, cpu) != node ||
                cpuset_has(&seen, (unsigned)cpu))
                continue;
            cpuset_add(&seen, (unsigned)cpu);
            *(brute->role[cpu] == BRUTE_FREE ? &left : &used) += 1;
        }
        sums->groups += used > 0;
        sums->group_left += used > 0 ? left : 0;
    }
}

struct brute_nodes {
    unsigned vcpus[BRUTE_NODES], extras[BRUTE_NODES];
    unsigned used, with_extras, pairs;
    uint64_t distance, imbalance, whole, left, pages_left, unwanted;
};

static inline uint64_t brute_pages_of(const struct brute *brute, unsigned n, uint64_t size)
{
    uint64_t bytes = size ? 0 : brute->board->node[n].ordinary_left_bytes;
    const struct host_node *node = &brute->host->node[brute->board->node[n].index];
    for (unsigned i = 0; size && i < node->pool_count; i++)
        if (node->pool[i].size_bytes == size && !cpuset_is_empty(&node->cpus)) /* nothing could fill them */
            bytes = node->pool[i].total * size;
    for (size_t i = 0; size && i < brute->claims->page_count; i++) {
        const struct claimed_pages *claim = &brute->claims->pages[i];
        if (claim->node == node->id && claim->page_bytes == size)
            bytes -= claim->pages * size < bytes ? claim->pages * size : bytes;
    }
    return bytes / brute->unit;
}

static inline uint64_t brute_pages(const struct brute *brute, unsigned n)
{
    return brute_pages_of(brute, n, brute->size[n]);
}

static inline bool brute_memory(const struct brute *brute, const struct brute_nodes *nodes, bool remote)
{
    const struct demand *demand = &brute->demand;
    uint64_t sum = 0;
    for (unsigned n = 0; n < brute->board->node_count; n++) {
        if (!nodes->vcpus[n])
            continue;
        uint64_t share = brute->pages * nodes->vcpus[n] / demand->vcpus;
        if (demand->passthrough && (share ? share : 1) > brute_pages(brute, n))
            return false;
        sum += brute_pages(brute, n);
    }
    if (demand->passthrough && brute->pages < nodes->used)
        return false;
    return !(demand->passthrough || (demand->page_bytes && !remote)) || sum >= brute->pages;
}

static inline bool brute_count_nodes(const struct brute *brute, bool remote, struct brute_nodes *nodes)
{
    const struct demand *demand = &brute->demand;
    for (unsigned i = 0; i < brute->free_count; i++) {
        int n = board_node_of(brute->board, brute->free_cpu[i]);
        nodes->vcpus[n] += brute->role[brute->free_cpu[i]] == BRUTE_VCPU;
        nodes->extras[n] += brute->role[brute->free_cpu[i]] == BRUTE_EXTRA;
    }
    for (unsigned n = 0; n < brute->board->node_count; n++) {
        if (nodes->vcpus[n] % demand->threads)
            return false;
        nodes->used += nodes->vcpus[n] > 0;
        nodes->with_extras += nodes->extras[n] > 0;
    }
    return (demand->numa != VM_NUMA_STRICT || nodes->used <= 1) && brute_memory(brute, nodes, remote);
}

static inline void brute_node_terms(const struct brute *brute, struct brute_nodes *nodes)
{
    const struct board *board = brute->board;
    uint64_t most = 0, pair_sum = 0;
    for (unsigned n = 0; n < board->node_count; n++)
        most = brute_pages(brute, n) > most ? brute_pages(brute, n) : most; /* not asked where sizes are mixed */
    for (unsigned n = 0; n < board->node_count; n++) {
        unsigned v = nodes->vcpus[n], nearest = 255, total = brute->demand.vcpus;
        nodes->whole += (v || nodes->extras[n]) && board->node[n].whole;
        for (unsigned m = 0; m < board->node_count; m++) {
            if (nodes->vcpus[m] && board->distance[n][m] < nearest)
                nearest = board->distance[n][m];
            if (v && nodes->vcpus[m] && m > n) {
                pair_sum += board->distance[n][m];
                nodes->pairs++;
            }
        }
        if (!v) {
            nodes->distance += nodes->extras[n] ? nearest : 0;
            continue;
        }
        uint64_t share = brute->pages * v / total, left = brute_pages(brute, n);
        left = left > share ? left - share : 0;
        if (!brute->mixed)
            nodes->pages_left += most ? left * 1000 / most / nodes->used : left;
        nodes->unwanted += brute->size[n] != brute->first ? v : 0;
        nodes->left += board->node[n].free - v - nodes->extras[n];
        unsigned scaled = v * nodes->used;
        nodes->imbalance += (scaled > total ? scaled - total : total - scaled) / nodes->used;
    }
    nodes->distance += nodes->pairs ? pair_sum / nodes->pairs : 0;
}

/* The terms in the documented order, the number of nodes before them. */
static inline struct brute_score brute_judge(const struct brute *brute, bool remote)
{
    const struct demand *demand = &brute->demand;
    struct brute_score score = {0};
    struct brute_sums s = {0};
    struct brute_nodes n = {0};
    if (!brute_count_nodes(brute, remote, &n) || !brute_cores(brute, &s))
        return score;
    brute_groups(brute, &s);
    brute_node_terms(brute, &n);
    uint64_t kind = !brute->board->hybrid || !s.efficiency ? 0 : s.performance ? 2 : 1;
    bool spread = demand->numa == VM_NUMA_SPREAD;
    uint64_t realtime[] = {s.loose, s.disturb, s.shared,     s.cpu0,       s.unisolated,
                           kind,    s.broken,  s.groups,     n.distance,   spread ? 0 : n.imbalance,
                           n.whole, n.left,    n.pages_left, s.group_left, s.extra_kind};
    uint64_t packing[] = {
        s.loose, s.disturb, kind,         s.broken,     s.shared,     s.groups, n.distance,  spread ? 0 : n.imbalance,
        n.whole, n.left,    n.pages_left, s.group_left, s.unisolated, s.cpu0,   s.extra_kind};
    score.found = true;
    score.split_extras = n.with_extras > 1;
    for (unsigned i = 0; i < brute->board->node_count; i++)
        score.vcpu_nodes |= n.vcpus[i] ? 1u << i : 0;
    score.term[0] = spread ? 100 - n.used : n.used;
    score.term[1] = spread ? n.imbalance : 0; /* equal cells before everything but the number of nodes */
    score.term[2] = n.unwanted;
    _Static_assert(sizeof(realtime) == sizeof(packing) && sizeof(realtime) == (BRUTE_TERMS - 3) * sizeof(uint64_t), "");
    memcpy(&score.term[3], demand->realtime ? realtime : packing, sizeof(realtime));
    return score;
}

struct brute_best {
    struct brute_score together[1 << BRUTE_NODES], split[1 << BRUTE_NODES]; /* by set of nodes with vCPUs */
};

static inline void brute_walk(struct brute *brute, bool remote, unsigned at, unsigned vcpus, unsigned extras,
                              struct brute_best *best)
{
    unsigned rest = brute->free_count - at;
    if (vcpus + extras > rest)
        return;
    if (rest == 0) {
        struct brute_score score = brute_judge(brute, remote);
        struct brute_score *to =
            score.split_extras ? &best->split[score.vcpu_nodes] : &best->together[score.vcpu_nodes];
        if (score.found && (!to->found || brute_less(&score, to)))
            *to = score;
        return;
    }
    uint8_t *role = &brute->role[brute->free_cpu[at]];
    *role = BRUTE_FREE;
    brute_walk(brute, remote, at + 1, vcpus, extras, best);
    if (vcpus) {
        *role = BRUTE_VCPU;
        brute_walk(brute, remote, at + 1, vcpus - 1, extras, best);
    }
    if (extras) {
        *role = BRUTE_EXTRA;
        brute_walk(brute, remote, at + 1, vcpus, extras - 1, best);
    }
    *role = BRUTE_FREE;
}

/* The best there is with the page sizes in mask (of demand.sizes; 0: ordinary); not found: no room. Memory beside the
 * CPUs before memory anywhere; extras on one node wherever a set of nodes allows it. */
static inline void brute_sizes(struct brute *brute, unsigned mask, bool remote, unsigned node, struct brute_best *sets)
{
    if (node == brute->board->node_count) {
        brute_walk(brute, remote, 0, brute->demand.vcpus, brute->demand.extras, sets);
        return;
    }
    for (unsigned i = 0; i < brute->demand.sizes.count; i++)
        if (mask & 1u << i) {
            brute->size[node] = brute->demand.sizes.bytes[i];
            brute_sizes(brute, mask, remote, node + 1, sets);
        }
    if (mask == 0)
        brute_sizes(brute, mask, remote, node + 1, sets);
}

static inline bool brute_begin(struct brute *brute, unsigned mask)
{
    brute->unit = mask ? 0 : PLACE_ORDINARY_PAGE_BYTES;
    brute->first = 0;
    for (unsigned i = brute->demand.sizes.count; i-- > 0;)
        if (mask & 1u << i) {
            uint64_t bytes = brute->first = brute->demand.sizes.bytes[i];
            brute->unit = bytes > brute->unit ? bytes : brute->unit;
        }
    brute->mixed = (mask & (mask - 1)) != 0;
    memset(brute->size, 0, sizeof(brute->size));
    brute->pages = (brute->demand.memory_bytes + brute->unit - 1) / brute->unit;
    return !brute->mixed || (brute->demand.passthrough && brute->demand.memory_bytes % brute->unit == 0);
}

static inline struct brute_score brute_solve_with(struct brute *brute, unsigned mask, bool may_be_remote)
{
    struct brute_score best = {0};
    if (!brute_begin(brute, mask))
        return best;
    uint64_t pages = 0;
    for (unsigned n = 0; n < brute->board->node_count; n++) {
        uint64_t most = 0;
        for (unsigned i = 0; i < brute->demand.sizes.count; i++)
            if (mask & 1u << i) {
                uint64_t have = brute_pages_of(brute, n, brute->demand.sizes.bytes[i]);
                most = have > most ? have : most;
            }
        pages += most;
    }
    if (mask && pages < brute->pages)
        return best;
    for (unsigned remote = 0; remote <= may_be_remote && !best.found; remote++) {
        struct brute_best *sets = must_calloc(1, sizeof(*sets));
        brute_sizes(brute, mask, remote, 0, sets);
        for (unsigned set = 0; set < ARRAY_SIZE(sets->together); set++) {
            const struct brute_score *score = sets->together[set].found ? &sets->together[set] : &sets->split[set];
            if (score->found && (!best.found || brute_less(score, &best)))
                best = *score;
        }
        free(sets);
    }
    return best;
}

/* The sizes asked for first, as long as they do. *ret_mask: the ones that did. */
static inline struct brute_score brute_solve(struct brute *brute, bool may_be_remote, unsigned *ret_mask)
{
    static const unsigned MASKS[][3] = {{0}, {1}, {1, 3, 2}};
    struct brute_score best = {0};
    unsigned sizes = brute->demand.sizes.count;
    for (unsigned i = 0; i < 3 && !best.found && sizes < ARRAY_SIZE(MASKS); i++) {
        *ret_mask = MASKS[sizes][i];
        if (*ret_mask || sizes == 0)
            best = brute_solve_with(brute, *ret_mask, may_be_remote);
    }
    return best;
}
