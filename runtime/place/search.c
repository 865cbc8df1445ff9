/* Choosing nodes. Fewest first (most first for numa-policy spread), so all sets of one node are tried, then of two, and
 * the first size that works holds the answer. Sets that cannot hold the VM by plain counting are cut off before they
 * are tried. Within a set the vCPUs are shared out by dynamic programming over the node tables.
 *
 * Own CPUs of the emulator and IO threads stay together on one node, in the set or outside, whenever one node can take
 * them all; only then are they split.
 * Memory per guest cell follows its vCPUs in whole pages (memory.c rounds): a node must hold at least the rounded-down
 * share, never less than one page, and the set the whole. Where pages.c leaves a choice of sizes, a set of nodes is
 * tried with every size each of them may have.
 * A machine with two kinds of cores is searched three times: performance cores only, efficiency cores only, any.
 * Without a guest NUMA mapping huge pages may come from other nodes than the CPUs, if all else fails. */
#include "runtime/place/search.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/place/reach.h"

struct search {
    const struct board *board;
    const struct demand *demand;
    const struct tables *tables;
    struct candidates *log;
    unsigned usable_count;
    unsigned usable[LIMIT_HOST_NODES];     /* board nodes with free CPUs */
    unsigned most_vcpus[LIMIT_HOST_NODES]; /* one node can take under the rules */
    bool remote_memory;
    bool *memory_matters;            /* set when something was left out because of its pages */
    struct page_choice pages;        /* of nodes outside the set being tried: the size they have the most of */
    uint64_t left[LIMIT_HOST_NODES]; /* units of that size, by board node */
    uint64_t most_pages_left;
    struct cost base; /* what every set costs */
    unsigned tried;
    bool cut;
    /* the set being tried */
    unsigned size;
    unsigned chosen[LIMIT_HOST_NODES];
    bool is_chosen[LIMIT_HOST_NODES];
    /* the best so far */
    struct cost best;
    unsigned best_size;
    unsigned best_chosen[LIMIT_HOST_NODES];
    struct page_choice best_pages;
    /* dynamic programming over nodes: layers of (vCPUs, extras) */
    struct cost *now;
    struct cost *next;
};

static void choose_size(struct search *search, unsigned node, uint8_t size)
{
    search->pages.size[node] = size;
    search->left[node] = page_set_left(search->board, &search->pages.set, node, size);
}

/* Must this node hold pages for the vCPUs it gets? */
static bool memory_is_local(const struct search *search)
{
    return search->demand->passthrough || (search->demand->page_bytes && !search->remote_memory);
}

static bool node_holds_share(const struct search *search, unsigned node, unsigned vcpus)
{
    const struct demand *demand = search->demand;
    if (!demand->passthrough || vcpus == 0)
        return true;
    bool holds = page_set_least(&search->pages.set, vcpus, demand->vcpus) <= search->left[node];
    *search->memory_matters |= !holds;
    return holds;
}

static unsigned difference(unsigned a, unsigned b)
{
    return a > b ? a - b : b - a;
}

/* Per mille of what the best node has, shared by the nodes of the set. */
static uint64_t pages_left_after(const struct search *search, unsigned n, unsigned vcpus)
{
    uint64_t share = search->pages.set.pages * vcpus / search->demand->vcpus;
    uint64_t left = search->left[n] > share ? search->left[n] - share : 0;
    return search->most_pages_left ? left * 1000 / search->most_pages_left / search->size : left;
}

static struct cost node_terms(const struct search *search, unsigned n, unsigned vcpus, unsigned extras)
{
    const struct cost_order *order = &search->tables->order;
    const struct board_node *node = &search->board->node[n];
    struct cost cost = cost_of(order, COST_WHOLE_NODE, node->whole && search->usable_count < 32);
    if (vcpus == 0) {
        unsigned nearest = 255;
        for (unsigned i = 0; i < search->size; i++)
            if (search->board->distance[n][search->chosen[i]] < nearest)
                nearest = search->board->distance[n][search->chosen[i]];
        return cost_plus(cost, cost_of(order, COST_DISTANCE, nearest));
    }
    unsigned total = search->demand->vcpus;
    cost = cost_plus(cost, cost_of(order, COST_NODE_LEFT, node->free - vcpus - extras));
    if (page_set_is_mixed(&search->pages.set))
        cost = cost_plus(cost, cost_of(order, COST_PAGE_SIZE, page_choice_is_wanted(&search->pages, n) ? 0 : vcpus));
    else
        cost = cost_plus(cost, cost_of(order, COST_PAGES_LEFT, pages_left_after(search, n, vcpus)));
    return cost_plus(cost, cost_of(order, COST_IMBALANCE, difference(vcpus * search->size, total) / search->size));
}

static struct cost node_option(const struct search *search, unsigned n, unsigned vcpus, unsigned extras)
{
    if (vcpus + extras == 0)
        return (struct cost){0};
    struct cost cost = tables_node_cost(search->tables, n, vcpus, extras);
    if (cost_is_infinite(cost) || !node_holds_share(search, n, vcpus))
        return cost_infinite();
    return cost_plus(cost, node_terms(search, n, vcpus, extras));
}

/* The totals of vCPUs a layer can hold: what the nodes so far can make up and the nodes to come can complete. */
struct window {
    unsigned low;
    unsigned high;
};

/* The vCPUs one node may get: nothing outside the set; inside what the others cannot take, up to what leaves one guest
 * core for each of them. */
static struct window node_range(const struct search *search, unsigned n)
{
    const struct demand *demand = search->demand;
    if (!search->is_chosen[n])
        return (struct window){0, 0};
    unsigned others = 0, threads = demand->threads;
    for (unsigned i = 0; i < search->size; i++)
        if (search->chosen[i] != n)
            others += search->most_vcpus[search->chosen[i]];
    unsigned low = demand->vcpus > others ? demand->vcpus - others : threads;
    unsigned high = demand->vcpus - threads * (search->size - 1);
    if (low < threads)
        low = threads;
    low += (threads - low % threads) % threads;
    return (struct window){low, high < search->most_vcpus[n] ? high : search->most_vcpus[n]};
}

/* extras move in steps: all together (step = extras), or one by one (step = 1). */
struct layers {
    unsigned step;
    unsigned places; /* extras / step */
};

struct pick { /* how a state of a layer was reached */
    uint16_t vcpus;
    uint16_t places;
};

static size_t state_index(const struct layers *layers, unsigned vcpus, unsigned places)
{
    return (size_t)vcpus * (layers->places + 1) + places;
}

static void clear_window(const struct layers *layers, struct cost *states, struct window window)
{
    size_t last = state_index(layers, window.high + 1, 0);
    for (size_t i = state_index(layers, window.low, 0); i < last; i++)
        states[i] = cost_infinite();
}

static void extend_by(struct search *search, const struct layers *layers, struct window from, struct window to,
                      struct pick take, struct cost here, struct pick *picks)
{
    unsigned first = to.low > from.low + take.vcpus ? to.low - take.vcpus : from.low;
    for (unsigned v = first; v <= from.high && v + take.vcpus <= to.high; v++)
        for (unsigned p = 0; p + take.places <= layers->places; p++) {
            struct cost before = search->now[state_index(layers, v, p)];
            size_t at = state_index(layers, v + take.vcpus, p + take.places);
            if (cost_is_infinite(before) || !cost_less(cost_plus(before, here), search->next[at]))
                continue;
            search->next[at] = cost_plus(before, here);
            if (picks)
                picks[at] = take;
        }
}

static void extend(struct search *search, const struct layers *layers, unsigned n, struct window from,
                   struct window range, struct window to, struct pick *picks)
{
    clear_window(layers, search->next, to);
    for (unsigned dv = range.low; dv <= range.high; dv += search->demand->threads)
        for (unsigned dp = 0; dp <= layers->places; dp++) {
            struct cost here = node_option(search, n, dv, dp * layers->step);
            if (!cost_is_infinite(here))
                extend_by(search, layers, from, to, (struct pick){(uint16_t)dv, (uint16_t)dp}, here, picks);
        }
    struct cost *swap = search->now;
    search->now = search->next;
    search->next = swap;
}

static struct cost set_distance(const struct search *search)
{
    unsigned sum = 0, pairs = 0;
    for (unsigned i = 0; i < search->size; i++)
        for (unsigned j = i + 1; j < search->size; j++, pairs++)
            sum += search->board->distance[search->chosen[i]][search->chosen[j]];
    return cost_of(&search->tables->order, COST_DISTANCE, pairs ? sum / pairs : 0);
}

/* Nodes that matter for the set: its own, and all others when extra CPUs may go there. picks is NULL, or one layer of
 * states per node. */
static struct cost run_layers(struct search *search, const struct layers *layers, struct pick *picks)
{
    unsigned vcpus = search->demand->vcpus, nodes = search->usable_count, rest_low = 0, rest_high = 0;
    struct window range[LIMIT_HOST_NODES], now = {0, 0};
    for (unsigned i = 0; i < nodes; i++) {
        range[i] = node_range(search, search->usable[i]);
        rest_low += range[i].low;
        rest_high += range[i].high;
    }
    clear_window(layers, search->now, now);
    search->now[0] = (struct cost){0};
    for (unsigned i = 0; i < nodes; i++) {
        unsigned n = search->usable[i];
        if (!search->is_chosen[n] && !layers->places)
            continue;
        rest_low -= range[i].low;
        rest_high -= range[i].high;
        struct window to = {now.low + range[i].low, now.high + range[i].high};
        if (rest_low > vcpus || to.low + rest_low > vcpus || to.high + rest_high < vcpus)
            return cost_infinite();
        if (to.high > vcpus - rest_low)
            to.high = vcpus - rest_low;
        if (vcpus > rest_high && to.low < vcpus - rest_high)
            to.low = vcpus - rest_high;
        extend(search, layers, n, now, range[i], to,
               picks ? picks + (size_t)i * state_index(layers, vcpus + 1, 0) : NULL);
        now = to;
    }
    struct cost cost = search->now[state_index(layers, vcpus, layers->places)];
    return cost_is_infinite(cost) ? cost : cost_plus(cost_plus(cost, search->base), set_distance(search));
}

static struct layers layers_of(const struct demand *demand, bool together)
{
    if (demand->extras == 0)
        return (struct layers){.step = 1, .places = 0};
    return together ? (struct layers){demand->extras, 1} : (struct layers){1, demand->extras};
}

static struct cost try_set(struct search *search, struct layers *ret_layers)
{
    *ret_layers = layers_of(search->demand, true);
    struct cost cost = run_layers(search, ret_layers, NULL);
    if (!cost_is_infinite(cost) || search->demand->extras < 2)
        return cost;
    *ret_layers = layers_of(search->demand, false);
    return run_layers(search, ret_layers, NULL);
}

static void log_candidate(struct search *search, struct cost cost)
{
    struct candidates *log = search->log;
    if (!log)
        return;
    log->tried++;
    if (log->count == CANDIDATES_MAX)
        return;
    struct candidate *candidate = &log->candidate[log->count++];
    *candidate = (struct candidate){.node_count = search->size,
                                    .feasible = !cost_is_infinite(cost),
                                    .remote_memory = search->remote_memory,
                                    .kinds = search->tables->kinds,
                                    .set = search->pages.set,
                                    .cost = cost};
    for (unsigned i = 0; i < search->size && i < ARRAY_SIZE(candidate->node); i++) {
        candidate->node[i] = (uint8_t)search->chosen[i];
        candidate->size[i] = search->pages.size[search->chosen[i]];
    }
}

static void consider_set(struct search *search)
{
    if (search->tried++ >= LIMIT_PLACE_NODE_SETS) {
        search->cut = true;
        return;
    }
    struct layers layers;
    struct cost cost = try_set(search, &layers);
    log_candidate(search, cost);
    if (!cost_less(cost, search->best))
        return;
    search->best = cost;
    search->best_size = search->size;
    memcpy(search->best_chosen, search->chosen, sizeof(search->chosen));
    search->best_pages = search->pages;
}

/* Can the nodes chosen so far with the best of those from `from` on hold the VM, by counting? */
static bool set_may_do(const struct search *search, unsigned have, unsigned from)
{
    uint64_t cpus = 0, pages = 0, most_cpus = 0, most_pages = 0;
    for (unsigned i = 0; i < have; i++) {
        cpus += search->most_vcpus[search->chosen[i]];
        pages += search->left[search->chosen[i]];
    }
    for (unsigned i = from; i < search->usable_count; i++) {
        uint64_t cpus_here = search->most_vcpus[search->usable[i]], left = search->left[search->usable[i]];
        most_cpus = cpus_here > most_cpus ? cpus_here : most_cpus;
        most_pages = left > most_pages ? left : most_pages;
    }
    unsigned missing = search->size - have;
    if (cpus + missing * most_cpus < search->demand->vcpus)
        return false;
    if (!memory_is_local(search) || pages + missing * most_pages >= search->pages.set.pages)
        return true;
    *search->memory_matters = true;
    return false;
}

static void choose_from(struct search *search, unsigned have, unsigned from)
{
    if (search->cut)
        return;
    if (!set_may_do(search, have, from)) {
        if (have == search->size && search->size == 1)
            log_candidate(search, cost_infinite());
        if (have > 0 || search->size > 1)
            return;
    }
    if (have == search->size) {
        consider_set(search);
        return;
    }
    for (unsigned i = from; i + (search->size - have) <= search->usable_count; i++) {
        unsigned n = search->chosen[have] = search->usable[i];
        uint8_t options[1 + LIMIT_VM_OTHER_PAGE_SIZES];
        unsigned count = page_set_options(search->board, &search->pages.set, n, options);
        search->is_chosen[n] = true;
        for (unsigned k = 0; k < count; k++) {
            choose_size(search, n, options[k]); /* the last one is what it had */
            choose_from(search, have + 1, i + 1);
        }
        search->is_chosen[n] = false;
    }
}

static unsigned largest_set(const struct search *search)
{
    const struct demand *demand = search->demand;
    unsigned most = demand->vcpus / demand->threads;
    if (most > search->usable_count)
        most = search->usable_count;
    if (demand->passthrough && most > search->pages.set.pages) {
        most = (unsigned)search->pages.set.pages;
        *search->memory_matters = true;
    }
    if (demand->numa == VM_NUMA_STRICT && most > 1)
        most = 1;
    return most;
}

static bool may_take(unsigned node, unsigned vcpus, unsigned extras, const void *search_)
{
    const struct search *search = search_;
    return !cost_is_infinite(tables_node_cost(search->tables, node, vcpus, extras)) &&
           node_holds_share(search, node, vcpus);
}

static bool search_sizes(struct search *search)
{
    unsigned most = largest_set(search);
    bool sizes[LIMIT_HOST_NODES + 1];
    struct reach_input input = {search->demand, search->usable_count, search->usable, search->most_vcpus, may_take,
                                search};
    search->best = cost_infinite();
    if (!reach_sizes(&input, sizes))
        return false;
    for (unsigned i = 1; i <= most && cost_is_infinite(search->best); i++) {
        search->size = search->demand->numa == VM_NUMA_SPREAD ? most + 1 - i : i;
        if (sizes[search->size] || (search->size == 1 && search->log))
            choose_from(search, 0, 0);
    }
    return !cost_is_infinite(search->best);
}

static void write_solution(struct search *search, struct solution *solution)
{
    search->size = search->best_size;
    memcpy(search->chosen, search->best_chosen, sizeof(search->chosen));
    search->pages = search->best_pages;
    for (unsigned i = 0; i < search->size; i++) {
        search->is_chosen[search->chosen[i]] = true;
        choose_size(search, search->chosen[i], search->pages.size[search->chosen[i]]);
    }
    struct layers layers;
    try_set(search, &layers);
    size_t states = state_index(&layers, search->demand->vcpus + 1, 0);
    struct pick *picks = must_calloc(states * search->usable_count, sizeof(*picks));
    *solution = (struct solution){.cost = search->best,
                                  .nodes = search->best_size,
                                  .order = search->tables->order,
                                  .pages = search->pages,
                                  .remote_memory = search->remote_memory};
    run_layers(search, &layers, picks);
    unsigned v = search->demand->vcpus, p = layers.places;
    for (unsigned i = search->usable_count; i-- > 0;) {
        unsigned n = search->usable[i];
        if (!search->is_chosen[n] && !layers.places)
            continue;
        struct pick pick = picks[(size_t)i * states + state_index(&layers, v, p)];
        solution->vcpus_on[n] = pick.vcpus;
        solution->extras_on[n] = pick.places * layers.step;
        if (pick.vcpus || pick.places)
            tables_spread(search->tables, n, pick.vcpus, pick.places * layers.step, solution->vcpus_of,
                          solution->extras_of);
        v -= pick.vcpus;
        p -= pick.places;
    }
    free(picks);
}

enum { PERFORMANCE = 1u << HOST_CORE_PERFORMANCE, EFFICIENCY = 1u << HOST_CORE_EFFICIENCY };

static uint64_t kind_cost(unsigned kinds, bool hybrid)
{
    return !hybrid || kinds == PERFORMANCE ? 0 : kinds == EFFICIENCY ? 1 : 2;
}

/* The most vCPUs, in whole guest cores, that the node's table has an answer for. */
static unsigned count_most_vcpus(const struct search *search, unsigned n)
{
    const struct demand *demand = search->demand;
    unsigned most = search->board->node[n].free;
    if (most > demand->vcpus)
        most = demand->vcpus;
    most -= most % demand->threads;
    while (most &&
           (cost_is_infinite(tables_node_cost(search->tables, n, most, 0)) || !node_holds_share(search, n, most)))
        most -= demand->threads;
    return most;
}

/* What is tried: with which cores, which pages, and memory beside the CPUs or anywhere. */
struct attempt {
    unsigned kinds;
    const struct page_set *set;
    bool remote_memory;
    bool *memory_matters;
};

static void look_at_nodes(struct search *search)
{
    const struct board *board = search->board;
    for (unsigned n = 0; n < board->node_count; n++) {
        choose_size(search, n, search->pages.size[n]);
        if (board->node[n].free)
            search->usable[search->usable_count++] = n;
        search->most_vcpus[n] = count_most_vcpus(search, n);
        if (search->left[n] > search->most_pages_left)
            search->most_pages_left = search->left[n];
    }
}

static bool solve_with(const struct board *board, const struct demand *demand, const struct attempt *attempt,
                       struct solution *ret_solution, struct candidates *log)
{
    struct tables tables;
    tables_make(&tables, board, demand, attempt->kinds, page_set_is_mixed(attempt->set));
    struct search search = {.board = board,
                            .demand = demand,
                            .tables = &tables,
                            .log = log,
                            .pages = page_choice_start(board, attempt->set),
                            .remote_memory = attempt->remote_memory,
                            .memory_matters = attempt->memory_matters};
    search.base = cost_of(&tables.order, COST_KIND, kind_cost(attempt->kinds, board->hybrid));
    look_at_nodes(&search);
    size_t states = (size_t)(demand->vcpus + 1) * (demand->extras + 1);
    search.now = must_calloc(states, sizeof(*search.now));
    search.next = must_calloc(states, sizeof(*search.next));
    bool found = search_sizes(&search);
    if (found)
        write_solution(&search, ret_solution);
    if (log)
        log->cut |= search.cut;
    *attempt->memory_matters |= search.cut; /* who knows */
    free(search.now);
    free(search.next);
    tables_finish(&tables);
    return found;
}

static bool is_better(const struct demand *demand, const struct solution *a, const struct solution *b)
{
    if (a->nodes != b->nodes)
        return demand->numa == VM_NUMA_SPREAD ? a->nodes > b->nodes : a->nodes < b->nodes;
    return cost_less(a->cost, b->cost);
}

static bool solve_hybrid(const struct board *board, const struct demand *demand, struct attempt attempt,
                         struct solution *ret_solution, struct candidates *log)
{
    static const unsigned KINDS[] = {PERFORMANCE, EFFICIENCY, PERFORMANCE | EFFICIENCY};
    struct solution *trial = must_calloc(1, sizeof(*trial));
    bool found = false;
    for (size_t i = 0; i < ARRAY_SIZE(KINDS); i++) {
        attempt.kinds = KINDS[i];
        if (solve_with(board, demand, &attempt, trial, log) && (!found || is_better(demand, trial, ret_solution))) {
            *ret_solution = *trial;
            found = true;
        }
    }
    free(trial);
    return found;
}

/* *memory_matters: other pages, or pages elsewhere, may help when these do not. */
static bool solve_set(const struct board *board, const struct demand *demand, const struct page_set *set,
                      struct solution *ret_solution, struct candidates *log, bool *memory_matters)
{
    unsigned may_be_remote = demand->page_bytes && !demand->passthrough && demand->numa != VM_NUMA_STRICT;
    struct page_choice most = page_choice_start(board, set);
    uint64_t pages = 0;
    for (unsigned n = 0; n < board->node_count; n++)
        pages += page_set_left(board, set, n, most.size[n]);
    *memory_matters = demand->page_bytes && pages < set->pages;
    if (*memory_matters)
        return false;
    for (unsigned remote = 0; remote <= may_be_remote; remote++) {
        struct attempt attempt = {PERFORMANCE | EFFICIENCY, set, remote, memory_matters};
        *memory_matters = false;
        if (board->hybrid ? solve_hybrid(board, demand, attempt, ret_solution, log)
                          : solve_with(board, demand, &attempt, ret_solution, log))
            return true;
        if (!*memory_matters)
            return false;
    }
    return false;
}

bool search_solve(const struct board *board, const struct demand *demand, struct solution *ret_solution,
                  struct candidates *log)
{
    struct page_set sets[PAGE_SETS_MAX];
    unsigned count = page_sets_of(board, demand, sets);
    bool memory_matters = true;
    for (unsigned i = 0; i < count && memory_matters; i++)
        if (solve_set(board, demand, &sets[i], ret_solution, log, &memory_matters))
            return true;
    return false;
}
