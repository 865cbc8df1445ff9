/* A placement was right when it was made. Hosts change under it: CPUs go offline, an administrator takes some back, a
 * pool shrinks. Nothing is moved because of that: a running VM is worth more than a tidy plan, so the answer here is
 * only what is no longer true. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/place/verdict.h"

/* "vCPU 1", "the emulator", "IO thread 2", "a parked sibling" */
static const char *user_of(const struct placement *placement, int cpu, char *buffer, size_t size)
{
    for (unsigned v = 0; v < placement->vcpu_count; v++)
        if (placement->vcpu_cpu[v] == cpu) {
            snprintf(buffer, size, "vCPU %u", v);
            return buffer;
        }
    if (placement->emulator_is_exclusive && cpuset_has(&placement->emulator, (unsigned)cpu))
        return "the emulator";
    for (unsigned i = 0; i < placement->iothread_count; i++)
        if (cpuset_has(&placement->iothread[i], (unsigned)cpu)) {
            snprintf(buffer, size, "IO thread %u", i + 1);
            return buffer;
        }
    return "a parked sibling";
}

static void audit_cpus(const struct board *board, const struct placement *placement, struct decision *decision)
{
    const struct host *host = board->host;
    char user[32];
    cpuset_foreach(cpu, &placement->exclusive)
    {
        const char *whose = user_of(placement, cpu, user, sizeof(user));
        int node = host->cpu[cpu].node;
        if (!cpuset_has(&host->online, (unsigned)cpu))
            verdict_reason(decision, "CPUOffline", node, "CPU %d of %s is offline", cpu, whose);
        else if (cpuset_has(&host->withheld, (unsigned)cpu))
            verdict_reason(decision, "CPUWithheld", node, "CPU %d of %s is withheld by the cgroup above us", cpu,
                           whose);
        else if (cpuset_has(&board->housekeeping, (unsigned)cpu))
            verdict_reason(decision, "CPUReserved", node, "CPU %d of %s is a housekeeping CPU now", cpu, whose);
        if (cpuset_has(&board->claims->cpus, (unsigned)cpu))
            verdict_reason(decision, "CPUClaimedTwice", node, "CPU %d of %s is promised to %s too", cpu, whose,
                           board->claims->cpu_owner && board->claims->cpu_owner[cpu] ? board->claims->cpu_owner[cpu]
                                                                                     : "another VM");
    }
    struct cpuset shared = cpuset_and(&placement->shared, &host->online);
    if (placement->vcpu_count && !cpuset_is_empty(&placement->shared) && cpuset_is_empty(&shared))
        verdict_reason(decision, "CPUOffline", -1, "none of the housekeeping CPUs of the VM is online");
}

static const struct host_page_pool *pool_of(const struct host *host, int node, uint64_t page_bytes)
{
    int index = host_node_index(host, node);
    for (unsigned i = 0; index >= 0 && i < host->node[index].pool_count; i++)
        if (host->node[index].pool[i].size_bytes == page_bytes)
            return &host->node[index].pool[i];
    return NULL;
}

static uint64_t claimed_on(const struct claims *claims, int node, uint64_t page_bytes)
{
    uint64_t pages = 0;
    for (size_t i = 0; i < claims->page_count; i++)
        if (claims->pages[i].node == node && claims->pages[i].page_bytes == page_bytes)
            pages += claims->pages[i].pages;
    return pages;
}

static void audit_pools(const struct host *host, const struct claims *others, const struct placement *placement,
                        struct decision *decision)
{
    struct bytes_text size = {0};
    for (unsigned i = 0; i < placement->page_count; i++) {
        const struct claimed_pages *page = &placement->page[i];
        if (page->page_bytes == PLACE_ORDINARY_PAGE_BYTES)
            continue;
        const struct host_page_pool *pool = pool_of(host, page->node, page->page_bytes);
        uint64_t total = pool ? pool->total : 0,
                 promised = claimed_on(others, page->node, page->page_bytes) + page->pages;
        if (total < promised)
            verdict_reason(decision, "PoolShrunk", page->node,
                           "node %d has %llu huge pages of %s; %llu are promised, %llu of them to this VM", page->node,
                           (unsigned long long)total, bytes_format(page->page_bytes, &size),
                           (unsigned long long)promised, (unsigned long long)page->pages);
    }
}

static void audit_realtime(const struct host *host, const struct placement *placement, struct decision *decision)
{
    struct cpuset unisolated = {0};
    struct cpuset_text text;
    if (cpuset_is_empty(&placement->realtime_vcpus))
        return;
    if (host->has_rt_runtime && host->rt_runtime_us >= 0 && host->fair_server != HOST_YES)
        verdict_reason(decision, "RealtimeThrottled", -1, "kernel.sched_rt_runtime_us is %lld now; it must be -1",
                       (long long)host->rt_runtime_us);
    cpuset_foreach(v, &placement->realtime_vcpus)
    {
        int cpu = (unsigned)v < placement->vcpu_count ? placement->vcpu_cpu[v] : -1;
        if (cpu >= 0 && !host->cpu[cpu].isolated)
            cpuset_add(&unisolated, (unsigned)cpu);
    }
    if (!cpuset_is_empty(&unisolated))
        verdict_warn(decision, "CPUs of real-time vCPUs are not isolated: %.150s", cpuset_format(&unisolated, &text));
}

void place_audit(const struct host *host, const struct place_policy *policy, const struct claims *others,
                 const struct placement *placement, struct decision *ret_decision)
{
    static const struct cpuset any;
    struct decision *decision = ret_decision;
    memset(decision, 0, sizeof(*decision));
    struct board *board = board_new(host, policy, others, NULL, &any, false);
    audit_cpus(board, placement, decision);
    audit_pools(host, others, placement, decision);
    audit_realtime(host, placement, decision);
    decision->admitted = decision->reason_count == 0;
    decision->placement = *placement;
    free(board);
}

static void audit_pool(const struct board *board, int node, const struct host_page_pool *pool,
                       struct decision *decision)
{
    struct bytes_text text = {0};
    const char *size = bytes_format(pool->size_bytes, &text);
    uint64_t claimed = claimed_on(board->claims, node, pool->size_bytes);
    uint64_t used = pool->total > pool->free ? pool->total - pool->free : 0;
    if (claimed > pool->total)
        verdict_warn(decision, "node %d: %llu huge pages of %s are promised, but the pool has only %llu", node,
                     (unsigned long long)claimed, size, (unsigned long long)pool->total);
    if (used > claimed)
        verdict_warn(decision,
                     "node %d: %llu huge pages of %s are used by no VM of ours: leaked, or another program has "
                     "them",
                     node, (unsigned long long)(used - claimed), size);
    for (unsigned n = 0; n < board->node_count; n++)
        if (board->node[n].id == node && board->node[n].free == 0 && pool->total > claimed)
            verdict_warn(decision, "node %d: %llu huge pages of %s are stranded: no CPU is left beside them", node,
                         (unsigned long long)(pool->total - claimed), size);
}

void place_audit_pages(const struct host *host, const struct place_policy *policy, const struct claims *claims,
                       struct decision *decision)
{
    static const struct cpuset any;
    struct board *board = board_new(host, policy, claims, NULL, &any, false);
    for (unsigned i = 0; i < host->node_count; i++)
        for (unsigned p = 0; p < host->node[i].pool_count; p++)
            audit_pool(board, host->node[i].id, &host->node[i].pool[p], decision);
    free(board);
}
