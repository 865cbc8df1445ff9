/* One plan: gather (board, demand), judge the host, keep what the VM had, else solve, then write it down. Reasons pile
 * up on the way; only a decision without any is admitted. */
#include "runtime/place/place.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/place/assign.h"
#include "runtime/place/kept.h"
#include "runtime/place/memory.h"
#include "runtime/place/verdict.h"

static void start_placement(const struct vm_spec *spec, const struct demand *demand, struct placement *placement)
{
    placement->dedicated = demand->vcpus > 0;
    placement->vcpu_count = spec->vcpus;
    for (unsigned v = 0; v < LIMIT_VM_VCPUS; v++)
        placement->vcpu_cpu[v] = -1;
}

/* Memory and everything that follows from the exclusive CPUs. */
static bool finish_placement(const struct board *board, const struct demand *demand, const struct vm_spec *spec,
                             bool may_be_remote, struct placement *placement)
{
    struct cpuset vcpus_on[LIMIT_HOST_NODES];
    assign_vcpus_on(board, placement, vcpus_on);
    assign_shared(board, demand, spec, placement);
    placement->ordinary_bytes = spec->overhead_bytes + (demand->page_bytes ? 0 : demand->memory_bytes);
    return memory_place(board, demand, vcpus_on, may_be_remote, placement);
}

/* The earlier CPUs, with memory beside them if the guest's cells want it there. */
static bool keep(const struct board *board, const struct demand *demand, const struct vm_spec *spec,
                 const struct placement *kept, struct placement *placement)
{
    struct placement *trial = must_calloc(1, sizeof(*trial));
    *trial = *placement;
    bool may_be_remote = demand->numa != VM_NUMA_STRICT;
    bool fits = kept_take(board, demand, kept, trial) && finish_placement(board, demand, spec, may_be_remote, trial);
    if (fits)
        *placement = *trial;
    free(trial);
    return fits;
}

static bool solve(const struct board *board, const struct demand *demand, const struct vm_spec *spec,
                  const struct placement *kept, struct placement *placement)
{
    if (demand->vcpus == 0)
        return finish_placement(board, demand, spec, true, placement);
    if (kept && keep(board, demand, spec, kept, placement))
        return true;
    struct solution *solution = must_calloc(1, sizeof(*solution));
    bool found = search_solve(board, demand, solution, NULL);
    if (found)
        assign_solution(board, demand, spec, solution, placement);
    found = found && finish_placement(board, demand, spec, solution->remote_memory, placement);
    free(solution);
    return found;
}

void place_plan(const struct host *host, const struct place_policy *policy, const struct claims *claims,
                const struct vm_spec *spec, const struct placement *kept, struct decision *ret_decision)
{
    struct decision *decision = ret_decision;
    memset(decision, 0, sizeof(*decision));
    struct demand demand = demand_of(spec);
    struct board *board = board_new(host, policy, claims, demand.page_bytes, &spec->wanted_cpus);
    check_host(host, policy, spec, &demand, decision);
    check_wishes(board, spec, &demand, decision);
    start_placement(spec, &demand, &decision->placement);
    if (!solve(board, &demand, spec, kept, &decision->placement))
        explain_refusal(board, &demand, decision);
    explain_ordinary(board, spec->overhead_bytes + (demand.page_bytes ? 0 : demand.memory_bytes), decision);
    decision->admitted = decision->reason_count == 0;
    if (decision->admitted)
        check_placement(board, spec, &demand, decision);
    else
        memset(&decision->placement, 0, sizeof(decision->placement));
    free(board);
}
