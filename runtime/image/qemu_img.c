#include "runtime/image/qemu_img.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rtvmd/base/json.h"
#include "rtvmd/base/limits.h"
#include "rtvmd/base/process.h"

/* Files that are no disk but are taken for one now and then. What is in no row and is not qcow2 is raw. */
static const struct {
    size_t offset;
    const char *magic;
    size_t length;
    const char *name;
    const char *remedy;
} FOREIGN[] = {
    {0, "KDMV", 4, "a VMDK image", "convert it: qemu-img convert -O qcow2"},
    {0, "COWD", 4, "a VMDK image", "convert it: qemu-img convert -O qcow2"},
    {0, "# Disk DescriptorFile", 21, "a VMDK descriptor", "convert it: qemu-img convert -O qcow2"},
    {0x40, "\x7f\x10\xda\xbe", 4, "a VDI image", "convert it: qemu-img convert -O qcow2"},
    {0, "vhdxfile", 8, "a VHDX image", "convert it: qemu-img convert -O qcow2"},
    {0, "conectix", 8, "a VHD image", "convert it: qemu-img convert -O qcow2"},
    {0, "QED\0", 4, "a QED image", "convert it: qemu-img convert -O qcow2"},
    {0, "\x1f\x8b", 2, "gzip-compressed", "unpack it: gunzip"},
    {0,
     "\xfd"
     "7zXZ",
     5, "xz-compressed", "unpack it: xz -d"},
    {0, "\x28\xb5\x2f\xfd", 4, "zstd-compressed", "unpack it: zstd -d"},
    {0, "BZh", 3, "bzip2-compressed", "unpack it: bunzip2"},
    {0, "PK\3\4", 4, "a zip archive", "unpack it: unzip"},
    {257, "ustar", 5, "a tar archive", "import an image archive as docker-archive:FILE, or unpack it"},
};

static uint64_t big_endian(const unsigned char *p, size_t n)
{
    uint64_t value = 0;
    while (n-- > 0)
        value = value << 8 | *p++;
    return value;
}

/* The qcow2 header, as QEMU's docs/interop/qcow2 describes it. */
enum {
    QCOW2_VERSION = 4,
    QCOW2_BACKING_OFFSET = 8,
    QCOW2_SIZE = 24,
    QCOW2_ENCRYPTION = 32,
    QCOW2_INCOMPATIBLE = 72,
    QCOW2_HEADER_BYTES = 104,
    QCOW2_DIRTY_OR_CORRUPT = 1 << 0 | 1 << 1,
    QCOW2_EXTERNAL_DATA = 1 << 2,
};

static int judge_qcow2(const unsigned char *head, size_t length, struct disk_facts *ret_facts, struct error *err)
{
    uint64_t version = length >= QCOW2_HEADER_BYTES ? big_endian(head + QCOW2_VERSION, 4) : 0;
    if (version != 2 && version != 3)
        return fail(err, ERROR_INVALID, "qcow2 version %" PRIu64 ": want 2 or 3 (is the file complete?)", version);
    if (big_endian(head + QCOW2_BACKING_OFFSET, 8) != 0)
        return fail(err, ERROR_INVALID,
                    "the qcow2 file has a backing file, so it is not a whole disk: flatten it with qemu-img convert "
                    "-O qcow2");
    uint64_t incompatible = version == 3 ? big_endian(head + QCOW2_INCOMPATIBLE, 8) : 0;
    if (incompatible & QCOW2_EXTERNAL_DATA)
        return fail(err, ERROR_INVALID,
                    "the qcow2 file keeps its data in another file: flatten it with qemu-img convert -O qcow2");
    if (big_endian(head + QCOW2_ENCRYPTION, 4) != 0)
        return fail(err, ERROR_INVALID, "the qcow2 file is encrypted: decrypt it with qemu-img convert");
    if (incompatible & QCOW2_DIRTY_OR_CORRUPT)
        return fail(err, ERROR_INVALID,
                    "the qcow2 file is marked as in use or corrupt: repair it with qemu-img check -r");
    ret_facts->qcow2 = true;
    ret_facts->virtual_bytes = big_endian(head + QCOW2_SIZE, 8);
    return 0;
}

int disk_judge_head(const unsigned char *head, size_t length, struct disk_facts *ret_facts, struct error *err)
{
    if (length >= 4 && memcmp(head, "QFI\xfb", 4) == 0)
        return judge_qcow2(head, length, ret_facts, err);
    for (size_t i = 0; i < ARRAY_SIZE(FOREIGN); i++)
        if (length >= FOREIGN[i].offset + FOREIGN[i].length &&
            memcmp(head + FOREIGN[i].offset, FOREIGN[i].magic, FOREIGN[i].length) == 0)
            return fail(err, ERROR_INVALID, "the disk is %s; want raw or qcow2: %s", FOREIGN[i].name,
                        FOREIGN[i].remedy);
    ret_facts->qcow2 = false;
    return 0;
}

/* The author of a file may have meant harm. access is "read" or "write". */
static int run_confined(const char *access, const char *const words[], struct text *ret_output, struct error *err)
{
    static const char SELF[] = "/proc/self/exe";
    const char *argv[20] = {SELF, CONFINED_VERB, access, "qemu-img"};
    for (size_t i = 4; i < ARRAY_SIZE(argv) - 1 && *words; i++)
        argv[i] = *words++;
    if (process_run(argv, LIMIT_IMAGE_TOOL_MS, 1u << 20, ret_output, err) == 0)
        return 0;
    if (err->kind == ERROR_NOT_FOUND)
        return fail(err, ERROR_NOT_FOUND, "program qemu-img not found: install it or add it to PATH");
    struct error said = *err;
    bool named = text_starts_with(said.text, SELF);
    return fail(err, said.kind, "%s%.900s", named ? "qemu-img" : "", said.text + (named ? sizeof SELF - 1 : 0));
}

/* Finds files that were cut short, which otherwise become a guest's read errors. Clusters nobody uses are harmless. */
static int check_structure(const char *path, struct error *err)
{
    const char *const words[] = {"check", "-q", "-f", "qcow2", "--", path, NULL};
    struct error why;
    if (run_confined("read", words, NULL, &why) == 0 || strstr(why.text, "Leaked cluster"))
        return 0;
    return fail(err, why.kind == ERROR_INTERNAL ? ERROR_INVALID : why.kind,
                "the qcow2 file is damaged or incomplete (%.300s): copy it again", why.text);
}

/* A second opinion on a qcow2 that passed: does QEMU open it, and does it agree? */
static int ask_qemu_img(const char *path, struct disk_facts *facts, struct error *err)
{
    const char *const words[] = {"info", "-U", "-f", "qcow2", "--output=json", "--", path, NULL};
    auto_text output = {0};
    if (run_confined("read", words, &output, err) < 0)
        return err->kind == ERROR_NOT_FOUND ? -1 : fail(err, ERROR_INVALID, "not a usable qcow2 file: %s", err->text);
    auto_json *info = json_from_text(text_cstr(&output), output.length, err);
    if (!info)
        return error_prefix(err, "qemu-img info");
    if (json_at(info, "backing-filename") || json_at(info, "format-specific.data.data-file") ||
        json_int_at(info, "virtual-size", -1) != (int64_t)facts->virtual_bytes)
        return fail(err, ERROR_INVALID, "qemu-img and the file's head do not agree on what the disk is");
    return check_structure(path, err);
}

int disk_inspect(const char *path, struct disk_facts *ret_facts, struct error *err)
{
    unsigned char head[DISK_HEAD_BYTES];
    struct stat status;
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &status) < 0)
        return fail_errno(err, "open %s", path);
    ssize_t n = pread(fd, head, sizeof head, 0);
    if (n < 0)
        return fail_errno(err, "read %s", path);
    if (n == 0)
        return fail(err, ERROR_INVALID, "the disk is empty");
    struct disk_facts facts = {.virtual_bytes = (uint64_t)status.st_size};
    if (disk_judge_head(head, (size_t)n, &facts, err) < 0)
        return -1;
    if (facts.virtual_bytes == 0 || facts.virtual_bytes > LIMIT_IMAGE_SIZE_BYTES)
        return fail(err, ERROR_INVALID, "the disk says it holds %" PRIu64 " bytes; want 1 to %" PRIu64,
                    facts.virtual_bytes, LIMIT_IMAGE_SIZE_BYTES);
    if (facts.qcow2 && ask_qemu_img(path, &facts, err) < 0)
        return -1;
    *ret_facts = facts;
    return 0;
}

static int create(const char *path, const char *const words[], struct error *err)
{
    unlink(path);
    if (run_confined("write", words, NULL, err) < 0) {
        unlink(path);
        return error_prefix(err, "make %s", path);
    }
    if (chmod(path, 0600) < 0)
        return fail_errno(err, "make %s", path);
    return 0;
}

int disk_make_empty(const char *path, uint64_t bytes, struct error *err)
{
    char size[32];
    snprintf(size, sizeof size, "%" PRIu64, bytes);
    const char *const words[] = {"create", "-q", "-f", "qcow2", "--", path, size, NULL};
    return create(path, words, err);
}

int disk_make_overlay(const char *path, const char *backing_path, bool backing_qcow2, struct error *err)
{
    const char *format = backing_qcow2 ? "qcow2" : "raw";
    const char *const words[] = {"create", "-q", "-f", "qcow2", "-F", format, "-b", backing_path, "--", path, NULL};
    return create(path, words, err);
}
