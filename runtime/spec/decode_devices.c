/* Disks, volumes and interfaces: lists that refer to each other by name become arrays that refer by index. */
#include <string.h>

#include "rtvmd/base/quantity.h"
#include "runtime/spec/decode.h"

static const char *const VOLUME_KEYS[VM_VOLUME_KIND_COUNT] = {
    [VM_VOLUME_HOST_DISK] = "hostDisk",
    [VM_VOLUME_EMPTY_DISK] = "emptyDisk",
    [VM_VOLUME_CONTAINER_DISK] = "containerDisk",
    [VM_VOLUME_CLOUD_INIT_NO_CLOUD] = "cloudInitNoCloud",
    [VM_VOLUME_CLOUD_INIT_CONFIG_DRIVE] = "cloudInitConfigDrive",
    [VM_VOLUME_PVC] = "persistentVolumeClaim",
    [VM_VOLUME_DATA_VOLUME] = "dataVolume",
    [VM_VOLUME_EPHEMERAL] = "ephemeral",
    [VM_VOLUME_CONFIG_MAP] = "configMap",
    [VM_VOLUME_SECRET] = "secret",
    [VM_VOLUME_DOWNWARD_API] = "downwardAPI",
    [VM_VOLUME_SERVICE_ACCOUNT] = "serviceAccount",
    [VM_VOLUME_SYSPREP] = "sysprep",
    [VM_VOLUME_DOWNWARD_METRICS] = "downwardMetrics",
    [VM_VOLUME_MEMORY_DUMP] = "memoryDump",
};

static const char *nonempty(const json_t *object, const char *path)
{
    const char *text = json_text_at(object, path, NULL);
    return text && *text ? text : NULL;
}

static int decode_volume(const json_t *json, size_t index, struct vm_volume *volume, struct error *err)
{
    volume->name = json_text_at(json, "name", "");
    for (int kind = VM_VOLUME_NONE + 1; kind < VM_VOLUME_KIND_COUNT; kind++) {
        const json_t *source = json_object_get(json, VOLUME_KEYS[kind]);
        if (json_is_object(source)) {
            volume->kind = (enum vm_volume_kind)kind;
            volume->source = source;
            return 0;
        }
    }
    return fail(err, ERROR_INVALID, "spec.volumes[%zu] must have exactly one source type set", index);
}

/* Room for one more per disk: an empty tray is a volume of kind NONE. */
static int decode_volumes(const json_t *spec, size_t disk_count, struct vm_spec *vm, struct error *err)
{
    const json_t *volumes = json_object_get(spec, "volumes");
    vm->volume = must_calloc(json_array_size(volumes) + disk_count, sizeof *vm->volume);
    size_t index;
    json_t *json;
    json_array_foreach((json_t *)volumes, index, json)
    {
        if (decode_volume(json, index, &vm->volume[vm->volume_count++], err) < 0)
            return -1;
    }
    return 0;
}

static int volume_of(struct vm_spec *vm, const struct vm_disk *disk)
{
    for (unsigned i = 0; i < vm->volume_count; i++)
        if (strcmp(vm->volume[i].name, disk->name) == 0)
            return (int)i;
    if (disk->device != VM_CDROM)
        return -1;
    vm->volume[vm->volume_count] = (struct vm_volume){.name = disk->name, .kind = VM_VOLUME_NONE};
    return (int)vm->volume_count++;
}

static void decode_block_size(const json_t *json, struct vm_disk *disk)
{
    const json_t *match = json_at(json, "blockSize.matchVolume");
    disk->logical_block_bytes = (uint64_t)json_int_at(json, "blockSize.custom.logical", 0);
    disk->physical_block_bytes = (uint64_t)json_int_at(json, "blockSize.custom.physical", 0);
    disk->match_volume_block_size = match && json_bool_at(match, "enabled", true);
}

static void decode_target(const json_t *json, struct vm_disk *disk)
{
    static const char *const KEYS[] = {[VM_DISK] = "disk", [VM_LUN] = "lun", [VM_CDROM] = "cdrom"};
    const json_t *target = NULL;
    for (unsigned i = 0; i < ARRAY_SIZE(KEYS) && !target; i++) {
        disk->device = (enum vm_disk_device)i;
        target = json_object_get(json, KEYS[i]);
    }
    if (!target)
        disk->device = VM_DISK;
    disk->bus = nonempty(target, "bus");
    if (!disk->bus)
        disk->bus = "sata";
    disk->readonly = json_bool_at(target, "readonly", disk->device == VM_CDROM);
    disk->tray_open = disk->device == VM_CDROM && text_equal(json_text_at(target, "tray", NULL), "open");
    disk->pci_address = nonempty(target, "pciAddress");
}

static int decode_disk(const json_t *json, size_t index, struct vm_spec *vm, struct error *err)
{
    struct vm_disk *disk = &vm->disk[vm->disk_count++];
    disk->name = json_text_at(json, "name", "");
    decode_target(json, disk);
    disk->cache = nonempty(json, "cache");
    disk->io = nonempty(json, "io");
    disk->error_policy = nonempty(json, "errorPolicy");
    disk->serial = nonempty(json, "serial");
    disk->shareable = json_bool_at(json, "shareable", false);
    disk->dedicated_iothread = json_bool_at(json, "dedicatedIOThread", false);
    disk->boot_order = (unsigned)json_int_at(json, "bootOrder", 0);
    decode_block_size(json, disk);
    disk->volume = volume_of(vm, disk);
    if (disk->volume < 0)
        return fail(err, ERROR_INVALID, "spec.domain.devices.disks[%zu].Name '%s' not found.", index, disk->name);
    return 0;
}

static int decode_disks(const json_t *spec, struct vm_spec *vm, struct error *err)
{
    const json_t *disks = json_at(spec, "domain.devices.disks");
    if (decode_volumes(spec, json_array_size(disks), vm, err) < 0)
        return -1;
    vm->disk = must_calloc(json_array_size(disks), sizeof *vm->disk);
    size_t index;
    json_t *json;
    json_array_foreach((json_t *)disks, index, json)
    {
        if (decode_disk(json, index, vm, err) < 0)
            return -1;
    }
    return 0;
}

static const json_t *network_named(const json_t *spec, const char *name)
{
    size_t index;
    json_t *network;
    json_array_foreach(json_object_get(spec, "networks"), index, network)
    {
        if (text_equal(json_text_at(network, "name", NULL), name))
            return network;
    }
    return NULL;
}

static enum vm_binding binding_of(const json_t *json)
{
    static const struct {
        const char *key;
        enum vm_binding binding;
    } BINDINGS[] = {
        {"bridge", VM_BINDING_BRIDGE}, {"masquerade", VM_BINDING_MASQUERADE}, {"sriov", VM_BINDING_SRIOV},
        {"passt", VM_BINDING_PASST},   {"passtBinding", VM_BINDING_PASST},    {"binding", VM_BINDING_PLUGIN},
    };
    for (size_t i = 0; i < ARRAY_SIZE(BINDINGS); i++)
        if (json_object_get(json, BINDINGS[i].key))
            return BINDINGS[i].binding;
    return VM_BINDING_BRIDGE;
}

static int decode_interface(const json_t *spec, const json_t *json, size_t index, struct vm_interface *interface,
                            struct error *err)
{
    interface->name = json_text_at(json, "name", "");
    interface->binding = binding_of(json);
    interface->model = nonempty(json, "model");
    if (!interface->model)
        interface->model = "virtio";
    interface->mac = nonempty(json, "macAddress");
    interface->pci_address = nonempty(json, "pciAddress");
    interface->state = nonempty(json, "state");
    interface->boot_order = (unsigned)json_int_at(json, "bootOrder", 0);
    const json_t *ports = json_object_get(json, "ports");
    interface->ports = json_array_size(ports) ? ports : NULL;
    const json_t *network = network_named(spec, interface->name);
    if (!network)
        return fail(err, ERROR_INVALID, "spec.domain.devices.interfaces[%zu].name '%s' not found.", index,
                    interface->name);
    interface->network = json_object_get(network, "multus") ? VM_NETWORK_MULTUS : VM_NETWORK_POD;
    interface->multus_name = json_text_at(network, "multus.networkName", NULL);
    return 0;
}

int decode_devices(const json_t *spec, struct vm_spec *vm, struct error *err)
{
    if (decode_disks(spec, vm, err) < 0)
        return -1;
    const json_t *interfaces = json_at(spec, "domain.devices.interfaces");
    vm->interface = must_calloc(json_array_size(interfaces), sizeof *vm->interface);
    size_t index;
    json_t *json;
    json_array_foreach((json_t *)interfaces, index, json)
    {
        if (decode_interface(spec, json, index, &vm->interface[vm->interface_count++], err) < 0)
            return -1;
    }
    return 0;
}
