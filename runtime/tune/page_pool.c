/* A pool is one number that everybody may write: read, add, write, and read what came of it. Ours are taken in turn (a
 * lock), an administrator's hand between two of these steps cannot be seen. Less memory in one piece than wanted is no
 * error to the kernel, only a smaller number.
 *
 * A number below the pages in use would turn those into surplus pages, which vanish when their user lets go: never
 * written here. Facts: Documentation/admin-guide/mm/hugetlbpage. */
#include "runtime/tune/page_pool.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rtvmd/base/file.h"
#include "rtvmd/base/limits.h"

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

#define OF_NODE "/sys/devices/system/node/node%d/hugepages/hugepages-%llukB/nr_hugepages"
#define OF_MACHINE "/sys/kernel/mm/hugepages/hugepages-%llukB/nr_hugepages"

char *page_pool_file(const char *root, int node, uint64_t page_bytes)
{
    unsigned long long kib = page_bytes / 1024;
    char *own = must_format(OF_NODE, node, kib);
    auto_free char *full = must_format("%s%s", root, own);
    if (node != 0 || access(full, F_OK) == 0)
        return own;
    free(own);
    return must_format(OF_MACHINE, kib);
}

/* Takes word and a number behind it off the text. */
static bool take_number(const char **text, const char *word, uint64_t *ret_number)
{
    size_t length = strlen(word);
    if (strncmp(*text, word, length) != 0 || (*text)[length] < '0' || (*text)[length] > '9')
        return false;
    char *end;
    *ret_number = strtoull(*text + length, &end, 10);
    *text = end;
    return true;
}

bool page_pool_parse(const char *file, int *ret_node, uint64_t *ret_page_bytes)
{
    uint64_t node = 0, kib = 0;
    if (take_number(&file, "/sys/devices/system/node/node", &node)
            ? !take_number(&file, "/hugepages/hugepages-", &kib)
            : !take_number(&file, "/sys/kernel/mm/hugepages/hugepages-", &kib))
        return false;
    *ret_node = (int)node;
    *ret_page_bytes = kib * 1024;
    return strcmp(file, "kB/nr_hugepages") == 0 && kib > 0 && node <= INT32_MAX;
}

char *page_pool_boot_id(const char *root)
{
    struct error ignored;
    auto_text text = {0};
    if (file_read(root, "/proc/sys/kernel/random/boot_id", LIMIT_SYSFILE_BYTES, &text, &ignored) < 0)
        return must_strdup("");
    return must_strndup(text_cstr(&text), strcspn(text_cstr(&text), "\n"));
}

void page_pool_changes_free(struct page_pool_change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(changes[i].file);
    free(changes);
}

static int read_number(const char *root, const char *file, uint64_t *ret_number, struct error *err)
{
    auto_text text = {0};
    if (file_read(root, file, LIMIT_SYSFILE_BYTES, &text, err) < 0)
        return -1;
    auto_free char *line = must_strndup(text_cstr(&text), strcspn(text_cstr(&text), "\n"));
    return text_to_u64(line, ret_number) ? 0 : fail(err, ERROR_INVALID, "%s: \"%s\" is no number", file, line);
}

static int write_number(const char *root, const char *file, uint64_t number, struct error *err)
{
    auto_free char *full = must_format("%s%s", root, file);
    auto_free char *text = must_format("%llu", (unsigned long long)number);
    return file_write_value(full, text, err);
}

int page_pool_total(const char *root, const char *file, uint64_t *ret_pages, struct error *err)
{
    return read_number(root, file, ret_pages, err);
}

static int free_pages(const char *root, const char *file, uint64_t *ret_pages, struct error *err)
{
    auto_free char *other = must_format("%.*s/free_hugepages", (int)(strrchr(file, '/') - file), file);
    return read_number(root, other, ret_pages, err);
}

static int grow(const char *root, struct page_pool_change *change, struct error *err)
{
    uint64_t before, after;
    if (read_number(root, change->file, &before, err) < 0 ||
        write_number(root, change->file, before + change->pages, err) < 0 ||
        read_number(root, change->file, &after, err) < 0)
        return -1;
    uint64_t found = after > before ? after - before : 0;
    change->done = found < change->pages ? found : change->pages;
    if (found >= change->pages)
        return 0;
    change->is_short = true;
    change->most_pages = before + found;
    if (found > 0 && write_number(root, change->file, before, err) == 0)
        change->done = 0;
    return fail(err, ERROR_UNAVAILABLE,
                "%s: %llu pages are wanted, the kernel finds memory in one piece for %llu of them; stop something, or "
                "reserve pages at boot",
                change->file, (unsigned long long)change->pages, (unsigned long long)found);
}

static int shrink(const char *root, struct page_pool_change *change, struct error *err)
{
    uint64_t total, unused, left;
    if (read_number(root, change->file, &total, err) < 0 || free_pages(root, change->file, &unused, err) < 0)
        return -1;
    uint64_t spare = unused > change->keep ? unused - change->keep : 0;
    if (spare > total)
        spare = total;
    uint64_t wanted = change->pages < spare ? change->pages : spare;
    if (wanted == 0)
        return 0;
    if (write_number(root, change->file, total - wanted, err) < 0 || read_number(root, change->file, &left, err) < 0)
        return -1;
    uint64_t gone = total > left ? total - left : 0;
    change->done = gone < wanted ? gone : wanted;
    return 0;
}

static int in_turn(int (*act)(const char *root, struct page_pool_change *change, struct error *err), const char *root,
                   struct page_pool_change *change, struct error *err)
{
    change->done = 0;
    change->is_short = false;
    pthread_mutex_lock(&turn);
    change->failed = act(root, change, err) < 0;
    pthread_mutex_unlock(&turn);
    if (change->failed)
        snprintf(change->because, sizeof change->because, "%s", err->text);
    return change->failed ? -1 : 0;
}

int page_pool_grow(const char *root, struct page_pool_change *change, struct error *err)
{
    return in_turn(grow, root, change, err);
}

int page_pool_shrink(const char *root, struct page_pool_change *change, struct error *err)
{
    return in_turn(shrink, root, change, err);
}
