/* Makes planned disks real, one row per volume kind (the plan's table has the same kinds). What belongs to a run is
 * made anew each time, except an emptyDisk, which keeps its content as long as the VMI lives. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rtvmd/base/file.h"
#include "rtvmd/base/quantity.h"
#include "runtime/image/catalog.h"
#include "runtime/image/container_disk.h"
#include "runtime/image/folders.h"
#include "runtime/image/host_disk.h"
#include "runtime/image/import.h"
#include "runtime/image/name.h"
#include "runtime/image/qemu_img.h"
#include "runtime/image/seed.h"

struct making {
    const struct image_config *config;
    const struct vm_spec *spec;
    const struct vm_volume *volume;
    struct disk_source *disk;
    bool made; /* disk->path (and a .base) is new and ours: remove it when something fails */
    void (*progress)(const char *sentence, void *arg);
    void *arg;
};

static int make_host_disk(struct making *m, struct error *err)
{
    return host_disk_prepare(m->config, m->volume->source, m->disk, err);
}

static int make_empty_disk(struct making *m, struct error *err)
{
    struct quantity capacity;
    if (access(m->disk->path, F_OK) == 0)
        return 0;
    if (quantity_from_json(json_object_get(m->volume->source, "capacity"), &capacity, err) < 0)
        return error_prefix(err, "emptyDisk.capacity");
    int64_t bytes = quantity_value(&capacity) >> 20 << 20;
    if (bytes <= 0)
        return fail(err, ERROR_INVALID, "the size for volume %s is too low: want at least 1Mi", m->volume->name);
    if ((uint64_t)bytes > LIMIT_IMAGE_SIZE_BYTES)
        return fail(err, ERROR_INVALID, "emptyDisk.capacity is %" PRId64 " bytes; want at most %" PRIu64, bytes,
                    LIMIT_IMAGE_SIZE_BYTES);
    m->made = true;
    return disk_make_empty(m->disk->path, (uint64_t)bytes, err);
}

static int make_container_disk(struct making *m, struct error *err)
{
    m->made = true;
    if (container_disk_prepare(m->config, m->spec, m->volume->source, m->disk->backing_path, &m->disk->backing_qcow2,
                               m->progress, m->arg, err) < 0)
        return -1;
    return disk_make_overlay(m->disk->path, m->disk->backing_path, m->disk->backing_qcow2, err);
}

static int make_iso(struct making *m, struct error *err)
{
    auto_iso content = {0};
    const char *label;
    m->made = true;
    if (seed_fill(m->config, m->spec, m->volume, &content, &label, err) < 0)
        return -1;
    return iso_make(&content, label, m->disk->path, err);
}

static int check_claim(struct making *m, struct error *err)
{
    return host_disk_check_claim(m->disk->path, &m->disk->block, err);
}

static int make_ephemeral(struct making *m, struct error *err)
{
    bool block;
    if (host_disk_check_claim(m->disk->backing_path, &block, err) < 0)
        return -1;
    m->made = true;
    return disk_make_overlay(m->disk->path, m->disk->backing_path, false, err);
}

static int (*const MAKE[VM_VOLUME_KIND_COUNT])(struct making *m, struct error *err) = {
    [VM_VOLUME_HOST_DISK] = make_host_disk,
    [VM_VOLUME_EMPTY_DISK] = make_empty_disk,
    [VM_VOLUME_CONTAINER_DISK] = make_container_disk,
    [VM_VOLUME_CLOUD_INIT_NO_CLOUD] = make_iso,
    [VM_VOLUME_CLOUD_INIT_CONFIG_DRIVE] = make_iso,
    [VM_VOLUME_PVC] = check_claim,
    [VM_VOLUME_DATA_VOLUME] = check_claim,
    [VM_VOLUME_EPHEMERAL] = make_ephemeral,
    [VM_VOLUME_CONFIG_MAP] = make_iso,
    [VM_VOLUME_SECRET] = make_iso,
    [VM_VOLUME_SYSPREP] = make_iso,
};

/* Whether O_DIRECT works there; as KubeVirt finds it out: by opening. */
static bool has_direct_io(const char *path)
{
    auto_close int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC | O_NONBLOCK);
    return fd >= 0;
}

static void look(struct disk_source *disk)
{
    struct stat status;
    disk->direct_io = has_direct_io(disk->path) && (!disk->backing_path || has_direct_io(disk->backing_path));
    disk->preallocated = !disk->block && !disk->qcow2 && stat(disk->path, &status) == 0 && status.st_size > 0 &&
                         (uint64_t)status.st_blocks * 512 >= (uint64_t)status.st_size;
}

static void unmake(const struct making *m)
{
    if (!m->made)
        return;
    unlink(m->disk->path);
    if (m->disk->backing_path && m->volume->kind == VM_VOLUME_CONTAINER_DISK)
        unlink(m->disk->backing_path);
}

static int make(struct making *m, struct error *err)
{
    if (!MAKE[m->volume->kind])
        return fail(err, ERROR_INVALID, "%s: this kind of volume is not supported", m->volume->name);
    if (MAKE[m->volume->kind](m, err) < 0)
        return error_prefix(err, "%s", m->volume->name);
    look(m->disk);
    return 0;
}

int image_prepare_disks(const struct image_config *config, const struct vm_spec *spec, struct disk_source *disks,
                        void (*progress)(const char *sentence, void *arg), void *arg, struct error *err)
{
    if (folder_make_run(config->state_dir, spec->namespace_, spec->name, err) < 0)
        return -1;
    auto_free struct making *making = must_calloc(spec->disk_count, sizeof *making);
    unsigned done = 0;
    int result = 0;
    for (; result == 0 && done < spec->disk_count; done++) {
        int index = spec->disk[done].volume;
        if (index < 0 || spec->volume[index].kind == VM_VOLUME_NONE)
            continue;
        making[done] = (struct making){.config = config,
                                       .spec = spec,
                                       .volume = &spec->volume[index],
                                       .disk = &disks[done],
                                       .progress = progress,
                                       .arg = arg};
        result = make(&making[done], err);
    }
    for (unsigned i = 0; result != 0 && i < done; i++)
        unmake(&making[i]);
    return result;
}

int image_release_disks(const struct image_config *config, const char *namespace_, const char *name, bool all,
                        struct error *err)
{
    auto_free char *folder = all ? folder_of_vm(config->state_dir, namespace_, name, err)
                                 : folder_of_run(config->state_dir, namespace_, name, err);
    if (!folder || file_remove_tree(folder, err) < 0)
        return -1;
    auto_free char *images = folder_of_images(config->state_dir);
    return access(images, F_OK) == 0 ? catalog_collect(config->state_dir, err) : 0;
}

int image_import(const struct image_config *config, const char *name, const char *path, const char *source,
                 void (*progress)(const char *sentence, void *arg), void *arg, struct error *err)
{
    static const char OCI[] = "oci:";
    static const char DOCKER[] = "docker-archive:";
    const struct import_job job = {
        .config = config, .name = name, .path = path ? path : "", .progress = progress, .progress_arg = arg};
    if (image_name_check(name, err) < 0)
        return -1;
    if (image_name_is_probe(name))
        return fail(err, ERROR_INVALID, "image name %s is built into rtvmd: choose another", name);
    if (job.path[0] && job.path[0] != '/')
        return fail(err, ERROR_INVALID, "path \"%.100s\" inside the image: want an absolute path", path);
    if (text_starts_with(source, OCI))
        return import_layout(&job, source + strlen(OCI), err);
    if (text_starts_with(source, DOCKER))
        return import_docker_archive(&job, source + strlen(DOCKER), err);
    return import_file(&job, source, err);
}

json_t *image_list(const struct image_config *config, struct error *err)
{
    return catalog_list(config->state_dir, err);
}

int image_remove(const struct image_config *config, const char *name, struct error *err)
{
    return catalog_remove(config->state_dir, name, err);
}
