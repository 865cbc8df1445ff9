/* Staying put beats a better place: caches, interrupt steering and measurements belong to CPUs. So cost is not asked
 * here, only the rules: the same threads want CPUs of their own, the CPUs are free, and the policies hold. */
#include "runtime/place/kept.h"

#include <string.h>

static bool same_shape(const struct demand *demand, const struct placement *kept, const struct placement *fresh)
{
    if (kept->vcpu_count != fresh->vcpu_count || !kept->dedicated || demand->vcpus == 0)
        return false;
    for (unsigned v = 0; v < kept->vcpu_count; v++)
        if ((kept->vcpu_cpu[v] < 0) != cpuset_has(&demand->floating, v))
            return false;
    if (kept->emulator_is_exclusive != (demand->emulator > 0) || kept->iothread_count != demand->iothreads)
        return false;
    return true;
}

/* Every thread has a CPU of its own, and nothing else is claimed but what is parked. */
static bool adds_up(const struct demand *demand, const struct placement *kept, struct cpuset *ret_used)
{
    struct cpuset used = {0};
    for (unsigned v = 0; v < kept->vcpu_count; v++)
        if (kept->vcpu_cpu[v] >= 0)
            cpuset_add(&used, (unsigned)kept->vcpu_cpu[v]);
    if (demand->emulator)
        used = cpuset_or(&used, &kept->emulator);
    for (unsigned i = 0; i < demand->io; i++)
        used = cpuset_or(&used, &kept->iothread[i]);
    struct cpuset all = cpuset_or(&used, &kept->parked);
    *ret_used = used;
    return cpuset_count(&used) == demand->vcpus + demand->extras && cpuset_equal(&all, &kept->exclusive) &&
           !cpuset_intersects(&used, &kept->parked);
}

static struct cpuset core_of(const struct board *board, int cpu)
{
    struct cpuset core = cpuset_and(&board->host->cpu[cpu].siblings, &board->host->online);
    cpuset_add(&core, (unsigned)cpu);
    return core;
}

static bool smt_policy_holds(const struct board *board, const struct demand *demand, const struct placement *kept)
{
    struct cpuset vcpus = {0}, parked = {0};
    for (unsigned v = 0; v < kept->vcpu_count; v++)
        if (kept->vcpu_cpu[v] >= 0)
            cpuset_add(&vcpus, (unsigned)kept->vcpu_cpu[v]);
    cpuset_foreach(cpu, &vcpus)
    {
        struct cpuset core = core_of(board, cpu), ours = cpuset_and(&core, &vcpus);
        if (demand->smt == VM_SMT_REQUIRE && !cpuset_is_subset(&core, &vcpus))
            return false;
        if (demand->smt == VM_SMT_ISOLATE &&
            (cpuset_count(&ours) > demand->threads || !cpuset_is_subset(&core, &kept->exclusive)))
            return false;
        struct cpuset idle = cpuset_minus(&core, &vcpus);
        parked = cpuset_or(&parked, &idle);
    }
    struct cpuset extras = kept->emulator;
    for (unsigned i = 0; i < demand->io; i++)
        extras = cpuset_or(&extras, &kept->iothread[i]);
    if (demand->sibling && !cpuset_is_subset(&extras, &parked))
        return false;
    if (demand->sibling)
        parked = cpuset_minus(&parked, &extras);
    if (demand->smt != VM_SMT_ISOLATE)
        return cpuset_is_empty(&kept->parked);
    return cpuset_equal(&parked, &kept->parked);
}

static bool numa_policy_holds(const struct board *board, const struct demand *demand, const struct placement *kept)
{
    int first = -1;
    for (unsigned v = 0; v < kept->vcpu_count; v++) {
        int node = board_node_of(board, kept->vcpu_cpu[v]);
        if (kept->vcpu_cpu[v] < 0)
            continue;
        if (node < 0 || (first >= 0 && node != first && demand->numa == VM_NUMA_STRICT))
            return false;
        if (first < 0)
            first = node;
    }
    return true;
}

bool kept_take(const struct board *board, const struct demand *demand, const struct placement *kept,
               struct placement *placement)
{
    struct cpuset used;
    if (!same_shape(demand, kept, placement) || !adds_up(demand, kept, &used) ||
        !cpuset_is_subset(&kept->exclusive, &board->available) || !smt_policy_holds(board, demand, kept) ||
        !numa_policy_holds(board, demand, kept))
        return false;
    memcpy(placement->vcpu_cpu, kept->vcpu_cpu, sizeof(placement->vcpu_cpu));
    placement->parked = kept->parked;
    placement->exclusive = kept->exclusive;
    if (demand->emulator)
        placement->emulator = kept->emulator;
    for (unsigned i = 0; i < demand->io; i++)
        placement->iothread[i] = kept->iothread[i];
    return true;
}
