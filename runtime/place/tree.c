/* The solver's work, shown: sets of nodes in the order they were tried, cheapest numbers first, and for every loser the
 * first number in which it was worse than the winner. */
#include <stdlib.h>
#include <string.h>

#include "runtime/place/fit.h"
#include "runtime/place/verdict.h"

/* ", pages of 1Gi", or one after the other for several nodes: ", pages of 1Gi+2Mi". Only where there is a choice. */
static void write_page_sizes(const struct board *board, const struct candidate *candidate, struct text *out)
{
    struct bytes_text size = {0};
    bool mixed = page_set_is_mixed(&candidate->set);
    for (unsigned i = 0; board->sizes.count > 1 && i < (mixed ? candidate->node_count : 1); i++)
        if (i < ARRAY_SIZE(candidate->node))
            text_printf(out, "%s%s", i ? "+" : ", pages of ",
                        bytes_format(board->sizes.bytes[candidate->size[i]], &size));
}

static void write_nodes(const struct board *board, const struct candidate *candidate, struct text *out)
{
    for (unsigned i = 0; i < candidate->node_count && i < ARRAY_SIZE(candidate->node); i++)
        text_printf(out, "%s%d",
                    i                            ? "+"
                    : candidate->node_count == 1 ? "node "
                                                 : "nodes ",
                    board->node[candidate->node[i]].id);
    if (candidate->node_count > ARRAY_SIZE(candidate->node))
        text_append(out, "+…");
    if (board->hybrid)
        text_append(out, candidate->kinds == 1u << HOST_CORE_PERFORMANCE  ? ", performance cores"
                         : candidate->kinds == 1u << HOST_CORE_EFFICIENCY ? ", efficiency cores"
                                                                          : ", any cores");
    if (candidate->remote_memory)
        text_append(out, ", memory anywhere");
    write_page_sizes(board, candidate, out);
}

static void write_terms(const struct cost_order *order, struct cost cost, struct text *out)
{
    bool any = false;
    for (int shift = 127; shift >= 0; shift--)
        for (enum cost_term term = 0; term < COST_TERM_COUNT; term++) {
            if (order->shift[term] != shift || cost_get(order, cost, term) == 0)
                continue;
            text_printf(out, "%s%s %llu", any ? ", " : "", cost_term_text(term),
                        (unsigned long long)cost_get(order, cost, term));
            any = true;
        }
    if (!any)
        text_append(out, "nothing to regret");
}

static void write_shortage(const struct board *board, const struct demand *demand, const struct candidate *candidate,
                           struct text *out)
{
    unsigned cpus = 0;
    uint64_t pages = 0;
    for (unsigned i = 0; i < candidate->node_count && i < ARRAY_SIZE(candidate->node); i++) {
        cpus += board->node[candidate->node[i]].free;
        pages += page_set_left(board, &candidate->set, candidate->node[i], candidate->size[i]);
    }
    text_append(out, "does not fit: ");
    if (cpus < demand->vcpus)
        text_printf(out, "%u of %u CPUs free", cpus, demand->vcpus);
    if (demand->page_bytes && pages < candidate->set.pages)
        text_printf(out, "%s%llu of %llu pages left", cpus < demand->vcpus ? ", " : "", (unsigned long long)pages,
                    (unsigned long long)candidate->set.pages);
    else if (cpus >= demand->vcpus)
        text_printf(out, "%u CPUs free, but not in the shape asked for", cpus);
}

static bool same_set(const struct candidate *a, const struct candidate *b)
{
    return a->cost.sum == b->cost.sum && a->feasible && b->feasible;
}

static const struct candidate *find_winner(const struct candidates *log, const struct solution *solution)
{
    for (unsigned i = 0; i < log->count; i++)
        if (log->candidate[i].feasible && log->candidate[i].cost.sum == solution->cost.sum)
            return &log->candidate[i];
    return NULL;
}

static void write_candidates(const struct board *board, const struct demand *demand, const struct candidates *log,
                             const struct solution *solution, struct text *out)
{
    const struct candidate *winner = solution ? find_winner(log, solution) : NULL;
    struct cost_order order = solution ? solution->order : cost_order_of(demand, false);
    for (unsigned i = 0; i < log->count; i++) {
        const struct candidate *candidate = &log->candidate[i];
        text_append(out, "  ");
        write_nodes(board, candidate, out);
        text_append(out, ": ");
        if (!candidate->feasible) {
            write_shortage(board, demand, candidate, out);
        } else if (candidate == winner) {
            text_append(out, "chosen; ");
            write_terms(&order, candidate->cost, out);
        } else if (winner && same_set(candidate, winner)) {
            text_append(out, "equal; lower numbers win");
        } else if (winner) {
            enum cost_term term = cost_first_difference(&order, candidate->cost, winner->cost);
            text_printf(out, "lost on %s (%llu against %llu); ", cost_term_text(term),
                        (unsigned long long)cost_get(&order, candidate->cost, term),
                        (unsigned long long)cost_get(&order, winner->cost, term));
            write_terms(&order, candidate->cost, out);
        }
        text_append(out, "\n");
    }
    if (log->tried > log->count)
        text_printf(out, "  and %u more sets of nodes\n", log->tried - log->count);
    if (log->cut)
        text_printf(out, "  the search stopped after %u sets of nodes\n", LIMIT_PLACE_NODE_SETS);
}

static void write_groups(const struct board *board, const struct solution *solution, struct text *out)
{
    for (unsigned n = 0; n < board->node_count; n++)
        for (unsigned g = 0; g < board->node[n].group_count; g++) {
            const struct board_group *group = &board->group[board->node[n].first_group + g];
            unsigned vcpus = 0, extras = 0;
            for (unsigned c = group->first_core; c < group->first_core + group->core_count; c++) {
                vcpus += solution->vcpus_of[c];
                extras += solution->extras_of[c];
            }
            if (vcpus + extras)
                text_printf(out, "  node %d, L3 group of CPU %d: %u vCPUs, %u emulator and IO, %u left\n",
                            board->node[n].id, board->core[group->first_core].cpu[0], vcpus, extras,
                            group->free - vcpus - extras);
        }
}

void place_write_tree(const struct host *host, const struct place_policy *policy, const struct claims *claims,
                      const struct vm_spec *spec, struct text *out)
{
    struct demand demand = demand_of(spec);
    struct board *board = board_new(host, policy, claims, &demand.sizes, &spec->wanted_cpus, false);
    struct cpuset_text housekeeping, available;
    text_printf(out, "Housekeeping CPUs %s; free for exclusive use: %s\n",
                cpuset_format(&board->housekeeping, &housekeeping),
                cpuset_is_empty(&board->available) ? "none" : cpuset_format(&board->available, &available));
    if (demand.vcpus == 0) {
        text_append(out, "No exclusive CPUs asked for: vCPUs float on the housekeeping CPUs\n");
    } else {
        struct candidates *log = must_calloc(1, sizeof(*log));
        struct solution *solution = must_calloc(1, sizeof(*solution));
        bool found = search_solve(board, &demand, solution, log);
        text_append(out, demand.numa == VM_NUMA_SPREAD ? "Tried, most nodes first:\n" : "Tried, fewest nodes first:\n");
        write_candidates(board, &demand, log, found ? solution : NULL, out);
        if (log->tried == 0)
            text_append(out, "  nothing: the host as a whole has too little\n");
        if (found)
            write_groups(board, solution, out);
        free(solution);
        free(log);
    }
    free(board);
}
