/* The kernel's side of a pool, played: a number below the pages in use stays at these, memory in one piece is limited.
 */
#include "rtvmd/base/error.h"
static int kernel_write(const char *path, const char *value, struct error *err);
#include "rtvmd/base/file.h"
#define file_write_value kernel_write
#include "runtime/tune/page_pool.c"
#undef file_write_value

#include "tests/test.h"
#include "tests/unit/tree.h"

#define POOL "/sys/devices/system/node/node1/hugepages/hugepages-2048kB/"
#define FILE_1 POOL "nr_hugepages"

static char pool[] = FILE_1;
static char nothing[] = POOL "nothing";
static struct tree tree;
static uint64_t total, used, most;
static bool refuses;

static void show(void)
{
    auto_free char *pages = must_format("%llu\n", (unsigned long long)total);
    auto_free char *left = must_format("%llu\n", (unsigned long long)(total - used));
    tree_put(&tree, FILE_1, pages);
    tree_put(&tree, POOL "free_hugepages", left);
}

static int kernel_write(const char *path, const char *value, struct error *err)
{
    auto_free char *expected = must_format("%s" FILE_1, tree.root);
    CHECK_TEXT(path, expected);
    if (refuses)
        return fail(err, ERROR_FORBIDDEN, "no");
    total = strtoull(value, NULL, 10);
    total = total > most ? most : total < used ? used : total;
    show();
    return 0;
}

static void set_up(uint64_t pages, uint64_t in_use, uint64_t limit)
{
    total = pages;
    used = in_use;
    most = limit;
    refuses = false;
    show();
}

static void pools_have_names(void)
{
    int node;
    uint64_t bytes;
    auto_free char *file = page_pool_file(tree.root, 1, 2 << 20);
    CHECK_TEXT(file, FILE_1);
    CHECK(page_pool_parse(file, &node, &bytes));
    CHECK_INT(node, 1);
    CHECK_INT(bytes, 2 << 20);
    auto_free char *only = page_pool_file(tree.root, 0, 1 << 30); /* there is no node 0: a kernel without nodes */
    CHECK_TEXT(only, "/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages");
    CHECK(page_pool_parse(only, &node, &bytes));
    CHECK_INT(node, 0);
    CHECK_INT(bytes, 1 << 30);
    CHECK(!page_pool_parse("/sys/kernel/mm/hugepages/hugepages-4kB/nr_hugepages.old", &node, &bytes));
    CHECK(!page_pool_parse("/sys/kernel/mm/hugepages/hugepages-0kB/nr_hugepages", &node, &bytes));
    CHECK(!page_pool_parse("/proc/sys/vm/nr_hugepages", &node, &bytes));
}

static void pools_grow_by_all_or_nothing(void)
{
    struct error err;
    struct page_pool_change change = {.file = pool, .pages = 10};
    set_up(4, 4, 14);
    CHECK_INT(page_pool_grow(tree.root, &change, &err), 0);
    CHECK_INT(change.done, 10);
    CHECK_INT(total, 14);
    set_up(4, 4, 13);
    CHECK_INT(page_pool_grow(tree.root, &change, &err), -1);
    CHECK_TEXT(err.text, FILE_1 ": 10 pages are wanted, the kernel finds memory in one piece for 9 of them; stop "
                                "something, or reserve pages at boot");
    CHECK(err.kind == ERROR_UNAVAILABLE && change.failed);
    CHECK_INT(change.done, 0);
    CHECK_INT(total, 4); /* those 9 were given back */
    CHECK(change.is_short);
    CHECK_INT(change.most_pages, 13);
    refuses = true;
    CHECK_INT(page_pool_grow(tree.root, &change, &err), -1);
    CHECK_INT(change.done, 0);
    CHECK_TEXT(change.because, "no");
    CHECK(!change.is_short);
    change.file = nothing;
    CHECK_INT(page_pool_grow(tree.root, &change, &err), -1);
}

static void pools_shrink_by_what_is_free(void)
{
    static const struct {
        uint64_t total, used, pages, keep, taken;
    } CASES[] = {
        {20, 4, 10, 0, 10}, /* as added */
        {20, 15, 10, 0, 5}, /* somebody else uses some */
        {20, 20, 10, 0, 0}, {20, 4, 10, 14, 2}, {20, 4, 10, 16, 0},
        {20, 4, 10, 99, 0}, {5, 0, 10, 0, 5}, /* somebody took some out before us */
        {0, 0, 10, 0, 0},
    };
    struct error err;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct page_pool_change change = {.file = pool, .pages = CASES[i].pages, .keep = CASES[i].keep};
        set_up(CASES[i].total, CASES[i].used, 100);
        CHECK_INT(page_pool_shrink(tree.root, &change, &err), 0);
        CHECK_INT(change.done, CASES[i].taken);
        CHECK_INT(total, CASES[i].total - CASES[i].taken);
    }
    struct page_pool_change change = {.file = pool, .pages = 1};
    set_up(4, 0, 100);
    refuses = true;
    CHECK_INT(page_pool_shrink(tree.root, &change, &err), -1);
    CHECK(change.failed && change.done == 0);
}

static void boots_are_told_apart(void)
{
    auto_free char *none = page_pool_boot_id(tree.root);
    CHECK_TEXT(none, "");
    tree_put(&tree, "/proc/sys/kernel/random/boot_id", "a-b\n");
    auto_free char *id = page_pool_boot_id(tree.root);
    CHECK_TEXT(id, "a-b");
}

int main(void)
{
    tree_make(&tree);
    show();
    RUN(pools_have_names);
    RUN(pools_grow_by_all_or_nothing);
    RUN(pools_shrink_by_what_is_free);
    RUN(boots_are_told_apart);
    tree_remove(&tree);
    return test_end();
}
