/* The local image store, in STATE/images:
 *   index.json           one row per name and path inside the image: what it means now
 *   sha256-HEX.FORMAT    a disk, named by the digest of its bytes; never changed once it is there
 *   staging-XXXXXX/      work in progress; locked by who made it, cleared away by whoever finds it unlocked
 *   lock                 held while the index is read and changed, never while bytes move
 * Several processes may use it at once (a daemon and the image verb). A disk is removed when no name means it and no
 * run of a VM links to it (vms/…/run/….base).
 *
 * A row: {"name","path","digest":"sha256:…","format":"raw|qcow2","bytes","virtualBytes","source":"imported|pulled",
 * "manifest","created"}. path is "" for the only file in /disk; manifest is the registry's digest or absent. */
#pragma once

#include "rtvmd/base/json.h"

/* All block. Rows are new references. */

/* ERROR_NOT_FOUND when no row has that name (equal as image names are) and path. */
json_t *catalog_find(const char *state_dir, const char *name, const char *path, struct error *err);
/* The same, and makes link_path a symbolic link to the disk in one step, so that it cannot be cleared away between. */
json_t *catalog_link(const char *state_dir, const char *name, const char *path, const char *link_path,
                     struct error *err);
/* Takes the staged file (unless the store has those bytes already) and makes the row's name and path mean it. */
int catalog_add(const char *state_dir, const json_t *row, const char *staged_file, struct error *err);
/* All rows, by name and path; "inUse" is added. */
json_t *catalog_list(const char *state_dir, struct error *err);
/* Forgets every row of the name. ERROR_NOT_FOUND. Disks in use stay until their VM is released. */
int catalog_remove(const char *state_dir, const char *name, struct error *err);
/* Removes what nobody needs any more. Called by add and remove; call it when runs have ended. */
int catalog_collect(const char *state_dir, struct error *err);

/* A folder to work in. ret_fd keeps it ours until it is closed; remove the folder first. */
char *catalog_stage(const char *state_dir, int *ret_fd, struct error *err);

/* Held over a pull of one name, so that two VMs do not pull it twice. Close to release. -1 with err. */
int catalog_lock_name(const char *state_dir, const char *name, struct error *err);

/* What statvfs says the store's file system has free. 0 when it cannot be asked. */
uint64_t catalog_free_bytes(const char *state_dir);
