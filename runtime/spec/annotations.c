#include "runtime/spec/annotations.h"

#include <string.h>

#include "rtvmd/base/quantity.h"
#include "runtime/latency/duration.h"

enum { MIN_PAGE_BYTES = 64 << 10 };

static int one_of(const char *value, const char *const words[], size_t count, unsigned *ret_index, struct error *err)
{
    auto_text choices = {0};
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(value, words[i]) == 0) {
            *ret_index = i;
            return 0;
        }
        text_printf(&choices, "%s%s", i ? ", " : "", words[i]);
    }
    return fail(err, ERROR_INVALID, "'%s' is not one of %s", value, text_cstr(&choices));
}

/* The words stand in the order of the enumerations in vm_spec.h. */
static int apply_smt_policy(const char *value, struct vm_spec *spec, struct error *err)
{
    static const char *const WORDS[] = {"prefer", "require", "isolate"};
    unsigned index = 0;
    if (one_of(value, WORDS, ARRAY_SIZE(WORDS), &index, err) < 0)
        return -1;
    spec->smt_policy = (enum vm_smt_policy)index;
    return 0;
}

static int apply_emulator_policy(const char *value, struct vm_spec *spec, struct error *err)
{
    static const char *const WORDS[] = {"housekeeping", "dedicated", "sibling"};
    unsigned index = 0;
    if (one_of(value, WORDS, ARRAY_SIZE(WORDS), &index, err) < 0)
        return -1;
    spec->emulator_policy = (enum vm_emulator_policy)index;
    return 0;
}

static int apply_numa_policy(const char *value, struct vm_spec *spec, struct error *err)
{
    static const char *const WORDS[] = {"prefer", "strict", "spread"};
    unsigned index = 0;
    if (one_of(value, WORDS, ARRAY_SIZE(WORDS), &index, err) < 0)
        return -1;
    spec->numa_policy = (enum vm_numa_policy)index;
    return 0;
}

static int apply_host_tuning(const char *value, struct vm_spec *spec, struct error *err)
{
    static const char *const WORDS[] = {"none", "safe", "full"};
    unsigned index = 0;
    if (one_of(value, WORDS, ARRAY_SIZE(WORDS), &index, err) < 0)
        return -1;
    spec->host_tuning = (enum vm_host_tuning)index;
    return 0;
}

static int read_priority(const char *text, unsigned *ret_priority, struct error *err)
{
    uint64_t priority;
    if (!text_to_u64(text, &priority) || priority < 1 || priority > LIMIT_FIFO_PRIORITY)
        return fail(err, ERROR_INVALID,
                    "'%s' is not a whole number from 1 to %u (99 belongs to the kernel's own threads)", text,
                    LIMIT_FIFO_PRIORITY);
    *ret_priority = (unsigned)priority;
    return 0;
}

/* "5" for all, "0:5" or "2-3:5" for some. */
static int apply_one_priority(const char *item, struct vm_spec *spec, struct error *err)
{
    const char *colon = strchr(item, ':');
    unsigned priority = 0;
    if (read_priority(colon ? colon + 1 : item, &priority, err) < 0)
        return -1;
    if (!colon) {
        spec->fifo_priority = priority;
        return 0;
    }
    struct cpuset vcpus;
    auto_free char *list = must_strndup(item, (size_t)(colon - item));
    if (cpuset_parse(list, &vcpus, err) < 0)
        return -1;
    if (cpuset_is_empty(&vcpus))
        return fail(err, ERROR_INVALID, "'%s' names no vCPU", item);
    cpuset_foreach(v, &vcpus)
    {
        if ((unsigned)v >= LIMIT_VM_VCPUS)
            return fail(err, ERROR_INVALID, "'%s': there is no vCPU %d", item, v);
        spec->vcpu_priority[v] = (uint8_t)priority;
    }
    return 0;
}

static int apply_fifo_priority(const char *value, struct vm_spec *spec, struct error *err)
{
    for (const char *at = value;;) {
        size_t length = strcspn(at, ",");
        auto_free char *item = must_strndup(at, length);
        if (apply_one_priority(item, spec, err) < 0)
            return strcmp(item, value) == 0 ? -1 : error_prefix(err, "'%s'", value);
        if (!at[length])
            return 0;
        at += length + 1;
    }
}

static int apply_cpus(const char *value, struct vm_spec *spec, struct error *err)
{
    struct cpuset cpus;
    if (cpuset_parse(value, &cpus, err) < 0)
        return error_prefix(err, "'%s' is not a list of host CPUs like 4-7,12", value);
    if (cpuset_is_empty(&cpus))
        return fail(err, ERROR_INVALID, "'%s' names no host CPU; write a list like 4-7,12", value);
    spec->wanted_cpus = cpus;
    return 0;
}

static int apply_shared_vcpus(const char *value, struct vm_spec *spec, struct error *err)
{
    struct cpuset vcpus;
    if (cpuset_parse(value, &vcpus, err) < 0)
        return error_prefix(err, "'%s' is not a list of vCPUs like 0,2-3", value);
    spec->shared_vcpus = vcpus;
    return 0;
}

static int apply_one_page_size(const char *item, struct vm_page_sizes *sizes, struct error *err)
{
    struct quantity quantity;
    int64_t bytes = quantity_parse(item, &quantity, err) < 0 ? 0 : quantity_value(&quantity);
    if (bytes < MIN_PAGE_BYTES || (bytes & (bytes - 1)))
        return fail(err, ERROR_INVALID, "'%s' is not a size of huge pages like 2Mi or 1Gi", item);
    for (unsigned i = 0; i < sizes->count; i++)
        if (sizes->bytes[i] == (uint64_t)bytes)
            return 0;
    if (sizes->count == LIMIT_VM_OTHER_PAGE_SIZES)
        return fail(err, ERROR_INVALID, "more than %u sizes of huge pages", LIMIT_VM_OTHER_PAGE_SIZES);
    sizes->bytes[sizes->count++] = (uint64_t)bytes;
    return 0;
}

static int apply_page_sizes(const char *value, struct vm_spec *spec, struct error *err)
{
    struct vm_page_sizes sizes = {0};
    for (const char *at = value;;) {
        size_t length = strcspn(at, ",");
        auto_free char *item = must_strndup(at + strspn(at, " "), length - strspn(at, " "));
        if (apply_one_page_size(item, &sizes, err) < 0)
            return strcmp(item, value) == 0 ? -1 : error_prefix(err, "'%s'", value);
        if (!at[length])
            break;
        at += length + 1;
    }
    spec->other_page_sizes = sizes;
    return 0;
}

static int apply_latency_gate(const char *value, struct vm_spec *spec, struct error *err)
{
    return latency_gate_parse(value, &spec->latency_gate_ns, err);
}

static int apply_gate_duration(const char *value, struct vm_spec *spec, struct error *err)
{
    if (latency_duration_parse(value, &spec->latency_gate_ms, err) < 0)
        return -1;
    if (spec->latency_gate_ms > LIMIT_LATENCY_GATE_MS)
        return fail(err, ERROR_INVALID, "'%s' is longer than a start may wait; want at most %us", value,
                    LIMIT_LATENCY_GATE_MS / 1000);
    return 0;
}

static int apply_gate_action(const char *value, struct vm_spec *spec, struct error *err)
{
    static const char *const WORDS[] = {"refuse", "warn"};
    unsigned index = 0;
    if (one_of(value, WORDS, ARRAY_SIZE(WORDS), &index, err) < 0)
        return -1;
    spec->latency_gate_warns = index == 1;
    return 0;
}

static int apply_memfd(const char *value, struct vm_spec *spec, struct error *err)
{
    (void)err; /* as KubeVirt: only the exact word switches it off */
    spec->memfd = strcmp(value, "false") != 0;
    return 0;
}

static int apply_even_parity(const char *value, struct vm_spec *spec, struct error *err)
{
    (void)value; /* its presence counts */
    (void)err;
    spec->emulator_even_parity = true;
    return 0;
}

static const struct annotation ANNOTATIONS[] = {
    {"rtvmd.io/smt-policy", apply_smt_policy, "prefer|require|isolate",
     "what runs on the hyper-thread siblings of this VM's exclusive CPUs: whole cores preferred, whole cores or a "
     "refusal, or siblings kept idle"},
    {"rtvmd.io/emulator-policy", apply_emulator_policy, "housekeeping|dedicated|sibling",
     "where QEMU's own threads run: on the housekeeping CPUs, on a CPU of their own, or on a sibling of a vCPU"},
    {"rtvmd.io/numa-policy", apply_numa_policy, "prefer|strict|spread",
     "the fewest host nodes that hold the VM (one when it fits), one node or a refusal, or spread over nodes"},
    {"rtvmd.io/fifo-priority", apply_fifo_priority, "1..98, or 0:5,2-3:1",
     "SCHED_FIFO priority of real-time vCPUs, of all or by vCPU; 1 when not said"},
    {"rtvmd.io/cpus", apply_cpus, "CPU list", "the host CPUs this VM's exclusive CPUs are taken from"},
    {"rtvmd.io/shared-vcpus", apply_shared_vcpus, "vCPU list",
     "vCPUs that float on the housekeeping CPUs though the VM has dedicated CPUs; whole guest cores, never real-time"},
    {"rtvmd.io/page-sizes", apply_page_sizes, "sizes like 2Mi,1Gi",
     "sizes of huge pages, most wanted first, that guest NUMA cells may have when the VM does not fit with "
     "hugepages.pageSize alone: each cell gets the most wanted size its host node has enough of"},
    {"rtvmd.io/host-tuning", apply_host_tuning, "none|safe|full",
     "which host knobs may be turned while the VM runs; they are put back afterwards"},
    {"rtvmd.io/latency-gate", apply_latency_gate, "time like 40us",
     "measure the VM's CPUs before it starts; a worse value keeps it out. Emulated and nested hosts give no verdict and "
     "keep nobody out"},
    {"rtvmd.io/latency-gate-duration", apply_gate_duration, "time like 10s",
     "how long the gate measures; 10s when not said"},
    {"rtvmd.io/latency-gate-action", apply_gate_action, "refuse|warn",
     "what happens when a CPU is worse than the gate: the VM waits and is measured again, or starts with a warning"},
    {"kubevirt.io/memfd", apply_memfd, "false", "\"false\": huge pages are backed by files instead of memfd"},
    {"alpha.kubevirt.io/EmulatorThreadCompleteToEvenParity", apply_even_parity, "any",
     "accepted and not needed: whole cores are kept whole without a second CPU for the emulator"},
};

const struct annotation *annotation_table(size_t *ret_count)
{
    *ret_count = ARRAY_SIZE(ANNOTATIONS);
    return ANNOTATIONS;
}

int annotation_apply(const char *key, const char *value, struct vm_spec *spec, struct error *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(ANNOTATIONS); i++)
        if (strcmp(key, ANNOTATIONS[i].key) == 0)
            return ANNOTATIONS[i].apply(value, spec, err);
    return 0;
}
