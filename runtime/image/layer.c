/* Layers are read from the top down. What an upper layer has at a place hides what lower ones have there:
 *   a whiteout ".wh.NAME" hides NAME and all below it, ".wh..wh..opq" all below its folder,
 *   anything else hides itself, and all below itself unless it is a folder.
 * Only places on the way to a disk matter, so only these are remembered. */
#include "runtime/image/layer.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/limits.h"
#include "rtvmd/base/text.h"

#define DISK_FOLDER "disk/"

struct hidden {
    char *path;
    bool only_below;
};

struct search {
    const char *wanted; /* without leading slash; "" for the only file in /disk */
    layer_sink *sink;
    void *arg;
    size_t entries;
    size_t hidden_count;
    size_t layer_start; /* hidden entries from here on are of the layer being read: they do not hide it */
    struct hidden *hidden;
    char *found;
    char *link; /* something at a candidate's place that is not a regular file */
};

static int fail_archive(struct archive *a, struct error *err)
{
    const char *why = archive_error_string(a);
    return fail(err, ERROR_INVALID, "broken archive: %.300s", why ? why : "unknown error");
}

/* Names that this locale cannot show (it is always C) are there as UTF-8. */
static const char *name_of(struct archive_entry *entry)
{
    const char *name = archive_entry_pathname(entry);
    return name ? name : archive_entry_pathname_utf8(entry);
}

static struct archive *open_tar(int fd, struct error *err)
{
    struct archive *a = archive_read_new();
    if (!a)
        abort();
    archive_read_support_filter_gzip(a);
    archive_read_support_filter_zstd(a);
    archive_read_support_format_tar(a);
    if (archive_read_open_fd(a, fd, 64 << 10) == ARCHIVE_OK)
        return a;
    fail_archive(a, err);
    archive_read_free(a);
    return NULL;
}

/* Removes "./" and "/" in front and "/" at the end. A name with "..", "." or "//" inside cannot be a place of ours. */
static bool normalize(const char *name, char *path, size_t size)
{
    while (name[0] == '/' || (name[0] == '.' && name[1] == '/'))
        name += name[0] == '/' ? 1 : 2;
    size_t n = strlen(name);
    while (n > 0 && name[n - 1] == '/')
        n--;
    if (n == 0 || n >= size)
        return false;
    memcpy(path, name, n);
    path[n] = '\0';
    for (const char *part = path; part;) {
        size_t length = strcspn(part, "/");
        if (length == 0 || (length <= 2 && strncmp(part, "..", length) == 0))
            return false;
        part = part[length] ? part + length + 1 : NULL;
    }
    return true;
}

static bool is_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    return n == 0 || (strncmp(path, folder, n) == 0 && path[n] == '/');
}

static bool is_candidate(const struct search *s, const char *path)
{
    if (s->wanted[0])
        return strcmp(path, s->wanted) == 0;
    return text_starts_with(path, DISK_FOLDER) && !strchr(path + strlen(DISK_FOLDER), '/');
}

/* On the way to a candidate, or a candidate. */
static bool matters(const struct search *s, const char *path)
{
    if (is_candidate(s, path))
        return true;
    return s->wanted[0] ? is_below(s->wanted, path) : strcmp(path, "disk") == 0;
}

static bool is_hidden(const struct search *s, const char *path)
{
    for (size_t i = 0; i < s->layer_start; i++)
        if (is_below(path, s->hidden[i].path) || (!s->hidden[i].only_below && strcmp(path, s->hidden[i].path) == 0))
            return true;
    return false;
}

static int hide(struct search *s, const char *path, bool only_below, struct error *err)
{
    if (s->hidden_count >= LIMIT_IMAGE_HIDDEN)
        return fail(err, ERROR_TOO_LARGE, "more than %u replaced files in /disk over the layers", LIMIT_IMAGE_HIDDEN);
    s->hidden = must_realloc(s->hidden, s->hidden_count + 1, sizeof *s->hidden);
    s->hidden[s->hidden_count++] = (struct hidden){must_strdup(path), only_below};
    return 0;
}

/* 1 when the entry is a whiteout (and was noted), 0 when it is not. */
static int note_whiteout(struct search *s, const char *path, struct error *err)
{
    static const char PREFIX[] = ".wh.";
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    if (!text_starts_with(base, PREFIX))
        return 0;
    bool opaque = strcmp(base, ".wh..wh..opq") == 0;
    auto_free char *folder = must_strndup(path, (size_t)(base - path));
    auto_free char *place = opaque ? must_strndup(path, slash ? (size_t)(slash - path) : 0)
                                   : must_format("%s%s", folder, base + strlen(PREFIX));
    bool relevant = opaque ? place[0] == '\0' || matters(s, place) : matters(s, place);
    if (relevant && hide(s, place, opaque, err) < 0)
        return -1;
    return 1;
}

static int stream(struct archive *a, layer_sink *sink, void *arg, struct error *err)
{
    static const char ZEROS[64 << 10];
    uint64_t at = 0;
    for (;;) {
        const void *bytes;
        size_t length;
        la_int64_t offset;
        int r = archive_read_data_block(a, &bytes, &length, &offset);
        if (r == ARCHIVE_EOF && (uint64_t)offset <= at)
            return 0;
        if (r < ARCHIVE_WARN || offset < 0 || (uint64_t)offset < at)
            return fail_archive(a, err);
        if ((uint64_t)offset > LIMIT_IMAGE_DISK_BYTES)
            return fail(err, ERROR_TOO_LARGE, "the disk file is larger than 1 TiB");
        while (at < (uint64_t)offset) { /* a hole of a sparse member */
            size_t n = (uint64_t)offset - at < sizeof ZEROS ? (size_t)((uint64_t)offset - at) : sizeof ZEROS;
            if (sink(ZEROS, n, arg, err) < 0)
                return -1;
            at += n;
        }
        if (r == ARCHIVE_EOF)
            return 0;
        if (length && sink(bytes, length, arg, err) < 0)
            return -1;
        at += length;
    }
}

/* A regular file at a candidate's place that nothing above hides. */
static int take_file(struct search *s, struct archive *a, const char *path, struct error *err)
{
    if (s->found)
        return fail(err, ERROR_INVALID,
                    "more than one file found in folder /disk (%s and /%s), only one disk is allowed: name it with "
                    "containerDisk.path",
                    s->found, path);
    s->found = must_format("/%s", path);
    return stream(a, s->sink, s->arg, err);
}

static int visit(struct search *s, struct archive *a, struct archive_entry *entry, struct error *err)
{
    char path[4096];
    if (++s->entries > LIMIT_IMAGE_ENTRIES)
        return fail(err, ERROR_TOO_LARGE, "the image holds more than %u files", LIMIT_IMAGE_ENTRIES);
    const char *name = name_of(entry);
    if (!name || !normalize(name, path, sizeof path))
        return 0;
    int whiteout = note_whiteout(s, path, err);
    if (whiteout != 0)
        return whiteout < 0 ? -1 : 0;
    if (!matters(s, path))
        return 0;
    bool visible = !is_hidden(s, path);
    bool folder = archive_entry_filetype(entry) == AE_IFDIR;
    bool regular = archive_entry_filetype(entry) == AE_IFREG && !archive_entry_hardlink(entry);
    if (!folder && hide(s, path, false, err) < 0)
        return -1;
    if (!visible || !is_candidate(s, path) || folder)
        return 0;
    if (regular)
        return take_file(s, a, path, err);
    if (!s->link)
        s->link = must_format("/%s", path);
    return 0;
}

static int read_layer(struct search *s, int fd, struct error *err)
{
    struct archive *a = open_tar(fd, err);
    if (!a)
        return -1;
    s->layer_start = s->hidden_count;
    struct archive_entry *entry;
    int result = 0;
    int r;
    while (result == 0 && (r = archive_read_next_header(a, &entry)) != ARCHIVE_EOF)
        result = r < ARCHIVE_WARN ? fail_archive(a, err) : visit(s, a, entry, err);
    archive_read_free(a);
    return result;
}

static int conclude(const struct search *s, struct error *err)
{
    if (s->found)
        return 0;
    if (s->link)
        return fail(err, ERROR_INVALID, "%s in the image is a link or a special file; want a regular file", s->link);
    if (s->wanted[0])
        return fail(err, ERROR_NOT_FOUND, "no file /%s found in the image", s->wanted);
    return fail(err, ERROR_NOT_FOUND,
                "no file found in folder /disk: this image is not a container disk; name the file with "
                "containerDisk.path if it lies elsewhere");
}

int layer_find_disk(const int *layers, size_t count, const char *wanted, layer_sink *sink, void *arg, char **ret_path,
                    struct error *err)
{
    struct search s = {.wanted = wanted, .sink = sink, .arg = arg};
    while (s.wanted[0] == '/')
        s.wanted++;
    int result = 0;
    for (size_t i = count; result == 0 && i-- > 0;) {
        result = read_layer(&s, layers[i], err);
        if (s.wanted[0] && s.found)
            break;
    }
    if (result == 0)
        result = conclude(&s, err);
    for (size_t i = 0; i < s.hidden_count; i++)
        free(s.hidden[i].path);
    free(s.hidden);
    free(s.link);
    if (result == 0)
        *ret_path = take(s.found);
    free(s.found);
    return result;
}

int layer_find_member(int archive_fd, const char *name, layer_sink *sink, void *arg, struct error *err)
{
    struct archive *a = open_tar(archive_fd, err);
    if (!a)
        return -1;
    struct archive_entry *entry;
    size_t entries = 0;
    bool found = false;
    int result = 0;
    int r;
    while (result == 0 && !found && (r = archive_read_next_header(a, &entry)) != ARCHIVE_EOF) {
        const char *path = r < ARCHIVE_WARN ? NULL : name_of(entry);
        if (r < ARCHIVE_WARN)
            result = fail_archive(a, err);
        else if (++entries > LIMIT_IMAGE_ENTRIES)
            result = fail(err, ERROR_TOO_LARGE, "the archive holds more than %u files", LIMIT_IMAGE_ENTRIES);
        if (result < 0 || !path || strcmp(path, name) != 0)
            continue;
        found = true;
        result = archive_entry_filetype(entry) == AE_IFREG && !archive_entry_hardlink(entry)
                     ? stream(a, sink, arg, err)
                     : fail(err, ERROR_INVALID, "%s in the archive is a link: save the image with a newer tool", name);
    }
    archive_read_free(a);
    if (result == 0 && !found)
        return fail(err, ERROR_NOT_FOUND, "no %.100s in the archive", name);
    return result;
}
