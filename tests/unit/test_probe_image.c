/* The image is embedded by the assembler, so this test links the real object instead of including the source. */
#include "runtime/latency/probe_image.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/test.h"

static const unsigned char *written(const struct probe_parameters *parameters)
{
    int fd = memfd_create("probe", MFD_CLOEXEC);
    struct error err;
    struct stat status;
    CHECK_INT(probe_image_write(fd, parameters, &err), 0);
    CHECK_INT(fstat(fd, &status), 0);
    CHECK_INT(status.st_size, PROBE_IMAGE_BYTES);
    const unsigned char *image = mmap(NULL, PROBE_IMAGE_BYTES, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    return image;
}

static void is_a_bootable_disk(void)
{
    const unsigned char *image = written(NULL);
    const struct probe_parameters wanted = {PROBE_PARAMETERS_MAGIC, PROBE_INTERVAL_MS, 0, PROBE_THRESHOLD_NS, 0, 0};
    CHECK_INT(image[510], 0x55);
    CHECK_INT(image[511], 0xaa);
    CHECK(memcmp(image + PROBE_PARAMETERS_OFFSET, &wanted, sizeof wanted) == 0);
}

static void carries_parameters(void)
{
    const struct probe_parameters given = {0, 250, 4, 40000, 2, 1};
    struct probe_parameters wanted = given;
    wanted.magic = PROBE_PARAMETERS_MAGIC;
    const unsigned char *plain = written(NULL);
    const unsigned char *image = written(&given);
    CHECK(memcmp(image + PROBE_PARAMETERS_OFFSET, &wanted, sizeof wanted) == 0);
    CHECK(memcmp(image, plain, PROBE_PARAMETERS_OFFSET) == 0);
    size_t after = PROBE_PARAMETERS_OFFSET + sizeof wanted;
    CHECK(memcmp(image + after, plain + after, PROBE_IMAGE_BYTES - after) == 0);
}

static void a_tag_asks_for_reports(void)
{
    static const char *const PLAIN[] = {"rtvmd.io/latency-probe",
                                        "rtvmd.io/latency-probe:latest",
                                        "a:t1-g1-0ms",
                                        "a:t0-g0-5ms",
                                        "a:t1-g1-5s",
                                        "a:t1-g-5ms",
                                        "a:t1-g99999999-5ms",
                                        "a:t1-g1-5ms "};
    struct probe_parameters asked = {0};
    char tag[PROBE_TAG_MAX];
    probe_image_tag(25, 30, 200, tag);
    CHECK_TEXT(tag, "t25-g30-200ms");
    auto_free char *name = must_format("rtvmd.io/latency-probe:%s", tag);
    CHECK(probe_image_parameters(name, &asked));
    CHECK_INT(asked.reports, 55);
    CHECK_INT(asked.timer_reports, 25);
    CHECK_INT(asked.handshake, 1);
    CHECK_INT(asked.interval_ms, 200);
    CHECK_INT(asked.threshold_ns, PROBE_THRESHOLD_NS);
    for (size_t i = 0; i < ARRAY_SIZE(PLAIN); i++)
        CHECK(!probe_image_parameters(PLAIN[i], &asked));
}

int main(void)
{
    RUN(is_a_bootable_disk);
    RUN(carries_parameters);
    RUN(a_tag_asks_for_reports);
    return test_end();
}
