/* Huge-page pools that are made larger for one VM and smaller again after it. Acting only: what is journaled and when
 * is decided by runtime/growth.c. It may block, for the kernel has to move memory out of the way: on a worker thread.
 */
#pragma once

#include "rtvmd/base/error.h"
#include "rtvmd/base/text.h"

/* In the journal of host changes: "pages:FILE". */
#define PAGE_POOL_TARGET "pages:"

/* One pool to be changed, and what came of it. */
struct page_pool_change {
    int64_t entry; /* of the journal; for the caller */
    char *file;    /* nr_hugepages of the pool */
    uint64_t pages;
    uint64_t keep; /* shrinking: free pages that stay */
    uint64_t done;
    bool failed;
    bool is_short; /* growing: the kernel found memory in one piece for a pool of most_pages, no more */
    uint64_t most_pages;
    char because[200];
};
void page_pool_changes_free(struct page_pool_change *changes, size_t count);

/* "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages", of a kernel without memory nodes the one of
 * the whole machine. root "": the live machine. The caller frees. */
char *page_pool_file(const char *root, int node, uint64_t page_bytes);
/* The way back; false when it names no pool. */
bool page_pool_parse(const char *file, int *ret_node, uint64_t *ret_page_bytes);
/* Pools are filled anew at every boot: which one this is. The caller frees. */
char *page_pool_boot_id(const char *root);

/* Pages in the pool now. */
int page_pool_total(const char *root, const char *file, uint64_t *ret_pages, struct error *err);
/* Adds change->pages to the pool, all of them or none: ERROR_UNAVAILABLE says how many there was memory for.
 * change->done is not 0 with an error only when even those could not be given back. */
int page_pool_grow(const char *root, struct page_pool_change *change, struct error *err);
/* Takes up to change->pages out of the pool: free ones only. */
int page_pool_shrink(const char *root, struct page_pool_change *change, struct error *err);
