#include "runtime/image/host_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rtvmd/base/quantity.h"

/* As KubeVirt: room for the file system's own needs, and a disk may come out a tenth smaller than asked for. */
enum { RESERVED_BYTES = 131072, TOLERANCE_PERCENT = 10 };

/* The kernel refuses any way out of the folder, whatever links are on the path, also while somebody changes them. */
static int open_beneath(int folder, const char *name, uint64_t flags)
{
    const struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    return (int)syscall(SYS_openat2, folder, name, &how, sizeof how);
}

/* The allowed folder the path lies in, as text; plan.c has checked that there is one. */
static const char *folder_of(const struct image_config *config, const char *path, const char **ret_rest)
{
    for (const char *const *dir = config->host_disk_dirs; dir && *dir; dir++) {
        size_t n = strlen(*dir);
        while (n > 0 && (*dir)[n - 1] == '/')
            n--;
        if (strncmp(path, *dir, n) != 0 || path[n] != '/')
            continue;
        *ret_rest = path + n + 1;
        return *dir;
    }
    return NULL;
}

static int size_new_file(int fd, const char *path, const json_t *source, struct error *err)
{
    struct quantity capacity;
    struct statvfs room;
    if (quantity_from_json(json_object_get(source, "capacity"), &capacity, err) < 0)
        return error_prefix(err, "hostDisk.capacity");
    int64_t wanted = quantity_value(&capacity);
    if (wanted <= 0 || (uint64_t)wanted > LIMIT_IMAGE_SIZE_BYTES)
        return fail(err, ERROR_INVALID, "hostDisk.capacity is %" PRId64 " bytes; want 1 to %" PRIu64, wanted,
                    LIMIT_IMAGE_SIZE_BYTES);
    if (fstatvfs(fd, &room) < 0)
        return fail_errno(err, "ask for free space at %s", path);
    int64_t free_bytes = (int64_t)(room.f_bavail * room.f_frsize);
    free_bytes = free_bytes > RESERVED_BYTES ? free_bytes - RESERVED_BYTES : 0;
    if (free_bytes < wanted / 100 * (100 - TOLERANCE_PERCENT))
        return fail(err, ERROR_INVALID,
                    "hostDisk: not enough space for %s: needs %" PRId64 " MiB (a tenth less will do), %" PRId64
                    " MiB are free: free some or lower the capacity",
                    path, wanted >> 20, free_bytes >> 20);
    int64_t size = wanted <= free_bytes ? wanted : free_bytes / 512 * 512;
    return ftruncate(fd, size) < 0 ? fail_errno(err, "make %s", path) : 0;
}

/* Makes the file in a folder that must be there already. Returns its descriptor. */
static int create(int folder, const char *rest, const json_t *source, const char *path, struct error *err)
{
    const char *slash = strrchr(rest, '/');
    auto_free char *parent = slash ? must_strndup(rest, (size_t)(slash - rest)) : must_strdup(".");
    const char *name = slash ? slash + 1 : rest;
    auto_close int parent_fd = open_beneath(folder, parent, O_PATH | O_DIRECTORY);
    if (parent_fd < 0)
        return fail_errno(err, "hostDisk: folder of %s", path);
    int fd = openat(parent_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_errno(err, "hostDisk: make %s", path);
    if (size_new_file(fd, path, source, err) == 0)
        return fd;
    unlinkat(parent_fd, name, 0);
    close(fd);
    return -1;
}

static int real_path(int fd, char **ret_path, struct error *err)
{
    char target[PATH_MAX];
    auto_free char *link = must_format("/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, target, sizeof target - 1);
    if (n <= 0)
        return fail_errno(err, "resolve %s", link);
    free(*ret_path);
    *ret_path = must_strndup(target, (size_t)n);
    return 0;
}

static int accept_kind(int fd, const char *path, bool *ret_block, struct error *err)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return fail_errno(err, "look at %s", path);
    *ret_block = S_ISBLK(status.st_mode);
    if (!S_ISREG(status.st_mode) && !*ret_block)
        return fail(err, ERROR_INVALID, "%s is neither a regular file nor a block device", path);
    return 0;
}

int host_disk_prepare(const struct image_config *config, const json_t *source, struct disk_source *disk,
                      struct error *err)
{
    const char *rest = NULL;
    const char *dir = folder_of(config, disk->path, &rest);
    if (!dir)
        return fail(err, ERROR_INVALID, "hostDisk.path \"%s\" is in no folder that host disks may be in", disk->path);
    auto_close int folder = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return fail_errno(err, "hostDisk: folder %s of the configuration", dir);
    auto_close int fd = open_beneath(folder, rest, O_RDONLY | O_NONBLOCK);
    bool may_create = strcmp(json_text_at(source, "type", "Disk"), "DiskOrCreate") == 0;
    if (fd < 0 && errno == ENOENT && may_create) {
        fd = create(folder, rest, source, disk->path, err);
        if (fd < 0)
            return -1;
    } else if (fd < 0 && (errno == EXDEV || errno == ELOOP)) {
        return fail(err, ERROR_INVALID, "hostDisk.path %s leads out of %s through a link", disk->path, dir);
    } else if (fd < 0) {
        return fail_errno(err, "hostDisk.path %s", disk->path);
    }
    return accept_kind(fd, disk->path, &disk->block, err) < 0 ? -1 : real_path(fd, &disk->path, err);
}

int host_disk_check_claim(const char *path, bool *ret_block, struct error *err)
{
    auto_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return fail(err, ERROR_NOT_FOUND,
                    "there is no volume %s: put a raw disk file there (truncate -s 10G), or a link to a block device",
                    path);
    if (fd < 0)
        return fail_errno(err, "open %s", path);
    return accept_kind(fd, path, ret_block, err);
}
