#include "runtime/image/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rtvmd/base/limits.h"
#include "runtime/image/oci.h"
#include "runtime/image/unpack.h"
#include "runtime/image/writer.h"

enum { INDEX_DEPTH_MAX = 4, SHA256_PREFIX = sizeof "sha256:" - 1 };

void bundle_close(struct bundle *bundle)
{
    for (size_t i = 0; i < bundle->layer_count; i++)
        base_close_p(&bundle->layer[i]);
    free(bundle->layer);
    *bundle = (struct bundle){0};
}

static void add_layer(struct bundle *bundle, int fd)
{
    bundle->layer = must_realloc(bundle->layer, bundle->layer_count + 1, sizeof *bundle->layer);
    bundle->layer[bundle->layer_count++] = fd;
    struct stat status;
    if (fstat(fd, &status) == 0)
        bundle->layer_bytes += (uint64_t)status.st_size;
}

/* A regular file below a folder we were given, no link followed at its end, never waiting (it may be a FIFO). */
static int open_regular(int dir, const char *name, struct stat *ret_status, struct error *err)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return fail_errno(err, "open %s", name);
    if (fstat(fd, ret_status) == 0 && S_ISREG(ret_status->st_mode))
        return fd;
    close(fd);
    return fail(err, ERROR_INVALID, "%s is not a regular file", name);
}

static int digest_file(int fd, char ret_hex[DIGEST_TEXT_MAX], struct error *err)
{
    struct digest *digest = digest_new();
    auto_free char *chunk = must_calloc(1, 1 << 16);
    ssize_t n;
    while ((n = read(fd, chunk, 1 << 16)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            digest_finish(digest, NULL);
            return fail_errno(err, "read a blob");
        }
        digest_add(digest, chunk, (size_t)n);
    }
    digest_finish(digest, ret_hex);
    return lseek(fd, 0, SEEK_SET) < 0 ? fail_errno(err, "read a blob") : 0;
}

static int open_blob(int dir, const char *digest, uint64_t bytes, struct error *err)
{
    auto_free char *name = must_format("blobs/sha256/%s", digest + SHA256_PREFIX);
    struct stat status = {0};
    int fd = open_regular(dir, name, &status, err);
    if (fd < 0)
        return -1;
    char hex[DIGEST_TEXT_MAX];
    if (bytes && (uint64_t)status.st_size != bytes)
        fail(err, ERROR_INVALID, "blob %s has %" PRIu64 " bytes; its manifest says %" PRIu64, digest,
             (uint64_t)status.st_size, bytes);
    else if (digest_file(fd, hex, err) < 0)
        error_prefix(err, "blob %s", digest);
    else if (strcmp(hex, digest + SHA256_PREFIX) != 0)
        fail(err, ERROR_INVALID, "blob %s really has the digest sha256:%s: the image is damaged; copy it again", digest,
             hex);
    else
        return fd;
    close(fd);
    return -1;
}

/* A whole small document; fd is closed. */
static json_t *read_document(int fd, const char *what, struct error *err)
{
    auto_close int closed = fd;
    auto_free char *text = must_calloc(1, LIMIT_IMAGE_MANIFEST_BYTES + 1);
    size_t length = 0;
    ssize_t n = 1;
    while (length <= LIMIT_IMAGE_MANIFEST_BYTES && n != 0) {
        n = pread(closed, text + length, LIMIT_IMAGE_MANIFEST_BYTES + 1 - length, (off_t)length);
        if (n < 0 && errno != EINTR) {
            fail_errno(err, "read %s", what);
            return NULL;
        }
        length += n > 0 ? (size_t)n : 0;
        n = n < 0 ? 1 : n;
    }
    if (length > LIMIT_IMAGE_MANIFEST_BYTES) {
        fail(err, ERROR_TOO_LARGE, "%s is larger than %u bytes", what, LIMIT_IMAGE_MANIFEST_BYTES);
        return NULL;
    }
    json_t *document = json_from_text(text, length, err);
    if (!document)
        error_prefix(err, "%s", what);
    return document;
}

/* index.json, then through indexes of indexes to the manifest. */
static json_t *find_manifest(int dir, struct error *err)
{
    struct stat status;
    int fd = open_regular(dir, "index.json", &status, err);
    json_t *document = fd < 0 ? NULL : read_document(fd, "index.json", err);
    for (int depth = 0; document && oci_is_index(document); depth++) {
        bool is_index;
        const char *digest =
            depth < INDEX_DEPTH_MAX ? oci_choose_manifest(document, oci_architecture(), &is_index, err) : NULL;
        if (depth >= INDEX_DEPTH_MAX)
            fail(err, ERROR_INVALID, "the image index lists indexes %d deep", INDEX_DEPTH_MAX);
        fd = digest ? open_blob(dir, digest, 0, err) : -1;
        json_t *next = fd < 0 ? NULL : read_document(fd, digest, err);
        json_decref(document);
        document = next;
    }
    return document;
}

int bundle_open_layout(const char *dir, struct bundle *ret_bundle, struct error *err)
{
    auto_close int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return fail_errno(err, "open %s", dir);
    auto_json *manifest = find_manifest(dir_fd, err);
    size_t count = 0;
    auto_free struct oci_layer *layers = manifest ? oci_layers(manifest, &count, err) : NULL;
    if (!layers)
        return error_prefix(err, "%s", dir);
    auto_bundle bundle = {0};
    for (size_t i = 0; i < count; i++) {
        int fd = open_blob(dir_fd, layers[i].digest, layers[i].bytes, err);
        if (fd < 0)
            return error_prefix(err, "%s", dir);
        add_layer(&bundle, fd);
    }
    *ret_bundle = bundle;
    bundle = (struct bundle){0};
    return 0;
}

/* ---- docker archives */

static int to_writer(const void *bytes, size_t length, void *arg, struct error *err)
{
    return writer_add(arg, bytes, length, err);
}

/* A member as a nameless file, standing at its start; ret_digest is of its bytes. */
static int extract(int archive, const char *name, const char *folder, uint64_t limit, char *ret_digest,
                   struct error *err)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_errno(err, "make a file in %s", folder);
    struct writer writer;
    const struct unpack_job job = {.member = name, .archive = &archive, .archive_count = 1};
    writer_start(&writer, fd, limit);
    if (lseek(archive, 0, SEEK_SET) == 0 && unpack_run(&job, to_writer, &writer, NULL, err) == 0 &&
        writer_finish(&writer, ret_digest, err) == 0 && lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    writer_abandon(&writer);
    close(fd);
    return -1;
}

static json_t *extract_document(int archive, const char *name, const char *folder, struct error *err)
{
    char digest[WRITER_DIGEST_MAX];
    int fd = extract(archive, name, folder, LIMIT_IMAGE_MANIFEST_BYTES, digest, err);
    return fd < 0 ? NULL : read_document(fd, name, err);
}

/* A layer's bytes are vouched for by the configuration (digest of the plain tar) or, compressed, by its own name. */
static bool layer_is_vouched_for(const json_t *config, size_t i, const char *name, const char *digest)
{
    const json_t *plain = json_array_get(json_at(config, "rootfs.diff_ids"), i);
    return text_equal(json_string_value(plain), digest) || strstr(name, digest + SHA256_PREFIX);
}

static int extract_layers(int archive, const json_t *manifest, const char *folder, struct bundle *bundle,
                          struct error *err)
{
    size_t count;
    const char *config_name;
    auto_free const char **names = docker_layers(manifest, &count, &config_name, err);
    auto_json *config = names ? extract_document(archive, config_name, folder, err) : NULL;
    if (!config)
        return -1;
    for (size_t i = 0; i < count; i++) {
        char digest[WRITER_DIGEST_MAX];
        int fd = extract(archive, names[i], folder, LIMIT_IMAGE_DISK_BYTES, digest, err);
        if (fd < 0)
            return -1;
        add_layer(bundle, fd);
        if (!layer_is_vouched_for(config, i, names[i], digest))
            return fail(err, ERROR_INVALID,
                        "layer %.100s has the digest %s, which the archive's configuration does not name: save the "
                        "image again",
                        names[i], digest);
    }
    return 0;
}

int bundle_open_docker_archive(const char *file, const char *folder, struct bundle *ret_bundle, struct error *err)
{
    struct stat status;
    auto_close int archive = open_regular(AT_FDCWD, file, &status, err);
    if (archive < 0)
        return -1;
    auto_json *manifest = extract_document(archive, "manifest.json", folder, err);
    auto_bundle bundle = {0};
    if (!manifest || extract_layers(archive, manifest, folder, &bundle, err) < 0)
        return error_prefix(err, "%s", file);
    *ret_bundle = bundle;
    bundle = (struct bundle){0};
    return 0;
}
