/* What KubeVirt lets pass and fails on later, or never notices: refused at once, in the same tone.
 *
 *  - a real-time mask that does not parse: KubeVirt creates the domain first and then retries for ever;
 *  - guest memory of nothing or less, more vCPUs, disks, interfaces or IO threads than there is room for;
 *  - warnings about what changes nothing: masks and annotations without effect, resources nobody counts;
 *  - values of fields with a fixed set of words that libvirt would reject at start are in schema.c. */
#include <inttypes.h>
#include <string.h>

#include "rtvmd/base/limits.h"
#include "runtime/spec/mask.h"
#include "runtime/spec/similar.h"
#include "runtime/spec/validate.h"

static void mask(struct admission *a)
{
    const char *text = rule_text(a->spec, "domain.cpu.realtime.mask");
    int64_t vcpus = rule_vcpus(a);
    struct cpuset enabled;
    struct cpuset wide;
    struct error err;
    auto_free char *field = rule_path(a, "domain.cpu.realtime.mask");
    if (!json_at(a->spec, "domain.cpu.realtime") || vcpus < 1 || vcpus > LIMIT_VM_VCPUS)
        return;
    if (mask_parse(text, (unsigned)vcpus, &enabled, &err) < 0) {
        findings_cause(a->findings, CAUSE_INVALID, field, "%s: %s", field, err.text);
        return;
    }
    if (cpuset_is_empty(&enabled))
        findings_warn(a->findings,
                      "%s: '%s' names none of the %" PRId64
                      " vCPUs, so no vCPU runs in real time; what is not listed is "
                      "off (write 0-%" PRId64 " for all)",
                      field, text, vcpus, vcpus - 1);
    else if (*text && mask_parse(text, CPUSET_MAX, &wide, &err) == 0 && !cpuset_equal(&wide, &enabled))
        findings_warn(a->findings, "%s: '%s' names vCPUs past the last one (%" PRId64 ")", field, text, vcpus - 1);
}

/* A request that is too small, or a negative amount, was complained about before it was copied here. */
static bool is_copied(const struct admission *a, const struct amount *guest)
{
    struct amount request = rule_amount(a->spec, "domain.resources.requests.memory");
    struct amount limit = rule_amount(a->spec, "domain.resources.limits.memory");
    return (request.given && quantity_compare(&request.q, &guest->q) == 0) ||
           (limit.value < 0 && quantity_compare(&limit.q, &guest->q) == 0);
}

static void guest_memory(struct admission *a)
{
    struct amount guest = rule_amount(a->spec, "domain.memory.guest");
    auto_free char *field = rule_path(a, "domain.memory.guest");
    if (!guest.given || guest.value >= 1000000 || (guest.value != 0 && is_copied(a, &guest)))
        return;
    findings_cause(a->findings, CAUSE_INVALID, field, "%s '%s': must be greater than or equal to 1M.", field,
                   guest.text.text);
}

static void vcpu_count(struct admission *a)
{
    int64_t vcpus = rule_vcpus(a);
    auto_free char *field = rule_path(a, "domain.cpu");
    if (vcpus > LIMIT_VM_VCPUS)
        findings_cause(a->findings, CAUSE_INVALID, field,
                       "%s: sockets × cores × threads make %" PRId64 " vCPUs, more than %u", field, vcpus,
                       LIMIT_VM_VCPUS);
}

static void list_lengths(struct admission *a)
{
    static const struct {
        const char *path;
        size_t max;
    } LISTS[] = {
        {"domain.devices.disks", LIMIT_VM_DISKS}, {"domain.devices.interfaces", LIMIT_VM_INTERFACES},
        {"networks", LIMIT_VM_INTERFACES},        {"volumes", LIMIT_VM_DISKS},
        {"accessCredentials", LIMIT_VM_DISKS},
    };
    for (size_t i = 0; i < ARRAY_SIZE(LISTS); i++) {
        auto_free char *field = rule_path(a, "%s", LISTS[i].path);
        if (rule_count(a, LISTS[i].path) > LISTS[i].max)
            findings_cause(a->findings, CAUSE_INVALID, field, "%s list exceeds the %zu element limit in length", field,
                           LISTS[i].max);
    }
}

static void iothread_count(struct admission *a)
{
    int64_t count = json_int_at(a->spec, "domain.ioThreads.supplementalPoolThreadCount", 0);
    auto_free char *field = rule_path(a, "domain.ioThreads.supplementalPoolThreadCount");
    if (count > LIMIT_VM_IOTHREADS)
        findings_cause(a->findings, CAUSE_INVALID, field, "%s: %" PRId64 " threads are more than %u", field, count,
                       LIMIT_VM_IOTHREADS);
}

static void clock_offsets(struct admission *a)
{
    auto_free char *field = rule_path(a, "domain.clock");
    if (json_at(a->spec, "domain.clock.utc") && *rule_text(a->spec, "domain.clock.timezone"))
        findings_warn(a->findings, "%s has both utc and timezone; utc counts", field);
}

static void grace_period(struct admission *a)
{
    auto_free char *field = rule_path(a, "terminationGracePeriodSeconds");
    if (json_int_at(a->spec, "terminationGracePeriodSeconds", 0) < 0)
        findings_warn(a->findings, "%s is negative; the guest is switched off at once, as with 0", field);
}

static void resource_names(struct admission *a)
{
    static const char *const NAMES[] = {"cpu", "memory", "ephemeral-storage"};
    static const char *const LISTS[] = {"domain.resources.requests", "domain.resources.limits"};
    for (size_t i = 0; i < ARRAY_SIZE(LISTS); i++) {
        auto_free char *field = rule_path(a, "%s", LISTS[i]);
        const char *key;
        json_t *value;
        json_object_foreach(json_at(a->spec, LISTS[i]), key, value)
        {
            struct similar similar = similar_to(key);
            for (size_t n = 0; n < ARRAY_SIZE(NAMES); n++)
                similar_consider(&similar, NAMES[n]);
            if (rule_is_one_of(key, NAMES, ARRAY_SIZE(NAMES)) || strchr(key, '/') ||
                text_starts_with(key, "hugepages-"))
                continue;
            findings_warn(a->findings, "%s.%s is not used; %s%s", field, key, similar.best ? "did you mean " : "only ",
                          similar.best ? similar.best : "cpu and memory are");
        }
    }
}

/* An annotation that changes nothing without the field it refines. */
static void idle_annotations(struct admission *a)
{
    static const struct {
        const char *key;
        const char *needs;
    } REFINES[] = {
        {"rtvmd.io/smt-policy", "domain.cpu.dedicatedCpuPlacement"},
        {"rtvmd.io/cpus", "domain.cpu.dedicatedCpuPlacement"},
        {"rtvmd.io/shared-vcpus", "domain.cpu.dedicatedCpuPlacement"},
        {"rtvmd.io/emulator-policy", "domain.cpu.dedicatedCpuPlacement"},
        {"rtvmd.io/fifo-priority", "domain.cpu.realtime"},
        {"rtvmd.io/page-sizes", "domain.memory.hugepages"},
    };
    const json_t *annotations = json_object_get(a->metadata, "annotations");
    for (size_t i = 0; i < ARRAY_SIZE(REFINES); i++) {
        const json_t *needed = json_at(a->spec, REFINES[i].needs);
        auto_free char *field = rule_path(a, "%s", REFINES[i].needs);
        if (json_object_get(annotations, REFINES[i].key) && (!needed || json_is_false(needed)))
            findings_warn(a->findings, "%s.annotations.%s changes nothing without %s", a->metadata_at, REFINES[i].key,
                          field);
    }
    const char *policy = json_string_value(json_object_get(annotations, "rtvmd.io/emulator-policy"));
    if (policy && strcmp(policy, "dedicated") != 0 && json_bool_at(a->spec, "domain.cpu.isolateEmulatorThread", false))
        findings_warn(a->findings, "%s.annotations.rtvmd.io/emulator-policy: isolateEmulatorThread counts: dedicated",
                      a->metadata_at);
}

/* Only the template's annotations reach the VMI. */
static void annotations_of_the_vm(struct admission *a)
{
    const char *key;
    json_t *value;
    json_object_foreach(json_at(a->vm, "metadata.annotations"), key, value)
    {
        if (text_starts_with(key, "rtvmd.io/"))
            findings_warn(a->findings,
                          "metadata.annotations.%s changes nothing on the VM; write it below "
                          "spec.template.metadata.annotations",
                          key);
    }
}

static rule *const OURS[] = {mask,          guest_memory, vcpu_count,     list_lengths,     iothread_count,
                             clock_offsets, grace_period, resource_names, idle_annotations, annotations_of_the_vm};
const struct rules RULES_OURS = {OURS, ARRAY_SIZE(OURS)};
