/* OCI layouts on the fly. */
#pragma once

#include <sys/stat.h>

#include "rtvmd/base/bytes.h"
#include "rtvmd/base/file.h"
#include "tests/test.h"
#include "tests/unit/tar.h"

static inline void layout_write_file(const char *path, const void *bytes, size_t length)
{
    struct error err;
    CHECK_INT(file_write_atomic(path, bytes, length, 0600, &err), 0);
}

/* Puts a blob into an OCI layout; returns its digest, "sha256:HEX". */
static inline char *layout_put_blob(const char *layout, const void *bytes, size_t length)
{
    struct digest *digest = digest_new();
    char hex[DIGEST_TEXT_MAX];
    digest_add(digest, bytes, length);
    digest_finish(digest, hex);
    auto_free char *path = must_format("%s/blobs/sha256/%s", layout, hex);
    layout_write_file(path, bytes, length);
    return must_format("sha256:%s", hex);
}

static inline char *layout_put_tar(const char *layout, const struct tar_entry *entries, size_t count, int filter,
                                   size_t *ret_length)
{
    int fd = tar_make(entries, count, filter);
    struct stat status;
    fstat(fd, &status);
    auto_free char *bytes = must_calloc(1, (size_t)status.st_size);
    CHECK(pread(fd, bytes, (size_t)status.st_size, 0) == status.st_size);
    close(fd);
    *ret_length = (size_t)status.st_size;
    return layout_put_blob(layout, bytes, (size_t)status.st_size);
}

/* An OCI layout with two layers: the lower one has an old disk, the upper one replaces it with `data`. */
static inline char *layout_make(const char *folder, const char *name, const char *data)
{
    static const struct tar_entry LOWER[] = {
        {"disk", 'd', ""}, {"disk/d.img", 'f', "old"}, {"opt/other", 'f', "other"}};
    const struct tar_entry upper[] = {{"disk/d.img", 'f', data}};
    char *layout = must_format("%s/%s", folder, name);
    struct error err;
    auto_free char *blobs = must_format("%s/blobs/sha256", layout);
    CHECK_INT(file_make_folders(blobs, 0755, &err), 0);
    size_t lower_size;
    size_t upper_size;
    auto_free char *lower_digest = layout_put_tar(layout, LOWER, 3, ARCHIVE_FILTER_GZIP, &lower_size);
    auto_free char *upper_digest = layout_put_tar(layout, upper, 1, ARCHIVE_FILTER_ZSTD, &upper_size);
    auto_free char *manifest = must_format(
        "{\"schemaVersion\":2,\"layers\":[{\"digest\":\"%s\",\"size\":%zu},{\"digest\":\"%s\",\"size\":%zu}]}",
        lower_digest, lower_size, upper_digest, upper_size);
    auto_free char *manifest_digest = layout_put_blob(layout, manifest, strlen(manifest));
    auto_free char *index = must_format("{\"manifests\":[{\"digest\":\"%s\"}]}", manifest_digest);
    auto_free char *index_path = must_format("%s/index.json", layout);
    layout_write_file(index_path, index, strlen(index));
    return layout;
}
