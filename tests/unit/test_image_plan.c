#include "runtime/image/plan.c"

#include "tests/test.h"

static const char *const DIRS[] = {"/srv/disks/", "/data", NULL};
static const struct image_config CONFIG = {.state_dir = "/state", .host_disk_dirs = DIRS};

struct one {
    struct vm_disk disk;
    struct vm_volume volume;
    struct vm_spec spec;
    json_t *source;
};

static struct one *one_of(enum vm_volume_kind kind, const char *source)
{
    struct one *one = must_calloc(1, sizeof *one);
    struct error err;
    one->source = json_from_text(source, strlen(source), &err);
    one->disk = (struct vm_disk){.name = "vol", .volume = 0};
    one->volume = (struct vm_volume){.name = "vol", .kind = kind, .source = one->source};
    one->spec = (struct vm_spec){.name = "vm",
                                 .namespace_ = "ns",
                                 .disk_count = 1,
                                 .disk = &one->disk,
                                 .volume_count = 1,
                                 .volume = &one->volume};
    return one;
}

static void one_free(struct one *one)
{
    json_decref(one->source);
    free(one);
}

static void plans_every_kind(void)
{
    static const struct {
        enum vm_volume_kind kind;
        const char *source;
        const char *path;
        const char *backing;
        bool qcow2;
        bool backing_qcow2;
        bool readonly;
    } CASES[] = {
        {VM_VOLUME_HOST_DISK, "{\"path\":\"/srv/disks/a.img\"}", "/srv/disks/a.img", NULL, false, false, false},
        {VM_VOLUME_HOST_DISK, "{\"path\":\"/data/x/y\"}", "/data/x/y", NULL, false, false, false},
        {VM_VOLUME_EMPTY_DISK, "{}", "/state/vms/ns_vm/run/vol.qcow2", NULL, true, false, false},
        {VM_VOLUME_CONTAINER_DISK, "{\"image\":\"a/b\"}", "/state/vms/ns_vm/run/vol.qcow2",
         "/state/vms/ns_vm/run/vol.base", true, true, false},
        {VM_VOLUME_CONTAINER_DISK, "{\"image\":\"" IMAGE_PROBE_NAME "\"}", "/state/vms/ns_vm/run/vol.qcow2",
         "/state/vms/ns_vm/run/vol.base", true, false, false},
        {VM_VOLUME_CLOUD_INIT_NO_CLOUD, "{}", "/state/vms/ns_vm/run/vol.iso", NULL, false, false, true},
        {VM_VOLUME_CLOUD_INIT_CONFIG_DRIVE, "{}", "/state/vms/ns_vm/run/vol.iso", NULL, false, false, true},
        {VM_VOLUME_CONFIG_MAP, "{}", "/state/vms/ns_vm/run/vol.iso", NULL, false, false, true},
        {VM_VOLUME_PVC, "{\"claimName\":\"c\"}", "/state/volumes/ns/c.img", NULL, false, false, false},
        {VM_VOLUME_DATA_VOLUME, "{\"name\":\"d\"}", "/state/volumes/ns/d.img", NULL, false, false, false},
        {VM_VOLUME_EPHEMERAL, "{\"persistentVolumeClaim\":{\"claimName\":\"c\"}}", "/state/vms/ns_vm/run/vol.qcow2",
         "/state/volumes/ns/c.img", true, false, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct one *one = one_of(CASES[i].kind, CASES[i].source);
        struct disk_source *disks = NULL;
        struct error err = {0};
        CHECK_INT(image_plan_disks(&CONFIG, &one->spec, &disks, &err), 0);
        if (disks) {
            CHECK_TEXT(disks[0].path, CASES[i].path);
            CHECK(text_equal(disks[0].backing_path, CASES[i].backing));
            CHECK_INT(disks[0].qcow2, CASES[i].qcow2);
            CHECK_INT(disks[0].backing_qcow2, CASES[i].backing_qcow2);
            CHECK_INT(disks[0].readonly, CASES[i].readonly);
        }
        disk_sources_free(disks, 1);
        one_free(one);
    }
}

static void refuses_with_the_name_and_a_remedy(void)
{
    static const struct {
        enum vm_volume_kind kind;
        const char *source;
        const char *part;
    } CASES[] = {
        {VM_VOLUME_HOST_DISK, "{\"path\":\"/etc/shadow\"}", "/srv/disks/, /data"},
        {VM_VOLUME_HOST_DISK, "{\"path\":\"/database\"}", "hostDiskDirs"},
        {VM_VOLUME_HOST_DISK, "{\"path\":\"/data\"}", "hostDiskDirs"},
        {VM_VOLUME_HOST_DISK, "{\"path\":\"/data/../etc/shadow\"}", "without //"},
        {VM_VOLUME_HOST_DISK, "{\"path\":\"/data/x/..\"}", "without //"},
        {VM_VOLUME_HOST_DISK, "{\"path\":\"/data//x\"}", "without //"},
        {VM_VOLUME_HOST_DISK, "{\"path\":\"/data/\"}", "without //"},
        {VM_VOLUME_HOST_DISK, "{\"path\":\"data/x\"}", "absolute"},
        {VM_VOLUME_HOST_DISK, "{}", "absolute"},
        {VM_VOLUME_CONTAINER_DISK, "{}", "containerDisk.image"},
        {VM_VOLUME_PVC, "{\"claimName\":\"../../etc/x\"}", "claim"},
        {VM_VOLUME_PVC, "{\"claimName\":\"..\"}", "claim"},
        {VM_VOLUME_DOWNWARD_API, "{}", "downwardAPI are not supported"},
        {VM_VOLUME_SERVICE_ACCOUNT, "{}", "serviceAccount are not supported"},
        {VM_VOLUME_DOWNWARD_METRICS, "{}", "downwardMetrics are not supported"},
        {VM_VOLUME_MEMORY_DUMP, "{}", "memoryDump are not supported"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct one *one = one_of(CASES[i].kind, CASES[i].source);
        struct disk_source *disks = NULL;
        struct error err = {0};
        CHECK_INT(image_plan_disks(&CONFIG, &one->spec, &disks, &err), -1);
        CHECK_INT(err.kind, ERROR_INVALID);
        CHECK(text_starts_with(err.text, "vol: "));
        if (!strstr(err.text, CASES[i].part))
            CHECK_TEXT(err.text, CASES[i].part);
        one_free(one);
    }
}

static void wants_a_bios_for_the_probe(void)
{
    struct one *one = one_of(VM_VOLUME_CONTAINER_DISK, "{\"image\":\"" IMAGE_PROBE_NAME "\"}");
    one->spec.efi = true;
    struct disk_source *disks = NULL;
    struct error err = {0};
    CHECK_INT(image_plan_disks(&CONFIG, &one->spec, &disks, &err), -1);
    CHECK(strstr(err.text, "firmware.bootloader.efi") != NULL);
    one_free(one);
}

static void needs_a_configured_folder_for_host_disks(void)
{
    struct image_config none = {.state_dir = "/state"};
    struct one *one = one_of(VM_VOLUME_HOST_DISK, "{\"path\":\"/data/x\"}");
    struct disk_source *disks = NULL;
    struct error err = {0};
    CHECK_INT(image_plan_disks(&none, &one->spec, &disks, &err), -1);
    CHECK(strstr(err.text, "none is configured") != NULL);
    one_free(one);
}

static void leaves_an_empty_tray_empty(void)
{
    struct one *one = one_of(VM_VOLUME_NONE, "{}");
    one->disk.volume = -1;
    struct disk_source *disks = NULL;
    struct error err = {0};
    CHECK_INT(image_plan_disks(&CONFIG, &one->spec, &disks, &err), 0);
    CHECK(disks && !disks[0].path);
    disk_sources_free(disks, 1);
    disk_sources_free(NULL, 3);
    one_free(one);
}

static void keeps_names_inside_the_state_folder(void)
{
    struct error err;
    CHECK(!folder_of_vm("/s", "..", "x", &err));
    CHECK(!folder_of_vm("/s", "ns", "a/b", &err));
    CHECK(!folder_of_vm("/s", "ns", "", &err));
    CHECK(!folder_run_file("/s", "ns", "vm", "../x", ".iso", &err));
    char long_name[LIMIT_NAME_BYTES + 2];
    memset(long_name, 'a', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    CHECK(!folder_of_vm("/s", "ns", long_name, &err));
    long_name[LIMIT_NAME_BYTES] = '\0';
    auto_free char *longest = folder_of_vm("/s", "ns", long_name, &err);
    CHECK(longest != NULL);
}

int main(void)
{
    RUN(plans_every_kind);
    RUN(refuses_with_the_name_and_a_remedy);
    RUN(wants_a_bios_for_the_probe);
    RUN(needs_a_configured_folder_for_host_disks);
    RUN(leaves_an_empty_tray_empty);
    RUN(keeps_names_inside_the_state_folder);
    return test_end();
}
