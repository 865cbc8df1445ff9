/* Which sizes of huge pages a VM gets. Without rtvmd.io/page-sizes there is one. With it, sets of sizes are tried, the
 * more wanted first, and a set only when none before it fits: hugepages.pageSize alone, then with the next size beside
 * it, then that one alone, and so on. So the annotation never changes where a VM goes that fits without it.
 *
 * Within a set every guest cell has the one size its host node has, and memory is shared out over the cells in whole
 * pages of the largest size of the set. */
#pragma once

#include "runtime/place/board.h"
#include "runtime/place/demand.h"

struct page_set {
    unsigned mask;       /* of demand.sizes; 0: ordinary pages */
    uint64_t unit_bytes; /* the largest of them */
    uint64_t pages;      /* guest memory in units */
};
enum { PAGE_SETS_MAX = (1u << (1 + LIMIT_VM_OTHER_PAGE_SIZES)) - 1 };

/* All sets to be tried, at least one. Sizes this host does not have, or has no hugetlbfs for, are left out when others
 * remain; a VM without guest cells has memory of one size. */
unsigned page_sets_of(const struct board *board, const struct demand *demand, struct page_set ret_sets[PAGE_SETS_MAX]);
/* Is there a choice in this set? */
bool page_set_is_mixed(const struct page_set *set);
/* What a node has left of one size, in units of the set. */
uint64_t page_set_left(const struct board *board, const struct page_set *set, unsigned node, unsigned size);
/* The sizes worth a try on this node: the most wanted first, then those of which it has more. Never none; the last has
 * the most. */
unsigned page_set_options(const struct board *board, const struct page_set *set, unsigned node,
                          uint8_t ret_sizes[1 + LIMIT_VM_OTHER_PAGE_SIZES]);

/* A size for each node: an index into demand.sizes. */
struct page_choice {
    struct page_set set;
    uint8_t size[LIMIT_HOST_NODES]; /* by board node */
};
/* The size every node has the most of. */
struct page_choice page_choice_start(const struct board *board, const struct page_set *set);
/* Is this the size asked for first, as far as the set allows? */
bool page_choice_is_wanted(const struct page_choice *choice, unsigned node);
/* For vCPUs that have their nodes already: the choice that holds their cells with the fewest vCPUs on other pages than
 * the wanted. False: none does. */
bool page_choice_for(const struct board *board, const struct demand *demand, const struct page_set *set,
                     const struct cpuset *vcpus_on, struct page_choice *ret_choice);
/* Whole pages a cell has at least, of a set's units: its share rounded down, one when that is none. */
uint64_t page_set_least(const struct page_set *set, unsigned vcpus, unsigned all_vcpus);
