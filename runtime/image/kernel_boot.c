/* firmware.kernelBoot: a kernel and an initrd out of a container image, for booting without a boot loader. They come
 * into the store and to the run as container disks do; the run's links to them end in .base, which keeps what they mean
 * from being cleared away. */
#include <stdlib.h>
#include <unistd.h>

#include "runtime/image/container_disk.h"
#include "runtime/image/folders.h"
#include "runtime/image/image.h"

/* Volume names hold no underscore: these files never meet one's. */
static const struct {
    const char *key;
    const char *file;
} FILES[KERNEL_FILE_COUNT] = {
    [KERNEL_FILE_KERNEL] = {"kernelPath", "_kernel"},
    [KERNEL_FILE_INITRD] = {"initrdPath", "_initrd"},
};

static const char *path_in_image(const json_t *container, int file)
{
    const char *path = json_text_at(container, FILES[file].key, "");
    return path[0] ? path : NULL;
}

void kernel_files_finish(struct kernel_files *files)
{
    for (int i = 0; i < KERNEL_FILE_COUNT; i++)
        base_free_p(&files->path[i]);
}

int image_plan_kernel(const struct image_config *config, const struct vm_spec *spec, struct kernel_files *ret_files,
                      struct error *err)
{
    const json_t *container = json_object_get(spec->kernel_boot, "container");
    *ret_files = (struct kernel_files){0};
    for (int i = 0; i < KERNEL_FILE_COUNT; i++) {
        const char *path = path_in_image(container, i);
        if (!path)
            continue;
        if (path[0] != '/')
            return fail(err, ERROR_INVALID, "firmware.kernelBoot.container.%s \"%.100s\": want an absolute path",
                        FILES[i].key, path);
        ret_files->path[i] =
            folder_run_file(config->state_dir, spec->namespace_, spec->name, FILES[i].file, ".base", err);
        if (!ret_files->path[i])
            return -1;
    }
    return 0;
}

int image_prepare_kernel(const struct image_config *config, const struct vm_spec *spec,
                         const struct kernel_files *files, void (*progress)(const char *sentence, void *arg), void *arg,
                         struct error *err)
{
    const json_t *container = json_object_get(spec->kernel_boot, "container");
    for (int i = 0; i < KERNEL_FILE_COUNT; i++) {
        const char *path = path_in_image(container, i);
        if (!path || !files->path[i])
            continue;
        if (folder_make_run(config->state_dir, spec->namespace_, spec->name, err) < 0 ||
            container_file_prepare(config, spec, container, path, files->path[i], progress, arg, err) < 0)
            return error_prefix(err, "firmware.kernelBoot.container.%s", FILES[i].key);
    }
    return 0;
}
