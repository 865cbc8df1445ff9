/* Rules about the host and the wishes of the VM, as a table: each either adds a reason (the VM is refused) or a warning
 * (it is admitted, and told what will hurt). Hard for real time is what KubeVirt's nodes must have too: FIFO granted
 * and real-time throttling off. Everything else that makes a host a bad real-time host is said, not refused. */
#include "runtime/place/verdict.h"

#include <stdlib.h>

struct check_input {
    const struct host *host;
    const struct place_policy *policy;
    const struct vm_spec *spec;
    const struct demand *demand;
};

static void check_kvm(const struct check_input *in, struct decision *decision)
{
    if (in->host->kvm_works != HOST_NO)
        return;
    if (in->policy->emulation || in->policy->allow_emulation)
        verdict_warn(decision, "the guest is emulated: KVM does not work here (%s); latency means little",
                     in->host->kvm_because);
    else
        verdict_reason(decision, "NoKVM", -1, "KVM does not work: %s; fix it, or allow emulation (--emulation auto)",
                       in->host->kvm_because);
}

static void check_throttling(const struct check_input *in, struct decision *decision)
{
    const struct host *host = in->host;
    if (!in->demand->realtime || !host->has_rt_runtime || host->rt_runtime_us < 0)
        return;
    if (host->fair_server == HOST_YES)
        verdict_warn(decision,
                     "kernel.sched_rt_runtime_us is %lld; this kernel does not throttle by it any more, but set it to "
                     "-1 for tools that look",
                     (long long)host->rt_runtime_us);
    else
        verdict_reason(decision, "RealtimeThrottled", -1,
                       "kernel.sched_rt_runtime_us is %lld: real-time vCPUs would be stopped for the rest of every "
                       "period; set it to -1 (sysctl -w kernel.sched_rt_runtime_us=-1)",
                       (long long)host->rt_runtime_us);
}

/* What shares the CPU with a real-time vCPU by kernel design, and at which priority it runs unless changed: for hosts
 * whose threads were not seen. warn_priorities() looks at the others. */
static void check_priority(const struct check_input *in, struct decision *decision)
{
    static const struct {
        unsigned priority;
        bool only_rt_kernel;
        const char *threads;
    } KERNEL[] = {
        {1, true, "ktimers/N and rcuc/N"},
        {50, false, "irq/N-NAME"},
    };
    unsigned ours = 0;
    cpuset_foreach(v, &in->spec->realtime_vcpus)
    {
        unsigned own = (unsigned)v < in->spec->vcpus ? in->spec->vcpu_priority[v] : 0;
        own = own ? own : in->spec->fifo_priority;
        ours = own > ours ? own : ours;
    }
    for (size_t i = 0; in->demand->realtime && !in->host->threads_known && i < ARRAY_SIZE(KERNEL); i++)
        if (ours > KERNEL[i].priority && (in->host->rt_kernel == HOST_YES || !KERNEL[i].only_rt_kernel))
            verdict_warn(decision,
                         "rtvmd.io/fifo-priority %u is above the kernel threads %s (FIFO %u by default): a guest that "
                         "spins keeps them from running on its CPUs",
                         ours, KERNEL[i].threads, KERNEL[i].priority);
}

static void check_fifo(const struct check_input *in, struct decision *decision)
{
    if (in->demand->realtime && in->host->fifo_works == HOST_NO)
        verdict_reason(decision, "FIFONotPermitted", -1, "SCHED_FIFO is refused on this host: %s",
                       in->host->fifo_because);
}

static void check_rt_kernel(const struct check_input *in, struct decision *decision)
{
    if (in->demand->realtime && in->host->rt_kernel == HOST_NO)
        verdict_warn(decision, "kernel %s is not PREEMPT_RT: latency is bounded only on average",
                     in->host->kernel_release);
}

static void check_fair_server(const struct check_input *in, struct decision *decision)
{
    if (in->demand->realtime && in->host->fair_server == HOST_YES)
        verdict_warn(decision,
                     "the kernel's fair server may take up to 50 ms per second from a real-time vCPU whose CPU "
                     "has other work; rtvmd tune turns it off on the VM's CPUs");
}

static void check_locking(const struct check_input *in, struct decision *decision)
{
    if (in->demand->realtime && in->host->locking_works == HOST_NO)
        verdict_warn(decision, "guest memory cannot be locked: %s", in->host->locking_because);
}

static void check_clock(const struct check_input *in, struct decision *decision)
{
    const char *clock = in->host->clocksource;
    if (in->demand->realtime && clock[0] && clock[0] != 't') /* "tsc" */
        verdict_warn(decision, "the clock source is %s, not tsc: reading the clock is slow and jitters", clock);
}

static void check_mask(const struct check_input *in, struct decision *decision)
{
    const struct vm_spec *spec = in->spec;
    if (spec->realtime && cpuset_is_empty(&spec->realtime_vcpus))
        verdict_warn(decision, "the real-time mask enables no vCPU: the VM runs without real-time scheduling");
    else if (in->demand->realtime && spec->vcpus > 1 && cpuset_count(&spec->realtime_vcpus) >= spec->vcpus)
        verdict_warn(decision,
                     "every vCPU is real-time: nothing is left for the guest's own housekeeping (mask \"%s%u\" "
                     "would keep vCPU 0 for it)",
                     spec->vcpus > 2 ? "1-" : "", spec->vcpus - 1);
}

static bool has_page_size(const struct host *host, uint64_t page_bytes)
{
    for (unsigned i = 0; i < host->node_count; i++)
        for (unsigned p = 0; p < host->node[i].pool_count; p++)
            if (host->node[i].pool[p].size_bytes == page_bytes)
                return true;
    return false;
}

static bool has_hugetlbfs(const struct host *host, uint64_t page_bytes)
{
    for (unsigned i = 0; i < host->hugetlbfs_count; i++)
        if (host->hugetlbfs_size_bytes[i] == page_bytes)
            return true;
    return false;
}

static void tell_not_mounted(uint64_t page_bytes, bool refuses, struct decision *decision)
{
    struct bytes_text size = {0};
    auto_text text = {0};
    bytes_format(page_bytes, &size);
    text_printf(&text,
                "no hugetlbfs with %s pages is mounted: mount -t hugetlbfs -o pagesize=%lluK none /dev/hugepages%s, "
                "then restart libvirtd",
                size.text, (unsigned long long)page_bytes / 1024, size.text);
    if (refuses)
        verdict_reason(decision, "HugetlbfsNotMounted", -1, "%s", text_cstr(&text));
    else
        verdict_warn(decision, "%s", text_cstr(&text));
}

/* Where the VM may have pages of several sizes, one that can be used is enough. */
static void check_hugetlbfs(const struct check_input *in, struct decision *decision)
{
    const struct host *host = in->host;
    const struct vm_page_sizes *sizes = &in->demand->sizes;
    bool any = false;
    for (unsigned i = 0; i < sizes->count; i++)
        any |= has_page_size(host, sizes->bytes[i]) && has_hugetlbfs(host, sizes->bytes[i]);
    for (unsigned i = 0; i < sizes->count && host->mounts_known; i++)
        if (has_page_size(host, sizes->bytes[i]) && !has_hugetlbfs(host, sizes->bytes[i]))
            tell_not_mounted(sizes->bytes[i], !any, decision);
}

static void (*const CHECKS[])(const struct check_input *in, struct decision *decision) = {
    check_kvm,         check_throttling, check_fifo,  check_priority, check_rt_kernel,
    check_fair_server, check_locking,    check_clock, check_mask,     check_hugetlbfs,
};

void check_host(const struct host *host, const struct place_policy *policy, const struct vm_spec *spec,
                const struct demand *demand, struct decision *decision)
{
    struct check_input in = {host, policy, spec, demand};
    for (size_t i = 0; i < ARRAY_SIZE(CHECKS); i++)
        CHECKS[i](&in, decision);
}

static unsigned widest_core(const struct board *board)
{
    unsigned widest = 1;
    cpuset_foreach(cpu, &board->host->online)
    {
        struct cpuset threads = cpuset_and(&board->host->cpu[cpu].siblings, &board->host->online);
        unsigned width = cpuset_count(&threads);
        widest = width > widest ? width : widest;
    }
    return widest;
}

static void check_smt(const struct board *board, const struct demand *demand, struct decision *decision)
{
    unsigned width = widest_core(board);
    if (demand->sibling && width == 1)
        verdict_reason(decision, "NoSMT", -1,
                       "rtvmd.io/emulator-policy sibling needs cores with two threads; this host has none (use "
                       "dedicated)");
    if (demand->smt == VM_SMT_REQUIRE && width == 1)
        verdict_reason(decision, "NoSMT", -1,
                       "rtvmd.io/smt-policy require needs cores with two threads; this host has none");
    else if (demand->smt == VM_SMT_REQUIRE && demand->vcpus % width)
        verdict_reason(decision, "SMTAlignment", -1,
                       "rtvmd.io/smt-policy require fills whole cores of %u threads; %u vCPUs leave one half empty",
                       width, demand->vcpus);
    if (demand->smt == VM_SMT_REQUIRE && demand->sibling)
        verdict_reason(decision, "SMTAlignment", -1,
                       "rtvmd.io/smt-policy require leaves no sibling for rtvmd.io/emulator-policy sibling");
}

static void check_wanted(const struct board *board, const struct vm_spec *spec, struct decision *decision)
{
    struct cpuset_text *text = must_calloc(1, sizeof(*text));
    struct cpuset offline = cpuset_minus(&spec->wanted_cpus, &board->host->online);
    struct cpuset reserved = cpuset_and(&spec->wanted_cpus, &board->housekeeping);
    struct cpuset taken = cpuset_and(&spec->wanted_cpus, &board->claims->cpus);
    if (!cpuset_is_empty(&offline))
        verdict_reason(decision, "WantedCPUsOffline", -1, "rtvmd.io/cpus names CPUs that are not online: %.200s",
                       cpuset_format(&offline, text));
    if (!cpuset_is_empty(&reserved))
        verdict_reason(decision, "WantedCPUsReserved", -1, "rtvmd.io/cpus names housekeeping CPUs: %.200s",
                       cpuset_format(&reserved, text));
    cpuset_foreach(cpu, &taken)
    {
        const char *owner = board->claims->cpu_owner ? board->claims->cpu_owner[cpu] : NULL;
        verdict_reason(decision, "WantedCPUsTaken", -1, "rtvmd.io/cpus names CPU %d, which %s%s has", cpu,
                       owner ? "VM " : "another VM", owner ? owner : "");
    }
    free(text);
}

static void check_shared(const struct vm_spec *spec, const struct demand *demand, struct decision *decision)
{
    struct cpuset_text *text = must_calloc(1, sizeof(*text));
    struct cpuset all = cpuset_range(0, spec->vcpus - 1);
    struct cpuset absent = cpuset_minus(&spec->shared_vcpus, &all);
    struct cpuset realtime = cpuset_and(&spec->shared_vcpus, &spec->realtime_vcpus);
    unsigned halves = 0;
    cpuset_foreach(v, &demand->floating)
    {
        unsigned first = (unsigned)v - (unsigned)v % demand->threads;
        for (unsigned t = first; t < first + demand->threads; t++)
            halves += !cpuset_has(&demand->floating, t);
    }
    if (!cpuset_is_empty(&absent))
        verdict_warn(decision, "rtvmd.io/shared-vcpus names vCPUs the VM does not have: %.150s",
                     cpuset_format(&absent, text));
    if (spec->realtime && !cpuset_is_empty(&realtime))
        verdict_reason(
            decision, "SharedRealtimeVCPU", -1,
            "rtvmd.io/shared-vcpus and the real-time mask both name vCPUs %.150s; a real-time vCPU needs a CPU "
            "of its own",
            cpuset_format(&realtime, text));
    if (halves)
        verdict_reason(decision, "SharedHalfCore", -1,
                       "rtvmd.io/shared-vcpus %.150s names half of a guest core (threads: %u); name all its threads",
                       cpuset_format(&spec->shared_vcpus, text), demand->threads);
    if (demand->vcpus == 0)
        verdict_reason(decision, "NoDedicatedVCPU", -1,
                       "rtvmd.io/shared-vcpus names every vCPU; drop dedicatedCpuPlacement instead");
    free(text);
}

void check_wishes(const struct board *board, const struct vm_spec *spec, const struct demand *demand,
                  struct decision *decision)
{
    if (spec->dedicated_cpus && !cpuset_is_empty(&spec->shared_vcpus))
        check_shared(spec, demand, decision);
    if (demand->vcpus == 0)
        return;
    check_smt(board, demand, decision);
    if (!cpuset_is_empty(&spec->wanted_cpus))
        check_wanted(board, spec, decision);
}

/* vCPUs of a real-time mask whose core somebody else uses. */
static struct cpuset shared_realtime(const struct board *board, const struct demand *demand,
                                     const struct placement *placement)
{
    struct cpuset busy = cpuset_or(&board->claims->cpus, &board->housekeeping), shared = {0};
    struct cpuset ours = cpuset_minus(&placement->exclusive, &placement->parked);
    busy = cpuset_or(&busy, &ours);
    struct cpuset wished = placement->emulator; /* beside the vCPUs by emulator-policy sibling */
    for (unsigned i = 0; i < demand->io; i++)
        wished = cpuset_or(&wished, &placement->iothread[i]);
    cpuset_foreach(v, &placement->realtime_vcpus)
    {
        if ((unsigned)v >= placement->vcpu_count || placement->vcpu_cpu[v] < 0)
            continue;
        struct cpuset beside = cpuset_and(&board->host->cpu[placement->vcpu_cpu[v]].siblings, &busy);
        unsigned first = (unsigned)v - (unsigned)v % demand->threads;
        for (unsigned t = first; t < first + demand->threads && t < placement->vcpu_count; t++)
            if (placement->vcpu_cpu[t] >= 0)
                cpuset_remove(&beside, (unsigned)placement->vcpu_cpu[t]);
        if (demand->sibling)
            beside = cpuset_minus(&beside, &wished);
        if (!cpuset_is_empty(&beside))
            cpuset_add(&shared, (unsigned)v);
    }
    return shared;
}

static void warn_isolation(const struct board *board, const struct placement *placement, struct cpuset_text *text,
                           struct decision *decision)
{
    struct cpuset unisolated = {0}, ticking = {0};
    cpuset_foreach(v, &placement->realtime_vcpus)
    {
        int cpu = (unsigned)v < placement->vcpu_count ? placement->vcpu_cpu[v] : -1;
        if (cpu >= 0 && !board->host->cpu[cpu].isolated)
            cpuset_add(&unisolated, (unsigned)cpu);
        if (cpu >= 0 && !board->host->cpu[cpu].nohz_full)
            cpuset_add(&ticking, (unsigned)cpu);
    }
    if (!cpuset_is_empty(&unisolated))
        verdict_warn(decision,
                     "CPUs of real-time vCPUs are not isolated from the kernel's scheduler: %.150s (isolcpus)",
                     cpuset_format(&unisolated, text));
    else if (!cpuset_is_empty(&ticking))
        verdict_warn(decision, "CPUs of real-time vCPUs take the timer tick: %.150s (nohz_full)",
                     cpuset_format(&ticking, text));
}

/* "rcuc (FIFO 1) on CPUs 4-5" for the threads of one kind that real-time vCPUs of this placement starve. *ours: the
 * highest priority of these vCPUs. */
static void list_starved(const struct board *board, const struct placement *placement, enum host_kernel_thread kind,
                         unsigned *ours, struct text *out)
{
    static const char *const NAMES[] = {"rcuc", "ktimers", "ksoftirqd", "rcub", "irq"};
    struct cpuset cpus = {0};
    struct cpuset_text list;
    int lowest = INT8_MAX;
    const char *name = NAMES[kind];
    cpuset_foreach(v, &placement->realtime_vcpus)
    {
        int cpu = (unsigned)v < placement->vcpu_count ? placement->vcpu_cpu[v] : -1;
        unsigned priority = placement_priority(placement, (unsigned)v);
        int theirs = cpu >= 0 ? board->host->cpu[cpu].thread_priority[kind] : -1;
        if (theirs < 0 || theirs > (int)priority)
            continue;
        cpuset_add(&cpus, (unsigned)cpu);
        *ours = priority > *ours ? priority : *ours;
        if (theirs < lowest && kind == HOST_THREAD_IRQ)
            name = board->host->cpu[cpu].irq_thread;
        lowest = theirs < lowest ? theirs : lowest;
    }
    if (cpuset_is_empty(&cpus))
        return;
    text_printf(out, "%s%s (", out->length ? ", " : "", name);
    if (lowest == 0)
        text_append(out, "not real-time");
    else
        text_printf(out, "FIFO %d", lowest);
    text_printf(out, ") on CPU%s %.40s", cpuset_count(&cpus) == 1 ? "" : "s", cpuset_format(&cpus, &list));
}

/* A FIFO thread gives way only to what is above it. Timers, callbacks of RCU and softirqs are threads of their own on
 * PREEMPT_RT only; elsewhere interrupts do that work. */
static void warn_priorities(const struct board *board, const struct placement *placement, struct decision *decision)
{
    auto_text starved = {0};
    unsigned ours = 0;
    for (enum host_kernel_thread kind = 0; board->host->threads_known && kind < HOST_KERNEL_THREADS; kind++)
        if (kind == HOST_THREAD_IRQ || board->host->rt_kernel == HOST_YES)
            list_starved(board, placement, kind, &ours, &starved);
    if (starved.length)
        verdict_warn(decision,
                     "rtvmd.io/fifo-priority %u is not below the kernel threads %s: a guest that spins keeps them from "
                     "running there; %s (chrt -f -p)",
                     ours, text_cstr(&starved), ours > 1 ? "lower it, or raise them" : "raise them");
}

static void warn_split_cores(const struct board *board, const struct demand *demand, const struct placement *placement,
                             struct decision *decision)
{
    for (unsigned v = 0; demand->threads > 1 && v + demand->threads <= placement->vcpu_count; v += demand->threads)
        for (unsigned t = 1; t < demand->threads; t++) {
            int a = placement->vcpu_cpu[v], b = placement->vcpu_cpu[v + t];
            if (a < 0 || b < 0 || cpuset_has(&board->host->cpu[a].siblings, (unsigned)b))
                continue;
            verdict_warn(decision,
                         "guest cores have %u threads but the host has no whole cores for all of them: the "
                         "guest's siblings are not siblings (vCPUs %u and %u are CPUs %d and %d)",
                         demand->threads, v, v + t, a, b);
            return;
        }
}

static void warn_far_emulator(const struct board *board, const struct placement *placement, struct decision *decision)
{
    int cpu = cpuset_next(&placement->emulator, 0), node = board_node_of(board, cpu);
    for (unsigned v = 0; v < placement->vcpu_count && placement->emulator_is_exclusive; v++)
        if (placement->vcpu_cpu[v] >= 0 && board_node_of(board, placement->vcpu_cpu[v]) == node)
            return;
    if (placement->emulator_is_exclusive && node >= 0)
        verdict_warn(decision, "the emulator's CPU %d is on node %d, where no vCPU of the VM is", cpu,
                     board->node[node].id);
}

static void warn_pages(const struct board *board, const struct placement *placement, struct decision *decision)
{
    for (unsigned i = 0; i < placement->page_count; i++)
        for (unsigned n = 0; n < board->node_count; n++)
            for (unsigned s = 0; s < board->sizes.count; s++) {
                const struct claimed_pages *claim = &placement->page[i];
                const struct board_pages *pages = &board->node[n].pages[s];
                struct bytes_text size = {0};
                if (claim->node == board->node[n].id && claim->page_bytes == board->sizes.bytes[s] &&
                    pages->free < claim->pages && pages->free < pages->left)
                    verdict_warn(
                        decision,
                        "node %d: %llu pages of %s are unclaimed but the kernel has %llu free: something else uses "
                        "huge pages there",
                        claim->node, (unsigned long long)pages->left, bytes_format(claim->page_bytes, &size),
                        (unsigned long long)pages->free);
            }
}

/* Which guest cells have other pages than hugepages.pageSize asks for. */
static void warn_page_sizes(const struct demand *demand, const struct placement *placement, struct decision *decision)
{
    struct bytes_text wanted = {0}, size = {0};
    for (unsigned i = 0; i < placement->cell_count; i++) {
        const struct placement_cell *cell = &placement->cell[i];
        if (cell->page_bytes != demand->page_bytes)
            verdict_warn(
                decision,
                "guest cell %u has pages of %s: with pages of %s alone (hugepages.pageSize) the VM does not fit", i,
                bytes_format(cell->page_bytes, &size), bytes_format(demand->page_bytes, &wanted));
    }
    if (placement->cell_count == 0 && demand->page_bytes && placement->hugepage_bytes != demand->page_bytes)
        verdict_warn(decision,
                     "guest memory has pages of %s: with pages of %s (hugepages.pageSize) the VM does not fit",
                     bytes_format(placement->hugepage_bytes, &size), bytes_format(demand->page_bytes, &wanted));
}

void check_placement(const struct board *board, const struct vm_spec *spec, const struct demand *demand,
                     struct decision *decision)
{
    const struct placement *placement = &decision->placement;
    struct cpuset_text *text = must_calloc(1, sizeof(*text));
    struct cpuset shared = shared_realtime(board, demand, placement);
    if (!cpuset_is_empty(&shared) && demand->smt != VM_SMT_REQUIRE)
        verdict_warn(decision,
                     "real-time vCPUs %.100s share their core with other work; rtvmd.io/smt-policy: isolate would "
                     "insist on whole cores",
                     cpuset_format(&shared, text));
    if (spec->realtime)
        warn_isolation(board, placement, text, decision);
    warn_priorities(board, placement, decision);
    warn_far_emulator(board, placement, decision);
    warn_split_cores(board, demand, placement, decision);
    warn_pages(board, placement, decision);
    warn_page_sizes(demand, placement, decision);
    free(text);
}
