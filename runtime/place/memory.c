/* Guest memory follows the vCPUs.
 *
 * With a guest NUMA mapping every host node that runs vCPUs becomes a guest cell, in node order, with memory by its
 * share of the vCPUs (KubeVirt splits evenly whatever the shares are) and at least one page. Without the mapping a
 * guest on huge pages has one cell; it is bound to the node of its vCPUs, or the nearest that holds it all, so that
 * what is claimed is what will be used. Ordinary memory is bound when the node has room even if every unbound promise
 * were taken there, and left to the kernel otherwise: a strict binding that fails kills the guest. */
#include "runtime/place/memory.h"

#include <string.h>

/* What everything here works on. */
struct memory {
    const struct board *board;
    const struct demand *demand;
    const struct page_choice *choice;
};

/* In units of the choice's set. */
static uint64_t node_left(const struct memory *memory, unsigned n)
{
    return page_set_left(memory->board, &memory->choice->set, n, memory->choice->size[n]);
}

/* Of the pages this node gives; 0: ordinary ones. */
static uint64_t page_bytes_on(const struct memory *memory, unsigned n)
{
    return memory->choice->set.mask ? memory->board->sizes.bytes[memory->choice->size[n]] : 0;
}

static bool give_rest(uint64_t rest, unsigned count, const uint64_t *remainder, const uint64_t *left, uint64_t *pages)
{
    bool given[LIMIT_HOST_NODES] = {0};
    while (rest > 0) {
        int best = -1;
        for (unsigned i = 0; i < count; i++)
            if (!given[i] && pages[i] < left[i] && (best < 0 || remainder[i] > remainder[best]))
                best = (int)i;
        if (best < 0) { /* everyone had one more: what is still over goes where there is room */
            for (unsigned i = 0; i < count && rest > 0; i++) {
                uint64_t room = left[i] > pages[i] ? left[i] - pages[i] : 0;
                uint64_t more = room < rest ? room : rest;
                pages[i] += more;
                rest -= more;
            }
            return rest == 0;
        }
        given[best] = true;
        pages[best]++;
        rest--;
    }
    return true;
}

bool memory_split(uint64_t pages, unsigned count, const unsigned *vcpus, const uint64_t *left, uint64_t least,
                  uint64_t *ret_pages)
{
    uint64_t remainder[LIMIT_HOST_NODES] = {0}, given = 0, total = 0;
    for (unsigned i = 0; i < count; i++)
        total += vcpus[i];
    if (pages < least * count || total == 0)
        return false;
    for (unsigned i = 0; i < count; i++) {
        ret_pages[i] = pages * vcpus[i] / total;
        remainder[i] = pages * vcpus[i] % total;
        if (ret_pages[i] < least) {
            ret_pages[i] = least;
            remainder[i] = 0;
        }
        if (ret_pages[i] > left[i])
            return false;
        given += ret_pages[i];
    }
    while (given > pages) { /* the minimum took more than there is: from the largest */
        unsigned largest = 0;
        for (unsigned i = 1; i < count; i++)
            if (ret_pages[i] >= ret_pages[largest])
                largest = i;
        ret_pages[largest]--;
        given--;
    }
    return give_rest(pages - given, count, remainder, left, ret_pages);
}

/* QEMU fills huge pages from threads on the CPUs of their node and gives up when it may use none of those. */
static void let_fill(const struct memory *memory, unsigned n, struct placement *placement)
{
    const struct board_node *node = &memory->board->node[n];
    const struct cpuset *here = &memory->board->host->node[node->index].cpus;
    struct cpuset own = cpuset_and(here, &placement->exclusive);
    if (!cpuset_intersects(here, &placement->emulator))
        cpuset_add(&placement->filling, (unsigned)(cpuset_is_empty(&own) ? node->filling_cpu : cpuset_next(&own, 0)));
}

/* units of node n, in its own pages */
static void claim(const struct memory *memory, unsigned n, uint64_t units, struct placement *placement)
{
    uint64_t huge = page_bytes_on(memory, n), page_bytes = huge ? huge : PLACE_ORDINARY_PAGE_BYTES;
    int node = memory->board->node[n].id;
    if (units && huge)
        let_fill(memory, n, placement);
    if (units)
        placement->page[placement->page_count++] = (struct claimed_pages){
            .node = node, .page_bytes = page_bytes, .pages = units * (memory->choice->set.unit_bytes / page_bytes)};
    cpuset_add(&placement->memory_nodes, (unsigned)node);
}

static void add_cell(const struct memory *memory, unsigned n, const struct cpuset *vcpus, uint64_t units,
                     uint64_t memory_bytes, struct placement *placement)
{
    placement->cell[placement->cell_count++] = (struct placement_cell){.host_node = memory->board->node[n].id,
                                                                       .vcpus = *vcpus,
                                                                       .memory_bytes = memory_bytes,
                                                                       .page_bytes = page_bytes_on(memory, n)};
    claim(memory, n, units, placement);
}

/* Floating vCPUs belong to the cell nearest the housekeeping CPUs: the first that has some, else the first. */
static unsigned cell_of_floating(const struct board *board, const unsigned *nodes, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (cpuset_intersects(&board->node[nodes[i]].cpus, &board->housekeeping))
            return i;
    return 0;
}

static bool place_cells(const struct memory *memory, const struct cpuset *vcpus_on, struct placement *placement)
{
    const struct board *board = memory->board;
    const struct page_set *set = &memory->choice->set;
    unsigned nodes[LIMIT_HOST_NODES], vcpus[LIMIT_HOST_NODES] = {0}, count = 0;
    uint64_t left[LIMIT_HOST_NODES] = {0}, units[LIMIT_HOST_NODES];
    for (unsigned n = 0; n < board->node_count; n++) {
        if (cpuset_is_empty(&vcpus_on[n]))
            continue;
        nodes[count] = n;
        vcpus[count] = cpuset_count(&vcpus_on[n]);
        left[count++] = node_left(memory, n);
    }
    if (!memory_split(set->pages, count, vcpus, left, 1, units))
        return false;
    uint64_t rest = memory->demand->memory_bytes;
    unsigned floating = cell_of_floating(board, nodes, count);
    for (unsigned i = 0; i < count; i++) {
        struct cpuset members = vcpus_on[nodes[i]];
        if (i == floating)
            members = cpuset_or(&members, &memory->demand->floating);
        uint64_t bytes = i + 1 < count ? units[i] * set->unit_bytes : rest;
        rest -= bytes;
        add_cell(memory, nodes[i], &members, units[i], bytes, placement);
    }
    return true;
}

/* The node that takes all pages with the least left over; nodes in `near` first. -1: none. */
static int tightest_node(const struct memory *memory, const struct cpuset *near)
{
    int best = -1;
    bool best_near = false;
    for (unsigned n = 0; n < memory->board->node_count; n++) {
        if (node_left(memory, n) < memory->choice->set.pages)
            continue;
        bool is_near = cpuset_has(near, n);
        if (best < 0 || (is_near && !best_near) ||
            (is_near == best_near && node_left(memory, n) < node_left(memory, (unsigned)best))) {
            best = (int)n;
            best_near = is_near;
        }
    }
    return best;
}

/* Pages from several nodes for a guest that sees one: the given nodes in order, then the others. */
static bool gather_pages(const struct memory *memory, const struct cpuset *near, bool may_be_remote,
                         struct placement *placement)
{
    uint64_t rest = memory->choice->set.pages;
    for (unsigned pass = 0; pass < 1u + may_be_remote; pass++)
        for (unsigned n = 0; n < memory->board->node_count && rest; n++) {
            if (cpuset_has(near, n) != (pass == 0))
                continue;
            uint64_t left = node_left(memory, n), here = left < rest ? left : rest;
            if (here)
                claim(memory, n, here, placement);
            rest -= here;
        }
    placement->hugepage_bytes = memory->choice->set.unit_bytes;
    return rest == 0;
}

static bool place_one_cell(const struct memory *memory, const struct cpuset *vcpus_on, bool may_be_remote,
                           struct placement *placement)
{
    const struct board *board = memory->board;
    struct cpuset near = {0}, all = cpuset_range(0, placement->vcpu_count - 1);
    for (unsigned n = 0; n < board->node_count; n++)
        if (!cpuset_is_empty(&vcpus_on[n]))
            cpuset_add(&near, n);
    bool floats = cpuset_is_empty(&near);
    for (unsigned n = 0; n < board->node_count && floats; n++)
        if (cpuset_intersects(&board->node[n].cpus, &board->housekeeping))
            cpuset_add(&near, n);
    int node = tightest_node(memory, &near);
    bool is_near = node >= 0 && cpuset_has(&near, (unsigned)node);
    if (node >= 0 && (is_near ? cpuset_count(&near) == 1 || floats : may_be_remote || floats)) {
        add_cell(memory, (unsigned)node, &all, memory->choice->set.pages, memory->demand->memory_bytes, placement);
        return true;
    }
    return gather_pages(memory, &near, may_be_remote || floats, placement);
}

static void bind_ordinary(const struct memory *memory, const struct cpuset *vcpus_on, struct placement *placement)
{
    int only = -1;
    uint64_t pages = memory->choice->set.pages;
    for (unsigned n = 0; n < memory->board->node_count; n++)
        if (!cpuset_is_empty(&vcpus_on[n])) {
            if (only >= 0)
                return;
            only = (int)n;
        }
    if (only >= 0 && memory->board->host->node_count > 1 && node_left(memory, (unsigned)only) >= pages)
        claim(memory, (unsigned)only, pages, placement);
}

bool memory_place(const struct board *board, const struct demand *demand, const struct page_choice *choice,
                  const struct cpuset *vcpus_on, bool may_be_remote, struct placement *placement)
{
    const struct memory memory = {board, demand, choice};
    if (demand->vcpus && demand->passthrough)
        return place_cells(&memory, vcpus_on, placement);
    if (demand->page_bytes)
        return place_one_cell(&memory, vcpus_on, may_be_remote, placement);
    bind_ordinary(&memory, vcpus_on, placement);
    return true;
}
