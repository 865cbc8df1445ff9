/* Files outside our own folders: hostDisk volumes and claims. */
#pragma once

#include "runtime/image/image.h"

/* [blocks] Checks (type Disk) or makes (DiskOrCreate) the file a hostDisk volume names, and that it really lies below
 * one of the allowed folders: links on the way may not lead out. disk->path becomes the resolved path. */
int host_disk_prepare(const struct image_config *config, const json_t *source, struct disk_source *disk,
                      struct error *err);
/* The file or block device behind a claim, or the backing of one: must be there. */
int host_disk_check_claim(const char *path, bool *ret_block, struct error *err);
