/* The sources of a VM's disks as they will be, from the manifest alone: no file is looked at, so `render` gives the
 * same answer on any machine. What only the files can tell (format of a container disk, direct I/O, preallocation,
 * whether a path is a block device) is filled in by image_prepare_disks.
 *
 * One row per volume kind; a kind without a function is refused with the remedy in its row. */
#include <stdlib.h>
#include <string.h>

#include "runtime/image/folders.h"
#include "runtime/image/image.h"
#include "runtime/image/name.h"

struct planned {
    const struct image_config *config;
    const struct vm_spec *spec;
    const struct vm_volume *volume;
    struct disk_source *disk;
};

static char *run_file(const struct planned *p, const char *suffix, struct error *err)
{
    return folder_run_file(p->config->state_dir, p->spec->namespace_, p->spec->name, p->volume->name, suffix, err);
}

/* No "//", "." or ".." anywhere: the text then means one place whatever is mounted or linked. */
static bool path_is_straight(const char *path)
{
    if (path[0] != '/' || path[1] == '\0')
        return false;
    while (*path) {
        const char *part = path + 1;
        size_t n = strcspn(part, "/");
        if (n == 0 || (n == 1 && part[0] == '.') || (n == 2 && part[0] == '.' && part[1] == '.'))
            return false;
        path = part + n;
    }
    return true;
}

static bool path_is_below(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    while (n > 0 && dir[n - 1] == '/')
        n--;
    return strncmp(path, dir, n) == 0 && path[n] == '/';
}

static int plan_host_disk(const struct planned *p, struct error *err)
{
    const char *path = json_text_at(p->volume->source, "path", "");
    if (!path_is_straight(path))
        return fail(err, ERROR_INVALID,
                    "hostDisk.path \"%.200s\": want an absolute path to a file, without //, . or .. in it", path);
    for (const char *const *dir = p->config->host_disk_dirs; dir && *dir; dir++) {
        if (!path_is_below(path, *dir))
            continue;
        p->disk->path = must_strdup(path);
        return 0;
    }
    auto_text allowed = {0};
    for (const char *const *dir = p->config->host_disk_dirs; dir && *dir; dir++)
        text_printf(&allowed, "%s%s", allowed.length ? ", " : "", *dir);
    return fail(err, ERROR_INVALID,
                "hostDisk.path \"%.200s\" is in no folder that host disks may be in (%s): move the file or add its "
                "folder to storage.hostDiskDirs in the configuration",
                path, allowed.length ? text_cstr(&allowed) : "none is configured");
}

static int plan_empty_disk(const struct planned *p, struct error *err)
{
    p->disk->path = run_file(p, ".qcow2", err);
    p->disk->qcow2 = true;
    return p->disk->path ? 0 : -1;
}

/* The base is a link of the run's own to the image in the store, so its path is known before the image is. Container
 * disks are nearly always qcow2; prepare corrects it from the file. */
static int plan_container_disk(const struct planned *p, struct error *err)
{
    const char *image = json_text_at(p->volume->source, "image", "");
    if (image_name_check(image, err) < 0)
        return error_prefix(err, "containerDisk.image");
    if (image_name_is_probe(image) && p->spec->efi)
        return fail(err, ERROR_INVALID, "image %s boots by BIOS only: remove firmware.bootloader.efi", image);
    p->disk->path = run_file(p, ".qcow2", err);
    p->disk->backing_path = run_file(p, ".base", err);
    p->disk->qcow2 = true;
    p->disk->backing_qcow2 = !image_name_is_probe(image);
    return p->disk->path && p->disk->backing_path ? 0 : -1;
}

static int plan_iso(const struct planned *p, struct error *err)
{
    p->disk->path = run_file(p, ".iso", err);
    p->disk->readonly = true;
    return p->disk->path ? 0 : -1;
}

static char *claim_file(const struct planned *p, const char *key, struct error *err)
{
    const char *claim = json_text_at(p->volume->source, key, "");
    return folder_claim_file(p->config->state_dir, p->spec->namespace_, claim, err);
}

static int plan_claim(const struct planned *p, struct error *err)
{
    p->disk->path = claim_file(p, "claimName", err);
    return p->disk->path ? 0 : -1;
}

/* In a cluster a DataVolume fills the claim of the same name. */
static int plan_data_volume(const struct planned *p, struct error *err)
{
    p->disk->path = claim_file(p, "name", err);
    return p->disk->path ? 0 : -1;
}

static int plan_ephemeral(const struct planned *p, struct error *err)
{
    p->disk->backing_path = claim_file(p, "persistentVolumeClaim.claimName", err);
    p->disk->path = run_file(p, ".qcow2", err);
    p->disk->qcow2 = true;
    return p->disk->backing_path && p->disk->path ? 0 : -1;
}

/* To support another volume kind: a function here, one in prepare.c. */
static const struct {
    const char *key;
    int (*plan)(const struct planned *p, struct error *err);
    const char *remedy; /* why there is no function, and what to do instead */
} KINDS[] = {
    [VM_VOLUME_NONE] = {"", NULL, ""},
    [VM_VOLUME_HOST_DISK] = {"hostDisk", plan_host_disk, NULL},
    [VM_VOLUME_EMPTY_DISK] = {"emptyDisk", plan_empty_disk, NULL},
    [VM_VOLUME_CONTAINER_DISK] = {"containerDisk", plan_container_disk, NULL},
    [VM_VOLUME_CLOUD_INIT_NO_CLOUD] = {"cloudInitNoCloud", plan_iso, NULL},
    [VM_VOLUME_CLOUD_INIT_CONFIG_DRIVE] = {"cloudInitConfigDrive", plan_iso, NULL},
    [VM_VOLUME_PVC] = {"persistentVolumeClaim", plan_claim, NULL},
    [VM_VOLUME_DATA_VOLUME] = {"dataVolume", plan_data_volume, NULL},
    [VM_VOLUME_EPHEMERAL] = {"ephemeral", plan_ephemeral, NULL},
    [VM_VOLUME_CONFIG_MAP] = {"configMap", plan_iso, NULL},
    [VM_VOLUME_SECRET] = {"secret", plan_iso, NULL},
    [VM_VOLUME_SYSPREP] = {"sysprep", plan_iso, NULL},
    [VM_VOLUME_DOWNWARD_API] = {"downwardAPI", NULL,
                                "there is no pod to describe; put the values into a configMap volume"},
    [VM_VOLUME_SERVICE_ACCOUNT] = {"serviceAccount", NULL,
                                   "there are no service accounts here; put a token into a secret volume"},
    [VM_VOLUME_DOWNWARD_METRICS] = {"downwardMetrics", NULL,
                                    "host metrics are not shown to guests; read them at /metrics of the daemon"},
    [VM_VOLUME_MEMORY_DUMP] = {"memoryDump", NULL, "memory dumps are not taken; remove the volume"},
};
_Static_assert(ARRAY_SIZE(KINDS) == VM_VOLUME_KIND_COUNT, "every volume kind has a row");

static int plan_disk(const struct image_config *config, const struct vm_spec *spec, unsigned i,
                     struct disk_source *disk, struct error *err)
{
    int index = spec->disk[i].volume;
    if (index < 0)
        return 0; /* an empty tray */
    if ((unsigned)index >= spec->volume_count)
        return fail(err, ERROR_INVALID, "%s: the disk has no volume", spec->disk[i].name);
    const struct vm_volume *volume = &spec->volume[index];
    struct planned p = {.config = config, .spec = spec, .volume = volume, .disk = disk};
    if (volume->kind == VM_VOLUME_NONE)
        return 0;
    if (!KINDS[volume->kind].plan)
        return fail(err, ERROR_INVALID, "%s: volumes of kind %s are not supported: %s", volume->name,
                    KINDS[volume->kind].key, KINDS[volume->kind].remedy);
    return KINDS[volume->kind].plan(&p, err) < 0 ? error_prefix(err, "%s", volume->name) : 0;
}

int image_plan_disks(const struct image_config *config, const struct vm_spec *spec, struct disk_source **ret_disks,
                     struct error *err)
{
    struct disk_source *disks = must_calloc(spec->disk_count, sizeof *disks);
    for (unsigned i = 0; i < spec->disk_count; i++) {
        if (plan_disk(config, spec, i, &disks[i], err) < 0) {
            disk_sources_free(disks, spec->disk_count);
            return -1;
        }
    }
    *ret_disks = disks;
    return 0;
}

void disk_sources_free(struct disk_source *disks, size_t count)
{
    for (size_t i = 0; disks && i < count; i++) {
        free(disks[i].path);
        free(disks[i].backing_path);
    }
    free(disks);
}
