/* The texts of a recorded tree that are more than a number: masks, mount tables, threads, interrupts. */
#include "hostprobe/mounts.c"
#include "hostprobe/task_stat.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free char *text = must_strndup((const char *)data, size);
    struct cpuset set;
    uint64_t value;
    files_parse_mask(text, &set);
    files_field(text, "MemTotal", &value);
    const char *cursor = text;
    struct mount mount;
    char pagesize[8];
    while (mounts_next(&cursor, &mount))
        mount_option(&mount, "pagesize", pagesize, sizeof pagesize);
    if (cursor != text + strlen(text))
        abort();
    struct task_stat thread;
    task_stat_parse(text, &thread);
    return files_listed(text) && strstr(text, "/../") ? (abort(), 0) : 0;
}
