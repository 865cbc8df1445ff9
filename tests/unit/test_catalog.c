#include "runtime/image/catalog.c"

#include <sys/wait.h>

#include "tests/test.h"

static char folder[] = "/tmp/test_catalog.XXXXXX";
static char *state;

static char *in_images(const char *name)
{
    return must_format("%s/images/%s", state, name);
}

/* Stages a file and adds it under the name; digests are made up, as the catalog believes its caller. */
static int add(const char *name, const char *path, const char *digit)
{
    struct error err = {0};
    int fd = -1;
    auto_free char *staging = catalog_stage(state, &fd, &err);
    auto_free char *file = must_format("%s/disk", staging);
    auto_json *row = json_pack("{s:s, s:s, s:o, s:s, s:s}", "name", name, "path", path, "digest",
                               json_sprintf("sha256:%s", digit), "format", "raw", "source", "imported");
    CHECK_INT(file_write_atomic(file, digit, 1, 0600, &err), 0);
    int result = catalog_add(state, row, file, &err);
    CHECK_INT(file_remove_tree(staging, &err), 0);
    close(fd);
    return result;
}

static void means_the_same_by_default_tag(void)
{
    struct error err;
    CHECK_INT(add("quay.io/a/b", "", "1"), 0);
    auto_json *same = catalog_find(state, "quay.io/a/b:latest", "", &err);
    auto_json *tagged = catalog_find(state, "quay.io/a/b:1", "", &err);
    auto_json *other_file = catalog_find(state, "quay.io/a/b", "/disk/x", &err);
    CHECK(same && !tagged && !other_file);
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    CHECK_INT(add("quay.io/a/b:latest", "", "2"), 0);
    auto_json *rows = catalog_list(state, &err);
    CHECK_INT(json_array_size(rows), 1);
    CHECK_TEXT(json_text_at(rows, "0.digest", ""), "sha256:2");
    auto_free char *old = in_images("sha256-1.raw");
    auto_free char *new = in_images("sha256-2.raw");
    CHECK(access(old, F_OK) < 0 && access(new, F_OK) == 0);
    CHECK_INT(catalog_remove(state, "quay.io/a/b", &err), 0);
    CHECK(access(new, F_OK) < 0);
    CHECK_INT(catalog_remove(state, "quay.io/a/b", &err), -1);
}

static void shares_equal_disks(void)
{
    struct error err;
    CHECK_INT(add("one", "", "3"), 0);
    CHECK_INT(add("two", "", "3"), 0);
    auto_free char *disk = in_images("sha256-3.raw");
    CHECK_INT(catalog_remove(state, "one", &err), 0);
    CHECK(access(disk, F_OK) == 0);
    CHECK_INT(catalog_remove(state, "two", &err), 0);
    CHECK(access(disk, F_OK) < 0);
}

static void clears_abandoned_work_and_only_that(void)
{
    struct error err;
    int fd = -1;
    auto_free char *mine = catalog_stage(state, &fd, &err);
    auto_free char *abandoned = in_images("staging-abcdef");
    CHECK_INT(mkdir(abandoned, 0700), 0);
    auto_free char *inside = must_format("%s/half", abandoned);
    CHECK_INT(file_write_atomic(inside, "x", 1, 0600, &err), 0);
    /* a lock held by another process, as a second program would */
    CHECK_INT(catalog_collect(state, &err), 0);
    CHECK(access(abandoned, F_OK) < 0);
    CHECK(access(mine, F_OK) == 0);
    close(fd);
    CHECK_INT(catalog_collect(state, &err), 0);
    CHECK(access(mine, F_OK) < 0);
}

static void says_when_the_index_is_damaged(void)
{
    static const char *const BAD[] = {"", "{", "{}", "[3]",
                                      "[{\"name\":\"x\",\"path\":\"\",\"digest\":\"sha256:../x\","
                                      "\"format\":\"raw\"}]"};
    struct error err;
    auto_free char *index = in_images("index.json");
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        CHECK_INT(file_write_atomic(index, BAD[i], strlen(BAD[i]), 0644, &err), 0);
        CHECK(!catalog_find(state, "x", "", &err));
        CHECK_INT(err.kind, ERROR_INTERNAL);
        CHECK(strstr(err.text, "is damaged") != NULL);
    }
    CHECK_INT(unlink(index), 0);
}

static void does_not_find_what_somebody_deleted(void)
{
    struct error err;
    CHECK_INT(add("gone", "", "4"), 0);
    auto_free char *disk = in_images("sha256-4.raw");
    CHECK_INT(unlink(disk), 0);
    CHECK(!catalog_find(state, "gone", "", &err));
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    CHECK_INT(catalog_remove(state, "gone", &err), 0);
}

static void serves_several_processes(void)
{
    enum { WRITERS = 4, EACH = 5 };
    pid_t pid[WRITERS];
    for (int w = 0; w < WRITERS; w++) {
        pid[w] = fork();
        if (pid[w] != 0)
            continue;
        for (int i = 0; i < EACH; i++) {
            auto_free char *name = must_format("w%d-%d", w, i);
            add(name, "", name);
        }
        _exit(test_failures ? 1 : 0);
    }
    for (int w = 0; w < WRITERS; w++) {
        int status = 1;
        waitpid(pid[w], &status, 0);
        CHECK_INT(status, 0);
    }
    struct error err;
    auto_json *rows = catalog_list(state, &err);
    CHECK_INT(json_array_size(rows), WRITERS * EACH);
}

int main(void)
{
    struct error err;
    if (!mkdtemp(folder))
        return 1;
    state = must_format("%s/state", folder);
    RUN(means_the_same_by_default_tag);
    RUN(shares_equal_disks);
    RUN(clears_abandoned_work_and_only_that);
    RUN(says_when_the_index_is_damaged);
    RUN(does_not_find_what_somebody_deleted);
    RUN(serves_several_processes);
    file_remove_tree(folder, &err);
    free(state);
    return test_end();
}
