/* Defaults that must be computed; those that are one constant per field stand in the field table.
 *
 * Two things KubeVirt writes are left out on purpose: cpu.maxSockets and memory.maxGuest (four times what was asked)
 * announce CPU and memory hot-plug, which this runtime does not offer. And the firmware UUID is not random: it is a
 * hash of namespace and name, so that admission stays a pure function and a VM keeps its identity across restarts. */
#include "runtime/spec/defaults.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "rtvmd/base/quantity.h"
#include "runtime/spec/fields.h"
#include "runtime/spec/hyperv.h"

static json_t *object_at(json_t *parent, const char *key)
{
    json_t *child = json_object_get(parent, key);
    if (!json_is_object(child)) {
        child = json_object();
        json_object_set_new(parent, key, child);
    }
    return child;
}

static bool is_unset(const json_t *value)
{
    return !value || (json_is_string(value) && json_string_length(value) == 0);
}

static void set_text_if_unset(json_t *object, const char *key, const char *value)
{
    if (is_unset(json_object_get(object, key)))
        json_object_set_new(object, key, json_string(value));
}

/* NULL when the quantity is missing or zero, as KubeVirt's IsZero. */
static json_t *amount_at(const json_t *spec, const char *path)
{
    json_t *value = json_at(spec, path);
    struct quantity q;
    struct error ignored;
    return value && quantity_from_json(value, &q, &ignored) == 0 && q.nano != 0 ? value : NULL;
}

static void default_machine(json_t *spec)
{
    set_text_if_unset(spec, "architecture", "amd64");
    set_text_if_unset(object_at(object_at(spec, "domain"), "machine"), "type", "q35");
}

static void default_requests(json_t *domain)
{
    json_t *limit = amount_at(domain, "resources.limits.cpu");
    if (limit && !amount_at(domain, "resources.requests.cpu"))
        json_put_at(domain, "resources.requests.cpu", json_incref(limit));
}

static void default_guest_memory(json_t *domain)
{
    json_t *memory = object_at(domain, "memory");
    if (amount_at(domain, "memory.guest")) /* zero counts as not said */
        return;
    json_t *amount = amount_at(domain, "resources.requests.memory");
    if (!amount)
        amount = amount_at(domain, "resources.limits.memory");
    if (!amount)
        amount = amount_at(domain, "memory.hugepages.pageSize");
    if (amount)
        json_object_set(memory, "guest", amount);
}

static void default_topology(json_t *domain)
{
    json_t *cpu = object_at(domain, "cpu");
    if (json_int_at(cpu, "cores", 0) || json_int_at(cpu, "sockets", 0) || json_int_at(cpu, "threads", 0))
        return;
    int64_t sockets = 1;
    json_t *amount = json_at(domain, "resources.limits.cpu");
    if (!amount)
        amount = json_at(domain, "resources.requests.cpu");
    struct quantity q;
    struct error ignored;
    if (amount && quantity_from_json(amount, &q, &ignored) == 0)
        sockets = quantity_value(&q);
    json_object_set_new(cpu, "sockets", json_integer(sockets > 0 && sockets <= UINT32_MAX ? sockets : 0));
    json_object_set_new(cpu, "cores", json_integer(1));
    json_object_set_new(cpu, "threads", json_integer(1));
}

static void default_pull_policies(json_t *spec)
{
    size_t index;
    json_t *volume;
    json_array_foreach(json_object_get(spec, "volumes"), index, volume)
    {
        json_t *disk = json_object_get(volume, "containerDisk");
        if (!json_is_object(disk))
            continue;
        const char *image = json_text_at(disk, "image", "");
        bool latest = text_ends_with(image, ":latest") || !strpbrk(image, ":@");
        set_text_if_unset(disk, "imagePullPolicy", latest ? "Always" : "IfNotPresent");
    }
}

static void default_network(json_t *spec)
{
    json_t *devices = object_at(object_at(spec, "domain"), "devices");
    if (!json_bool_at(devices, "autoattachPodInterface", true))
        return;
    if (json_array_size(json_object_get(spec, "networks")) || json_array_size(json_object_get(devices, "interfaces")))
        return;
    json_object_set_new(devices, "interfaces", json_pack("[{s:s, s:{}}]", "name", "default", "bridge"));
    json_object_set_new(spec, "networks", json_pack("[{s:s, s:{}}]", "name", "default", "pod"));
}

static bool has_named(const json_t *array, const char *name)
{
    size_t index;
    json_t *item;
    json_array_foreach((json_t *)array, index, item)
    {
        if (text_equal(json_text_at(item, "name", NULL), name))
            return true;
    }
    return false;
}

static void default_disks(json_t *spec)
{
    json_t *devices = object_at(object_at(spec, "domain"), "devices");
    size_t index;
    json_t *volume;
    json_array_foreach(json_object_get(spec, "volumes"), index, volume)
    {
        const char *name = json_text_at(volume, "name", NULL);
        if (!name || json_object_get(volume, "memoryDump") || has_named(json_object_get(devices, "disks"), name) ||
            has_named(json_object_get(devices, "filesystems"), name))
            continue;
        if (!json_is_array(json_object_get(devices, "disks")))
            json_object_set_new(devices, "disks", json_array());
        json_array_append_new(json_object_get(devices, "disks"), json_pack("{s:s}", "name", name));
    }
}

void defaults_spec(json_t *spec)
{
    json_t *domain = object_at(spec, "domain");
    default_machine(spec);
    default_requests(domain);
    default_guest_memory(domain);
    default_topology(domain);
    default_pull_policies(spec);
    default_network(spec);
    default_disks(spec);
}

void defaults_vm(json_t *vm)
{
    json_t *spec = json_at(vm, "spec.template.spec");
    if (json_is_object(spec))
        default_machine(spec);
}

static void default_disk_targets(json_t *devices)
{
    size_t index;
    json_t *disk;
    json_array_foreach(json_object_get(devices, "disks"), index, disk)
    {
        if (json_is_object(disk) && !json_object_get(disk, "disk") && !json_object_get(disk, "lun") &&
            !json_object_get(disk, "cdrom"))
            json_object_set_new(disk, "disk", json_object());
    }
}

static void default_inputs(json_t *devices)
{
    if (json_bool_at(devices, "autoattachInputDevice", false) && !json_array_size(json_object_get(devices, "inputs")))
        json_object_set_new(devices, "inputs", json_pack("[{s:s}]", "name", "default-0"));
    size_t index;
    json_t *input;
    json_array_foreach(json_object_get(devices, "inputs"), index, input)
    {
        set_text_if_unset(input, "bus", "usb");
        set_text_if_unset(input, "type", "tablet");
    }
}

static uint64_t mix(uint64_t hash, const char *s)
{
    for (; *s; s++)
        hash = (hash ^ (unsigned char)*s) * 0x100000001b3u; /* FNV-1a */
    return hash;
}

/* RFC 9562 version 8: our own hash of "namespace/name". */
static void default_uuid(json_t *firmware, const json_t *vmi)
{
    if (!is_unset(json_object_get(firmware, "uuid")))
        return;
    uint64_t high = 0xcbf29ce484222325u;
    uint64_t low = 0x84222325cbf29ce4u;
    const char *const parts[] = {json_text_at(vmi, "metadata.namespace", "default"), "/",
                                 json_text_at(vmi, "metadata.name", "")};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        high = mix(high, parts[i]);
        low = mix(low ^ high, parts[i]);
    }
    auto_free char *uuid =
        must_format("%08" PRIx64 "-%04" PRIx64 "-8%03" PRIx64 "-%04" PRIx64 "-%012" PRIx64, high >> 32,
                    (high >> 16) & 0xffff, high & 0xfff, ((low >> 48) & 0x3fff) | 0x8000, low & 0xffffffffffff);
    json_object_set_new(firmware, "uuid", json_string(uuid));
}

/* KubeVirt says host-model always; a real-time guest wants what the CPU has: decoding picks host-passthrough for it. */
static void default_cpu_model(json_t *cpu)
{
    if (!json_object_get(cpu, "realtime"))
        set_text_if_unset(cpu, "model", "host-model");
}

void defaults_vmi(json_t *vmi)
{
    json_t *spec = object_at(vmi, "spec");
    defaults_spec(spec);
    json_t *domain = object_at(spec, "domain");
    json_t *devices = object_at(domain, "devices");
    object_at(domain, "features");
    default_uuid(object_at(domain, "firmware"), vmi);
    default_cpu_model(object_at(domain, "cpu"));
    default_disk_targets(devices);
    default_inputs(devices);
    json_t *watchdog = json_object_get(devices, "watchdog");
    if (json_is_object(watchdog))
        object_at(watchdog, "i6300esb");
    fields_apply_defaults(vmi);
    hyperv_complete(spec);
}
