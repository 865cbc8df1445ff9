#include <stdlib.h>
#include <string.h>

#include "runtime/tune/page_pool.h"
#include "tests/scenario/fake.h"

/* The pool of 2 MiB pages of node 0 in memory. The kernel's rules: pages in use stay, and there is only so much memory
 * in one piece. */

enum { BOOT_PAGES = 128 };

static uint64_t total;
static uint64_t others; /* in use by another program */
static unsigned boots;
uint64_t (*fake_pool_in_use)(void);
uint64_t fake_pool_most;
void fake_pool_reset(void);

void fake_pool_reset(void)
{
    total = BOOT_PAGES;
    others = 0;
    boots++;
    fake_pool_in_use = NULL;
    fake_pool_most = 400;
}

void fake_pool_reboot(void)
{
    total = BOOT_PAGES;
    others = 0;
    boots++;
}

uint64_t fake_pool_pages(void)
{
    return total;
}

void fake_pool_set(uint64_t pages)
{
    total = pages;
}

void fake_pool_use(uint64_t pages)
{
    others = pages;
}

uint64_t fake_pool_free(void)
{
    uint64_t used = others + (fake_pool_in_use ? fake_pool_in_use() : 0);
    return total > used ? total - used : 0;
}

char *page_pool_file(const char *root, int node, uint64_t page_bytes)
{
    (void)root;
    if (node != 0 || page_bytes != 2u << 20)
        fake_complain("pages of %llu bytes are wanted on node %d", (unsigned long long)page_bytes, node);
    return must_strdup("pool");
}

bool page_pool_parse(const char *file, int *ret_node, uint64_t *ret_page_bytes)
{
    *ret_node = 0;
    *ret_page_bytes = 2u << 20;
    return strcmp(file, "pool") == 0;
}

char *page_pool_boot_id(const char *root)
{
    (void)root;
    return must_format("boot %u", boots);
}

void page_pool_changes_free(struct page_pool_change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(changes[i].file);
    free(changes);
}

int page_pool_total(const char *root, const char *file, uint64_t *ret_pages, struct error *err)
{
    (void)root;
    (void)file;
    (void)err;
    *ret_pages = total;
    return 0;
}

int page_pool_grow(const char *root, struct page_pool_change *change, struct error *err)
{
    (void)root;
    if (!fake_call("grow", err))
        return -1;
    if (total + change->pages > fake_pool_most)
        return fail(err, ERROR_UNAVAILABLE, "no memory in one piece");
    total += change->pages;
    if (fake_died())
        return fail(err, ERROR_UNAVAILABLE, "dead");
    change->done = change->pages;
    return 0;
}

int page_pool_shrink(const char *root, struct page_pool_change *change, struct error *err)
{
    (void)root;
    if (!fake_call("shrink", err))
        return -1;
    uint64_t unused = fake_pool_free();
    uint64_t spare = unused > change->keep ? unused - change->keep : 0;
    uint64_t gone = spare < change->pages ? spare : change->pages;
    total -= gone;
    change->done = fake_died() ? 0 : gone;
    return 0;
}
