/* Inputs, IO threads, sound, video, and the eviction strategy that KubeVirt checks among them. */
#include <string.h>

#include "runtime/spec/validate.h"

static void inputs(struct admission *a)
{
    static const char *const BUSES[] = {"", "virtio", "usb"};
    static const char *const TYPES[] = {"", "tablet"};
    for (size_t i = 0; i < rule_count(a, "domain.devices.inputs"); i++) {
        const json_t *input = rule_item(a, "domain.devices.inputs", i);
        auto_free char *bus = rule_path(a, "domain.devices.inputs[%zu].bus", i);
        auto_free char *type = rule_path(a, "domain.devices.inputs[%zu].type", i);
        if (!rule_is_one_of(rule_text(input, "bus"), BUSES, ARRAY_SIZE(BUSES)))
            findings_cause(a->findings, CAUSE_INVALID, bus, "Input device can have only virtio or usb bus.");
        if (!rule_is_one_of(rule_text(input, "type"), TYPES, ARRAY_SIZE(TYPES)))
            findings_cause(a->findings, CAUSE_INVALID, type, "Input device can have only tablet type.");
    }
}

static void iothreads(struct admission *a)
{
    static const char *const POLICIES[] = {"shared", "auto", "supplementalPool"};
    const json_t *policy = json_at(a->spec, "domain.ioThreadsPolicy");
    auto_free char *field = rule_path(a, "domain.ioThreadsPolicy");
    auto_free char *count_field = rule_path(a, "domain.ioThreads.count");
    if (!policy)
        return;
    if (!rule_is_one_of(json_string_value(policy), POLICIES, ARRAY_SIZE(POLICIES)))
        findings_cause(a->findings, CAUSE_INVALID, field, "Invalid IOThreadsPolicy (%s)", json_string_value(policy));
    if (text_equal(json_string_value(policy), "supplementalPool") &&
        json_int_at(a->spec, "domain.ioThreads.supplementalPoolThreadCount", 0) < 1)
        findings_cause(a->findings, CAUSE_INVALID, count_field,
                       "the number of iothreads needs to be set and positive for the dedicated policy");
}

static bool has_pod_network(const struct admission *a)
{
    for (size_t i = 0; i < rule_count(a, "networks"); i++)
        if (json_object_get(rule_item(a, "networks", i), "pod"))
            return true;
    return false;
}

static void probe_handlers(struct admission *a, const char *key)
{
    static const char *const HANDLERS[] = {"httpGet", "tcpSocket", "exec", "guestAgentPing"};
    const json_t *probe = json_object_get(a->spec, key);
    auto_free char *field = rule_path(a, "%s", key);
    int count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(HANDLERS); i++)
        count += json_object_get(probe, HANDLERS[i]) != NULL;
    if (probe && count > 1)
        findings_cause(a->findings, CAUSE_INVALID, field, "%s must have exactly one probe type set", field);
    if (probe && count == 0)
        findings_cause(a->findings, CAUSE_REQUIRED, field,
                       "either %s.tcpSocket, %s.exec or %s.httpGet must be set if a %s is specified", field, field,
                       field, field);
}

static void probe_network(struct admission *a, const char *key)
{
    static const char *const HANDLERS[] = {"httpGet", "tcpSocket"};
    for (size_t i = 0; i < ARRAY_SIZE(HANDLERS); i++) {
        if (!json_object_get(json_object_get(a->spec, key), HANDLERS[i]))
            continue;
        auto_free char *field = rule_path(a, "%s.%s", key, HANDLERS[i]);
        findings_cause(a->findings, CAUSE_INVALID, field, "%s is only allowed if the Pod Network is attached", field);
    }
}

static void probes(struct admission *a)
{
    probe_handlers(a, "readinessProbe");
    probe_handlers(a, "livenessProbe");
    if (has_pod_network(a))
        return;
    probe_network(a, "readinessProbe");
    probe_network(a, "livenessProbe");
}

static rule *const PROBES[] = {inputs, iothreads, probes};
const struct rules RULES_PROBES = {PROBES, ARRAY_SIZE(PROBES)};

static void eviction_strategy(struct admission *a)
{
    static const char *const STRATEGIES[] = {"None", "LiveMigrate", "LiveMigrateIfPossible", "External"};
    const json_t *strategy = json_object_get(a->spec, "evictionStrategy");
    auto_free char *field = rule_path(a, "evictionStrategy");
    if (strategy && !rule_is_one_of(json_string_value(strategy), STRATEGIES, ARRAY_SIZE(STRATEGIES)))
        findings_cause(a->findings, CAUSE_INVALID, field, "%s is set with an unrecognized option: %s", field,
                       json_string_value(strategy));
}

static void sound(struct admission *a)
{
    static const char *const MODELS[] = {"", "ich9", "ac97"};
    const json_t *card = json_at(a->spec, "domain.devices.sound");
    auto_free char *field = rule_path(a, "Sound");
    if (card && !rule_is_one_of(rule_text(card, "model"), MODELS, ARRAY_SIZE(MODELS)))
        findings_cause(a->findings, CAUSE_INVALID, field,
                       "Sound device type is not supported. Options: 'ich9' or 'ac97'");
    if (card && !*rule_text(card, "name"))
        findings_cause(a->findings, CAUSE_INVALID, field, "Sound device requires a name field.");
}

static void video(struct admission *a)
{
    auto_free char *field = rule_path(a, "video");
    if (json_at(a->spec, "domain.devices.video") &&
        !json_bool_at(a->spec, "domain.devices.autoattachGraphicsDevice", true))
        findings_cause(a->findings, CAUSE_INVALID, field,
                       "Video configuration is not allowed when autoattachGraphicsDevice is set to false");
}

static void panic_devices(struct admission *a)
{
    static const char *const MODELS[] = {"hyperv", "isa", "pvpanic"};
    for (size_t i = 0; i < rule_count(a, "domain.devices.panicDevices"); i++) {
        const json_t *model = json_object_get(rule_item(a, "domain.devices.panicDevices", i), "model");
        if (!model || rule_is_one_of(json_string_value(model), MODELS, ARRAY_SIZE(MODELS)))
            continue;
        auto_free char *field = rule_path(a, "domain.devices.panicDevices[%zu].model", i);
        findings_cause(a->findings, CAUSE_INVALID, field, "invalid PanicDeviceModel(%s)", json_string_value(model));
    }
}

static rule *const DEVICES[] = {eviction_strategy, sound, video, panic_devices};
const struct rules RULES_DEVICES = {DEVICES, ARRAY_SIZE(DEVICES)};
