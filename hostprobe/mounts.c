/* The mount table: where hugetlbfs and cgroups are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hostprobe/probe.h"

bool mounts_read(const struct files *files, struct text *ret_text)
{
    return files_read(files, ret_text, "/proc/self/mounts") || files_read(files, ret_text, "/proc/mounts");
}

/* Blanks in a mount point are written as \040 and the like (Documentation/filesystems/proc.rst). */
static void unescape(char *s)
{
    char *out = s;
    for (; *s; s++) {
        if (s[0] == '\\' && strspn(s + 1, "01234567") >= 3) {
            *out++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
            s += 3;
        } else {
            *out++ = *s;
        }
    }
    *out = '\0';
}

bool mounts_next(const char **cursor, struct mount *ret_mount)
{
    while (**cursor) {
        const char *line = *cursor;
        size_t length = strcspn(line, "\n");
        *cursor = line + length + (line[length] == '\n');
        auto_free char *copy = must_strndup(line, length);
        *ret_mount = (struct mount){0};
        if (sscanf(copy, "%*s %511s %31s %511s", ret_mount->folder, ret_mount->type, ret_mount->options) < 2)
            continue;
        unescape(ret_mount->folder);
        return true;
    }
    return false;
}

bool mount_option(const struct mount *mount, const char *name, char *ret_value, size_t size)
{
    size_t n = strlen(name);
    for (const char *p = mount->options; *p;) {
        size_t length = strcspn(p, ",");
        if (strncmp(p, name, n) == 0 && (length == n || p[n] == '=')) {
            if (ret_value)
                snprintf(ret_value, size, "%.*s", length == n ? 0 : (int)(length - n - 1), p + n + 1);
            return true;
        }
        p += length + (p[length] == ',');
    }
    return false;
}
