/* CPU, memory and IO threads: what placement is about. */
#include <string.h>

#include "rtvmd/base/quantity.h"
#include "runtime/spec/decode.h"
#include "runtime/spec/mask.h"

int decode_bytes(const json_t *value, const char *field, uint64_t *ret_bytes, struct error *err)
{
    struct quantity q;
    if (quantity_from_json(value, &q, err) < 0)
        return error_prefix(err, "%s", field);
    int64_t bytes = quantity_value(&q);
    struct quantity whole = quantity_of(bytes, QUANTITY_BINARY);
    if (quantity_compare(&whole, &q) > 0)
        bytes--;
    if (bytes < 0)
        return fail(err, ERROR_INVALID, "%s: %lld bytes are less than none", field, (long long)bytes);
    *ret_bytes = (uint64_t)bytes;
    return 0;
}

static int decode_topology(const json_t *cpu, struct vm_spec *vm, struct error *err)
{
    static const char *const KEYS[] = {"sockets", "cores", "threads"};
    unsigned *const parts[] = {&vm->sockets, &vm->cores, &vm->threads};
    uint64_t product = 1;
    for (size_t i = 0; i < ARRAY_SIZE(KEYS); i++) {
        int64_t count = json_int_at(cpu, KEYS[i], 0);
        if (count < 1)
            count = 1;
        if (count > LIMIT_VM_VCPUS || (product *= (uint64_t)count) > LIMIT_VM_VCPUS)
            return fail(err, ERROR_INVALID, "spec.domain.cpu: more than %u vCPUs", LIMIT_VM_VCPUS);
        *parts[i] = (unsigned)count;
    }
    vm->vcpus = (unsigned)product;
    return 0;
}

static void decode_features(const json_t *cpu, struct vm_spec *vm)
{
    const json_t *features = json_object_get(cpu, "features");
    vm->cpu_feature = must_calloc(json_array_size(features), sizeof *vm->cpu_feature);
    size_t index;
    json_t *json;
    json_array_foreach((json_t *)features, index, json)
    {
        const char *policy = json_text_at(json, "policy", "");
        vm->cpu_feature[vm->cpu_feature_count++] =
            (struct vm_cpu_feature){json_text_at(json, "name", ""), *policy ? policy : NULL};
    }
}

static int decode_cpu(const json_t *spec, struct vm_spec *vm, struct error *err)
{
    const json_t *cpu = json_at(spec, "domain.cpu");
    if (decode_topology(cpu, vm, err) < 0)
        return -1;
    decode_features(cpu, vm);
    vm->dedicated_cpus = json_bool_at(cpu, "dedicatedCpuPlacement", false);
    vm->isolate_emulator = json_bool_at(cpu, "isolateEmulatorThread", false);
    if (vm->isolate_emulator)
        vm->emulator_policy = VM_EMULATOR_DEDICATED;
    vm->numa_passthrough = json_at(cpu, "numa.guestMappingPassthrough") != NULL;
    vm->realtime = json_object_get(cpu, "realtime") != NULL;
    const char *model = json_text_at(cpu, "model", "");
    vm->cpu_model = *model ? model : vm->realtime ? "host-passthrough" : "host-model"; /* see default_cpu_model */
    if (vm->realtime && mask_parse(json_text_at(cpu, "realtime.mask", ""), vm->vcpus, &vm->realtime_vcpus, err) < 0)
        return error_prefix(err, "spec.domain.cpu.realtime.mask");
    return 0;
}

static int decode_cpu_request(const json_t *spec, struct vm_spec *vm, struct error *err)
{
    const json_t *value = json_at(spec, "domain.resources.requests.cpu");
    if (!value)
        value = json_at(spec, "domain.resources.limits.cpu");
    if (!value)
        return 0;
    struct quantity q;
    if (quantity_from_json(value, &q, err) < 0)
        return error_prefix(err, "spec.domain.resources.requests.cpu");
    int64_t milli = quantity_milli(&q);
    vm->request_cpu_milli = milli > 0 ? (uint64_t)milli : 0;
    return 0;
}

static int decode_memory(const json_t *spec, struct vm_spec *vm, struct error *err)
{
    static const char *const SOURCES[] = {"domain.memory.guest", "domain.resources.requests.memory",
                                          "domain.resources.limits.memory"};
    for (size_t i = 0; i < ARRAY_SIZE(SOURCES) && vm->memory_bytes == 0; i++) {
        const json_t *value = json_at(spec, SOURCES[i]);
        auto_free char *field = must_format("spec.%s", SOURCES[i]);
        if (value && decode_bytes(value, field, &vm->memory_bytes, err) < 0)
            return -1;
    }
    const json_t *page = json_at(spec, "domain.memory.hugepages.pageSize");
    if (page && decode_bytes(page, "spec.domain.memory.hugepages.pageSize", &vm->hugepage_bytes, err) < 0)
        return -1;
    if (vm->memory_bytes == 0)
        vm->memory_bytes = vm->hugepage_bytes;
    if (vm->memory_bytes == 0)
        return fail(err, ERROR_INVALID, "spec.domain.memory.guest: no memory requested");
    return 0;
}

static int decode_iothreads(const json_t *spec, struct vm_spec *vm, struct error *err)
{
    static const struct {
        const char *text;
        enum vm_iothreads_policy policy;
    } POLICIES[] = {
        {"", VM_IOTHREADS_UNSET},
        {"shared", VM_IOTHREADS_SHARED},
        {"auto", VM_IOTHREADS_AUTO},
        {"supplementalPool", VM_IOTHREADS_SUPPLEMENTAL},
    };
    int64_t count = json_int_at(spec, "domain.ioThreads.supplementalPoolThreadCount", 0);
    if (count < 0 || count > LIMIT_VM_IOTHREADS)
        return fail(err, ERROR_INVALID, "spec.domain.ioThreads.supplementalPoolThreadCount: more than %u",
                    LIMIT_VM_IOTHREADS);
    vm->supplemental_iothreads = (unsigned)count;
    const char *policy = json_text_at(spec, "domain.ioThreadsPolicy", "");
    for (size_t i = 0; i < ARRAY_SIZE(POLICIES); i++) {
        if (strcmp(policy, POLICIES[i].text) == 0) {
            vm->iothreads_policy = POLICIES[i].policy;
            return 0;
        }
    }
    return fail(err, ERROR_INVALID, "spec.domain.ioThreadsPolicy: Invalid IOThreadsPolicy (%s)", policy);
}

int decode_resources(const json_t *spec, struct vm_spec *vm, struct error *err)
{
    if (decode_cpu(spec, vm, err) < 0 || decode_cpu_request(spec, vm, err) < 0)
        return -1;
    if (decode_memory(spec, vm, err) < 0)
        return -1;
    return decode_iothreads(spec, vm, err);
}
