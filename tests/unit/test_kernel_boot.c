/* Kernels out of images, with the real unpacking child: this program is its own child. */
#include "runtime/image/kernel_boot.c"

#include "runtime/image/import.h"
#include "runtime/image/unpack.h"
#include "tests/test.h"
#include "tests/unit/layout.h"

static char folder[] = "/tmp/test_kernel.XXXXXX";

static struct vm_spec machine(const json_t *boot)
{
    return (struct vm_spec){.name = "vm", .namespace_ = "plant", .kernel_boot = boot};
}

/* What a link of the run leads to. */
static char *behind(const char *path)
{
    auto_text bytes = {0};
    struct error err;
    return file_read(NULL, path, 1 << 10, &bytes, &err) == 0 ? text_take(&bytes) : NULL;
}

static void kernel_and_initrd_become_files_of_the_run(void)
{
    const struct image_config config = {.state_dir = folder};
    static const char INITRD[] = "\x1f\x8b a compressed initrd, which as a disk would be refused";
    struct error err = {0};
    auto_free char *layout = layout_make(folder, "layout", INITRD);
    const struct import_job jobs[] = {
        {.config = &config, .name = "kernels", .path = "/opt/other", .any_file = true},
        {.config = &config, .name = "kernels", .path = "/disk/d.img", .any_file = true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
        CHECK_INT(import_layout(&jobs[i], layout, &err), 0);
    auto_json *boot = json_pack("{s:{s:s, s:s, s:s}}", "container", "image", "kernels", "kernelPath", "/opt/other",
                                "initrdPath", "/disk/d.img");
    const struct vm_spec spec = machine(boot);
    auto_kernel_files files = {0};
    CHECK_INT(image_plan_kernel(&config, &spec, &files, &err), 0);
    CHECK(text_ends_with(files.path[KERNEL_FILE_KERNEL], "/vms/plant_vm/run/_kernel.base"));
    CHECK_INT(access(files.path[KERNEL_FILE_KERNEL], F_OK), -1); /* planned only */
    CHECK_INT(image_prepare_kernel(&config, &spec, &files, NULL, NULL, &err), 0);
    CHECK_TEXT(err.text, "");
    auto_free char *kernel = behind(files.path[KERNEL_FILE_KERNEL]);
    auto_free char *initrd = behind(files.path[KERNEL_FILE_INITRD]);
    CHECK_TEXT(kernel, "other");
    CHECK_TEXT(initrd, INITRD);
    CHECK_INT(image_remove(&config, "kernels", &err), 0); /* the run still has them */
    CHECK_INT(access(files.path[KERNEL_FILE_INITRD], F_OK), 0);
    CHECK_INT(image_release_disks(&config, "plant", "vm", true, &err), 0);
    CHECK_INT(access(files.path[KERNEL_FILE_INITRD], F_OK), -1);
}

static void what_is_not_asked_for_is_not_planned(void)
{
    const struct image_config config = {.state_dir = folder};
    struct error err = {0};
    auto_json *boot = json_pack("{s:s, s:{s:s, s:s}}", "kernelArgs", "quiet", "container", "image", "k", "kernelPath",
                                "/boot/vmlinuz");
    const struct vm_spec specs[] = {machine(NULL), machine(boot)};
    for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
        auto_kernel_files files = {0};
        CHECK_INT(image_plan_kernel(&config, &specs[i], &files, &err), 0);
        CHECK((files.path[KERNEL_FILE_KERNEL] != NULL) == (i == 1));
        CHECK(!files.path[KERNEL_FILE_INITRD]);
    }
}

static void failures_name_the_field(void)
{
    const struct image_config config = {.state_dir = folder};
    struct error err = {0};
    auto_json *relative = json_pack("{s:{s:s, s:s}}", "container", "image", "k", "kernelPath", "boot/vmlinuz");
    const struct vm_spec bad = machine(relative);
    auto_kernel_files none = {0};
    CHECK_INT(image_plan_kernel(&config, &bad, &none, &err), -1);
    CHECK(strstr(err.text, "kernelPath") && strstr(err.text, "absolute"));
    auto_json *missing = json_pack("{s:{s:s, s:s, s:s}}", "container", "image", "example.org/k:1", "imagePullPolicy",
                                   "Never", "initrdPath", "/boot/initrd");
    const struct vm_spec spec = machine(missing);
    auto_kernel_files files = {0};
    CHECK_INT(image_plan_kernel(&config, &spec, &files, &err), 0);
    CHECK_INT(image_prepare_kernel(&config, &spec, &files, NULL, NULL, &err), -1);
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    CHECK(strstr(err.text, "initrdPath"));
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], UNPACK_VERB) == 0)
        _exit(unpack_child(argc - 1, argv + 1, NULL));
    struct error err;
    if (!mkdtemp(folder))
        return 1;
    RUN(kernel_and_initrd_become_files_of_the_run);
    RUN(what_is_not_asked_for_is_not_planned);
    RUN(failures_name_the_field);
    file_remove_tree(folder, &err);
    return test_end();
}
