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
