/* One plan: gather (board, demand), judge the host, keep what the VM had, else solve, then write it down. Reasons pile
 * up on the way; only a decision without any is admitted. */
#include "runtime/place/place.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/place/fit.h"
#include "runtime/place/verdict.h"

static uint64_t pages_ready(const struct board *board, int node, uint64_t page_bytes)
{
    for (unsigned n = 0; n < board->node_count; n++)
        for (unsigned size = 0; size < board->sizes.count; size++)
            if (board->node[n].id == node && board->sizes.bytes[size] == page_bytes)
                return board->node[n].pages[size].ready;
    return UINT64_MAX; /* ordinary pages need no pool */
}

/* What the pools must grow by to hold what is claimed. */
static void note_growth(const struct board *board, struct decision *decision)
{
    struct placement *placement = &decision->placement;
    struct bytes_text size = {0};
    for (unsigned i = 0; i < placement->page_count; i++) {
        struct claimed_pages more = placement->page[i];
        uint64_t ready = pages_ready(board, more.node, more.page_bytes);
        if (more.pages <= ready)
            continue;
        more.pages -= ready;
        placement->growth[placement->growth_count++] = more;
        verdict_warn(decision,
                     "%llu pages of %s are to be added to the pool of node %d first; the kernel may not find "
                     "that much memory in one piece",
                     (unsigned long long)more.pages, bytes_format(more.page_bytes, &size), more.node);
    }
}

/* The pools as they are, with any page size the VM allows, or failing that, as large as they may become. Who had its
 * pages put there before stays where it was, too. */
static bool fit_or_grow(struct board **board, const struct place_policy *policy, const struct demand *demand,
                        const struct vm_spec *spec, const struct placement *kept, struct decision *decision)
{
    bool may_grow = policy->grow_hugepages && demand->page_bytes;
    bool grew = may_grow && kept && kept->growth_count && !fit_kept(*board, demand, spec, kept, &decision->placement);
    if (!grew && fit_placement(*board, demand, spec, kept, &decision->placement, NULL))
        return true;
    if (!may_grow)
        return false;
    struct board *larger =
        board_new((*board)->host, policy, (*board)->claims, &demand->sizes, &spec->wanted_cpus, true);
    if (grew && !fit_kept(larger, demand, spec, kept, &decision->placement) &&
        fit_placement(*board, demand, spec, NULL, &decision->placement, NULL)) {
        free(larger);
        return true;
    }
    bool fits = fit_placement(larger, demand, spec, kept, &decision->placement, NULL);
    if (fits)
        note_growth(larger, decision);
    free(*board);
    *board = larger;
    return fits;
}

static uint64_t growth_bytes(const struct placement *placement)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < placement->growth_count; i++)
        bytes += placement->growth[i].pages * placement->growth[i].page_bytes;
    return bytes;
}

void place_plan(const struct host *host, const struct place_policy *policy, const struct claims *claims,
                const struct vm_spec *spec, const struct placement *kept, struct decision *ret_decision)
{
    struct decision *decision = ret_decision;
    memset(decision, 0, sizeof(*decision));
    struct demand demand = demand_of(spec);
    struct board *board = board_new(host, policy, claims, &demand.sizes, &spec->wanted_cpus, false);
    check_host(host, policy, spec, &demand, decision);
    check_wishes(board, spec, &demand, decision);
    if (demand.vcpus % demand.threads == 0 && !fit_or_grow(&board, policy, &demand, spec, kept, decision))
        explain_refusal(board, &demand, decision);
    explain_ordinary(board, fit_ordinary_bytes(&demand, spec) + growth_bytes(&decision->placement), decision);
    decision->admitted = decision->reason_count == 0;
    if (decision->admitted)
        check_placement(board, spec, &demand, decision);
    else
        memset(&decision->placement, 0, sizeof(decision->placement));
    free(board);
}
