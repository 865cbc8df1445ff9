/* The solver says how many threads of each core the VM gets; here each guest thread gets its CPU. Guest cores go to
 * host cores in order, so a guest's siblings are host siblings and its cells follow host nodes; real-time guest cores
 * take the seats nobody shares first. The emulator takes the first extra CPU, IO threads the others. */
#include "runtime/place/assign.h"

#include <stdlib.h>
#include <string.h>

struct seat { /* CPUs for one guest core */
    int16_t cpu[BOARD_THREADS_MAX];
    unsigned worry; /* 0: isolated and alone; more is worse */
    bool taken;
};

struct seats {
    unsigned count;
    struct seat seat[LIMIT_VM_VCPUS];
    unsigned loose_count;
    int16_t loose[LIMIT_VM_VCPUS];
    unsigned extra_count;
    int16_t extra[LIMIT_VM_IOTHREADS + 1];
};

static void seat_core(const struct demand *demand, const struct board_core *core, unsigned vcpus, unsigned extras,
                      struct seats *seats, struct placement *placement)
{
    unsigned at = 0, threads = demand->threads;
    bool alone = !core->foreign && !core->housekeeping && !extras && vcpus <= threads;
    while (vcpus - at >= threads) {
        struct seat *seat = &seats->seat[seats->count++];
        *seat = (struct seat){.worry = alone ? 0 : 2};
        for (unsigned t = 0; t < threads; t++, at++)
            seat->cpu[t] = core->cpu[at];
        if (at > core->isolated)
            seat->worry += 1;
        if (core->has_cpu0 && at == core->free)
            seat->worry += 4;
    }
    while (at < vcpus)
        seats->loose[seats->loose_count++] = core->cpu[at++];
    for (unsigned x = 0; x < extras; x++)
        seats->extra[seats->extra_count++] = core->cpu[at++];
    if (vcpus && demand->smt == VM_SMT_ISOLATE)
        for (; at < core->free; at++)
            cpuset_add(&placement->parked, (unsigned)core->cpu[at]);
}

static void seat_node(const struct board *board, const struct demand *demand, const struct solution *solution,
                      unsigned n, struct seats *seats, struct placement *placement)
{
    const struct board_node *node = &board->node[n];
    seats->count = seats->loose_count = 0;
    for (unsigned g = node->first_group; g < node->first_group + node->group_count; g++)
        for (unsigned i = 0; i < board->group[g].core_count; i++) {
            unsigned c = board->group[g].first_core + i;
            if (solution->vcpus_of[c] || solution->extras_of[c])
                seat_core(demand, &board->core[c], solution->vcpus_of[c], solution->extras_of[c], seats, placement);
        }
    for (unsigned at = 0; at + demand->threads <= seats->loose_count; at += demand->threads) {
        struct seat *seat = &seats->seat[seats->count++];
        *seat = (struct seat){.worry = 2};
        memcpy(seat->cpu, &seats->loose[at], demand->threads * sizeof(seat->cpu[0]));
    }
}

static bool is_realtime(const struct vm_spec *spec, unsigned first, unsigned threads)
{
    for (unsigned t = 0; t < threads; t++)
        if (spec->realtime && cpuset_has(&spec->realtime_vcpus, first + t))
            return true;
    return false;
}

static struct seat *best_seat(struct seats *seats, bool realtime)
{
    struct seat *best = NULL;
    for (unsigned i = 0; i < seats->count; i++) {
        struct seat *seat = &seats->seat[i];
        if (!seat->taken && (!best || (realtime ? seat->worry < best->worry : seat->worry > best->worry)))
            best = seat;
    }
    return best;
}

/* Seats the guest cores of one node, real-time ones first when there are both kinds. */
static void sit_down(const struct demand *demand, const struct vm_spec *spec, struct seats *seats,
                     const unsigned *guest_core, unsigned count, struct placement *placement)
{
    bool both[2] = {false, false};
    for (unsigned i = 0; i < count; i++)
        both[is_realtime(spec, guest_core[i], demand->threads)] = true;
    bool by_worry = both[true] && both[false];
    for (unsigned pass = 0; pass < 2; pass++)
        for (unsigned i = 0; i < count; i++) {
            bool realtime = is_realtime(spec, guest_core[i], demand->threads);
            if (realtime != (pass == 0))
                continue;
            struct seat *seat = by_worry || realtime ? best_seat(seats, realtime) : NULL;
            for (unsigned s = 0; !seat && s < seats->count; s++)
                if (!seats->seat[s].taken)
                    seat = &seats->seat[s];
            if (!seat)
                abort(); /* the solver counted as many seats as guest cores */
            seat->taken = true;
            for (unsigned t = 0; t < demand->threads; t++) {
                placement->vcpu_cpu[guest_core[i] + t] = seat->cpu[t];
                cpuset_add(&placement->exclusive, (unsigned)seat->cpu[t]);
            }
        }
}

static void seat_extras(const struct demand *demand, const struct seats *seats, struct placement *placement)
{
    for (unsigned i = 0; i < seats->extra_count; i++) {
        unsigned cpu = (unsigned)seats->extra[i];
        cpuset_add(&placement->exclusive, cpu);
        if (i < demand->emulator)
            placement->emulator = cpuset_of(cpu);
        else
            placement->iothread[i - demand->emulator] = cpuset_of(cpu);
    }
}

void assign_solution(const struct board *board, const struct demand *demand, const struct vm_spec *spec,
                     const struct solution *solution, struct placement *placement)
{
    struct seats *seats = must_calloc(1, sizeof(*seats));
    unsigned next = 0;
    for (unsigned n = 0; n < board->node_count; n++) {
        unsigned guest_core[LIMIT_VM_VCPUS], count = 0;
        for (unsigned left = solution->vcpus_on[n]; left; left -= demand->threads) {
            while (cpuset_has(&demand->floating, next))
                next += demand->threads;
            guest_core[count++] = next;
            next += demand->threads;
        }
        if (count || solution->extras_on[n]) {
            seat_node(board, demand, solution, n, seats, placement);
            sit_down(demand, spec, seats, guest_core, count, placement);
        }
    }
    seat_extras(demand, seats, placement);
    placement->exclusive = cpuset_or(&placement->exclusive, &placement->parked);
    base_free_p(&seats);
}

void assign_vcpus_on(const struct board *board, const struct placement *placement, struct cpuset *ret_vcpus_on)
{
    memset(ret_vcpus_on, 0, sizeof(*ret_vcpus_on) * LIMIT_HOST_NODES);
    for (unsigned v = 0; v < placement->vcpu_count; v++) {
        int node = board_node_of(board, placement->vcpu_cpu[v]);
        if (node >= 0)
            cpuset_add(&ret_vcpus_on[node], v);
    }
}

/* Housekeeping CPUs on the nodes of the VM, or all of them. */
static struct cpuset near_housekeeping(const struct board *board, const struct placement *placement)
{
    struct cpuset near = {0};
    for (unsigned n = 0; n < board->node_count; n++)
        if (cpuset_intersects(&board->node[n].cpus, &placement->exclusive)) {
            struct cpuset here = cpuset_and(&board->node[n].cpus, &board->housekeeping);
            near = cpuset_or(&near, &here);
        }
    return cpuset_is_empty(&near) ? board->housekeeping : near;
}

void assign_shared(const struct board *board, const struct demand *demand, const struct vm_spec *spec,
                   struct placement *placement)
{
    placement->shared = board->housekeeping;
    placement->fifo_priority = spec->fifo_priority ? spec->fifo_priority : 1;
    for (unsigned v = 0; v < placement->vcpu_count; v++)
        placement->vcpu_priority[v] = spec->vcpu_priority[v];
    if (spec->realtime)
        placement->realtime_vcpus = cpuset_minus(&spec->realtime_vcpus, &demand->floating);
    placement->emulator_is_exclusive = demand->emulator > 0;
    if (!demand->emulator)
        placement->emulator = near_housekeeping(board, placement);
    placement->iothread_count = demand->iothreads;
    for (unsigned i = demand->io; i < demand->iothreads; i++)
        placement->iothread[i] = placement->emulator;
}
