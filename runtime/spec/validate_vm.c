/* What is checked of a VM beside its template, and what of a VMI after its spec. */
#include <inttypes.h>
#include <string.h>

#include "runtime/spec/hyperv.h"
#include "runtime/spec/validate.h"

static bool is_referenced(const struct admission *a, const char *name)
{
    for (size_t i = 0; i < rule_count(a, "volumes"); i++) {
        const json_t *volume = rule_item(a, "volumes", i);
        if (text_equal(json_text_at(volume, "persistentVolumeClaim.claimName", NULL), name) ||
            text_equal(json_text_at(volume, "dataVolume.name", NULL), name))
            return true;
    }
    return false;
}

static void data_volume_template(struct admission *a, size_t i, const json_t *template)
{
    const char *name = rule_text(template, "metadata.name");
    const char *namespace_ = rule_text(template, "metadata.namespace");
    const char *vm_namespace = json_text_at(a->vm, "metadata.namespace", namespace_);
    bool claim = json_at(template, "spec.pvc") != NULL;
    bool storage = json_at(template, "spec.storage") != NULL;
    auto_free char *field = must_format("spec.dataVolumeTemplate[%zu]", i);
    auto_free char *name_field = must_format("%s.name", field);
    auto_free char *size_field = must_format("%s.PVC.Storage", field);
    auto_free char *whole_field = must_format("spec.dataVolumeTemplates[%zu]", i);
    if (!*name)
        findings_cause(a->findings, CAUSE_REQUIRED, name_field,
                       "'name' field must not be empty for DataVolumeTemplate entry %s.", name_field);
    else if (!claim && !storage)
        findings_cause(a->findings, CAUSE_INVALID, size_field, "Missing Data volume PVC or Storage");
    else if (claim && storage)
        findings_cause(a->findings, CAUSE_INVALID, size_field,
                       "Duplicate storage definition, both target storage and target pvc defined");
    else if (!is_referenced(a, name))
        findings_cause(a->findings, CAUSE_REQUIRED, field,
                       "DataVolumeTemplate entry %s must be referenced in the VMI template's 'volumes' list", field);
    if (strcmp(namespace_, vm_namespace) != 0 && *namespace_)
        findings_cause(a->findings, CAUSE_INVALID, whole_field,
                       "Embedded DataVolume namespace %s differs from VM namespace %s", namespace_, vm_namespace);
}

static void data_volume_templates(struct admission *a)
{
    const json_t *templates = json_at(a->vm, "spec.dataVolumeTemplates");
    for (size_t i = 0; i < json_array_size(templates); i++)
        data_volume_template(a, i, json_array_get(templates, i));
}

static void run_strategy(struct admission *a)
{
    static const char *const STRATEGIES[] = {"Always", "Halted", "Manual", "RerunOnFailure", "Once"};
    const json_t *running = json_at(a->vm, "spec.running");
    const json_t *strategy = json_at(a->vm, "spec.runStrategy");
    const char *text = strategy ? json_string_value(strategy) : "Halted";
    if (running && strategy)
        findings_cause(a->findings, CAUSE_INVALID, "spec.running",
                       "Running and RunStrategy are mutually exclusive. Note that Running is deprecated, please use "
                       "RunStrategy instead");
    if (!running && !strategy)
        findings_cause(a->findings, CAUSE_INVALID, "spec.running", "RunStrategy must be specified");
    if (strcmp(text, "WaitAsReceiver") == 0)
        findings_cause(
            a->findings, CAUSE_INVALID, "spec.runStrategy",
            "Invalid RunStrategy (WaitAsReceiver), DecentralizedLiveMigration feature gate is not enabled in "
            "kubevirt resource");
    else if (!rule_is_one_of(text, STRATEGIES, ARRAY_SIZE(STRATEGIES)))
        findings_cause(a->findings, CAUSE_INVALID, "spec.runStrategy", "Invalid RunStrategy (%s)", text);
    if (running)
        findings_warn(a->findings, "spec.running is deprecated, please use spec.runStrategy instead.");
}

/* Only KubeVirt 1.1 knew the field; a manifest that has it was written for its rules. */
static void live_update_features(struct admission *a)
{
    static const char *const AMOUNTS[] = {"domain.resources.requests.cpu", "domain.resources.limits.cpu"};
    static const char FIELD[] = "spec.liveUpdateFeatures";
    const json_t *features = json_at(a->vm, FIELD);
    const json_t *cpu = json_object_get(features, "cpu");
    int64_t max = json_int_at(cpu, "maxSockets", INT64_MAX);
    const json_t *template = json_at(a->vm, "spec.template.spec");
    if (cpu && json_int_at(a->spec, "domain.cpu.sockets", 0) > max)
        findings_cause(a->findings, CAUSE_INVALID, FIELD,
                       "Number of sockets in CPU topology is greater than the maximum sockets allowed");
    for (size_t i = 0; cpu && i < ARRAY_SIZE(AMOUNTS); i++) {
        if (!json_at(template, AMOUNTS[i]))
            continue;
        findings_cause(a->findings, CAUSE_INVALID, FIELD,
                       "Configuration of CPU resource requirements is not allowed when CPU live update is enabled");
        return;
    }
}

static const char *memory_hotplug_complaint(const struct admission *a)
{
    struct amount guest = rule_amount(a->spec, "domain.memory.guest");
    struct amount max = rule_amount(a->spec, "domain.memory.maxGuest");
    bool gib_pages = strcmp(rule_text(a->spec, "domain.memory.hugepages.pageSize"), "1Gi") == 0;
    int64_t alignment = gib_pages ? 1 << 30 : 2 << 20;
    if (json_at(a->spec, "domain.cpu.realtime"))
        return "Memory hotplug is not compatible with realtime VMs";
    if (json_at(a->spec, "domain.cpu.numa.guestMappingPassthrough"))
        return "Memory hotplug is not compatible with guest mapping passthrough";
    if (json_at(a->spec, "domain.launchSecurity"))
        return "Memory hotplug is not compatible with encrypted VMs";
    if (!guest.given)
        return "Guest memory must be configured when memory hotplug is enabled";
    if (quantity_compare(&guest.q, &max.q) > 0)
        return "Guest memory is greater than the configured maxGuest memory";
    if (guest.value % alignment != 0)
        return gib_pages ? "Guest memory must be 1Gi aligned" : "Guest memory must be 2Mi aligned";
    if (max.value % alignment != 0)
        return gib_pages ? "MaxGuest must be 1Gi aligned" : "MaxGuest must be 2Mi aligned";
    if (guest.value < 1 << 30)
        return "Memory hotplug is only available for VMs with at least 1Gi of guest memory";
    return NULL;
}

static void max_guest(struct admission *a)
{
    const char *complaint = memory_hotplug_complaint(a);
    if (json_at(a->vm, "spec.template.spec.domain.memory.maxGuest") && complaint)
        findings_cause(a->findings, CAUSE_INVALID, "spec.template.spec.domain.memory.guest", "%s", complaint);
}

static rule *const VM[] = {data_volume_templates, run_strategy, live_update_features, max_guest};
const struct rules RULES_VM = {VM, ARRAY_SIZE(VM)};

static void memory_given(struct admission *a)
{
    if (rule_amount(a->spec, "domain.resources.requests.memory").value != 0 ||
        json_at(a->spec, "domain.memory.guest") || json_at(a->spec, "domain.memory.hugepages"))
        return;
    findings_cause(a->findings, CAUSE_REQUIRED, "",
                   "no memory requested, at least one of '%s.domain.memory.guest', "
                   "'%s.domain.memory.hugepages.pageSize' or '%s.domain.resources.requests.memory' must be set",
                   a->at, a->at, a->at);
}

static void architecture(struct admission *a)
{
    const char *text = rule_text(a->spec, "architecture");
    auto_free char *field = rule_path(a, "architecture");
    if (strcmp(text, "amd64") != 0)
        findings_cause(a->findings, CAUSE_INVALID, field, "unsupported architecture: %s", text);
}

static void watchdog(struct admission *a)
{
    const json_t *device = json_at(a->spec, "domain.devices.watchdog");
    auto_free char *field = rule_path(a, "domain.devices.watchdog");
    if (device && (!json_object_get(device, "i6300esb") || json_object_get(device, "diag288")))
        findings_cause(a->findings, CAUSE_NOT_SUPPORTED, field, "amd64 only supports I6300ESB watchdog device");
}

static void video_type(struct admission *a)
{
    static const char *const TYPES[] = {"vga", "cirrus", "virtio", "ramfb", "bochs"};
    const json_t *card = json_at(a->spec, "domain.devices.video");
    auto_free char *field = rule_path(a, "domain.devices.video.type");
    if (card && !rule_is_one_of(rule_text(card, "type"), TYPES, ARRAY_SIZE(TYPES)))
        findings_cause(a->findings, CAUSE_NOT_SUPPORTED, field,
                       "video model '%s' is not supported on amd64 architecture", rule_text(card, "type"));
}

static rule *const VMI[] = {memory_given, hyperv_check, architecture, watchdog, video_type};
const struct rules RULES_VMI = {VMI, ARRAY_SIZE(VMI)};
