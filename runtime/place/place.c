/* One plan: gather (board, demand), judge the host, keep what the VM had, else solve, then write it down. Reasons pile
 * up on the way; only a decision without any is admitted. */
#include "runtime/place/place.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/place/fit.h"
#include "runtime/place/verdict.h"

void place_plan(const struct host *host, const struct place_policy *policy, const struct claims *claims,
                const struct vm_spec *spec, const struct placement *kept, struct decision *ret_decision)
{
    struct decision *decision = ret_decision;
    memset(decision, 0, sizeof(*decision));
    struct demand demand = demand_of(spec);
    struct board *board = board_new(host, policy, claims, demand.page_bytes, &spec->wanted_cpus);
    check_host(host, policy, spec, &demand, decision);
    check_wishes(board, spec, &demand, decision);
    if (demand.vcpus % demand.threads == 0 && !fit_placement(board, &demand, spec, kept, &decision->placement, NULL))
        explain_refusal(board, &demand, decision);
    explain_ordinary(board, fit_ordinary_bytes(&demand, spec), decision);
    decision->admitted = decision->reason_count == 0;
    if (decision->admitted)
        check_placement(board, spec, &demand, decision);
    else
        memset(&decision->placement, 0, sizeof(decision->placement));
    free(board);
}
