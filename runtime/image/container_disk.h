/* containerDisk volumes: from an image name to a base file of the run. Other files in images the same way. */
#pragma once

#include "runtime/image/image.h"

/* [blocks] Finds or pulls the image as its pull policy says, and makes base_path a link to its disk (or, for the probe
 * guest, the disk itself). *ret_qcow2: its format.
 *   imported by name    always wins and is never pulled, whatever the policy: on an edge box it is there on purpose
 *   Never               must be here: NOT_FOUND
 *   IfNotPresent        pulled when it is not here
 *   Always              the registry is asked; the bytes are fetched only when its manifest differs. When the registry
 *                       cannot be reached, the copy that is here is used and progress says so (KubeVirt would fail: a
 *                       box that restarts without its uplink must start its VMs)
 * A name pinned by digest is never asked for again once it is here. */
int container_disk_prepare(const struct image_config *config, const struct vm_spec *spec, const json_t *source,
                           const char *base_path, bool *ret_qcow2, void (*progress)(const char *sentence, void *arg),
                           void *arg, struct error *err);

/* [blocks] The file at path inside the image that source names, as a link of the run: a kernel or an initrd. */
int container_file_prepare(const struct image_config *config, const struct vm_spec *spec, const json_t *source,
                           const char *path, const char *link_path, void (*progress)(const char *sentence, void *arg),
                           void *arg, struct error *err);
