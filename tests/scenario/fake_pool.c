#include <stdlib.h>
#include <string.h>

#include "runtime/tune/page_pool.h"
#include "tests/scenario/fake.h"

/* The pools of 2 MiB pages of two nodes in memory. The kernel's rules: pages in use stay, and there is only so much
 * memory in one piece. */

enum { BOOT_PAGES = 128 };

static uint64_t total[FAKE_POOLS];
static uint64_t others; /* in use by another program, on node 0 */
static unsigned boots;
uint64_t (*fake_pool_in_use)(int node);
uint64_t fake_pool_most[FAKE_POOLS];
void fake_pool_reset(void);

void fake_pool_reset(void)
{
    fake_pool_reboot();
    fake_pool_in_use = NULL;
    for (unsigned node = 0; node < FAKE_POOLS; node++)
        fake_pool_most[node] = 400;
}

void fake_pool_reboot(void)
{
    for (unsigned node = 0; node < FAKE_POOLS; node++)
        total[node] = BOOT_PAGES;
    others = 0;
    boots++;
}

uint64_t fake_pool_pages(int node)
{
    return total[node];
}

void fake_pool_set(uint64_t pages)
{
    total[0] = pages;
}

void fake_pool_use(uint64_t pages)
{
    others = pages;
}

uint64_t fake_pool_free(int node)
{
    uint64_t used = (node == 0 ? others : 0) + (fake_pool_in_use ? fake_pool_in_use(node) : 0);
    return total[node] > used ? total[node] - used : 0;
}

char *page_pool_file(const char *root, int node, uint64_t page_bytes)
{
    (void)root;
    if (node < 0 || node >= FAKE_POOLS || page_bytes != 2u << 20)
        fake_complain("pages of %llu bytes are wanted on node %d", (unsigned long long)page_bytes, node);
    return must_format("pool%d", node);
}

static int node_of(const char *file)
{
    for (int node = 0; node < FAKE_POOLS; node++)
        if (strncmp(file, "pool", 4) == 0 && file[4] == '0' + node && !file[5])
            return node;
    return -1;
}

bool page_pool_parse(const char *file, int *ret_node, uint64_t *ret_page_bytes)
{
    *ret_node = node_of(file);
    *ret_page_bytes = 2u << 20;
    return *ret_node >= 0;
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
    (void)err;
    *ret_pages = total[node_of(file)];
    return 0;
}

int page_pool_grow(const char *root, struct page_pool_change *change, struct error *err)
{
    (void)root;
    if (!fake_call("grow", err))
        return -1;
    int node = node_of(change->file);
    if (total[node] + change->pages > fake_pool_most[node]) {
        change->is_short = true;
        change->most_pages = fake_pool_most[node] > total[node] ? fake_pool_most[node] : total[node];
        return fail(err, ERROR_UNAVAILABLE, "no memory in one piece");
    }
    total[node] += change->pages;
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
    int node = node_of(change->file);
    uint64_t unused = fake_pool_free(node);
    uint64_t spare = unused > change->keep ? unused - change->keep : 0;
    uint64_t gone = spare < change->pages ? spare : change->pages;
    total[node] -= gone;
    change->done = fake_died() ? 0 : gone;
    return 0;
}
