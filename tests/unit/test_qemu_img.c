#include "runtime/image/qemu_img.c"

#include "rtvmd/base/file.h"
#include "rtvmd/verbs.h"
#include "tests/test.h"

static char folder[] = "/tmp/test_qemu_img.XXXXXX";

static int judge(const unsigned char *head, size_t length, struct error *err)
{
    struct disk_facts facts = {0};
    *err = (struct error){0};
    return disk_judge_head(head, length, &facts, err);
}

static void put(unsigned char *head, size_t at, uint64_t value, size_t bytes)
{
    while (bytes-- > 0) {
        head[at + bytes] = (unsigned char)value;
        value >>= 8;
    }
}

static void fill_qcow2(unsigned char head[DISK_HEAD_BYTES])
{
    memset(head, 0, DISK_HEAD_BYTES);
    memcpy(head, "QFI\xfb", 4);
    put(head, QCOW2_VERSION, 3, 4);
    put(head, QCOW2_SIZE, 1 << 20, 8);
}

static void refuses_qcow2_that_names_other_files(void)
{
    static const struct {
        size_t at;
        uint64_t value;
        size_t bytes;
        const char *part;
    } CASES[] = {
        {QCOW2_BACKING_OFFSET, 512, 8, "backing file"},
        {QCOW2_INCOMPATIBLE, QCOW2_EXTERNAL_DATA, 8, "data in another file"},
        {QCOW2_ENCRYPTION, 1, 4, "encrypted"},
        {QCOW2_INCOMPATIBLE, 2, 8, "corrupt"},
        {QCOW2_VERSION, 1, 4, "version 1"},
        {QCOW2_VERSION, 4, 4, "version 4"},
    };
    struct error err;
    unsigned char head[DISK_HEAD_BYTES];
    fill_qcow2(head);
    CHECK_INT(judge(head, sizeof head, &err), 0);
    CHECK_INT(judge(head, QCOW2_HEADER_BYTES, &err), 0);
    CHECK_INT(judge(head, QCOW2_HEADER_BYTES - 1, &err), -1);
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        fill_qcow2(head);
        put(head, CASES[i].at, CASES[i].value, CASES[i].bytes);
        CHECK_INT(judge(head, sizeof head, &err), -1);
        if (!strstr(err.text, CASES[i].part))
            CHECK_TEXT(err.text, CASES[i].part);
    }
    fill_qcow2(head); /* version 2 has no feature bits: what stands there is something else */
    put(head, QCOW2_VERSION, 2, 4);
    put(head, QCOW2_INCOMPATIBLE, QCOW2_EXTERNAL_DATA, 8);
    CHECK_INT(judge(head, sizeof head, &err), 0);
}

static void knows_files_that_are_no_disks(void)
{
    struct error err;
    for (size_t i = 0; i < ARRAY_SIZE(FOREIGN); i++) {
        unsigned char head[DISK_HEAD_BYTES] = {0};
        memcpy(head + FOREIGN[i].offset, FOREIGN[i].magic, FOREIGN[i].length);
        CHECK_INT(judge(head, sizeof head, &err), -1);
        CHECK(strstr(err.text, FOREIGN[i].name) && strstr(err.text, FOREIGN[i].remedy));
        CHECK_INT(judge(head, FOREIGN[i].offset + FOREIGN[i].length - 1, &err), 0);
    }
}

static void inspects_what_it_made(void)
{
    struct error err;
    struct disk_facts facts;
    auto_free char *base = must_format("%s/base.qcow2", folder);
    auto_free char *overlay = must_format("%s/overlay.qcow2", folder);
    CHECK_INT(disk_make_empty(base, 3 << 20, &err), 0);
    CHECK_INT(disk_inspect(base, &facts, &err), 0);
    CHECK(facts.qcow2);
    CHECK_INT(facts.virtual_bytes, 3 << 20);
    CHECK_INT(disk_make_overlay(overlay, base, true, &err), 0);
    CHECK_INT(disk_inspect(overlay, &facts, &err), -1);
    CHECK(strstr(err.text, "backing file") != NULL);
    CHECK_INT(disk_make_overlay(overlay, "/nonexistent", false, &err), -1);
    CHECK(access(overlay, F_OK) < 0);
}

static void refuses_a_qcow2_that_is_cut_short(void)
{
    struct error err;
    struct disk_facts facts;
    auto_free char *path = must_format("%s/cut.qcow2", folder);
    CHECK_INT(disk_make_empty(path, 3 << 20, &err), 0);
    CHECK_INT(truncate(path, 1000), 0);
    CHECK_INT(disk_inspect(path, &facts, &err), -1);
    CHECK_INT(err.kind, ERROR_INVALID);
}

static void bounds_the_size(void)
{
    struct error err;
    struct disk_facts facts;
    auto_free char *path = must_format("%s/raw", folder);
    CHECK_INT(file_write_atomic(path, "x", 1, 0600, &err), 0);
    CHECK_INT(disk_inspect(path, &facts, &err), 0);
    CHECK(!facts.qcow2);
    unsigned char head[DISK_HEAD_BYTES];
    fill_qcow2(head);
    put(head, QCOW2_SIZE, LIMIT_IMAGE_SIZE_BYTES + 1, 8);
    CHECK_INT(file_write_atomic(path, head, sizeof head, 0600, &err), 0);
    CHECK_INT(disk_inspect(path, &facts, &err), -1);
    CHECK(strstr(err.text, "says it holds") != NULL);
    CHECK_INT(file_write_atomic(path, "", 0, 0600, &err), 0);
    CHECK_INT(disk_inspect(path, &facts, &err), -1);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], CONFINED_VERB) == 0)
        return verb_confined(argc - 1, argv + 1);
    struct error err;
    if (!mkdtemp(folder))
        return 1;
    RUN(refuses_qcow2_that_names_other_files);
    RUN(knows_files_that_are_no_disks);
    RUN(bounds_the_size);
    if (access("/usr/bin/qemu-img", X_OK) == 0) {
        RUN(inspects_what_it_made);
        RUN(refuses_a_qcow2_that_is_cut_short);
    } else {
        SKIP("inspects_what_it_made", "qemu-img is not installed");
        SKIP("refuses_a_qcow2_that_is_cut_short", "qemu-img is not installed");
    }
    file_remove_tree(folder, &err);
    return test_end();
}
