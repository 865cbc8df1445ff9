#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/prove/reading.h"

/* Every thread of a VM has a role, the role has a place in the plan. QEMU names its threads (libvirt starts it with
 * debug-threads=on), the kernel names its helpers. What nobody planned for runs with the emulator, as ordinary threads:
 * a helper that was created from a vCPU thread inherits FIFO and the vCPU's CPU, and would steal from the guest. */

const char *prove_role_text(enum prove_role role)
{
    static const char *const WORDS[] = {
        [PROVE_VCPU] = "vcpu",     [PROVE_EMULATOR] = "emulator", [PROVE_IOTHREAD] = "iothread",
        [PROVE_VHOST] = "vhost",   [PROVE_KVM_PIT] = "kvm-pit",   [PROVE_NX_RECOVERY] = "nx-recovery",
        [PROVE_HELPER] = "helper",
    };
    return WORDS[role];
}

/* "PREFIX<number>SUFFIX": the number, or -1. */
static int number_between(const char *name, const char *prefix, const char *suffix)
{
    if (!text_starts_with(name, prefix))
        return -1;
    const char *digits = name + strlen(prefix);
    char *end;
    unsigned long number = strtoul(digits, &end, 10);
    return end > digits && *digits >= '0' && *digits <= '9' && strcmp(end, suffix) == 0 && number < CPUSET_MAX
               ? (int)number
               : -1;
}

void wish_role(struct prove_thread *thread)
{
    const char *name = thread->name;
    thread->index = number_between(name, "CPU ", "/KVM");
    if (thread->index < 0)
        thread->index = number_between(name, "CPU ", "/TCG");
    if (thread->index >= 0 || strcmp(name, "ALL CPUs/TCG") == 0) {
        thread->role = PROVE_VCPU;
        return;
    }
    thread->index = number_between(name, "IO iothread", "");
    if (thread->index >= 0)
        thread->role = PROVE_IOTHREAD;
    else if (text_starts_with(name, "vhost-"))
        thread->role = PROVE_VHOST;
    else if (text_starts_with(name, "kvm-pit/"))
        thread->role = PROVE_KVM_PIT;
    else if (text_starts_with(name, "kvm-nx-lpage-re"))
        thread->role = PROVE_NX_RECOVERY;
    else if (text_starts_with(name, "iou-")) /* io_uring's workers */
        thread->role = PROVE_HELPER;
    else
        thread->role = PROVE_EMULATOR;
}

static void want(struct prove_thread *thread, const struct cpuset *cpus, bool realtime, unsigned priority)
{
    thread->wanted_cpus = *cpus;
    thread->wanted_policy = realtime ? SCHED_FIFO : SCHED_OTHER;
    thread->wanted_priority = realtime ? (int)priority : 0;
}

static struct cpuset cpus_of_vcpu(const struct placement *placement, unsigned vcpu)
{
    int cpu = placement->vcpu_cpu[vcpu];
    return cpu >= 0 ? cpuset_of((unsigned)cpu) : placement->shared;
}

/* One thread that runs all vCPUs in turn (TCG with a single thread): real time only when all of them are. */
static void want_all_vcpus(struct prove_thread *thread, const struct placement *placement)
{
    struct cpuset cpus = {0};
    for (unsigned i = 0; i < placement->vcpu_count; i++) {
        struct cpuset one = cpus_of_vcpu(placement, i);
        cpus = cpuset_or(&cpus, &one);
    }
    want(thread, &cpus, cpuset_count(&placement->realtime_vcpus) == placement->vcpu_count, placement->fifo_priority);
}

/* QEMU's pool has a worker made by whoever has work for it, so that one made by an IO thread starts with that one's
 * CPUs and control group, and may stay there. */
static const struct cpuset *cpus_of_worker(const struct prove_thread *thread, const struct placement *placement)
{
    if (strcmp(thread->name, "worker") != 0 || cpuset_is_empty(&thread->cpus) ||
        cpuset_is_subset(&thread->cpus, &placement->emulator))
        return NULL;
    for (unsigned i = 0; i < placement->iothread_count; i++)
        if (cpuset_is_subset(&thread->cpus, &placement->iothread[i]))
            return &placement->iothread[i];
    return NULL;
}

static void want_as_planned(struct prove_thread *thread, const struct placement *placement)
{
    const struct cpuset *of_worker = cpus_of_worker(thread, placement);
    const struct cpuset *others = of_worker ? of_worker : &placement->emulator;
    if (thread->role == PROVE_VCPU && thread->index < 0) {
        want_all_vcpus(thread, placement);
    } else if (thread->role == PROVE_VCPU && thread->index < (int)placement->vcpu_count) {
        unsigned vcpu = (unsigned)thread->index;
        struct cpuset cpus = cpus_of_vcpu(placement, vcpu);
        want(thread, &cpus, cpuset_has(&placement->realtime_vcpus, vcpu), placement_priority(placement, vcpu));
    } else if (thread->role == PROVE_IOTHREAD && thread->index >= 1 &&
               thread->index <= (int)placement->iothread_count) {
        want(thread, &placement->iothread[thread->index - 1], false, 0);
    } else {
        want(thread, others, false, 0);
    }
}

const char *wish_policy_text(int policy)
{
    static const char *const WORDS[] = {"OTHER", "FIFO", "RR", "BATCH", "4", "IDLE", "DEADLINE"};
    return policy >= 0 && policy < (int)ARRAY_SIZE(WORDS) ? WORDS[policy] : "unknown";
}

static void judge(struct prove_thread *thread)
{
    struct cpuset_text found;
    struct cpuset_text wanted;
    if (!cpuset_is_empty(&thread->wanted_cpus) && !cpuset_is_subset(&thread->cpus, &thread->wanted_cpus))
        snprintf(thread->because, sizeof thread->because, "may run on CPU %.80s, planned %.80s",
                 cpuset_format(&thread->cpus, &found), cpuset_format(&thread->wanted_cpus, &wanted));
    else if (thread->policy != thread->wanted_policy || thread->priority != thread->wanted_priority)
        snprintf(thread->because, sizeof thread->because, "runs %s %d, planned %s %d", wish_policy_text(thread->policy),
                 thread->priority, wish_policy_text(thread->wanted_policy), thread->wanted_priority);
    else
        thread->ok = true;
}

static bool has_thread(const struct proof *proof, enum prove_role role, int index)
{
    for (size_t i = 0; i < proof->thread_count; i++)
        if (proof->thread[i].role == role &&
            (proof->thread[i].index == index || (role == PROVE_VCPU && proof->thread[i].index < 0)))
            return true;
    return false;
}

/* A planned thread that is not there is drift too. */
static void add_missing(struct proof *proof, enum prove_role role, unsigned first, unsigned count, const char *format,
                        const struct placement *placement)
{
    for (unsigned i = first; i < first + count; i++) {
        if (has_thread(proof, role, (int)i))
            continue;
        struct prove_thread missing = {.role = role, .index = (int)i, .last_cpu = -1};
        snprintf(missing.name, sizeof missing.name, "%s %u", format, i);
        want_as_planned(&missing, placement);
        snprintf(missing.because, sizeof missing.because, "there is no such thread");
        proof->thread = must_realloc(proof->thread, proof->thread_count + 1, sizeof *proof->thread);
        proof->thread[proof->thread_count++] = missing;
    }
}

void wish_compare(struct proof *proof, const struct placement *placement)
{
    for (size_t i = 0; i < proof->thread_count; i++) {
        want_as_planned(&proof->thread[i], placement);
        judge(&proof->thread[i]);
    }
    add_missing(proof, PROVE_VCPU, 0, placement->vcpu_count, "CPU", placement);
    add_missing(proof, PROVE_IOTHREAD, 1, placement->iothread_count, "IO iothread", placement);
    for (size_t i = 0; i < proof->thread_count; i++)
        proof->drift_count += !proof->thread[i].ok;
}

static uint64_t planned_hugepage_bytes(const struct placement *placement, const struct vm_spec *spec)
{
    if (placement->cell_count == 0)
        return placement->hugepage_bytes > 0 ? spec->memory_bytes : 0;
    uint64_t bytes = 0;
    for (unsigned i = 0; i < placement->cell_count; i++)
        bytes += placement->cell[i].page_bytes > 0 ? placement->cell[i].memory_bytes : 0;
    return bytes;
}

static struct cpuset planned_nodes(const struct placement *placement)
{
    struct cpuset nodes = placement->memory_nodes;
    for (unsigned i = 0; i < placement->cell_count; i++)
        cpuset_add(&nodes, (unsigned)placement->cell[i].host_node);
    return nodes;
}

/* A row for every guest cell: a cell is on a node of its own, so the pages found there are the cell's. */
static void want_huge(struct prove_memory *memory, const struct placement *placement)
{
    for (unsigned i = 0; i < placement->cell_count; i++) {
        const struct placement_cell *cell = &placement->cell[i];
        struct prove_huge *row = cell->page_bytes ? reading_huge(memory, cell->host_node, cell->page_bytes) : NULL;
        if (row)
            row->wanted_bytes += cell->memory_bytes;
    }
}

static const struct prove_huge *short_huge(const struct prove_memory *memory)
{
    for (unsigned i = 0; i < memory->huge_count && memory->huge_known; i++)
        if (memory->huge[i].bytes < memory->huge[i].wanted_bytes)
            return &memory->huge[i];
    return NULL;
}

/* A guest that sees one cell over several nodes: the kernel chooses how much from which. */
static bool has_other_pages(const struct prove_memory *memory, const struct placement *placement)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < memory->huge_count; i++)
        bytes += memory->huge[i].page_bytes == placement->hugepage_bytes ? memory->huge[i].bytes : 0;
    return placement->cell_count == 0 && memory->huge_known && bytes < memory->wanted_hugepage_bytes;
}

void wish_compare_memory(struct prove_memory *memory, const struct placement *placement, const struct vm_spec *spec,
                         bool want_locked, uint64_t resident_bytes)
{
    memory->wanted_hugepage_bytes = planned_hugepage_bytes(placement, spec);
    memory->wanted_nodes = planned_nodes(placement);
    want_huge(memory, placement);
    const struct prove_huge *missing = short_huge(memory);
    uint64_t ordinary_guest =
        spec->memory_bytes > memory->wanted_hugepage_bytes ? spec->memory_bytes - memory->wanted_hugepage_bytes : 0;
    if (want_locked)
        memory->wanted_locked_bytes = resident_bytes > ordinary_guest ? resident_bytes : ordinary_guest;
    struct cpuset_text found;
    struct cpuset_text wanted;
    size_t room = sizeof memory->because;
    if (memory->hugepage_bytes < memory->wanted_hugepage_bytes)
        snprintf(memory->because, room, "%llu bytes in huge pages, planned %llu",
                 (unsigned long long)memory->hugepage_bytes, (unsigned long long)memory->wanted_hugepage_bytes);
    else if (memory->locked_bytes < memory->wanted_locked_bytes)
        snprintf(memory->because, room, "%llu bytes locked, planned at least %llu",
                 (unsigned long long)memory->locked_bytes, (unsigned long long)memory->wanted_locked_bytes);
    else if (!cpuset_is_empty(&memory->wanted_nodes) && !cpuset_is_subset(&memory->nodes, &memory->wanted_nodes))
        snprintf(memory->because, room, "guest memory on node %.60s, planned %.60s",
                 cpuset_format(&memory->nodes, &found), cpuset_format(&memory->wanted_nodes, &wanted));
    else if (missing)
        snprintf(memory->because, room, "%llu bytes in pages of %llu KiB on node %d, planned %llu",
                 (unsigned long long)missing->bytes, (unsigned long long)missing->page_bytes / 1024, missing->node,
                 (unsigned long long)missing->wanted_bytes);
    else if (has_other_pages(memory, placement))
        snprintf(memory->because, room, "not all guest memory is in pages of %llu KiB",
                 (unsigned long long)placement->hugepage_bytes / 1024);
    else
        memory->ok = true;
}
