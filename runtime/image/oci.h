/* The JSON documents of container images: OCI index and manifest, Docker's manifest list and the manifest.json of
 * `docker save`. Pure; everything in them is foreign. */
#pragma once

#include "rtvmd/base/json.h"

/* "sha256:" and 64 lower-case hex digits, nothing else. */
bool oci_digest_is_plain(const char *digest);

/* From an index: the digest of the manifest to use (borrowed), the one for linux and this architecture ("amd64") when
 * it lists several. NULL with ERROR_INVALID when it holds none, or several and not ours. *ret_is_index: it is an index
 * again. */
const char *oci_choose_manifest(const json_t *index, const char *architecture, bool *ret_is_index, struct error *err);
/* True for an index or manifest list, false for a manifest. */
bool oci_is_index(const json_t *document);

struct oci_layer {
    const char *digest; /* borrowed from the document */
    uint64_t bytes;     /* 0: not said */
};
/* The layers of a manifest, bottom to top. Heap array. ERROR_INVALID names the layer that is no tar, is encrypted or
 * elsewhere; ERROR_TOO_LARGE for more than LIMIT_IMAGE_LAYERS. */
struct oci_layer *oci_layers(const json_t *manifest, size_t *ret_count, struct error *err);

/* The one image in a docker archive's manifest.json: its configuration's and its layers' member names (borrowed), the
 * latter as a heap array. */
const char **docker_layers(const json_t *manifest, size_t *ret_count, const char **ret_config, struct error *err);

/* "amd64" for this machine, as container images call it. */
const char *oci_architecture(void);
