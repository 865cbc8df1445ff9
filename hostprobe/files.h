/* The machine as files: readers of /sys and /proc below a root, each restricted to the one list of paths in files.c.
 * A path that is not listed is never opened: it reads as absent. Absent, empty and malformed files are all "not
 * known": the readers return false and leave the result as it was. */
#pragma once

#include "rtvmd/base/cpuset.h"
#include "rtvmd/base/text.h"

struct files {
    const char *root; /* "" : the live machine */
};

/* The list. '#' stands for a decimal number, '*' for anything within one folder, '**' for anything. Folders that are
 * listed (their entries read) end in '/'. */
extern const char *const FILES_LIST[];
extern const size_t FILES_LIST_COUNT;
bool files_listed(const char *path);

/* Called with every path (without root) before it is opened; for tests. */
extern void (*files_observer)(const char *path);

/* The whole file, at most LIMIT_SYSFILE_BYTES of it. */
bool files_read(const struct files *files, struct text *ret_text, const char *format, ...) PRINTF_LIKE(3, 4);
/* The first line, blanks trimmed; false when that is empty. */
bool files_line(const struct files *files, char *ret_line, size_t size, const char *format, ...) PRINTF_LIKE(4, 5);
bool files_int(const struct files *files, int64_t *ret_value, const char *format, ...) PRINTF_LIKE(3, 4);
/* Eight bytes at an offset: a model-specific register of /dev/cpu/N/msr. */
bool files_word(const struct files *files, uint64_t *ret_value, int64_t offset, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* A CPU or node list ("0-3,8") and a mask ("00000000,0000000f"); an empty file is an empty set. */
bool files_set(const struct files *files, struct cpuset *ret_set, const char *format, ...) PRINTF_LIKE(3, 4);
bool files_mask(const struct files *files, struct cpuset *ret_set, const char *format, ...) PRINTF_LIKE(3, 4);
bool files_exists(const struct files *files, const char *format, ...) PRINTF_LIKE(2, 3);
/* Does a large binary file hold these bytes? */
bool files_contain(const struct files *files, const void *bytes, size_t length, const char *path, bool *ret_found);
/* Calls back with every entry of a listed folder ("/sys/devices/system/cpu/"), in no order; false when absent. */
bool files_each(const struct files *files, void (*callback)(const char *name, void *arg), void *arg, const char *format,
                ...) PRINTF_LIKE(4, 5);
/* The numbers N of entries named PREFIX + N, below CPUSET_MAX. */
struct cpuset files_numbers(const struct files *files, const char *folder, const char *prefix);

/* "00000000,0000000f" to a set; false when malformed. */
bool files_parse_mask(const char *text, struct cpuset *ret_set);
/* The value after "KEY" and a colon in "KEY:   123 kB" lines, in the file's unit; the key may stand anywhere at the
 * start of a word ("Node 0 MemTotal:"). */
bool files_field(const char *text, const char *key, uint64_t *ret_value);
