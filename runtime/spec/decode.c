/* JSON -> struct vm_spec. Everything here counts on an admitted object: it reads, it does not judge. What it cannot
 * read all the same (the caller skipped admission) is an error, never a guess. */
#include "runtime/spec/decode.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/spec/annotations.h"

static const char *nonempty(const json_t *object, const char *path)
{
    const char *text = json_text_at(object, path, NULL);
    return text && *text ? text : NULL;
}

static int decode_metadata(const json_t *vmi, struct vm_spec *vm, struct error *err)
{
    vm->name = json_text_at(vmi, "metadata.name", "");
    const char *namespace_ = nonempty(vmi, "metadata.namespace");
    vm->namespace_ = namespace_ ? namespace_ : "default";
    vm->uid = json_text_at(vmi, "metadata.uid", "");
    vm->generation = json_int_at(vmi, "metadata.generation", 0);
    vm->fifo_priority = 1;
    vm->memfd = true;
    const char *key;
    json_t *value;
    json_object_foreach(json_at(vmi, "metadata.annotations"), key, value)
    {
        if (json_is_string(value) && annotation_apply(key, json_string_value(value), vm, err) < 0)
            return error_prefix(err, "metadata.annotations: %s", key);
    }
    return 0;
}

static const json_t *object_or_null(const json_t *value)
{
    return json_is_object(value) ? value : NULL;
}

static void decode_firmware(const json_t *domain, struct vm_spec *vm)
{
    const json_t *efi = json_at(domain, "firmware.bootloader.efi");
    vm->efi = efi != NULL;
    vm->secure_boot = efi && json_bool_at(efi, "secureBoot", true);
    vm->efi_persistent = json_bool_at(efi, "persistent", false);
    vm->bios_serial = json_bool_at(domain, "firmware.bootloader.bios.useSerial", false);
    vm->firmware_uuid = nonempty(domain, "firmware.uuid");
    vm->firmware_serial = nonempty(domain, "firmware.serial");
    vm->kernel_boot = object_or_null(json_at(domain, "firmware.kernelBoot"));
    vm->machine_type = json_text_at(domain, "machine.type", "q35");
    vm->features = object_or_null(json_object_get(domain, "features"));
    vm->acpi = json_bool_at(domain, "features.acpi.enabled", true);
    const json_t *smm = json_at(domain, "features.smm");
    vm->smm = smm && json_bool_at(smm, "enabled", true);
    vm->clock = object_or_null(json_object_get(domain, "clock"));
}

static enum vm_toggle toggle(const json_t *devices, const char *key)
{
    const json_t *value = json_object_get(devices, key);
    return !json_is_boolean(value) ? VM_UNSET : json_is_true(value) ? VM_ON : VM_OFF;
}

static void decode_switches(const json_t *devices, struct vm_spec *vm)
{
    vm->graphics = toggle(devices, "autoattachGraphicsDevice");
    vm->serial_console = toggle(devices, "autoattachSerialConsole");
    vm->mem_balloon = toggle(devices, "autoattachMemBalloon");
    vm->vsock = toggle(devices, "autoattachVSOCK");
    vm->video_model = nonempty(devices, "video.type");
    vm->log_serial_console = json_bool_at(devices, "logSerialConsole", true);
    vm->block_multi_queue = json_bool_at(devices, "blockMultiQueue", false);
    vm->interface_multi_queue = json_bool_at(devices, "networkInterfaceMultiqueue", false);
    vm->virtio_transitional = json_bool_at(devices, "useVirtioTransitional", false);
    vm->disable_hotplug = json_bool_at(devices, "disableHotplug", false);
    vm->rng = json_object_get(devices, "rng") != NULL;
    const json_t *tpm = json_object_get(devices, "tpm");
    vm->tpm = tpm && json_bool_at(tpm, "enabled", true);
    vm->tpm_persistent = json_bool_at(tpm, "persistent", false);
    vm->watchdog = object_or_null(json_object_get(devices, "watchdog"));
    vm->sound = object_or_null(json_object_get(devices, "sound"));
    const json_t *inputs = json_object_get(devices, "inputs");
    vm->inputs = json_array_size(inputs) ? inputs : NULL;
}

static void decode_life(const json_t *spec, struct vm_spec *vm)
{
    int64_t grace = json_int_at(spec, "terminationGracePeriodSeconds", 30);
    vm->termination_grace_s = grace > 0 ? grace : 0;
    vm->start_paused = text_equal(json_text_at(spec, "startStrategy", NULL), "Paused");
    vm->hostname = nonempty(spec, "hostname");
    const char *architecture = nonempty(spec, "architecture");
    vm->architecture = architecture ? architecture : "amd64";
}

static int decode_vmi(const json_t *vmi, struct vm_spec *vm, struct error *err)
{
    const json_t *spec = json_object_get(vmi, "spec");
    if (!json_is_object(json_object_get(spec, "domain")))
        return fail(err, ERROR_INVALID, "spec.domain: missing");
    if (decode_metadata(vmi, vm, err) < 0)
        return -1;
    const json_t *domain = json_object_get(spec, "domain");
    decode_firmware(domain, vm);
    decode_switches(json_object_get(domain, "devices"), vm);
    decode_life(spec, vm);
    if (decode_resources(spec, vm, err) < 0 || decode_devices(spec, vm, err) < 0)
        return -1;
    vm->overhead_bytes = overhead_estimate(spec, vm);
    return 0;
}

int spec_decode(const json_t *object, struct vm_spec *ret_spec, struct error *err)
{
    bool is_vm = text_equal(json_text_at(object, "kind", NULL), "VirtualMachine");
    auto_spec spec = {0};
    spec.document = is_vm ? spec_vmi_from_vm(object) : json_deep_copy(object);
    if (!spec.document || decode_vmi(spec.document, &spec, err) < 0)
        return spec.document ? -1 : fail(err, ERROR_INVALID, "not a virtual machine");
    *ret_spec = spec;
    spec = (struct vm_spec){0};
    return 0;
}

void spec_finish(struct vm_spec *spec)
{
    free(spec->disk);
    free(spec->volume);
    free(spec->interface);
    free(spec->cpu_feature);
    json_decref(spec->document);
    *spec = (struct vm_spec){0};
}
