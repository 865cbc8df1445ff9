#include "runtime/image/iso.c"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include "rtvmd/base/text.h"
#include "tests/test.h"

static char folder[] = "/tmp/test_iso.XXXXXX";

/* "path mode mtime=bytes\n" for each regular file, as another implementation reads it back. */
static void read_back(const char *path, struct text *out)
{
    struct archive *a = archive_read_new();
    struct archive_entry *entry;
    archive_read_support_format_iso9660(a);
    CHECK_INT(archive_read_open_filename(a, path, 10240), ARCHIVE_OK);
    while (archive_read_next_header(a, &entry) == ARCHIVE_OK) {
        if (archive_entry_filetype(entry) != AE_IFREG)
            continue;
        const char *name = archive_entry_pathname(entry);
        text_printf(out, "%s %o %lld=", text_starts_with(name, "./") ? name + 2 : name,
                    (unsigned)archive_entry_perm(entry), (long long)archive_entry_mtime(entry));
        char chunk[512];
        ssize_t n;
        while ((n = archive_read_data(a, chunk, sizeof chunk)) > 0)
            text_append_n(out, chunk, (size_t)n);
        text_append(out, "\n");
    }
    archive_read_free(a);
}

static void read_label(const char *path, char label[33])
{
    int fd = open(path, O_RDONLY);
    memset(label, 0, 33);
    CHECK_INT(pread(fd, label, 32, 16 * 2048 + 40), 32);
    close(fd);
    for (int i = 31; i >= 0 && label[i] == ' '; i--)
        label[i] = '\0';
}

static void writes_what_another_reader_finds(void)
{
    auto_iso content = {0};
    struct error err;
    CHECK_INT(iso_content_add(&content, "user-data", "#cloud-config\n", 14, &err), 0);
    CHECK_INT(iso_content_add(&content, "openstack/latest/meta_data.json", "{}", 2, &err), 0);
    CHECK_INT(iso_content_add(&content, "openstack/latest/user_data", "x", 1, &err), 0);
    CHECK_INT(iso_content_add(&content, "empty", NULL, 0, &err), 0);
    auto_free char *path = must_format("%s/a.iso", folder);
    CHECK_INT(iso_make(&content, "cidata", path, &err), 0);
    auto_text found = {0};
    read_back(path, &found);
    CHECK(strstr(text_cstr(&found), "user-data 444 0=#cloud-config\n\n"));
    CHECK(strstr(text_cstr(&found), "openstack/latest/meta_data.json 444 0={}\n"));
    CHECK(strstr(text_cstr(&found), "openstack/latest/user_data 444 0=x\n"));
    CHECK(strstr(text_cstr(&found), "empty 444 0=\n"));
    char label[33];
    read_label(path, label);
    CHECK_TEXT(label, "cidata");
    struct stat status;
    CHECK(stat(path, &status) == 0 && (status.st_mode & 0777) == 0600);
}

static void is_the_same_every_time(void)
{
    struct text bytes[2] = {{0}, {0}};
    for (int i = 0; i < 2; i++) {
        auto_iso content = {0};
        struct error err;
        CHECK_INT(iso_content_add(&content, "d/user-data", "same", 4, &err), 0);
        auto_free char *path = must_format("%s/same%d.iso", folder, i);
        CHECK_INT(iso_make(&content, "config-2", path, &err), 0);
        CHECK_INT(file_read(NULL, path, 10 << 20, &bytes[i], &err), 0);
        if (i == 0)
            usleep(1050000); /* times are in seconds */
    }
    CHECK(bytes[0].length > 0 && bytes[0].length == bytes[1].length &&
          memcmp(bytes[0].data, bytes[1].data, bytes[0].length) == 0);
    text_finish(&bytes[0]);
    text_finish(&bytes[1]);
}

static void replaces_what_was_there(void)
{
    auto_free char *path = must_format("%s/replaced.iso", folder);
    for (int i = 0; i < 2; i++) {
        auto_iso content = {0};
        struct error err;
        CHECK_INT(iso_content_add(&content, "k", i ? "new" : "old", 3, &err), 0);
        CHECK_INT(iso_make(&content, "cfgdata", path, &err), 0);
    }
    auto_text found = {0};
    read_back(path, &found);
    CHECK_TEXT(text_cstr(&found), "k 444 0=new\n");
    auto_free char *staging = must_format("%s.new", path);
    CHECK(access(staging, F_OK) < 0);
}

static void refuses_names_and_sizes(void)
{
    static const char *const BAD[] = {"", "/a", "a/", "a//b", "..", "a/../b", "a/.", "a b", "a\nb", "\xc3\xa4"};
    auto_iso content = {0};
    struct error err;
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++)
        CHECK_INT(iso_content_add(&content, BAD[i], "", 0, &err), -1);
    CHECK_INT(iso_content_add(&content, "a", "", 0, &err), 0);
    CHECK_INT(iso_content_add(&content, "a", "", 0, &err), -1);
    char *big = must_calloc(LIMIT_ISO_BYTES + 1, 1);
    CHECK_INT(iso_content_add(&content, "big", big, LIMIT_ISO_BYTES + 1, &err), -1);
    CHECK_INT(err.kind, ERROR_TOO_LARGE);
    CHECK_INT(iso_content_add(&content, "big", big, LIMIT_ISO_BYTES, &err), 0);
    CHECK_INT(iso_content_add(&content, "more", big, 1, &err), -1);
    free(big);
    for (unsigned i = 2; i < LIMIT_ISO_FILES; i++) {
        char name[32];
        snprintf(name, sizeof name, "f%u", i);
        CHECK_INT(iso_content_add(&content, name, "", 0, &err), 0);
    }
    CHECK_INT(iso_content_add(&content, "one-more", "", 0, &err), -1);
    CHECK_INT(err.kind, ERROR_TOO_LARGE);
    auto_free char *path = must_format("%s/bad.iso", folder);
    CHECK_INT(iso_make(&content, "", path, &err), -1);
    CHECK_INT(iso_make(&content, "123456789012345678901234567890123", path, &err), -1);
    CHECK(access(path, F_OK) < 0);
}

static void says_where_it_cannot_write(void)
{
    auto_iso content = {0};
    struct error err;
    CHECK_INT(iso_make(&content, "x", "/nonexistent/a.iso", &err), -1);
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
}

int main(void)
{
    struct error err;
    if (!mkdtemp(folder))
        return 1;
    RUN(writes_what_another_reader_finds);
    RUN(is_the_same_every_time);
    RUN(replaces_what_was_there);
    RUN(refuses_names_and_sizes);
    RUN(says_where_it_cannot_write);
    file_remove_tree(folder, &err);
    return test_end();
}
