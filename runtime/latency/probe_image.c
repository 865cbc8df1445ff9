#include "runtime/latency/probe_image.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rtvmd/base/limits.h"
#include "rtvmd/base/text.h"

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

void probe_image_tag(uint32_t timer_reports, uint32_t gap_reports, uint32_t interval_ms, char ret_tag[PROBE_TAG_MAX])
{
    snprintf(ret_tag, PROBE_TAG_MAX, "t%u-g%u-%ums", timer_reports, gap_reports, interval_ms);
}

/* "WORD123": moves behind the number; NULL when that is not what is there. */
static const char *number_behind(const char *at, const char *word, uint32_t max, uint32_t *ret_number)
{
    if (!at || !text_starts_with(at, word))
        return NULL;
    at += strlen(word);
    size_t digits = strspn(at, "0123456789");
    auto_free char *text = must_strndup(at, digits);
    uint64_t number;
    if (digits == 0 || !text_to_u64(text, &number) || number > max)
        return NULL;
    *ret_number = (uint32_t)number;
    return at + digits;
}

bool probe_image_parameters(const char *name, struct probe_parameters *ret_parameters)
{
    const char *tag = strrchr(name, ':');
    uint32_t timer;
    uint32_t gaps;
    uint32_t interval_ms;
    const char *at = number_behind(tag, ":t", LIMIT_LATENCY_BLOCKS, &timer);
    at = number_behind(at, "-g", LIMIT_LATENCY_BLOCKS, &gaps);
    at = number_behind(at, "-", LIMIT_LATENCY_S * 1000u, &interval_ms);
    if (!at || strcmp(at, "ms") != 0 || timer + gaps == 0 || interval_ms == 0)
        return false;
    *ret_parameters = (struct probe_parameters){
        .interval_ms = interval_ms,
        .reports = timer + gaps,
        .threshold_ns = PROBE_THRESHOLD_NS,
        .timer_reports = timer,
        .handshake = 1,
    };
    return true;
}
