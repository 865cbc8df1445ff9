/* From host and claims to the board.
 *
 * A node without memory cannot back a guest cell, so its CPUs join the nearest node that has memory: to the guest they
 * are one cell. A host whose nodes all report no memory (an old recorded tree) keeps every node as it is.
 * Huge pages of a node without CPUs are nobody's: libvirt (9.0 and later) has QEMU fill them from threads on the CPUs
 * of their node, and QEMU does not start where there are none. CPUs without memory join such a node only when there is
 * no other.
 * Huge pages left are pool - claimed: a running VM's pages are already gone from the kernel's "free", and charging
 * both would charge twice. */
#include "runtime/place/board.h"

#include <stdlib.h>
#include <string.h>

static uint8_t host_distance(const struct host *host, unsigned a, unsigned b)
{
    int distance = host->node[a].distance[b];
    if (distance > 0)
        return distance > 255 ? 255 : (uint8_t)distance;
    return a == b ? 10 : 20;
}

static bool backs_cells(const struct host_node *node, bool any_memory)
{
    return any_memory ? node->memory_bytes > 0 : !cpuset_is_empty(&node->cpus);
}

/* The board node whose memory CPUs of host node i have. */
static unsigned nearest_home(const struct board *board, unsigned i)
{
    const struct host *host = board->host;
    int nearest = -1;
    for (int with_cpus = 1; with_cpus >= 0 && nearest < 0; with_cpus--)
        for (unsigned n = 0; n < board->node_count; n++) {
            const struct host_node *node = &host->node[board->node[n].index];
            if ((!with_cpus || !cpuset_is_empty(&node->cpus)) &&
                (nearest < 0 ||
                 host_distance(host, i, board->node[n].index) < host_distance(host, i, board->node[nearest].index)))
                nearest = (int)n;
        }
    return (unsigned)nearest;
}

/* Fills home[] (host node index -> board node index) and the board's nodes. */
static void find_nodes(struct board *board, unsigned home[LIMIT_HOST_NODES])
{
    const struct host *host = board->host;
    bool any_memory = false;
    for (unsigned i = 0; i < host->node_count; i++)
        any_memory |= host->node[i].memory_bytes > 0;
    for (unsigned i = 0; i < host->node_count; i++)
        if (backs_cells(&host->node[i], any_memory)) {
            home[i] = board->node_count;
            board->node[board->node_count++] = (struct board_node){.index = i, .id = host->node[i].id};
        }
    if (board->node_count == 0)
        board->node[board->node_count++] = (struct board_node){.index = 0, .id = 0};
    for (unsigned i = 0; i < host->node_count; i++) {
        if (backs_cells(&host->node[i], any_memory))
            continue;
        home[i] = nearest_home(board, i);
    }
    for (unsigned a = 0; a < board->node_count; a++)
        for (unsigned b = 0; b < board->node_count; b++)
            board->distance[a][b] = host_distance(host, board->node[a].index, board->node[b].index);
}

static const struct host_page_pool *find_pool(const struct host *host, unsigned index, uint64_t page_bytes)
{
    if (index >= host->node_count)
        return NULL;
    const struct host_node *node = &host->node[index];
    for (unsigned i = 0; i < node->pool_count; i++)
        if (node->pool[i].size_bytes == page_bytes)
            return &node->pool[i];
    return NULL;
}

static uint64_t pools_bytes(const struct host_node *node)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < node->pool_count; i++)
        bytes += node->pool[i].size_bytes * node->pool[i].total;
    return bytes;
}

static uint64_t minus(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* When pools may grow, an eighth of the ordinary memory stays for the kernel and for what cannot be moved together. A
 * VM takes pages of one size from a node, so each size may count on all of the rest. */
static uint64_t room_to_grow(const struct board_node *node, const struct host_page_pool *pool,
                             const struct place_policy *policy, bool *ret_limited)
{
    uint64_t room = (node->ordinary_left_bytes - node->ordinary_left_bytes / 8) / pool->size_bytes;
    for (size_t i = 0; i < policy->pool_limit_count; i++) {
        const struct pool_limit *limit = &policy->pool_limit[i];
        uint64_t found = minus(limit->most_pages, pool->total);
        if (limit->node == node->id && limit->page_bytes == pool->size_bytes && found < room) {
            room = found;
            *ret_limited = true;
        }
    }
    return room;
}

static void count_pool(const struct board *board, const struct place_policy *policy, struct board_node *node,
                       unsigned size, bool grow)
{
    const struct host_page_pool *pool = find_pool(board->host, node->index, board->sizes.bytes[size]);
    struct board_pages *pages = &node->pages[size];
    if (!pool)
        return;
    pages->exists = true;
    pages->total = pool->total;
    pages->free = pool->free;
    if (node->filling_cpu < 0)
        return;
    pages->left = pages->ready = minus(pool->total, pages->claimed);
    if (grow)
        pages->left += room_to_grow(node, pool, policy, &pages->limited);
}

static void count_memory(struct board *board, const struct place_policy *policy, bool grow)
{
    const struct host *host = board->host;
    const struct claims *claims = board->claims;
    uint64_t bound[LIMIT_HOST_NODES] = {0};
    uint64_t bound_total = 0;
    for (size_t i = 0; i < claims->page_count; i++)
        for (unsigned n = 0; n < board->node_count; n++) {
            const struct claimed_pages *claim = &claims->pages[i];
            if (board->node[n].id != claim->node)
                continue;
            if (claim->page_bytes == PLACE_ORDINARY_PAGE_BYTES) {
                bound[n] += claim->pages * claim->page_bytes;
                bound_total += claim->pages * claim->page_bytes;
            }
            for (unsigned size = 0; size < board->sizes.count; size++)
                if (claim->page_bytes == board->sizes.bytes[size])
                    board->node[n].pages[size].claimed += claim->pages;
        }
    uint64_t unbound = minus(claims->memory_bytes, bound_total);
    uint64_t memory = 0, pools = 0;
    for (unsigned i = 0; i < host->node_count; i++) {
        memory += host->node[i].memory_bytes;
        pools += pools_bytes(&host->node[i]);
    }
    for (unsigned n = 0; n < board->node_count; n++) {
        struct board_node *node = &board->node[n];
        if (node->index < host->node_count) {
            const struct host_node *from = &host->node[node->index];
            node->ordinary_left_bytes = minus(from->memory_bytes, pools_bytes(from) + bound[n] + unbound);
        }
        for (unsigned size = 0; size < board->sizes.count; size++)
            count_pool(board, policy, node, size, grow);
    }
    board->ordinary_total_bytes = minus(host->memory_bytes ? host->memory_bytes : memory, pools);
    board->ordinary_left_bytes = minus(board->ordinary_total_bytes, claims->memory_bytes);
}

struct seat { /* a core before it is sorted into its group */
    uint16_t node;
    int16_t l3;
    int16_t cpu;
    struct board_core core;
};

static int seat_compare(const void *a_, const void *b_)
{
    const struct seat *a = a_, *b = b_;
    if (a->node != b->node)
        return a->node < b->node ? -1 : 1;
    if (a->l3 != b->l3)
        return a->l3 < b->l3 ? -1 : 1;
    return a->cpu < b->cpu ? -1 : a->cpu > b->cpu;
}

static struct cpuset core_threads(const struct host *host, int cpu)
{
    struct cpuset threads = cpuset_and(&host->cpu[cpu].siblings, &host->online);
    cpuset_add(&threads, (unsigned)cpu);
    return threads;
}

static void add_thread(struct board_core *core, int cpu, bool isolated)
{
    unsigned at = core->free++;
    if (isolated) { /* before those that are not */
        memmove(&core->cpu[core->isolated + 1], &core->cpu[core->isolated],
                (at - core->isolated) * sizeof(core->cpu[0]));
        at = core->isolated++;
    }
    core->cpu[at] = (int16_t)cpu;
}

/* The free threads of one core from `from` on, at most BOARD_THREADS_MAX; marks them as seen. */
static void fill_core(const struct board *board, int from, const struct cpuset *threads, struct cpuset *seen,
                      struct board_core *ret_core)
{
    const struct host *host = board->host;
    const struct claims *claims = board->claims;
    struct board_core core = {.width = (uint8_t)cpuset_count(threads)};
    core.kind = host->cpu[from].kind == HOST_CORE_EFFICIENCY ? HOST_CORE_EFFICIENCY : HOST_CORE_PERFORMANCE;
    cpuset_foreach(cpu, threads)
    {
        if (cpuset_has(&claims->cpus, (unsigned)cpu)) {
            core.foreign = true;
            core.foreign_realtime |= cpuset_has(&claims->realtime_cpus, (unsigned)cpu);
        } else if (cpuset_has(&board->housekeeping, (unsigned)cpu)) {
            core.housekeeping = true;
        } else if (cpu > 0 && cpuset_has(&board->available, (unsigned)cpu) && !cpuset_has(seen, (unsigned)cpu) &&
                   core.free < BOARD_THREADS_MAX) {
            add_thread(&core, cpu, host->cpu[cpu].isolated);
            cpuset_add(seen, (unsigned)cpu);
        }
    }
    if (from == 0) {
        core.has_cpu0 = true;
        if (core.free == BOARD_THREADS_MAX)
            core.free--;
        core.cpu[core.free++] = 0;
    }
    if (core.width > BOARD_THREADS_MAX)
        core.width = BOARD_THREADS_MAX;
    cpuset_add(seen, (unsigned)from);
    *ret_core = core;
}

static void seat_cores(struct board *board, const unsigned home[LIMIT_HOST_NODES])
{
    const struct host *host = board->host;
    struct seat *seats = must_calloc(BOARD_CORES_MAX, sizeof(*seats));
    unsigned count = 0;
    struct cpuset seen = {0};
    cpuset_foreach(cpu, &host->online)
    {
        int node = -1;
        for (unsigned i = 0; i < host->node_count; i++)
            if (host->node[i].id == host->cpu[cpu].node)
                node = (int)home[i];
        struct board_node *into = &board->node[node < 0 ? 0 : node];
        cpuset_add(&into->cpus, (unsigned)cpu);
        if (!cpuset_has(&board->available, (unsigned)cpu))
            continue;
        cpuset_add(&into->available, (unsigned)cpu);
        if (cpuset_has(&seen, (unsigned)cpu))
            continue;
        struct cpuset threads = core_threads(host, cpu);
        struct seat *seat = &seats[count++];
        *seat = (struct seat){
            .node = (uint16_t)(into - board->node), .l3 = (int16_t)host->cpu[cpu].l3, .cpu = (int16_t)cpu};
        fill_core(board, cpu, &threads, &seen, &seat->core);
    }
    qsort(seats, count, sizeof(*seats), seat_compare);
    bool kinds[HOST_CORE_EFFICIENCY + 1] = {0};
    for (unsigned i = 0; i < count; i++) {
        struct board_node *node = &board->node[seats[i].node];
        if (i == 0 || seats[i].node != seats[i - 1].node || seats[i].l3 != seats[i - 1].l3) {
            if (node->group_count++ == 0)
                node->first_group = board->group_count;
            board->group[board->group_count++] = (struct board_group){.first_core = i};
        }
        struct board_group *group = &board->group[board->group_count - 1];
        group->core_count++;
        group->free += seats[i].core.free;
        node->free += seats[i].core.free;
        board->core[i] = seats[i].core;
        kinds[seats[i].core.kind] = true;
    }
    board->core_count = count;
    board->hybrid = kinds[HOST_CORE_PERFORMANCE] && kinds[HOST_CORE_EFFICIENCY];
    free(seats);
}

/* What the cgroup above us withholds is neither ours to give nor a place for QEMU's threads. */
static void share_out_cpus(struct board *board, const struct place_policy *policy, const struct cpuset *wanted)
{
    const struct host *host = board->host;
    struct cpuset usable = cpuset_minus(&host->online, &host->withheld);
    struct cpuset reserved = host_housekeeping(host, &policy->reserved);
    board->housekeeping = cpuset_and(&reserved, &usable);
    if (cpuset_is_empty(&board->housekeeping)) {
        reserved = host_housekeeping(host, NULL);
        board->housekeeping = cpuset_and(&reserved, &usable);
    }
    board->available = cpuset_minus(&usable, &reserved);
    board->available = cpuset_minus(&board->available, &board->housekeeping);
    board->available = cpuset_minus(&board->available, &board->claims->cpus);
    if (!cpuset_is_empty(wanted))
        board->available = cpuset_and(&board->available, wanted);
}

/* Where nobody is disturbed before where somebody is; a real-time vCPU's CPU when there is nothing else. */
static int filling_cpu(const struct board *board, const struct board_node *node)
{
    const struct cpuset *here = node->index < board->host->node_count ? &board->host->node[node->index].cpus : NULL;
    if (!here)
        return -1;
    const struct claims *claims = board->claims;
    struct cpuset by_choice[] = {cpuset_and(here, &board->housekeeping), cpuset_minus(here, &claims->cpus),
                                 cpuset_minus(here, &claims->realtime_cpus), *here};
    for (size_t i = 0; i < ARRAY_SIZE(by_choice); i++)
        if (!cpuset_is_empty(&by_choice[i]))
            return cpuset_next(&by_choice[i], 0);
    return -1;
}

struct board *board_new(const struct host *host, const struct place_policy *policy, const struct claims *claims,
                        const struct vm_page_sizes *sizes, const struct cpuset *wanted, bool grow)
{
    struct board *board = must_calloc(1, sizeof(*board));
    board->host = host;
    board->claims = claims;
    if (sizes)
        board->sizes = *sizes;
    share_out_cpus(board, policy, wanted);
    unsigned home[LIMIT_HOST_NODES] = {0};
    find_nodes(board, home);
    seat_cores(board, home);
    for (unsigned n = 0; n < board->node_count; n++) {
        board->node[n].whole = !cpuset_intersects(&board->node[n].cpus, &claims->cpus);
        board->node[n].filling_cpu = filling_cpu(board, &board->node[n]);
    }
    count_memory(board, policy, grow);
    return board;
}

int board_node_of(const struct board *board, int cpu)
{
    for (unsigned n = 0; n < board->node_count; n++)
        if (cpu >= 0 && cpuset_has(&board->node[n].cpus, (unsigned)cpu))
            return (int)n;
    return -1;
}
