/* The guest built into the binary: a bare-metal program that measures, on every vCPU, how long the vCPU is kept from
 * running, and reports on the first serial port (probe_format.h; sources in guest/). Boots from a disk by BIOS. */
#pragma once

#include "rtvmd/base/error.h"
#include "runtime/latency/probe_format.h"

/* Firmware wants to see a cylinder before it boots from a disk: the raw image is padded to this. */
#define PROBE_IMAGE_BYTES (1u << 20)

/* Writes the raw disk image to an empty file, sparse. parameters NULL: as built (a report every five seconds until the
 * power button is pressed); its magic is filled in. */
int probe_image_write(int fd, const struct probe_parameters *parameters, struct error *err);

/* The tag of an image name that asks for so many reports of each measure, "t25-g25-200ms"; and back: true when the name
 * has such a tag, else the guest is as built. A guest that is asked waits for a byte on its serial port to begin. */
enum { PROBE_TAG_MAX = 64 };
void probe_image_tag(uint32_t timer_reports, uint32_t gap_reports, uint32_t interval_ms, char ret_tag[PROBE_TAG_MAX]);
bool probe_image_parameters(const char *name, struct probe_parameters *ret_parameters);
