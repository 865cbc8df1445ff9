#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/file.h"
#include "runtime/prove/reading.h"

/* Guest memory among everything a QEMU process has mapped: mappings of huge pages, and readable, writable, not
 * executable mappings at least as large as half a block of guest memory (the translation buffer of TCG is as large, but
 * executable). Where their pages are, numa_maps tells by address; how large they are and what they allow, maps tells.
 * Both list mappings in the order of their addresses, so one walk over both is enough. */

enum { MAPS_LIMIT = 16 << 20 };

struct mapping {
    unsigned long long start;
    unsigned long long end;
    bool may_be_guest;
};

/* "7f00-7f80 rw-p 00000000 00:00 0 name" */
static bool next_mapping(const char **at, uint64_t guest_bytes, struct mapping *ret_mapping)
{
    char *end;
    ret_mapping->start = strtoull(*at, &end, 16);
    if (end == *at || *end != '-')
        return false;
    const char *second = end + 1;
    ret_mapping->end = strtoull(second, &end, 16);
    if (end == second || *end != ' ')
        return false;
    ret_mapping->may_be_guest =
        strncmp(end + 1, "rw-", 3) == 0 && ret_mapping->end - ret_mapping->start >= guest_bytes / 2;
    const char *newline = strchr(end, '\n');
    *at = newline ? newline + 1 : "";
    return true;
}

/* "7f00 bind:0 file=/x huge dirty=1 N0=1 kernelpagesize_kB=1048576" */
static bool is_huge(const char *line, size_t length)
{
    for (const char *word = memchr(line, ' ', length); word; word = memchr(word, ' ', length - (size_t)(word - line))) {
        word++;
        if (strncmp(word, "huge", 4) == 0 && (word[4] == ' ' || word[4] == '\n'))
            return true;
    }
    return false;
}

struct prove_huge *reading_huge(struct prove_memory *memory, int node, uint64_t page_bytes)
{
    for (unsigned i = 0; i < memory->huge_count; i++)
        if (memory->huge[i].node == node && memory->huge[i].page_bytes == page_bytes)
            return &memory->huge[i];
    if (memory->huge_count == ARRAY_SIZE(memory->huge))
        return NULL;
    memory->huge[memory->huge_count] = (struct prove_huge){.node = node, .page_bytes = page_bytes};
    return &memory->huge[memory->huge_count++];
}

static uint64_t page_bytes_of(const char *line, size_t length)
{
    static const char KEY[] = " kernelpagesize_kB=";
    const char *at = memmem(line, length, KEY, strlen(KEY));
    return at ? strtoull(at + strlen(KEY), NULL, 10) * 1024 : 0;
}

/* "N1=4": four pages, of the mapping's own size, on node 1. */
static void collect_nodes(const char *line, size_t length, bool huge, struct prove_memory *memory)
{
    uint64_t page_bytes = page_bytes_of(line, length);
    for (const char *word = memchr(line, ' ', length); word; word = memchr(word, ' ', length - (size_t)(word - line))) {
        word++;
        char *end;
        if (*word != 'N')
            continue;
        unsigned long node = strtoul(word + 1, &end, 10);
        unsigned long long pages = end > word + 1 && *end == '=' ? strtoull(end + 1, NULL, 10) : 0;
        if (pages == 0 || node >= CPUSET_MAX)
            continue;
        cpuset_add(&memory->nodes, (unsigned)node);
        struct prove_huge *row = huge ? reading_huge(memory, (int)node, page_bytes) : NULL;
        if (row)
            row->bytes += pages * page_bytes;
    }
}

static void find_guest(const char *numa_maps, const char *maps, uint64_t guest_bytes, struct prove_memory *memory)
{
    struct mapping mapping = {0};
    for (const char *line = numa_maps; *line;) {
        size_t length = strcspn(line, "\n");
        unsigned long long start = strtoull(line, NULL, 16);
        while (mapping.start < start && next_mapping(&maps, guest_bytes, &mapping)) {
        }
        bool huge = is_huge(line, length);
        if (huge || (mapping.start == start && mapping.may_be_guest))
            collect_nodes(line, length, huge, memory);
        line += length + (line[length] == '\n');
    }
    memory->huge_known = true;
}

static uint64_t bytes_of(const char *status, const char *key)
{
    const char *at = strstr(status, key);
    return at ? strtoull(at + strlen(key), NULL, 10) * 1024 : 0;
}

static int read_file(const char *root, int pid, const char *name, struct text *ret_text, struct error *err)
{
    auto_free char *path = must_format("/proc/%d/%s", pid, name);
    return file_read(root, path, MAPS_LIMIT, ret_text, err);
}

int reading_memory(const char *root, int pid, uint64_t guest_bytes, struct prove_memory *ret_memory,
                   uint64_t *ret_resident_bytes, struct error *err)
{
    auto_text status = {0};
    if (read_file(root, pid, "status", &status, err) < 0)
        return -1;
    struct prove_memory memory = {
        .locked_bytes = bytes_of(text_cstr(&status), "\nVmLck:"),
        .hugepage_bytes = bytes_of(text_cstr(&status), "\nHugetlbPages:"),
    };
    *ret_resident_bytes = bytes_of(text_cstr(&status), "\nRssAnon:") + bytes_of(text_cstr(&status), "\nRssFile:") +
                          bytes_of(text_cstr(&status), "\nRssShmem:");
    auto_text maps = {0};
    auto_text numa_maps = {0};
    if (guest_bytes == 0) {
        *ret_memory = memory;
        return 0;
    }
    if (read_file(root, pid, "numa_maps", &numa_maps, err) == 0 && read_file(root, pid, "maps", &maps, err) == 0)
        find_guest(text_cstr(&numa_maps), text_cstr(&maps), guest_bytes, &memory);
    else if (err->kind != ERROR_NOT_FOUND) /* a kernel without NUMA has no numa_maps */
        return -1;
    *ret_memory = memory;
    return 0;
}
