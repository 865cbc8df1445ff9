#include "runtime/image/import.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rtvmd/base/file.h"
#include "rtvmd/base/timestamp.h"
#include "runtime/image/bundle.h"
#include "runtime/image/catalog.h"
#include "runtime/image/name.h"
#include "runtime/image/qemu_img.h"
#include "runtime/image/unpack.h"
#include "runtime/image/writer.h"

void import_say(const struct import_job *job, const char *format, ...)
{
    char sentence[512];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    if (job->progress)
        job->progress(sentence, job->progress_arg);
}

/* A disk on its way into the store: a staging folder with one file in it. */
struct staged {
    char *folder;
    char *file;
    int folder_fd;
    int fd;
    struct writer writer;
};

static int stage(const struct import_job *job, struct staged *s, struct error *err)
{
    *s = (struct staged){.folder_fd = -1, .fd = -1};
    s->folder = catalog_stage(job->config->state_dir, &s->folder_fd, err);
    if (!s->folder)
        return -1;
    s->file = must_format("%s/disk", s->folder);
    s->fd = open(s->file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (s->fd < 0)
        return fail_errno(err, "create %s", s->file);
    writer_start(&s->writer, s->fd, LIMIT_IMAGE_DISK_BYTES);
    return 0;
}

static void unstage(struct staged *s)
{
    struct error ignored;
    writer_abandon(&s->writer);
    base_close_p(&s->fd);
    if (s->folder)
        file_remove_tree(s->folder, &ignored);
    base_close_p(&s->folder_fd);
    free(s->folder);
    free(s->file);
}

/* The bytes are all there: look at what they are, then keep them. */
static int keep(const struct import_job *job, struct staged *s, struct error *err)
{
    char digest[WRITER_DIGEST_MAX];
    struct disk_facts facts = {.virtual_bytes = s->writer.offset};
    char created[TIMESTAMP_TEXT_MAX];
    if (writer_finish(&s->writer, digest, err) < 0 || (!job->any_file && disk_inspect(s->file, &facts, err) < 0))
        return -1;
    const char *format = job->any_file ? "file" : facts.qcow2 ? "qcow2" : "raw";
    auto_json *row = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:s}", "name", job->name, "path", job->path,
                               "digest", digest, "format", format, "bytes", (json_int_t)s->writer.offset,
                               "virtualBytes", (json_int_t)facts.virtual_bytes, "source",
                               job->pulled ? "pulled" : "imported", "created", timestamp_format(now_wall_s(), created));
    if (job->manifest)
        json_object_set_new(row, "manifest", json_string(job->manifest));
    return catalog_add(job->config->state_dir, row, s->file, err);
}

static int want_room(const struct import_job *job, uint64_t bytes, struct error *err)
{
    uint64_t free_bytes = catalog_free_bytes(job->config->state_dir);
    if (free_bytes >= bytes + LIMIT_IMAGE_FREE_BYTES)
        return 0;
    return fail(err, ERROR_UNAVAILABLE,
                "not enough disk space: needs %" PRIu64 " MiB and %" PRIu64 " MiB kept free, %s/images has %" PRIu64
                " MiB free: remove images or use a larger disk",
                bytes >> 20, LIMIT_IMAGE_FREE_BYTES >> 20, job->config->state_dir, free_bytes >> 20);
}

/* ---- a file on this machine */

/* Holes are not read, but they are part of the digest. */
static int add_hole(struct writer *writer, uint64_t until, struct error *err)
{
    static const char ZEROS[1 << 16];
    while (writer->offset < until) {
        uint64_t left = until - writer->offset;
        if (writer_add(writer, ZEROS, left < sizeof ZEROS ? (size_t)left : sizeof ZEROS, err) < 0)
            return -1;
    }
    return 0;
}

static int copy_file(const struct import_job *job, int from, uint64_t size, struct writer *writer, struct error *err)
{
    auto_free char *chunk = must_calloc(1, 1 << 16);
    unsigned last_percent = 0;
    while (writer->offset < size) {
        off_t data = lseek(from, (off_t)writer->offset, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            data = (off_t)size;
        if (data > (off_t)writer->offset) {
            if (add_hole(writer, (uint64_t)data, err) < 0)
                return -1;
            continue;
        }
        ssize_t n = pread(from, chunk, 1 << 16, (off_t)writer->offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(err, "read");
        if (n == 0)
            return fail(err, ERROR_CONFLICT, "the file became shorter while it was read");
        if (writer_add(writer, chunk, (size_t)n, err) < 0)
            return -1;
        unsigned percent = (unsigned)(writer->offset * 100 / size);
        if (percent != last_percent)
            import_say(job, "reading the disk: %u %%", percent);
        last_percent = percent;
    }
    return 0;
}

/* Refused before anything is copied; keep() looks again at what was copied. */
static int check_head(int fd, struct error *err)
{
    unsigned char head[DISK_HEAD_BYTES];
    struct disk_facts ignored;
    ssize_t n = pread(fd, head, sizeof head, 0);
    return n < 0 ? fail_errno(err, "read") : disk_judge_head(head, (size_t)n, &ignored, err);
}

int import_file(const struct import_job *job, const char *file, struct error *err)
{
    struct stat status;
    auto_close int from = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (from < 0 || fstat(from, &status) < 0)
        return fail_errno(err, "open %s", file);
    if (!S_ISREG(status.st_mode))
        return fail(err, ERROR_INVALID,
                    "%s is not a regular file; want a raw or qcow2 disk, oci:DIR or docker-archive:FILE", file);
    struct staged s;
    int result = check_head(from, err);
    if (result < 0)
        return error_prefix(err, "%s", file);
    result = stage(job, &s, err);
    if (result == 0)
        result = want_room(job, (uint64_t)status.st_blocks * 512, err);
    if (result == 0 && (copy_file(job, from, (uint64_t)status.st_size, &s.writer, err) < 0 || keep(job, &s, err) < 0))
        result = error_prefix(err, "%s", file);
    unstage(&s);
    return result;
}

/* ---- container images */

static int to_writer(const void *bytes, size_t length, void *arg, struct error *err)
{
    return writer_add(arg, bytes, length, err);
}

static void say_percent(unsigned percent, void *arg)
{
    import_say(arg, "unpacking the disk: %u %%", percent);
}

static int import_bundle(const struct import_job *job, const struct bundle *bundle, struct staged *s, struct error *err)
{
    auto_free char *found = NULL;
    struct import_job copy = *job;
    const struct unpack_job unpack = {.wanted = job->path,
                                      .archive = bundle->layer,
                                      .archive_count = bundle->layer_count,
                                      .progress = say_percent,
                                      .progress_arg = &copy};
    if (want_room(job, bundle->layer_bytes, err) < 0 || unpack_run(&unpack, to_writer, &s->writer, &found, err) < 0)
        return -1;
    return keep(job, s, err) < 0 ? error_prefix(err, "%s in the image", found) : 0;
}

int import_layout(const struct import_job *job, const char *dir, struct error *err)
{
    struct staged s;
    auto_bundle bundle = {0};
    import_say(job, "checking the layers of %s", job->name);
    if (bundle_open_layout(dir, &bundle, err) < 0)
        return -1;
    int result = stage(job, &s, err);
    if (result == 0)
        result = import_bundle(job, &bundle, &s, err);
    unstage(&s);
    return result;
}

int import_docker_archive(const struct import_job *job, const char *file, struct error *err)
{
    struct staged s;
    auto_bundle bundle = {0};
    struct stat status;
    if (stat(file, &status) < 0)
        return fail_errno(err, "open %s", file);
    int result = stage(job, &s, err);
    import_say(job, "reading the layers in %s", file);
    if (result == 0)
        result = want_room(job, (uint64_t)status.st_size, err);
    if (result == 0)
        result = bundle_open_docker_archive(file, s.folder, &bundle, err);
    if (result == 0)
        result = import_bundle(job, &bundle, &s, err);
    unstage(&s);
    return result;
}
