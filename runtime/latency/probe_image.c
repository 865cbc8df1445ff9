#include "runtime/latency/probe_image.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* The Makefile builds probe.img from guest/ and tells the assembler where it is. */
__asm__(".section .rodata\n"
        ".balign 16\n"
        "probe_image_bytes:\n"
        ".incbin \"probe.img\"\n"
        ".balign 8\n" /* the image is whole sectors: adds nothing */
        "probe_image_size:\n"
        ".quad probe_image_size - probe_image_bytes\n"
        ".text\n");
extern const unsigned char probe_image_bytes[] __attribute__((visibility("hidden")));
extern const uint64_t probe_image_size __attribute__((visibility("hidden")));

int probe_image_write(int fd, const struct probe_parameters *parameters, struct error *err)
{
    size_t size = probe_image_size;
    auto_free unsigned char *image = must_calloc(1, size);
    memcpy(image, probe_image_bytes, size);
    if (parameters) {
        struct probe_parameters p = *parameters;
        p.magic = PROBE_PARAMETERS_MAGIC;
        memcpy(image + PROBE_PARAMETERS_OFFSET, &p, sizeof p);
    }
    for (size_t done = 0; done < size;) {
        ssize_t n = write(fd, image + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(err, "write the probe image");
        done += (size_t)n;
    }
    if (ftruncate(fd, PROBE_IMAGE_BYTES) < 0)
        return fail_errno(err, "write the probe image");
    return 0;
}
