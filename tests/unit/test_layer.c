#include "runtime/image/layer.c"

#include "tests/test.h"
#include "tests/unit/tar.h"

static int gather(const void *bytes, size_t length, void *arg, struct error *err)
{
    (void)err;
    text_append_n(arg, bytes, length);
    return 0;
}

enum { LAYERS = 3, ENTRIES = 4 };
struct image {
    struct tar_entry layer[LAYERS][ENTRIES]; /* bottom to top; unused ones have no path */
};

/* Runs the search; returns "PATH=BYTES", or "error KIND: TEXT". */
static char *find(const struct image *image, const char *wanted, int filter)
{
    int fds[LAYERS];
    size_t count = 0;
    for (size_t l = 0; l < LAYERS; l++) {
        size_t n = 0;
        while (n < ENTRIES && image->layer[l][n].path)
            n++;
        if (n)
            fds[count++] = tar_make(image->layer[l], n, filter);
    }
    auto_text bytes = {0};
    auto_free char *path = NULL;
    struct error err;
    int r = layer_find_disk(fds, count, wanted, gather, &bytes, &path, &err);
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
    return r == 0 ? must_format("%s=%s", path, text_cstr(&bytes))
                  : must_format("error %s: %s", error_kind_info(err.kind)->reason, err.text);
}

struct search_case {
    const char *name;
    struct image image;
    const char *wanted;
    const char *answer; /* the start of it */
};

static const struct search_case CASES[] = {
    {"plain", {{{{"disk/x.img", 'f', "data"}}}}, "", "/disk/x.img=data"},
    {"leading ./ and /", {{{{"./disk", 'd', ""}, {"./disk/x", 'f', "data"}}}}, "", "/disk/x=data"},
    {"absolute", {{{{"/disk/x", 'f', "data"}}}}, "", "/disk/x=data"},
    {"other files around",
     {{{{"etc/passwd", 'f', "no"}, {"disk/x", 'f', "data"}, {"disk/sub/y", 'f', "no"}}}},
     "",
     "/disk/x=data"},
    {"none", {{{{"etc/passwd", 'f', "no"}}}}, "", "error NotFound: no file found in folder /disk"},
    {"two", {{{{"disk/a", 'f', "1"}, {"disk/b", 'f', "2"}}}}, "", "error Invalid: more than one file found"},
    {"two over layers", {{{{"disk/a", 'f', "1"}}, {{"disk/b", 'f', "2"}}}}, "", "error Invalid: more than one file"},
    {"two, but one is named", {{{{"disk/a", 'f', "1"}, {"disk/b", 'f', "2"}}}}, "/disk/b", "/disk/b=2"},
    {"elsewhere", {{{{"opt/images/d.qcow2", 'f', "x"}}}}, "/opt/images/d.qcow2", "/opt/images/d.qcow2=x"},
    {"named but missing", {{{{"disk/a", 'f', "1"}}}}, "/disk/c", "error NotFound: no file /disk/c"},
    {"the upper one counts", {{{{"disk/a", 'f', "old"}}, {{"disk/a", 'f', "new"}}}}, "", "/disk/a=new"},
    {"the upper one counts, named", {{{{"disk/a", 'f', "old"}}, {{"disk/a", 'f', "new"}}}}, "/disk/a", "/disk/a=new"},
    {"whiteout", {{{{"disk/a", 'f', "old"}}, {{"disk/.wh.a", 'f', ""}}}}, "", "error NotFound"},
    {"whiteout, named", {{{{"disk/a", 'f', "old"}}, {{"disk/.wh.a", 'f', ""}}}}, "/disk/a", "error NotFound"},
    {"whiteout and a new one",
     {{{{"disk/a", 'f', "old"}}, {{"disk/.wh.a", 'f', ""}, {"disk/b", 'f', "new"}}}},
     "",
     "/disk/b=new"},
    {"a whiteout does not hide its own layer",
     {{{{"disk/.wh.a", 'f', ""}, {"disk/a", 'f', "same"}}}},
     "",
     "/disk/a=same"},
    {"folder whiteout", {{{{"disk/a", 'f', "old"}}, {{".wh.disk", 'f', ""}}}}, "", "error NotFound"},
    {"opaque folder",
     {{{{"disk/a", 'f', "old"}}, {{"disk/.wh..wh..opq", 'f', ""}, {"disk/b", 'f', "new"}}}},
     "",
     "/disk/b=new"},
    {"opaque root", {{{{"disk/a", 'f', "old"}}, {{".wh..wh..opq", 'f', ""}}}}, "", "error NotFound"},
    {"opaque somewhere else", {{{{"disk/a", 'f', "old"}}, {{"diskette/.wh..wh..opq", 'f', ""}}}}, "", "/disk/a=old"},
    {"back after a whiteout",
     {{{{"disk/a", 'f', "1"}}, {{"disk/.wh.a", 'f', ""}}, {{"disk/a", 'f', "3"}}}},
     "",
     "/disk/a=3"},
    {"a file replaces the folder", {{{{"disk/a", 'f', "old"}}, {{"disk", 'f', "x"}}}}, "", "error NotFound"},
    {"a link replaces the folder", {{{{"disk/a", 'f', "old"}}, {{"disk", 's', "etc"}}}}, "/disk/a", "error NotFound"},
    {"a folder replaces the file", {{{{"disk/a", 'f', "old"}}, {{"disk/a", 'd', ""}}}}, "", "/disk/a=old"},
    {"symbolic link", {{{{"disk/a", 's', "/etc/shadow"}}}}, "", "error Invalid: /disk/a in the image is a link"},
    {"symbolic link, named", {{{{"disk/a", 's', "b"}, {"disk/b", 'f', "x"}}}}, "/disk/a", "error Invalid: /disk/a"},
    {"hard link", {{{{"x", 'f', "secret"}, {"disk/a", 'h', "x"}}}}, "", "error Invalid: /disk/a"},
    {"device", {{{{"disk/a", 'c', ""}}}}, "", "error Invalid: /disk/a"},
    {"a link beside the disk", {{{{"disk/a", 's', "b"}, {"disk/b", 'f', "x"}}}}, "", "/disk/b=x"},
    {"dots", {{{{"disk/../disk/a", 'f', "x"}, {"../disk/b", 'f', "y"}, {"disk/./c", 'f', "z"}}}}, "", "error NotFound"},
    {"a link as the folder", {{{{"disk", 's', "/etc"}, {"disk/../x", 'f', "x"}}}}, "", "error NotFound"},
};

static void follows_the_rules_of_layers(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        auto_free char *answer = find(&CASES[i].image, CASES[i].wanted, ARCHIVE_FILTER_NONE);
        if (!text_starts_with(answer, CASES[i].answer)) {
            printf("# %s:\n", CASES[i].name);
            CHECK_TEXT(answer, CASES[i].answer);
        }
    }
}

static void reads_gzip_and_zstd(void)
{
    static const struct image IMAGE = {{{{"disk/x", 'f', "data"}}}};
    auto_free char *gzip = find(&IMAGE, "", ARCHIVE_FILTER_GZIP);
    auto_free char *zstd = find(&IMAGE, "", ARCHIVE_FILTER_ZSTD);
    auto_free char *xz = find(&IMAGE, "", ARCHIVE_FILTER_XZ);
    CHECK_TEXT(gzip, "/disk/x=data");
    CHECK_TEXT(zstd, "/disk/x=data");
    CHECK(text_starts_with(xz, "error Invalid: broken archive"));
}

static int count_zeros(const void *bytes, size_t length, void *arg, struct error *err)
{
    (void)err;
    const char *p = bytes;
    for (size_t i = 0; i < length; i++)
        if (p[i])
            return -1;
    *(uint64_t *)arg += length;
    return 0;
}

static void fills_the_holes_of_sparse_members(void)
{
    int fd = memfd_create("tar", MFD_CLOEXEC);
    struct archive *a = archive_write_new();
    archive_write_set_format_pax(a);
    archive_write_open_fd(a, fd);
    struct archive_entry *e = archive_entry_new();
    archive_entry_set_pathname(e, "disk/sparse");
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_size(e, 10 << 20);
    archive_entry_sparse_add_entry(e, 4096, 512);
    archive_entry_sparse_add_entry(e, 1 << 20, 512);
    CHECK_INT(archive_write_header(a, e), ARCHIVE_OK);
    static const char zeros[10 << 20];
    CHECK_INT(archive_write_data(a, zeros, sizeof zeros), sizeof zeros);
    archive_entry_free(e);
    archive_write_close(a);
    archive_write_free(a);
    CHECK(lseek(fd, 0, SEEK_END) < 100 << 10); /* it really is sparse */
    lseek(fd, 0, SEEK_SET);
    uint64_t total = 0;
    auto_free char *path = NULL;
    struct error err;
    CHECK_INT(layer_find_disk(&fd, 1, "", count_zeros, &total, &path, &err), 0);
    CHECK_INT(total, 10 << 20);
    close(fd);
}

static void says_when_an_archive_is_broken(void)
{
    static const struct tar_entry ENTRY = {"disk/x", 'f', "data data data"};
    int fd = tar_make(&ENTRY, 1, ARCHIVE_FILTER_NONE);
    CHECK_INT(ftruncate(fd, 516), 0);
    auto_text bytes = {0};
    auto_free char *path = NULL;
    struct error err;
    CHECK_INT(layer_find_disk(&fd, 1, "", gather, &bytes, &path, &err), -1);
    CHECK_INT(err.kind, ERROR_INVALID);
    close(fd);
}

static void bounds_what_it_remembers(void)
{
    struct tar_entry *entries = must_calloc(LIMIT_IMAGE_HIDDEN + 1, sizeof *entries);
    for (unsigned i = 0; i <= LIMIT_IMAGE_HIDDEN; i++)
        entries[i] = (struct tar_entry){must_format("disk/.wh.%u", i), 'f', ""};
    for (unsigned over = 0; over <= 1; over++) {
        int fd = tar_make(entries, LIMIT_IMAGE_HIDDEN + over, ARCHIVE_FILTER_NONE);
        auto_text bytes = {0};
        auto_free char *path = NULL;
        struct error err;
        CHECK_INT(layer_find_disk(&fd, 1, "", gather, &bytes, &path, &err), -1);
        CHECK_INT(err.kind, over ? ERROR_TOO_LARGE : ERROR_NOT_FOUND);
        close(fd);
    }
    for (unsigned i = 0; i <= LIMIT_IMAGE_HIDDEN; i++)
        free((char *)entries[i].path);
    free(entries);
}

static void finds_members_by_exact_name(void)
{
    static const struct tar_entry ENTRIES_[] = {
        {"a/manifest.json", 'f', "no"}, {"manifest.json", 'f', "[]"}, {"link", 's', "manifest.json"}};
    static const struct {
        const char *name;
        int result;
        enum error_kind kind;
    } WANTED[] = {{"manifest.json", 0, 0}, {"missing", -1, ERROR_NOT_FOUND}, {"link", -1, ERROR_INVALID}};
    for (size_t i = 0; i < ARRAY_SIZE(WANTED); i++) {
        int fd = tar_make(ENTRIES_, ARRAY_SIZE(ENTRIES_), ARCHIVE_FILTER_NONE);
        auto_text bytes = {0};
        struct error err = {0};
        CHECK_INT(layer_find_member(fd, WANTED[i].name, gather, &bytes, &err), WANTED[i].result);
        CHECK_INT(err.kind, WANTED[i].kind);
        if (WANTED[i].result == 0)
            CHECK_TEXT(text_cstr(&bytes), "[]");
        close(fd);
    }
}

int main(void)
{
    RUN(follows_the_rules_of_layers);
    RUN(reads_gzip_and_zstd);
    RUN(fills_the_holes_of_sparse_members);
    RUN(says_when_an_archive_is_broken);
    RUN(bounds_what_it_remembers);
    RUN(finds_members_by_exact_name);
    return test_end();
}
