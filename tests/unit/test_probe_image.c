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
    const struct probe_parameters wanted = {PROBE_PARAMETERS_MAGIC, PROBE_INTERVAL_MS, 0, PROBE_THRESHOLD_NS};
    CHECK_INT(image[510], 0x55);
    CHECK_INT(image[511], 0xaa);
    CHECK(memcmp(image + PROBE_PARAMETERS_OFFSET, &wanted, sizeof wanted) == 0);
}

static void carries_parameters(void)
{
    const struct probe_parameters given = {0, 250, 4, 40000};
    struct probe_parameters wanted = given;
    wanted.magic = PROBE_PARAMETERS_MAGIC;
    const unsigned char *plain = written(NULL);
    const unsigned char *image = written(&given);
    CHECK(memcmp(image + PROBE_PARAMETERS_OFFSET, &wanted, sizeof wanted) == 0);
    CHECK(memcmp(image, plain, PROBE_PARAMETERS_OFFSET) == 0);
    size_t after = PROBE_PARAMETERS_OFFSET + sizeof wanted;
    CHECK(memcmp(image + after, plain + after, PROBE_IMAGE_BYTES - after) == 0);
}

int main(void)
{
    RUN(is_a_bootable_disk);
    RUN(carries_parameters);
    return test_end();
}
