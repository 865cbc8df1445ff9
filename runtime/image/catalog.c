#include "runtime/image/catalog.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "rtvmd/base/bytes.h"
#include "rtvmd/base/file.h"
#include "rtvmd/base/limits.h"
#include "runtime/image/folders.h"
#include "runtime/image/name.h"

enum { INDEX_BYTES_MAX = 16 << 20 };

static int take_lock(const char *path, struct error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fail_errno(err, "open %s", path);
    while (flock(fd, LOCK_EX) < 0) {
        if (errno == EINTR)
            continue;
        close(fd);
        return fail_errno(err, "lock %s", path);
    }
    return fd;
}

static int lock_store(const char *state_dir, struct error *err)
{
    auto_free char *images = folder_of_images(state_dir);
    auto_free char *path = must_format("%s/lock", images);
    if (folder_make(state_dir, err) < 0 || folder_make(images, err) < 0)
        return -1;
    return take_lock(path, err);
}

/* One lock file for every 1/256 of the names: few files, and two names rarely wait for each other. */
int catalog_lock_name(const char *state_dir, const char *name, struct error *err)
{
    auto_free char *repository = image_name_repository(name);
    struct digest *digest = digest_new();
    digest_add(digest, repository, strlen(repository));
    char hex[DIGEST_TEXT_MAX];
    digest_finish(digest, hex);
    auto_close int store = lock_store(state_dir, err); /* makes the folders */
    if (store < 0)
        return -1;
    auto_free char *images = folder_of_images(state_dir);
    auto_free char *path = must_format("%s/pull-%.2s.lock", images, hex);
    flock(store, LOCK_UN);
    return take_lock(path, err);
}

/* ---- the index; the lock is held */

static char *index_path(const char *state_dir)
{
    return must_format("%s/images/index.json", state_dir);
}

static bool row_is_whole(const json_t *row)
{
    return json_text_at(row, "name", "")[0] && json_at(row, "path") &&
           text_starts_with(json_text_at(row, "digest", ""), "sha256:") &&
           folder_name_is_plain(json_text_at(row, "digest", "")) &&
           folder_name_is_plain(json_text_at(row, "format", ""));
}

static json_t *load(const char *state_dir, struct error *err)
{
    auto_free char *path = index_path(state_dir);
    auto_text text = {0};
    struct error why;
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return json_array();
    if (file_read(NULL, path, INDEX_BYTES_MAX, &text, err) < 0)
        return NULL;
    json_t *rows = json_from_text(text_cstr(&text), text.length, &why);
    bool whole = json_is_array(rows);
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        whole = whole && row_is_whole(row);
    }
    if (whole)
        return rows;
    json_decref(rows);
    fail(err, ERROR_INTERNAL, "%s is damaged: remove it and import the images again", path);
    return NULL;
}

static int compare_rows(const void *a, const void *b)
{
    const json_t *const *x = a;
    const json_t *const *y = b;
    int by_name = strcmp(json_text_at(*x, "name", ""), json_text_at(*y, "name", ""));
    return by_name ? by_name : strcmp(json_text_at(*x, "path", ""), json_text_at(*y, "path", ""));
}

static int save(const char *state_dir, const json_t *rows, struct error *err)
{
    size_t count = json_array_size(rows);
    json_t **sorted = must_calloc(count, sizeof(json_t *));
    for (size_t i = 0; i < count; i++)
        sorted[i] = json_array_get(rows, i);
    qsort(sorted, count, sizeof(json_t *), compare_rows);
    auto_json *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append(array, sorted[i]);
    free(sorted);
    auto_text text = {0};
    json_write_pretty(array, &text);
    auto_free char *path = index_path(state_dir);
    return file_write_atomic(path, text_cstr(&text), text.length, 0644, err);
}

static size_t find_row(const json_t *rows, const char *name, const char *path)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        if (image_name_equal(json_text_at(row, "name", ""), name) && strcmp(json_text_at(row, "path", ""), path) == 0)
            break;
    }
    return i;
}

static char *disk_path(const char *state_dir, const json_t *row)
{
    return must_format("%s/images/sha256-%s.%s", state_dir, json_text_at(row, "digest", "") + strlen("sha256:"),
                       json_text_at(row, "format", ""));
}

static json_t *find_locked(const char *state_dir, const char *name, const char *path, struct error *err)
{
    auto_json *rows = load(state_dir, err);
    if (!rows)
        return NULL;
    json_t *row = json_array_get(rows, find_row(rows, name, path));
    if (row) {
        auto_free char *disk = disk_path(state_dir, row);
        if (access(disk, F_OK) == 0)
            return json_incref(row);
    }
    fail(err, ERROR_NOT_FOUND, "image %s%s%s is not in the local store", name, path[0] ? " with file " : "", path);
    return NULL;
}

json_t *catalog_find(const char *state_dir, const char *name, const char *path, struct error *err)
{
    auto_close int lock = lock_store(state_dir, err);
    return lock < 0 ? NULL : find_locked(state_dir, name, path, err);
}

json_t *catalog_link(const char *state_dir, const char *name, const char *path, const char *link_path,
                     struct error *err)
{
    auto_close int lock = lock_store(state_dir, err);
    auto_json *row = lock < 0 ? NULL : find_locked(state_dir, name, path, err);
    if (!row)
        return NULL;
    auto_free char *disk = disk_path(state_dir, row);
    unlink(link_path);
    if (symlink(disk, link_path) < 0) {
        fail_errno(err, "link %s", link_path);
        return NULL;
    }
    return json_incref(row);
}

/* ---- what is needed */

struct names {
    size_t count;
    char **name;
};

static void names_add(struct names *names, const char *name)
{
    names->name = must_realloc(names->name, names->count + 1, sizeof *names->name);
    names->name[names->count++] = must_strdup(name);
}

static bool names_have(const struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->name[i], name) == 0)
            return true;
    return false;
}

static void names_finish(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->name[i]);
    free(names->name);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void add_links_of(const char *run, struct names *used)
{
    DIR *dir = opendir(run);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char target[PATH_MAX];
        ssize_t n = text_ends_with(entry->d_name, ".base")
                        ? readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1)
                        : -1;
        if (n <= 0)
            continue;
        target[n] = '\0';
        names_add(used, base_name(target));
    }
    if (dir)
        closedir(dir);
}

/* File names of the disks that runs of VMs link to. */
static void find_used(const char *state_dir, struct names *used)
{
    auto_free char *vms = must_format("%s/vms", state_dir);
    DIR *dir = opendir(vms);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        auto_free char *run = must_format("%s/%s/run", vms, entry->d_name);
        add_links_of(run, used);
    }
    if (dir)
        closedir(dir);
}

static void remove_if_unlocked(const char *staging)
{
    struct error ignored;
    auto_close int fd = open(staging, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        file_remove_tree(staging, &ignored);
}

static int collect_locked(const char *state_dir, const json_t *rows, struct error *err)
{
    struct names keep = {0};
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        auto_free char *disk = disk_path(state_dir, row);
        names_add(&keep, base_name(disk));
    }
    find_used(state_dir, &keep);
    auto_free char *images = folder_of_images(state_dir);
    DIR *dir = opendir(images);
    if (!dir)
        fail_errno(err, "open %s", images);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        auto_free char *path = must_format("%s/%s", images, entry->d_name);
        if (text_starts_with(entry->d_name, "sha256-") && !names_have(&keep, entry->d_name))
            unlink(path);
        else if (text_starts_with(entry->d_name, "staging-"))
            remove_if_unlocked(path);
    }
    names_finish(&keep);
    if (dir)
        closedir(dir);
    return dir ? 0 : -1;
}

int catalog_collect(const char *state_dir, struct error *err)
{
    auto_close int lock = lock_store(state_dir, err);
    auto_json *rows = lock < 0 ? NULL : load(state_dir, err);
    return rows ? collect_locked(state_dir, rows, err) : -1;
}

/* ---- changes */

int catalog_add(const char *state_dir, const json_t *row, const char *staged_file, struct error *err)
{
    auto_close int lock = lock_store(state_dir, err);
    auto_json *rows = lock < 0 ? NULL : load(state_dir, err);
    if (!rows)
        return -1;
    auto_free char *disk = disk_path(state_dir, row);
    if (access(disk, F_OK) < 0) {
        if (chmod(staged_file, 0644) < 0 || rename(staged_file, disk) < 0)
            return fail_errno(err, "keep %s", disk);
    } else {
        unlink(staged_file);
    }
    json_array_remove(rows, find_row(rows, json_text_at(row, "name", ""), json_text_at(row, "path", "")));
    json_array_append_new(rows, json_deep_copy(row));
    if (save(state_dir, rows, err) < 0)
        return -1;
    return collect_locked(state_dir, rows, err);
}

json_t *catalog_list(const char *state_dir, struct error *err)
{
    auto_close int lock = lock_store(state_dir, err);
    json_t *rows = lock < 0 ? NULL : load(state_dir, err);
    struct names used = {0};
    find_used(state_dir, &used);
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        auto_free char *disk = disk_path(state_dir, row);
        json_object_set_new(row, "inUse", json_boolean(names_have(&used, base_name(disk))));
    }
    names_finish(&used);
    return rows;
}

int catalog_remove(const char *state_dir, const char *name, struct error *err)
{
    auto_close int lock = lock_store(state_dir, err);
    auto_json *rows = lock < 0 ? NULL : load(state_dir, err);
    if (!rows)
        return -1;
    size_t before = json_array_size(rows);
    for (size_t i = before; i-- > 0;)
        if (image_name_equal(json_text_at(json_array_get(rows, i), "name", ""), name))
            json_array_remove(rows, i);
    if (json_array_size(rows) == before)
        return fail(err, ERROR_NOT_FOUND, "image %s is not in the local store; rtvmd image list shows what is", name);
    if (save(state_dir, rows, err) < 0)
        return -1;
    return collect_locked(state_dir, rows, err);
}

/* Made under the lock, so that nobody takes it for abandoned before it is locked itself. */
char *catalog_stage(const char *state_dir, int *ret_fd, struct error *err)
{
    auto_close int lock = lock_store(state_dir, err);
    if (lock < 0)
        return NULL;
    char *staging = must_format("%s/images/staging-XXXXXX", state_dir);
    int fd = mkdtemp(staging) ? open(staging, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0) {
        fail_errno(err, "make %s", staging);
        base_close_p(&fd);
        free(staging);
        return NULL;
    }
    *ret_fd = fd;
    return staging;
}

uint64_t catalog_free_bytes(const char *state_dir)
{
    struct statvfs status;
    return statvfs(state_dir, &status) < 0 ? 0 : (uint64_t)status.f_bavail * status.f_frsize;
}
