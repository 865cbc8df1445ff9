/* Where guest memory comes from, once the vCPUs have their nodes. */
#pragma once

#include "runtime/place/pages.h"

/* vcpus_on: guest vCPUs by board node, all empty when they float. Fills cells, memory_nodes, hugepage_bytes and the
 * claimed pages. False when the nodes cannot hold it (placement is then unusable). may_be_remote: huge pages of a guest
 * without NUMA mapping may come from nodes without its vCPUs. choice: the size of pages by node. */
bool memory_place(const struct board *board, const struct demand *demand, const struct page_choice *choice,
                  const struct cpuset *vcpus_on, bool may_be_remote, struct placement *placement);
/* Splits pages over cells by vCPU count: whole pages, at least `least` each, at most left[i], rounded by the largest
 * remainder. False when that is impossible. */
bool memory_split(uint64_t pages, unsigned count, const unsigned *vcpus, const uint64_t *left, uint64_t least,
                  uint64_t *ret_pages);
