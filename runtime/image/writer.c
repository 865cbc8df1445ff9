#include "runtime/image/writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "rtvmd/base/limits.h"

enum { BLOCK_BYTES = 4096, CHECK_EVERY_BYTES = 16 << 20 };

void writer_start(struct writer *writer, int fd, uint64_t limit_bytes)
{
    *writer = (struct writer){.fd = fd, .limit = limit_bytes, .digest = digest_new()};
}

static bool is_zero(const char *bytes, size_t length)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0;
}

static int check_room(struct writer *writer, struct error *err)
{
    struct statvfs status;
    writer->next_check = writer->offset + CHECK_EVERY_BYTES;
    if (fstatvfs(writer->fd, &status) < 0)
        return fail_errno(err, "ask for free disk space");
    uint64_t free_bytes = (uint64_t)status.f_bavail * status.f_frsize;
    if (free_bytes >= LIMIT_IMAGE_FREE_BYTES || status.f_blocks == 0) /* a file in memory has no blocks */
        return 0;
    return fail(err, ERROR_UNAVAILABLE,
                "the disk for images is full: %" PRIu64 " MiB free after %" PRIu64 " MiB of this one, and %" PRIu64
                " MiB are kept free: remove images or use a larger disk",
                free_bytes >> 20, writer->offset >> 20, LIMIT_IMAGE_FREE_BYTES >> 20);
}

static int write_at(int fd, const char *bytes, size_t length, uint64_t offset, struct error *err)
{
    while (length > 0) {
        ssize_t n = pwrite(fd, bytes, length, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(err, "write the disk file after %" PRIu64 " bytes", offset);
        bytes += n;
        length -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

int writer_add(struct writer *writer, const void *bytes, size_t length, struct error *err)
{
    const char *at = bytes;
    if (length > writer->limit - writer->offset)
        return fail(err, ERROR_TOO_LARGE, "the disk file is larger than %" PRIu64 " bytes", writer->limit);
    digest_add(writer->digest, bytes, length);
    while (length > 0) {
        if (writer->offset >= writer->next_check && check_room(writer, err) < 0)
            return -1;
        size_t n = BLOCK_BYTES - writer->offset % BLOCK_BYTES;
        n = n < length ? n : length;
        if (!is_zero(at, n) && write_at(writer->fd, at, n, writer->offset, err) < 0)
            return -1;
        writer->offset += n;
        at += n;
        length -= n;
    }
    return 0;
}

int writer_finish(struct writer *writer, char ret_digest[WRITER_DIGEST_MAX], struct error *err)
{
    char hex[DIGEST_TEXT_MAX];
    digest_finish(writer->digest, hex);
    writer->digest = NULL;
    snprintf(ret_digest, WRITER_DIGEST_MAX, "sha256:%s", hex);
    if (ftruncate(writer->fd, (off_t)writer->offset) < 0 || fsync(writer->fd) < 0)
        return fail_errno(err, "write the disk file");
    return 0;
}

void writer_abandon(struct writer *writer)
{
    if (writer->digest)
        digest_finish(writer->digest, NULL);
    writer->digest = NULL;
}
