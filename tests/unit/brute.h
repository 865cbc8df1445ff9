/* The solver's question answered the slow way: every way to hand every free CPU to a vCPU, to the emulator or IO
 * threads, or to nobody, judged from the host itself (none of the solver's tables). Only for hosts of a few free CPUs.
 */
#pragma once

#include "runtime/place/demand.h"
#include "runtime/place/memory.h"
#include "runtime/place/place.h"

enum { BRUTE_MAX_FREE = 10, BRUTE_TERMS = 17, BRUTE_NODES = 4 };
enum brute_role { BRUTE_FREE, BRUTE_VCPU, BRUTE_EXTRA };

struct brute {
    const struct host *host;
    const struct claims *claims;
    const struct board *board; /* only nodes and what is free: checked by other tests */
    struct demand demand;
    unsigned free_count;
    int free_cpu[BRUTE_MAX_FREE];
    uint8_t role[CPUSET_MAX]; /* the assignment being judged */
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
    uint64_t distance, imbalance, whole, left, pages_left;
};

static inline uint64_t brute_pages(const struct brute *brute, unsigned n)
{
    return brute->demand.page_bytes ? brute->board->node[n].pages_left
                                    : brute->board->node[n].ordinary_left_bytes / PLACE_ORDINARY_PAGE_BYTES;
}

static inline bool brute_memory(const struct brute *brute, const struct brute_nodes *nodes, bool remote)
{
    const struct demand *demand = &brute->demand;
    uint64_t sum = 0;
    for (unsigned n = 0; n < brute->board->node_count; n++) {
        if (!nodes->vcpus[n])
            continue;
        uint64_t share = demand->pages * nodes->vcpus[n] / demand->vcpus;
        if (demand->passthrough && (share ? share : 1) > brute_pages(brute, n))
            return false;
        sum += brute_pages(brute, n);
    }
    if (demand->passthrough && demand->pages < nodes->used)
        return false;
    return !(demand->passthrough || (demand->page_bytes && !remote)) || sum >= demand->pages;
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
        most = brute_pages(brute, n) > most ? brute_pages(brute, n) : most;
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
        uint64_t share = brute->demand.pages * v / total, left = brute_pages(brute, n);
        left = left > share ? left - share : 0;
        nodes->pages_left += most ? left * 1000 / most / nodes->used : left;
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
    _Static_assert(sizeof(realtime) == sizeof(packing) && sizeof(realtime) == (BRUTE_TERMS - 2) * sizeof(uint64_t), "");
    memcpy(&score.term[2], demand->realtime ? realtime : packing, sizeof(realtime));
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

/* The best there is; not found: no room. Memory beside the CPUs before memory anywhere; extras on one node wherever a
 * set of nodes allows it. */
static inline struct brute_score brute_solve(struct brute *brute, bool may_be_remote)
{
    struct brute_score best = {0};
    uint64_t pages = 0;
    for (unsigned n = 0; n < brute->board->node_count; n++)
        pages += brute->board->node[n].pages_left;
    if (brute->demand.page_bytes && pages < brute->demand.pages)
        return best;
    for (unsigned remote = 0; remote <= may_be_remote && !best.found; remote++) {
        struct brute_best *sets = must_calloc(1, sizeof(*sets));
        brute_walk(brute, remote, 0, brute->demand.vcpus, brute->demand.extras, sets);
        for (unsigned set = 0; set < ARRAY_SIZE(sets->together); set++) {
            const struct brute_score *score = sets->together[set].found ? &sets->together[set] : &sets->split[set];
            if (score->found && (!best.found || brute_less(score, &best)))
                best = *score;
        }
        free(sets);
    }
    return best;
}
