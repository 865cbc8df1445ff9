/* Fitting is two steps in a fixed order: CPUs (the earlier ones if they still do, else the solver's), then everything
 * that follows from them: memory beside the CPUs, the threads without CPUs of their own. The solver already knows that
 * memory will be found on the nodes it chose; a kept placement has to be tried. */
#include "runtime/place/fit.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/place/assign.h"
#include "runtime/place/kept.h"
#include "runtime/place/memory.h"

uint64_t fit_ordinary_bytes(const struct demand *demand, const struct vm_spec *spec)
{
    return spec->overhead_bytes + (demand->page_bytes ? 0 : demand->memory_bytes);
}

static void start_placement(const struct vm_spec *spec, const struct demand *demand, struct placement *placement)
{
    placement->dedicated = demand->vcpus > 0;
    placement->vcpu_count = spec->vcpus;
    for (unsigned v = 0; v < LIMIT_VM_VCPUS; v++)
        placement->vcpu_cpu[v] = -1;
}

/* Memory of the chosen pages, and everything that follows from the exclusive CPUs. On failure *placement is as it was.
 */
static bool finish_placement(const struct board *board, const struct demand *demand, const struct vm_spec *spec,
                             const struct cpuset *vcpus_on, const struct page_choice *pages, bool may_be_remote,
                             struct placement *placement)
{
    struct placement *trial = must_calloc(1, sizeof(*trial));
    *trial = *placement;
    assign_shared(board, demand, spec, trial);
    trial->ordinary_bytes = fit_ordinary_bytes(demand, spec);
    bool fits = memory_place(board, demand, pages, vcpus_on, may_be_remote, trial);
    if (fits)
        *placement = *trial;
    free(trial);
    return fits;
}

/* The same for CPUs that are chosen already: the most wanted pages that do. */
static bool finish_with_any_pages(const struct board *board, const struct demand *demand, const struct vm_spec *spec,
                                  bool may_be_remote, struct placement *placement)
{
    struct page_set sets[PAGE_SETS_MAX];
    struct page_choice pages;
    struct cpuset vcpus_on[LIMIT_HOST_NODES];
    unsigned count = page_sets_of(board, demand, sets);
    assign_vcpus_on(board, placement, vcpus_on);
    for (unsigned i = 0; i < count; i++)
        if (page_choice_for(board, demand, &sets[i], vcpus_on, &pages) &&
            finish_placement(board, demand, spec, vcpus_on, &pages, may_be_remote, placement))
            return true;
    return false;
}

/* The earlier CPUs, with memory beside them if the guest's cells want it there. */
static bool keep(const struct board *board, const struct demand *demand, const struct vm_spec *spec,
                 const struct placement *kept, struct placement *placement)
{
    bool may_be_remote = demand->numa != VM_NUMA_STRICT;
    struct placement *trial = must_calloc(1, sizeof(*trial));
    *trial = *placement;
    bool fits =
        kept_take(board, demand, kept, trial) && finish_with_any_pages(board, demand, spec, may_be_remote, trial);
    if (fits)
        *placement = *trial;
    free(trial);
    return fits;
}

bool fit_kept(const struct board *board, const struct demand *demand, const struct vm_spec *spec,
              const struct placement *kept, struct placement *placement)
{
    memset(placement, 0, sizeof(*placement));
    start_placement(spec, demand, placement);
    return demand->vcpus > 0 && keep(board, demand, spec, kept, placement);
}

bool fit_placement(const struct board *board, const struct demand *demand, const struct vm_spec *spec,
                   const struct placement *kept, struct placement *placement, struct candidates *log)
{
    memset(placement, 0, sizeof(*placement));
    start_placement(spec, demand, placement);
    if (demand->vcpus == 0)
        return finish_with_any_pages(board, demand, spec, true, placement);
    if (kept && keep(board, demand, spec, kept, placement))
        return true;
    struct solution *solution = must_calloc(1, sizeof(*solution));
    struct cpuset vcpus_on[LIMIT_HOST_NODES];
    bool found = search_solve(board, demand, solution, log);
    if (found) {
        assign_solution(board, demand, spec, solution, placement);
        assign_vcpus_on(board, placement, vcpus_on);
        found = finish_placement(board, demand, spec, vcpus_on, &solution->pages, solution->remote_memory, placement);
    }
    free(solution);
    return found;
}
