#include "runtime/image/iso.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBISOFS_WITHOUT_LIBBURN 1 /* then the header declares struct burn_source itself */
#include <libisofs/libisofs.h>

#include "rtvmd/base/file.h"
#include "rtvmd/base/limits.h"

/* libisofs keeps its messages and its initialization in globals. */
static pthread_mutex_t library = PTHREAD_MUTEX_INITIALIZER;

static bool name_is_plain(const char *path)
{
    const char *part = path;
    for (const char *p = path;; p++) {
        if (*p != '/' && *p != '\0') {
            bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
                         *p == '-' || *p == '_' || *p == '.';
            if (!plain)
                return false;
            continue;
        }
        size_t n = (size_t)(p - part);
        if (n == 0 || n > LIMIT_NAME_BYTES || (n <= 2 && strncmp(part, "..", n) == 0))
            return false;
        if (*p == '\0')
            return true;
        part = p + 1;
    }
}

int iso_content_add(struct iso_content *content, const char *path, const void *bytes, size_t length, struct error *err)
{
    if (!name_is_plain(path))
        return fail(err, ERROR_INVALID,
                    "file name \"%.100s\": want letters, digits, '-', '_' and '.', at most %u characters", path,
                    LIMIT_NAME_BYTES);
    size_t total = length;
    for (size_t i = 0; i < content->count; i++) {
        total += content->file[i].length;
        if (strcmp(content->file[i].path, path) == 0)
            return fail(err, ERROR_INVALID, "file name \"%s\" is there twice", path);
    }
    if (total > LIMIT_ISO_BYTES || content->count >= LIMIT_ISO_FILES)
        return fail(err, ERROR_TOO_LARGE, "%zu files of %zu bytes in all: want at most %u files and %u bytes",
                    content->count + 1, total, LIMIT_ISO_FILES, LIMIT_ISO_BYTES);
    content->file = must_realloc(content->file, content->count + 1, sizeof *content->file);
    struct iso_file *file = &content->file[content->count++];
    file->path = must_strdup(path);
    file->bytes = must_calloc(length, 1);
    file->length = length;
    if (length)
        memcpy(file->bytes, bytes, length);
    return 0;
}

void iso_content_finish(struct iso_content *content)
{
    for (size_t i = 0; i < content->count; i++) {
        free(content->file[i].path);
        explicit_bzero(content->file[i].bytes, content->file[i].length);
        free(content->file[i].bytes);
    }
    free(content->file);
    *content = (struct iso_content){0};
}

/* Makes the folders on the way and returns the innermost; NULL with a libisofs code in *ret_code. */
static IsoDir *folder_for(IsoDir *at, const char *path, const char **ret_name, int *ret_code)
{
    const char *slash;
    for (; (slash = strchr(path, '/')); path = slash + 1) {
        auto_free char *name = must_strndup(path, (size_t)(slash - path));
        IsoNode *node = NULL;
        IsoDir *next = NULL;
        if (iso_dir_get_node(at, name, &node) == 1) {
            at = iso_node_get_type(node) == LIBISO_DIR ? (IsoDir *)node : NULL;
            *ret_code = ISO_NODE_NAME_NOT_UNIQUE;
        } else {
            *ret_code = iso_tree_add_new_dir(at, name, &next);
            at = *ret_code < 0 ? NULL : next;
        }
        if (!at)
            return NULL;
    }
    *ret_name = path;
    return at;
}

static int add_file(IsoImage *image, const struct iso_file *file)
{
    int code = 0;
    const char *name;
    IsoDir *folder = folder_for(iso_image_get_root(image), file->path, &name, &code);
    if (!folder)
        return code;
    unsigned char *copy = must_calloc(file->length, 1); /* the stream frees it */
    if (file->length)
        memcpy(copy, file->bytes, file->length);
    IsoStream *stream = NULL;
    code = iso_memory_stream_new(copy, file->length, &stream);
    if (code < 0) {
        free(copy);
        return code;
    }
    code = iso_tree_add_new_file(folder, name, stream, NULL);
    if (code < 0)
        iso_stream_unref(stream);
    return code;
}

static int fixed_options(IsoWriteOpts **ret_options)
{
    static char epoch[] = "1970010100000000";
    int code = iso_write_opts_new(ret_options, 0);
    if (code < 0)
        return code;
    IsoWriteOpts *o = *ret_options;
    int codes[] = {
        iso_write_opts_set_iso_level(o, 3),
        iso_write_opts_set_rockridge(o, 1),
        iso_write_opts_set_rrip_version_1_10(o, 1), /* the newer one numbers files by where the heap is */
        iso_write_opts_set_joliet(o, 1),
        iso_write_opts_set_relaxed_vol_atts(o, 1), /* a label in lower case, which cloud-init wants */
        iso_write_opts_set_always_gmt(o, 1),
        iso_write_opts_set_replace_timestamps(o, 2),
        iso_write_opts_set_default_timestamp(o, 0),
        iso_write_opts_set_replace_mode(o, 2, 2, 2, 2),
        iso_write_opts_set_default_dir_mode(o, 0555),
        iso_write_opts_set_default_file_mode(o, 0444),
        iso_write_opts_set_default_uid(o, 0),
        iso_write_opts_set_default_gid(o, 0),
        iso_write_opts_set_pvd_times(o, 0, 0, 0, 0, epoch),
    };
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
        code = codes[i] < 0 ? codes[i] : code;
    return code;
}

static int fail_iso(struct error *err, int code)
{
    return fail(err, ERROR_INTERNAL, "make an ISO image: %s", iso_error_to_msg(code));
}

/* Pulls the image out of the library's writer thread, block by block. */
static int copy_blocks(struct burn_source *source, int fd, struct error *err)
{
    unsigned char block[2048];
    int n;
    while ((n = source->read_xt ? source->read_xt(source, block, sizeof block)
                                : source->read(source, block, sizeof block)) > 0) {
        ssize_t written = write(fd, block, (size_t)n);
        if (written != n)
            return fail_errno(err, "write an ISO image");
    }
    return n < 0 ? fail(err, ERROR_INTERNAL, "make an ISO image: the library stopped early") : 0;
}

static int write_image(IsoImage *image, IsoWriteOpts *options, int fd, struct error *err)
{
    struct burn_source *source = NULL;
    int code = iso_image_create_burn_source(image, options, &source);
    if (code < 0)
        return fail_iso(err, code);
    int result = copy_blocks(source, fd, err);
    if (result < 0)
        source->cancel(source);
    source->free_data(source);
    free(source);
    return result;
}

static int build(const struct iso_content *content, const char *label, int fd, struct error *err)
{
    IsoImage *image = NULL;
    IsoWriteOpts *options = NULL;
    static char never[] = "NEVER";
    static char nobody[] = "";
    int code = iso_init();
    if (code < 0)
        return fail_iso(err, code);
    iso_set_msgs_severities(never, never, nobody);
    code = iso_image_new(label, &image);
    for (size_t i = 0; code >= 0 && i < content->count; i++)
        code = add_file(image, &content->file[i]);
    if (code >= 0)
        code = fixed_options(&options);
    int result = code < 0 ? fail_iso(err, code) : write_image(image, options, fd, err);
    iso_write_opts_free(options);
    if (image)
        iso_image_unref(image);
    iso_finish();
    return result;
}

int iso_make(const struct iso_content *content, const char *label, const char *path, struct error *err)
{
    if (!label[0] || strlen(label) > LIMIT_ISO_LABEL_BYTES)
        return fail(err, ERROR_INVALID, "volume label \"%.80s\": want 1 to %u characters", label,
                    LIMIT_ISO_LABEL_BYTES);
    auto_free char *staging = must_format("%s.new", path);
    unlink(staging);
    auto_close int fd = open(staging, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_errno(err, "create %s", staging);
    pthread_mutex_lock(&library);
    int result = build(content, label, fd, err);
    pthread_mutex_unlock(&library);
    if (result == 0 && rename(staging, path) < 0)
        result = fail_errno(err, "rename %s", staging);
    if (result < 0)
        unlink(staging);
    return result;
}
