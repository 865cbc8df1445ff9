/* What a VM costs beside its guest memory. The terms are KubeVirt's (kvm/hypervisorbackend.go, facts 3.4), so that a
 * host filled here looks like a node filled there; they are estimates on the safe side, not measurements. */
#include "rtvmd/base/quantity.h"
#include "runtime/spec/decode.h"

static const uint64_t MIB = 1u << 20;

static uint64_t page_tables(const json_t *spec)
{
    struct quantity q;
    struct error ignored;
    if (quantity_from_json(json_at(spec, "domain.resources.requests.memory"), &q, &ignored) < 0 || q.nano <= 0)
        return 0;
    /* KubeVirt counts in whole kilobytes (of 1000), rounded up */
    uint64_t kilobytes = ((uint64_t)quantity_value(&q) + 999) / 1000;
    return kilobytes * 1000 / 512;
}

static bool uses_vfio(const json_t *spec)
{
    if (json_array_size(json_at(spec, "domain.devices.hostDevices")) > 0 ||
        json_array_size(json_at(spec, "domain.devices.gpus")) > 0)
        return true;
    size_t index;
    json_t *interface;
    json_array_foreach(json_at(spec, "domain.devices.interfaces"), index, interface)
    {
        if (json_at(interface, "sriov"))
            return true;
    }
    return false;
}

static uint64_t probes(const json_t *spec)
{
    unsigned count = (json_at(spec, "livenessProbe.exec") != NULL) + (json_at(spec, "readinessProbe.exec") != NULL);
    return count ? (count * 10u + 100u) * MIB : 0;
}

static bool same_amount(const json_t *spec, const char *resource)
{
    auto_free char *request_path = must_format("domain.resources.requests.%s", resource);
    auto_free char *limit_path = must_format("domain.resources.limits.%s", resource);
    struct quantity request;
    struct quantity limit;
    struct error ignored;
    return quantity_from_json(json_at(spec, request_path), &request, &ignored) == 0 &&
           quantity_from_json(json_at(spec, limit_path), &limit, &ignored) == 0 && request.nano != 0 &&
           quantity_compare(&request, &limit) == 0;
}

static uint64_t added(const json_t *spec)
{
    uint64_t bytes = 0;
    struct error ignored;
    const json_t *value = json_at(spec, "domain.memory.reservedOverhead.addedOverhead");
    return value && decode_bytes(value, "", &bytes, &ignored) == 0 ? bytes : 0;
}

static bool has_metrics_disk(const struct vm_spec *vm)
{
    for (unsigned i = 0; i < vm->volume_count; i++)
        if (vm->volume[i].kind == VM_VOLUME_DOWNWARD_METRICS)
            return true;
    return false;
}

uint64_t overhead_estimate(const json_t *spec, const struct vm_spec *vm)
{
    uint64_t bytes = page_tables(spec);
    bytes += (25 + 100 + 25 + 40 + 50) * MIB; /* monitor, launcher, virtlogd, virtqemud, QEMU */
    bytes += 8 * MIB * vm->vcpus;
    bytes += 8 * MIB; /* IO threads, however many */
    bytes += vm->graphics != VM_OFF ? 32 * MIB : 0;
    bytes += text_equal(vm->architecture, "arm64") ? 128 * MIB : 0;
    bytes += uses_vfio(spec) ? 1024 * MIB : 0;
    bytes += has_metrics_disk(vm) ? MIB : 0;
    bytes += probes(spec);
    bytes += json_at(spec, "domain.launchSecurity.sev") || json_at(spec, "domain.launchSecurity.snp") ? 256 * MIB : 0;
    bytes += vm->tpm ? 53 * MIB : 0;
    bytes += vm->dedicated_cpus || (same_amount(spec, "cpu") && same_amount(spec, "memory")) ? 100 * MIB : 0;
    return bytes + added(spec);
}
