/* KubeVirt's own counting, so that the same manifest asks for the same CPUs: V exclusive CPUs for the vCPUs, one for
 * every supplemental IO thread, and one for the emulator when it is isolated. The even-parity annotation asks for a
 * second emulator CPU only to please a kubelet that hands out whole cores; here cores are kept whole by the solver, so
 * one is enough and nothing is wasted.
 *
 * IO threads exist when a policy is set or a disk wants its own. Limit L of the pool: 1 for shared (and unset), twice
 * the requested CPUs for auto (1 when the emulator is isolated), exactly the count for the supplemental pool. D disks
 * with their own thread, A others: when A + D > L, A shrinks to max(1, L - D). */
#include "runtime/place/demand.h"

static unsigned iothread_limit(const struct vm_spec *spec)
{
    if (spec->iothreads_policy != VM_IOTHREADS_AUTO)
        return 1;
    if (spec->dedicated_cpus && spec->isolate_emulator)
        return 1;
    uint64_t cpus = (spec->request_cpu_milli + 999) / 1000;
    if (cpus == 0)
        cpus = 1;
    return cpus > LIMIT_VM_IOTHREADS ? LIMIT_VM_IOTHREADS : (unsigned)cpus * 2;
}

unsigned demand_iothreads(const struct vm_spec *spec)
{
    if (spec->iothreads_policy == VM_IOTHREADS_SUPPLEMENTAL)
        return spec->supplemental_iothreads < LIMIT_VM_IOTHREADS ? spec->supplemental_iothreads : LIMIT_VM_IOTHREADS;
    unsigned own = 0, shared = 0;
    for (unsigned i = 0; i < spec->disk_count; i++) {
        own += spec->disk[i].dedicated_iothread;
        shared += !spec->disk[i].dedicated_iothread;
    }
    if (spec->iothreads_policy == VM_IOTHREADS_UNSET && own == 0)
        return 0;
    unsigned limit = iothread_limit(spec);
    if (own + shared > limit)
        shared = limit > own + 1 ? limit - own : 1;
    return own + shared < LIMIT_VM_IOTHREADS ? own + shared : LIMIT_VM_IOTHREADS;
}

static struct vm_page_sizes page_sizes(const struct vm_spec *spec)
{
    struct vm_page_sizes sizes = {0};
    if (spec->hugepage_bytes)
        sizes.bytes[sizes.count++] = spec->hugepage_bytes;
    for (unsigned i = 0; i < spec->other_page_sizes.count && spec->hugepage_bytes; i++) {
        uint64_t bytes = spec->other_page_sizes.bytes[i];
        if (bytes != spec->hugepage_bytes && spec->memory_bytes % bytes == 0)
            sizes.bytes[sizes.count++] = bytes;
    }
    return sizes;
}

struct demand demand_of(const struct vm_spec *spec)
{
    struct demand demand = {
        .threads = spec->threads ? spec->threads : 1,
        .iothreads = demand_iothreads(spec),
        .realtime = spec->realtime && !cpuset_is_empty(&spec->realtime_vcpus),
        .passthrough = spec->numa_passthrough,
        .smt = spec->smt_policy,
        .numa = spec->numa_policy,
        .page_bytes = spec->hugepage_bytes,
        .memory_bytes = spec->memory_bytes,
        .sizes = page_sizes(spec),
    };
    uint64_t unit = demand.page_bytes ? demand.page_bytes : PLACE_ORDINARY_PAGE_BYTES;
    demand.pages = demand.memory_bytes / unit + (demand.memory_bytes % unit != 0);
    if (!spec->dedicated_cpus)
        return demand;
    struct cpuset all = spec->vcpus ? cpuset_range(0, spec->vcpus - 1) : (struct cpuset){0};
    demand.floating = cpuset_and(&spec->shared_vcpus, &all);
    demand.vcpus = spec->vcpus - cpuset_count(&demand.floating);
    demand.emulator = spec->isolate_emulator || spec->emulator_policy != VM_EMULATOR_HOUSEKEEPING;
    demand.sibling = spec->emulator_policy == VM_EMULATOR_SIBLING;
    if (spec->iothreads_policy == VM_IOTHREADS_SUPPLEMENTAL)
        demand.io = demand.iothreads;
    demand.extras = demand.emulator + demand.io;
    return demand;
}
