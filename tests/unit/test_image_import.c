/* Import end to end, with the real unpacking child: this program is its own child. */
#include "runtime/image/import.c"

#include <dirent.h>

#include "tests/test.h"
#include "tests/unit/layout.h"

static char folder[] = "/tmp/test_import.XXXXXX";
static char *state;

static struct import_job job_for(const struct image_config *config, const char *name, const char *path)
{
    return (struct import_job){.config = config, .name = name, .path = path};
}

static char *in(const char *name)
{
    return must_format("%s/%s", folder, name);
}

/* What the store has for the name, as bytes; NULL when there is nothing. */
static char *stored(const char *name, const char *path)
{
    struct error err;
    auto_json *row = catalog_find(state, name, path, &err);
    if (!row)
        return NULL;
    auto_text bytes = {0};
    auto_free char *file = must_format("%s/images/sha256-%s.%s", state, json_text_at(row, "digest", "") + 7,
                                       json_text_at(row, "format", ""));
    CHECK_INT(file_read(NULL, file, 1 << 20, &bytes, &err), 0);
    return text_take(&bytes);
}

static unsigned files_in_store(void)
{
    auto_free char *images = must_format("%s/images", state);
    unsigned count = 0;
    DIR *dir = opendir(images);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        count += strncmp(entry->d_name, "sha256-", 7) == 0 || strncmp(entry->d_name, "staging", 7) == 0;
    if (dir)
        closedir(dir);
    return count;
}

static void takes_the_disk_out_of_a_layout(void)
{
    const struct image_config config = {.state_dir = state};
    const struct import_job job = job_for(&config, "two-layers", "");
    auto_free char *layout = layout_make(folder, "layout", "the new disk");
    struct error err = {0};
    CHECK_INT(import_layout(&job, layout, &err), 0);
    CHECK_TEXT(err.text, "");
    auto_free char *bytes = stored("two-layers:latest", "");
    CHECK_TEXT(bytes, "the new disk");
    const struct import_job other = job_for(&config, "two-layers", "/opt/other");
    CHECK_INT(import_layout(&other, layout, &err), 0);
    auto_free char *other_bytes = stored("two-layers", "/opt/other");
    CHECK_TEXT(other_bytes, "other");
    CHECK_INT(files_in_store(), 2);
    CHECK_INT(catalog_remove(state, "two-layers", &err), 0);
    CHECK_INT(files_in_store(), 0);
}

static void refuses_a_layout_whose_digests_do_not_match(void)
{
    const struct image_config config = {.state_dir = state};
    const struct import_job job = job_for(&config, "bad", "");
    auto_free char *layout = layout_make(folder, "tampered", "a disk of some length");
    auto_free char *blobs = must_format("%s/blobs/sha256", layout);
    unsigned damaged = 0;
    DIR *dir = opendir(blobs);
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        auto_free char *path = must_format("%s/%s", blobs, entry->d_name);
        int fd = open(path, O_RDWR);
        char byte;
        CHECK(pread(fd, &byte, 1, 30) == 1);
        byte ^= 1;
        CHECK(pwrite(fd, &byte, 1, 30) == 1);
        struct error err = {0};
        CHECK_INT(import_layout(&job, layout, &err), -1);
        CHECK_INT(err.kind, ERROR_INVALID);
        CHECK(strstr(err.text, "digest") != NULL);
        byte ^= 1;
        CHECK(pwrite(fd, &byte, 1, 30) == 1);
        close(fd);
        damaged++;
    }
    closedir(dir);
    CHECK_INT(damaged, 3);
    CHECK_INT(files_in_store(), 0);
    struct error err = {0};
    CHECK_INT(import_layout(&job, layout, &err), 0); /* mended */
    CHECK_INT(catalog_remove(state, "bad", &err), 0);
}

static void never_follows_links_out_of_a_layout(void)
{
    const struct image_config config = {.state_dir = state};
    const struct import_job job = job_for(&config, "bad", "");
    auto_free char *layout = layout_make(folder, "linked", "x");
    auto_free char *index = must_format("%s/index.json", layout);
    auto_free char *real = must_format("%s/real.json", layout);
    CHECK_INT(rename(index, real), 0);
    CHECK_INT(symlink(real, index), 0);
    struct error err = {0};
    CHECK_INT(import_layout(&job, layout, &err), -1);
    CHECK_INT(unlink(index), 0);
    CHECK_INT(mkfifo(index, 0600), 0);
    CHECK_INT(import_layout(&job, layout, &err), -1); /* and does not wait for a writer */
    CHECK_INT(files_in_store(), 0);
}

static void reads_docker_archives(void)
{
    static const struct tar_entry DISK[] = {{"disk/d", 'f', "docker disk"}};
    size_t length;
    auto_free char *layout = layout_make(folder, "scratch", "x");
    auto_free char *layer_digest = layout_put_tar(layout, DISK, 1, ARCHIVE_FILTER_NONE, &length);
    auto_free char *layer_path = must_format("%s/blobs/sha256/%s", layout, layer_digest + 7);
    auto_text layer = {0};
    struct error err = {0};
    CHECK_INT(file_read(NULL, layer_path, 1 << 20, &layer, &err), 0);
    auto_free char *config_text = must_format("{\"rootfs\":{\"diff_ids\":[\"%s\"]}}", layer_digest);
    const struct image_config image_config = {.state_dir = state};
    const struct import_job job = job_for(&image_config, "docker", "");
    auto_free char *path = in("docker.tar");
    for (int wrong = 0; wrong <= 1; wrong++) {
        const char *config = wrong ? "{\"rootfs\":{\"diff_ids\":[\"sha256:00\"]}}" : config_text;
        /* entries hold text; the layer is binary, so the archive is written by hand around it */
        int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
        struct archive *a = archive_write_new();
        archive_write_set_format_ustar(a);
        archive_write_open_fd(a, fd);
        const struct {
            const char *name;
            const char *bytes;
            size_t length;
        } MEMBERS[] = {
            {"abc/layer.tar", layer.data, layer.length},
            {"config.json", config, strlen(config)},
            {"manifest.json", "[{\"Config\":\"config.json\",\"Layers\":[\"abc/layer.tar\"]}]", 53},
        };
        for (size_t i = 0; i < ARRAY_SIZE(MEMBERS); i++) {
            struct archive_entry *e = archive_entry_new();
            archive_entry_set_pathname(e, MEMBERS[i].name);
            archive_entry_set_filetype(e, AE_IFREG);
            archive_entry_set_perm(e, 0644);
            archive_entry_set_size(e, (la_int64_t)MEMBERS[i].length);
            archive_write_header(a, e);
            archive_write_data(a, MEMBERS[i].bytes, MEMBERS[i].length);
            archive_entry_free(e);
        }
        archive_write_close(a);
        archive_write_free(a);
        close(fd);
        CHECK_INT(import_docker_archive(&job, path, &err), wrong ? -1 : 0);
        if (wrong)
            CHECK(strstr(err.text, "does not name") != NULL);
    }
    auto_free char *bytes = stored("docker", "");
    CHECK_TEXT(bytes, "docker disk");
    CHECK_INT(catalog_remove(state, "docker", &err), 0);
    CHECK_INT(files_in_store(), 0);
}

static void imports_a_sparse_raw_file(void)
{
    const struct image_config config = {.state_dir = state};
    const struct import_job job = job_for(&config, "sparse", "");
    auto_free char *path = in("sparse.raw");
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK_INT(ftruncate(fd, 64 << 20), 0);
    CHECK(pwrite(fd, "end", 3, (64 << 20) - 3) == 3);
    close(fd);
    struct error err = {0};
    CHECK_INT(import_file(&job, path, &err), 0);
    auto_json *row = catalog_find(state, "sparse", "", &err);
    CHECK_INT(json_int_at(row, "virtualBytes", 0), 64 << 20);
    CHECK_TEXT(json_text_at(row, "source", ""), "imported");
    auto_free char *file = must_format("%s/images/sha256-%s.raw", state, json_text_at(row, "digest", "") + 7);
    struct stat status;
    CHECK_INT(stat(file, &status), 0);
    CHECK_INT(status.st_size, 64 << 20);
    CHECK(status.st_blocks * 512 < 1 << 20);
    CHECK_INT(status.st_mode & 0777, 0644);
    CHECK_INT(catalog_remove(state, "sparse", &err), 0);
}

static void leaves_nothing_behind_when_it_refuses(void)
{
    const struct image_config config = {.state_dir = state};
    const struct import_job job = job_for(&config, "bad", "");
    auto_free char *path = in("bad.file");
    struct error err = {0};
    layout_write_file(path, "", 0);
    CHECK_INT(import_file(&job, path, &err), -1);
    CHECK_INT(err.kind, ERROR_INVALID);
    layout_write_file(path, "KDMV", 4);
    CHECK_INT(import_file(&job, path, &err), -1);
    CHECK(strstr(err.text, "VMDK") != NULL);
    CHECK_INT(import_file(&job, folder, &err), -1);
    CHECK_INT(import_file(&job, "/nonexistent", &err), -1);
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    auto_free char *layout = layout_make(folder, "vmdk", "KDMV is what this disk starts with");
    CHECK_INT(import_layout(&job, layout, &err), -1);
    CHECK(strstr(err.text, "VMDK") != NULL);
    const struct import_job missing = job_for(&config, "bad", "/disk/none");
    CHECK_INT(import_layout(&missing, layout, &err), -1);
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    CHECK_INT(import_docker_archive(&job, path, &err), -1);
    CHECK_INT(files_in_store(), 0);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], UNPACK_VERB) == 0)
        _exit(unpack_child(argc - 1, argv + 1, NULL));
    struct error err;
    if (!mkdtemp(folder))
        return 1;
    state = in("state");
    RUN(takes_the_disk_out_of_a_layout);
    RUN(refuses_a_layout_whose_digests_do_not_match);
    RUN(never_follows_links_out_of_a_layout);
    RUN(reads_docker_archives);
    RUN(imports_a_sparse_raw_file);
    RUN(leaves_nothing_behind_when_it_refuses);
    file_remove_tree(folder, &err);
    free(state);
    return test_end();
}
