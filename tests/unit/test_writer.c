#include "runtime/image/writer.c"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "tests/test.h"

static void makes_holes_and_digests_every_byte(void)
{
    char path[] = "/tmp/test_writer.XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);
    unlink(path);
    char *zeros = must_calloc(1, 4 << 20);
    struct writer writer;
    struct error err;
    char digest[WRITER_DIGEST_MAX];
    writer_start(&writer, fd, 5 << 20);
    CHECK_INT(writer_add(&writer, "abc", 3, &err), 0);
    CHECK_INT(writer_add(&writer, zeros, 4 << 20, &err), 0);
    CHECK_INT(writer_add(&writer, "z", 1, &err), 0);
    CHECK_INT(writer_add(&writer, zeros, 10000, &err), 0);
    CHECK_INT(writer_finish(&writer, digest, &err), 0);
    struct stat status;
    fstat(fd, &status);
    CHECK_INT(status.st_size, 3 + (4 << 20) + 1 + 10000);
    CHECK(status.st_blocks * 512 <= 64 << 10);
    char *back = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    CHECK(memcmp(back, "abc\0", 4) == 0 && back[3 + (4 << 20)] == 'z');
    struct digest *again = digest_new();
    char hex[DIGEST_TEXT_MAX];
    digest_add(again, back, (size_t)status.st_size);
    digest_finish(again, hex);
    CHECK_TEXT(digest + strlen("sha256:"), hex);
    munmap(back, (size_t)status.st_size);
    free(zeros);
    close(fd);
}

static void stops_at_the_limit(void)
{
    int fd = memfd_create("disk", MFD_CLOEXEC);
    struct writer writer;
    struct error err;
    writer_start(&writer, fd, 10);
    CHECK_INT(writer_add(&writer, "0123456789", 10, &err), 0);
    CHECK_INT(writer_add(&writer, "x", 1, &err), -1);
    CHECK_INT(err.kind, ERROR_TOO_LARGE);
    writer_abandon(&writer);
    writer_abandon(&writer);
    close(fd);
}

static void says_when_writing_fails(void)
{
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    struct writer writer;
    struct error err;
    writer_start(&writer, fd, 1 << 20);
    writer.next_check = UINT64_MAX;
    CHECK_INT(writer_add(&writer, "x", 1, &err), -1);
    CHECK(strstr(err.text, "No space left") != NULL);
    writer_abandon(&writer);
    close(fd);
}

int main(void)
{
    RUN(makes_holes_and_digests_every_byte);
    RUN(stops_at_the_limit);
    RUN(says_when_writing_fails);
    return test_end();
}
