/* Guest memory follows the vCPUs.
 *
 * With a guest NUMA mapping every host node that runs vCPUs becomes a guest cell, in node order, with memory by its
 * share of the vCPUs (KubeVirt splits evenly whatever the shares are) and at least one page. Without the mapping a
 * guest on huge pages has one cell; it is bound to the node of its vCPUs, or the nearest that holds it all, so that
 * what is claimed is what will be used. Ordinary memory is bound when the node has room even if every unbound promise
 * were taken there, and left to the kernel otherwise: a strict binding that fails kills the guest. */
#include "runtime/place/memory.h"

#include <string.h>

static uint64_t node_left(const struct board *board, const struct demand *demand, unsigned n)
{
    return demand->page_bytes ? board->node[n].pages_left
                              : board->node[n].ordinary_left_bytes / PLACE_ORDINARY_PAGE_BYTES;
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

static void claim(struct placement *placement, int node, uint64_t page_bytes, uint64_t pages)
{
    if (pages)
        placement->page[placement->page_count++] = (struct claimed_pages){
            .node = node, .page_bytes = page_bytes ? page_bytes : PLACE_ORDINARY_PAGE_BYTES, .pages = pages};
    cpuset_add(&placement->memory_nodes, (unsigned)node);
}

static void add_cell(const struct board *board, const struct demand *demand, unsigned n, const struct cpuset *vcpus,
                     uint64_t pages, uint64_t memory_bytes, struct placement *placement)
{
    placement->cell[placement->cell_count++] = (struct placement_cell){.host_node = board->node[n].id,
                                                                       .vcpus = *vcpus,
                                                                       .memory_bytes = memory_bytes,
                                                                       .page_bytes = demand->page_bytes};
    claim(placement, board->node[n].id, demand->page_bytes, pages);
}

/* Floating vCPUs belong to the cell nearest the housekeeping CPUs: the first that has some, else the first. */
static unsigned cell_of_floating(const struct board *board, const unsigned *nodes, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (cpuset_intersects(&board->node[nodes[i]].cpus, &board->housekeeping))
            return i;
    return 0;
}

static bool place_cells(const struct board *board, const struct demand *demand, const struct cpuset *vcpus_on,
                        struct placement *placement)
{
    unsigned nodes[LIMIT_HOST_NODES], vcpus[LIMIT_HOST_NODES], count = 0;
    uint64_t left[LIMIT_HOST_NODES], pages[LIMIT_HOST_NODES];
    for (unsigned n = 0; n < board->node_count; n++) {
        if (cpuset_is_empty(&vcpus_on[n]))
            continue;
        nodes[count] = n;
        vcpus[count] = cpuset_count(&vcpus_on[n]);
        left[count++] = node_left(board, demand, n);
    }
    if (!memory_split(demand->pages, count, vcpus, left, 1, pages))
        return false;
    uint64_t unit = demand->page_bytes ? demand->page_bytes : PLACE_ORDINARY_PAGE_BYTES, rest = demand->memory_bytes;
    unsigned floating = cell_of_floating(board, nodes, count);
    for (unsigned i = 0; i < count; i++) {
        struct cpuset members = vcpus_on[nodes[i]];
        if (i == floating)
            members = cpuset_or(&members, &demand->floating);
        uint64_t bytes = i + 1 < count ? pages[i] * unit : rest;
        rest -= bytes;
        add_cell(board, demand, nodes[i], &members, pages[i], bytes, placement);
    }
    return true;
}

/* The node that takes all pages with the least left over; nodes in `near` first. -1: none. */
static int tightest_node(const struct board *board, const struct demand *demand, const struct cpuset *near)
{
    int best = -1;
    bool best_near = false;
    for (unsigned n = 0; n < board->node_count; n++) {
        if (node_left(board, demand, n) < demand->pages)
            continue;
        bool is_near = cpuset_has(near, n);
        if (best < 0 || (is_near && !best_near) ||
            (is_near == best_near && node_left(board, demand, n) < node_left(board, demand, (unsigned)best))) {
            best = (int)n;
            best_near = is_near;
        }
    }
    return best;
}

/* Pages from several nodes for a guest that sees one: the given nodes in order, then the others. */
static bool gather_pages(const struct board *board, const struct demand *demand, const struct cpuset *near,
                         bool may_be_remote, struct placement *placement)
{
    uint64_t rest = demand->pages;
    for (unsigned pass = 0; pass < 1u + may_be_remote; pass++)
        for (unsigned n = 0; n < board->node_count && rest; n++) {
            if (cpuset_has(near, n) != (pass == 0))
                continue;
            uint64_t left = node_left(board, demand, n), here = left < rest ? left : rest;
            if (here)
                claim(placement, board->node[n].id, demand->page_bytes, here);
            rest -= here;
        }
    placement->hugepage_bytes = demand->page_bytes;
    return rest == 0;
}

static bool place_one_cell(const struct board *board, const struct demand *demand, const struct cpuset *vcpus_on,
                           bool may_be_remote, struct placement *placement)
{
    struct cpuset near = {0}, all = cpuset_range(0, placement->vcpu_count - 1);
    for (unsigned n = 0; n < board->node_count; n++)
        if (!cpuset_is_empty(&vcpus_on[n]))
            cpuset_add(&near, n);
    bool floats = cpuset_is_empty(&near);
    for (unsigned n = 0; n < board->node_count && floats; n++)
        if (cpuset_intersects(&board->node[n].cpus, &board->housekeeping))
            cpuset_add(&near, n);
    int node = tightest_node(board, demand, &near);
    bool is_near = node >= 0 && cpuset_has(&near, (unsigned)node);
    if (node >= 0 && (is_near ? cpuset_count(&near) == 1 || floats : may_be_remote || floats)) {
        add_cell(board, demand, (unsigned)node, &all, demand->pages, demand->memory_bytes, placement);
        return true;
    }
    return gather_pages(board, demand, &near, may_be_remote || floats, placement);
}

static void bind_ordinary(const struct board *board, const struct demand *demand, const struct cpuset *vcpus_on,
                          struct placement *placement)
{
    int only = -1;
    for (unsigned n = 0; n < board->node_count; n++)
        if (!cpuset_is_empty(&vcpus_on[n])) {
            if (only >= 0)
                return;
            only = (int)n;
        }
    if (only >= 0 && board->host->node_count > 1 && node_left(board, demand, (unsigned)only) >= demand->pages)
        claim(placement, board->node[only].id, 0, demand->pages);
}

bool memory_place(const struct board *board, const struct demand *demand, const struct cpuset *vcpus_on,
                  bool may_be_remote, struct placement *placement)
{
    if (demand->vcpus && demand->passthrough)
        return place_cells(board, demand, vcpus_on, placement);
    if (demand->page_bytes)
        return place_one_cell(board, demand, vcpus_on, may_be_remote, placement);
    bind_ordinary(board, demand, vcpus_on, placement);
    return true;
}
