/* A container image at hand, as files: an OCI layout folder, or the archive `docker save` writes. Opening one verifies
 * every digest it claims; what is behind its names is decided by digests only, never by paths or links in it. */
#pragma once

#include "rtvmd/base/bytes.h"

struct bundle {
    size_t layer_count;
    int *layer; /* bottom to top, standing at the start; owned */
    uint64_t layer_bytes;
};
#define auto_bundle __attribute__((cleanup(bundle_close))) struct bundle
void bundle_close(struct bundle *bundle);

/* [blocks] ERROR_INVALID for a digest that does not match and for documents that make no sense, ERROR_NOT_FOUND for a
 * blob that is not there. */
int bundle_open_layout(const char *dir, struct bundle *ret_bundle, struct error *err);
/* [blocks] Unpacks the layers into nameless files in `folder` first. */
int bundle_open_docker_archive(const char *file, const char *folder, struct bundle *ret_bundle, struct error *err);
