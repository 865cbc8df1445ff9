/* runtime/image: the bytes behind volumes. Image store (containerDisk), overlays, empty and host disks, cloud-init
 * ISOs. It never talks to libvirt, and foreign bytes (layers, disks, ISO trees) are handled only here.
 * Everything lives under two configured folders; a path from a manifest (hostDisk) must lie in an allowed folder. */
#pragma once

#include "runtime/domain/domain.h"

struct image_config {
    const char *state_dir;             /* absolute: images/, volumes/, vms/ (folders.h) */
    const char *const *host_disk_dirs; /* NULL-terminated: where hostDisk may point */
    /* The Secret or ConfigMap object (kind says which), new reference, or NULL when there is none. For cloud-init
     * references and configMap, secret and sysprep disks; called on the thread that calls image_prepare_disks. */
    json_t *(*lookup)(const char *kind, const char *namespace_, const char *name, void *arg);
    void *lookup_arg;
};

/* The sources spec->disk will have, without touching anything: what `render` prints and the start uses. Heap array of
 * spec->disk_count; free with disk_sources_free. ERROR_INVALID for a volume kind or path we refuse. */
int image_plan_disks(const struct image_config *config, const struct vm_spec *spec, struct disk_source **ret_disks,
                     struct error *err);
void disk_sources_free(struct disk_source *disks, size_t count);

/* progress: short sentences ("pulling quay.io/…"). One that ends in "%" comes again and again while the work goes on:
 * show it only where a line can be rewritten. May be NULL. */

/* [blocks; worker] Makes all of it real: images found or pulled, overlays, ISOs. To be called before each start of the
 * domain, never while it runs: overlays are made anew. Error texts start with the volume's name; kind NOT_FOUND for a
 * missing image, file, Secret or ConfigMap, UNAVAILABLE when a pull failed or the disk is full (back off and retry).
 * What is half done is removed. Fills what only the files can tell: block, backing_qcow2, direct_io, preallocated, and
 * the path of a hostDisk with links resolved. */
int image_prepare_disks(const struct image_config *config, const struct vm_spec *spec, struct disk_source *disks,
                        void (*progress)(const char *sentence, void *arg), void *arg, struct error *err);
/* [blocks; worker] Removes what belongs to one life of the VMI (overlays, ISOs, empty disks), or with `all` everything
 * of the VM below vms/; then the images nobody needs any more. hostDisk files and claims stay. */
int image_release_disks(const struct image_config *config, const char *namespace_, const char *name, bool all,
                        struct error *err);

/* firmware.kernelBoot: kernel and initrd out of a container image; NULL where none is asked for. Planned and prepared
 * as disks are, released with them. */
enum { KERNEL_FILE_KERNEL, KERNEL_FILE_INITRD, KERNEL_FILE_COUNT };
struct kernel_files {
    char *path[KERNEL_FILE_COUNT];
};
#define auto_kernel_files __attribute__((cleanup(kernel_files_finish))) struct kernel_files
void kernel_files_finish(struct kernel_files *files);
int image_plan_kernel(const struct image_config *config, const struct vm_spec *spec, struct kernel_files *ret_files,
                      struct error *err);
/* [blocks; worker] */
int image_prepare_kernel(const struct image_config *config, const struct vm_spec *spec,
                         const struct kernel_files *files, void (*progress)(const char *sentence, void *arg), void *arg,
                         struct error *err);

/* The local image store; all block. import: FILE (raw or qcow2), "oci:DIR", "docker-archive:FILE"; stored by digest,
 * named, and from then on never pulled. path: the disk inside a container image; NULL: the only file in /disk. */
int image_import(const struct image_config *config, const char *name, const char *path, const char *source,
                 void (*progress)(const char *sentence, void *arg), void *arg, struct error *err);
/* Asks the registry now, whatever is here: to have the image before it is needed. ERROR_CONFLICT for an imported name.
 */
int image_pull(const struct image_config *config, const char *name, const char *path,
               void (*progress)(const char *sentence, void *arg), void *arg, struct error *err);
/* [{name,path,digest,bytes,virtualBytes,format,source,created,inUse}] */
json_t *image_list(const struct image_config *config, struct error *err);
int image_remove(const struct image_config *config, const char *name, struct error *err);

/* The guest built into the binary (runtime/latency): its image name, and the bytes. */
#define IMAGE_PROBE_NAME "rtvmd.io/latency-probe"
