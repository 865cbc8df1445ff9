#include "runtime/place/pages.h"

#include <string.h>

static bool has_hugetlbfs(const struct host *host, uint64_t bytes)
{
    for (unsigned i = 0; i < host->hugetlbfs_count; i++)
        if (host->hugetlbfs_size_bytes[i] == bytes)
            return true;
    return !host->mounts_known;
}

static unsigned usable_sizes(const struct board *board)
{
    unsigned usable = 0;
    for (unsigned size = 0; size < board->sizes.count; size++)
        for (unsigned n = 0; n < board->node_count; n++)
            if (board->node[n].pages[size].exists && has_hugetlbfs(board->host, board->sizes.bytes[size]))
                usable |= 1u << size;
    return usable ? usable : 1;
}

static struct page_set make_set(const struct demand *demand, unsigned mask)
{
    struct page_set set = {.mask = mask, .unit_bytes = PLACE_ORDINARY_PAGE_BYTES};
    for (unsigned size = 0; size < demand->sizes.count; size++)
        if ((mask & 1u << size) && demand->sizes.bytes[size] > set.unit_bytes)
            set.unit_bytes = demand->sizes.bytes[size];
    set.pages = demand->memory_bytes / set.unit_bytes + (demand->memory_bytes % set.unit_bytes != 0);
    return set;
}

bool page_set_is_mixed(const struct page_set *set)
{
    return (set->mask & (set->mask - 1)) != 0;
}

unsigned page_sets_of(const struct board *board, const struct demand *demand, struct page_set ret_sets[PAGE_SETS_MAX])
{
    unsigned count = 0, sizes = demand->sizes.count;
    unsigned usable = sizes > 1 ? usable_sizes(board) : 1;
    bool may_mix = demand->passthrough && demand->vcpus > 0;
    if (sizes == 0)
        ret_sets[count++] = make_set(demand, 0);
    for (unsigned last = 0; last < sizes; last++)
        for (unsigned before = 1u << last; before-- > 0;) {
            struct page_set set = make_set(demand, before | 1u << last);
            bool shares_out = !page_set_is_mixed(&set) || (may_mix && demand->memory_bytes % set.unit_bytes == 0);
            if ((set.mask & ~usable) == 0 && shares_out)
                ret_sets[count++] = set;
        }
    return count;
}

uint64_t page_set_left(const struct board *board, const struct page_set *set, unsigned node, unsigned size)
{
    if (set->mask == 0)
        return board->node[node].ordinary_left_bytes / PLACE_ORDINARY_PAGE_BYTES;
    return board->node[node].pages[size].left * board->sizes.bytes[size] / set->unit_bytes;
}

unsigned page_set_options(const struct board *board, const struct page_set *set, unsigned node,
                          uint8_t ret_sizes[1 + LIMIT_VM_OTHER_PAGE_SIZES])
{
    unsigned count = 0;
    uint64_t most = 0;
    for (unsigned size = 0; size < board->sizes.count; size++) {
        uint64_t left = set->mask & 1u << size ? page_set_left(board, set, node, size) : 0;
        if (left > most) {
            ret_sizes[count++] = (uint8_t)size;
            most = left;
        }
    }
    if (count == 0) {
        ret_sizes[count++] = 0;
        while (set->mask && !(set->mask & 1u << ret_sizes[0]))
            ret_sizes[0]++;
    }
    return count;
}

struct page_choice page_choice_start(const struct board *board, const struct page_set *set)
{
    struct page_choice choice = {.set = *set};
    uint8_t options[1 + LIMIT_VM_OTHER_PAGE_SIZES];
    for (unsigned n = 0; n < board->node_count; n++)
        choice.size[n] = options[page_set_options(board, set, n, options) - 1];
    return choice;
}

bool page_choice_is_wanted(const struct page_choice *choice, unsigned node)
{
    unsigned more_wanted = (1u << choice->size[node]) - 1;
    return (choice->set.mask & more_wanted) == 0;
}

uint64_t page_set_least(const struct page_set *set, unsigned vcpus, unsigned all_vcpus)
{
    uint64_t share = set->pages * vcpus / all_vcpus;
    return share ? share : 1;
}

struct chooser {
    const struct board *board;
    const struct page_set *set;
    unsigned vcpus[LIMIT_HOST_NODES]; /* by board node */
    unsigned all_vcpus;
    uint64_t most_from[LIMIT_HOST_NODES + 1]; /* units the nodes from this one on have at most */
    unsigned steps;
    unsigned best; /* vCPUs on other pages than the wanted */
    struct page_choice now;
    struct page_choice *found;
};

static void choose(struct chooser *chooser, unsigned n, uint64_t left, unsigned unwanted)
{
    const struct page_set *set = chooser->set;
    uint8_t options[1 + LIMIT_VM_OTHER_PAGE_SIZES];
    while (n < chooser->board->node_count && chooser->vcpus[n] == 0)
        n++;
    if (unwanted >= chooser->best || left + chooser->most_from[n] < set->pages ||
        chooser->steps++ >= LIMIT_PLACE_NODE_SETS)
        return;
    if (n == chooser->board->node_count) {
        chooser->best = unwanted;
        *chooser->found = chooser->now;
        return;
    }
    unsigned count = page_set_options(chooser->board, set, n, options);
    for (unsigned i = 0; i < count; i++) {
        uint64_t here = page_set_left(chooser->board, set, n, options[i]);
        chooser->now.size[n] = options[i];
        if (here >= page_set_least(set, chooser->vcpus[n], chooser->all_vcpus))
            choose(chooser, n + 1, left + here,
                   unwanted + (page_choice_is_wanted(&chooser->now, n) ? 0 : chooser->vcpus[n]));
    }
}

bool page_choice_for(const struct board *board, const struct demand *demand, const struct page_set *set,
                     const struct cpuset *vcpus_on, struct page_choice *ret_choice)
{
    struct chooser chooser = {.board = board, .set = set, .best = demand->vcpus + 1, .found = ret_choice};
    chooser.now = *ret_choice = page_choice_start(board, set);
    if (!page_set_is_mixed(set))
        return true; /* nothing to choose; whether it holds them is for memory_place() to say */
    for (unsigned n = board->node_count; n-- > 0;) {
        chooser.vcpus[n] = cpuset_count(&vcpus_on[n]);
        chooser.all_vcpus += chooser.vcpus[n];
        chooser.most_from[n] =
            chooser.most_from[n + 1] + (chooser.vcpus[n] ? page_set_left(board, set, n, chooser.now.size[n]) : 0);
    }
    choose(&chooser, 0, 0, 0);
    return chooser.best <= demand->vcpus;
}
