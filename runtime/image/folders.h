/* What lies where below the state directory. All return new strings; nothing is touched.
 *   images/                      the image store (store.h)
 *   volumes/NAMESPACE/CLAIM.img  persistent volumes: raw files (or links to block devices) somebody put there
 *   vms/NAMESPACE_NAME/run/      what belongs to one run of the VM: VOLUME.qcow2, VOLUME.base, VOLUME.iso
 * Names come from manifests: each must be one plain path component (ERROR_INVALID else). */
#pragma once

#include "rtvmd/base/error.h"

bool folder_name_is_plain(const char *name);
char *folder_of_images(const char *state_dir);
char *folder_of_vm(const char *state_dir, const char *namespace_, const char *name, struct error *err);
char *folder_of_run(const char *state_dir, const char *namespace_, const char *name, struct error *err);
/* folder_of_run + "/" VOLUME SUFFIX */
char *folder_run_file(const char *state_dir, const char *namespace_, const char *name, const char *volume,
                      const char *suffix, struct error *err);
char *folder_claim_file(const char *state_dir, const char *namespace_, const char *claim, struct error *err);

/* Makes the folder of a run and those above it below the state directory. Mode 0711 whatever the umask is: QEMU's own
 * user must get through, and nobody may list. */
int folder_make_run(const char *state_dir, const char *namespace_, const char *name, struct error *err);
/* mkdir with that mode; an existing folder is kept as it is. */
int folder_make(const char *path, struct error *err);
