#include "rtvmd/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int file_read(const char *root, const char *path, size_t limit, struct text *ret_text, struct error *err)
{
    auto_free char *full = must_format("%s%s", root ? root : "", path);
    auto_close int fd = open(full, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(err, "open %s", full);
    char chunk[4096];
    size_t total = 0;
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == ENODEV)
            return fail(err, ERROR_NOT_FOUND, "read %s: no such device", full);
        if (n < 0)
            return fail_errno(err, "read %s", full);
        if (n == 0)
            return 0;
        total += (size_t)n;
        if (total > limit)
            return fail(err, ERROR_TOO_LARGE, "%s is larger than %zu bytes", full, limit);
        text_append_n(ret_text, chunk, (size_t)n);
    }
}

static int write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, bytes, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        bytes += n;
        length -= (size_t)n;
    }
    return 0;
}

static int sync_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    auto_free char *folder = slash ? must_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : must_strdup(".");
    auto_close int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -1 : fsync(fd);
}

int file_write_atomic(const char *path, const void *bytes, size_t length, unsigned mode, struct error *err)
{
    auto_free char *temporary = must_format("%s.XXXXXX", path);
    auto_close int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return fail_errno(err, "create %s", temporary);
    if (fchmod(fd, mode) < 0 || write_all(fd, bytes, length) < 0 || fsync(fd) < 0 || rename(temporary, path) < 0) {
        fail_errno(err, "write %s", path);
        unlink(temporary);
        return -1;
    }
    if (sync_folder_of(path) < 0)
        return fail_errno(err, "sync folder of %s", path);
    return 0;
}

int file_write_value(const char *path, const char *value, struct error *err)
{
    auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(err, "open %s", path);
    size_t length = strlen(value);
    ssize_t n = write(fd, value, length);
    if (n != (ssize_t)length)
        return fail_errno(err, "write \"%s\" to %s", value, path);
    return 0;
}

int file_make_folders(const char *path, unsigned mode, struct error *err)
{
    auto_free char *partial = must_strdup(path);
    for (char *p = partial + 1;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char end = *p;
        *p = '\0';
        if (mkdir(partial, mode) < 0 && errno != EEXIST)
            return fail_errno(err, "make folder %s", partial);
        *p = end;
        if (end == '\0')
            break;
    }
    struct stat status;
    if (stat(path, &status) < 0)
        return fail_errno(err, "make folder %s", path);
    if (!S_ISDIR(status.st_mode))
        return fail(err, ERROR_INVALID, "%s exists and is not a folder", path);
    return 0;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

int file_remove_tree(const char *path, struct error *err)
{
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) < 0 && errno != ENOENT)
        return fail_errno(err, "remove %s", path);
    return 0;
}
