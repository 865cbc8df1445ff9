#include "runtime/latency/latency_test.h"

#include <string.h>

#include "runtime/image/image.h"
#include "runtime/latency/duration.h"
#include "runtime/latency/probe_image.h"

static const char DEFAULT_DURATION[] = "10s";

static const json_t *spec_of(const json_t *object)
{
    return json_object_get(object, "spec");
}

int latency_test_decode(const json_t *object, struct latency_test *ret_test, struct error *err)
{
    const json_t *spec = spec_of(object);
    const char *cpus = json_text_at(spec, "cpus", "");
    const json_t *template = json_object_get(spec, "template");
    *ret_test = (struct latency_test){
        .load = json_bool_at(spec, "load", false),
        .virtual_machine = json_text_at(spec, "virtualMachine", NULL),
        .template = json_is_object(template) ? template : NULL,
        .run_name = json_text_at(spec, "runName", ""),
    };
    ret_test->target = ret_test->virtual_machine || ret_test->template ? LATENCY_VM : LATENCY_HOST;
    if (json_bool_at(spec, "insideGuest", false))
        ret_test->target = LATENCY_GUEST;
    if (measure_kind_parse(json_text_at(spec, "kind", "both"), ret_test->wanted, err) < 0)
        return error_prefix(err, "spec");
    if (latency_duration_parse(json_text_at(spec, "duration", DEFAULT_DURATION), &ret_test->duration_ms, err) < 0)
        return error_prefix(err, "spec.duration");
    if (cpus[0] && cpuset_parse(cpus, &ret_test->cpus, err) < 0)
        return error_prefix(err, "spec.cpus");
    return 0;
}

/* ---- admission */
static const struct {
    const char *key;
    json_type type;
    const char *what;
} FIELDS[] = {
    {"cpus", JSON_STRING, "a CPU list like \"2-5,8\""},
    {"kind", JSON_STRING, "timer, gaps or both"},
    {"duration", JSON_STRING, "a time like \"10s\""},
    {"load", JSON_TRUE, "true or false"},
    {"virtualMachine", JSON_STRING, "the name of a VM in the same namespace"},
    {"insideGuest", JSON_TRUE, "true or false"},
    {"template", JSON_OBJECT, "metadata and spec of a VirtualMachineInstance"},
    {"runName", JSON_STRING, "a name for the stored run"},
};

static bool has_type(const json_t *value, json_type type)
{
    return type == JSON_TRUE ? json_is_boolean(value) : json_typeof(value) == type;
}

static void check_fields(json_t *spec, struct findings *findings)
{
    const char *key;
    json_t *value;
    json_object_foreach(spec, key, value)
    {
        size_t i = 0;
        while (i < ARRAY_SIZE(FIELDS) && strcmp(FIELDS[i].key, key) != 0)
            i++;
        auto_free char *path = must_format("spec.%s", key);
        if (i == ARRAY_SIZE(FIELDS))
            findings_cause(findings, "FieldValueNotSupported", path, "unknown field");
        else if (!has_type(value, FIELDS[i].type))
            findings_cause(findings, "FieldValueInvalid", path, "want %s", FIELDS[i].what);
    }
}

static void check_target(const json_t *spec, struct findings *findings)
{
    static const char *const TARGETS[] = {"cpus", "virtualMachine", "template"};
    unsigned count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(TARGETS); i++)
        count += json_object_get(spec, TARGETS[i]) != NULL;
    if (count > 1)
        findings_cause(findings, "FieldValueInvalid", "spec", "want at most one of cpus, virtualMachine and template");
    if (json_bool_at(spec, "insideGuest", false) && !json_object_get(spec, "virtualMachine"))
        findings_cause(findings, "FieldValueInvalid", "spec.insideGuest", "want spec.virtualMachine, one that runs");
}

/* What the template will become is admitted as any VMI when it is made; here, what would be wrong then is said. */
static void check_template(const struct latency_test *test, struct findings *findings)
{
    auto_json *vmi = latency_probe_vmi(test, test->template, NULL, "default", "probe");
    struct error err;
    auto_findings inside = {0};
    if (spec_admit(vmi, &inside, &err) < 0)
        findings_cause(findings, "FieldValueInvalid", "spec.template", "%s", err.text);
    for (size_t i = 0; i < inside.cause_count; i++) {
        auto_free char *path = must_format("spec.template.%s", inside.cause[i].field);
        findings_cause(findings, inside.cause[i].reason, path, "%s", inside.cause[i].message);
    }
}

void latency_test_admit(json_t *object, const json_t *before, struct findings *findings)
{
    struct latency_test test;
    struct error err;
    if (!json_is_object(json_object_get(object, "spec")))
        json_object_set_new(object, "spec", json_object());
    if (before) {
        json_t *status = json_object_get(before, "status");
        json_object_set_new(object, "status", status ? json_deep_copy(status) : json_object());
        if (!json_equal(spec_of(object), spec_of(before)))
            findings_cause(findings, "FieldValueNotSupported", "spec",
                           "a LatencyTest is not changed; make another one");
        return;
    }
    json_object_set_new(object, "status", json_pack("{s:s, s:i}", "phase", "Pending", "progress", 0));
    check_fields(json_object_get(object, "spec"), findings);
    check_target(spec_of(object), findings);
    if (findings->cause_count > 0)
        return;
    if (latency_test_decode(object, &test, &err) < 0)
        findings_cause(findings, "FieldValueInvalid", "spec", "%s", err.text);
    else if (test.template)
        check_template(&test, findings);
}

/* ---- the probe in place of a VM */

static const json_t *template_of(const json_t *like)
{
    const json_t *template =
        strcmp(json_text_at(like, "kind", ""), "VirtualMachine") == 0 ? json_at(like, "spec.template") : NULL;
    return template ? template : like;
}

static json_t *annotations_of(const json_t *template, const struct cpuset *cpus)
{
    static const char PREFIX[] = "rtvmd.io/";
    static const char GATE[] = "rtvmd.io/latency-gate"; /* this is a measurement already */
    json_t *ours = json_object();
    const char *key;
    json_t *value;
    json_object_foreach(json_at(template, "metadata.annotations"), key, value)
    {
        if (text_starts_with(key, PREFIX) && !text_starts_with(key, GATE))
            json_object_set(ours, key, value);
    }
    auto_free struct cpuset_text *text = must_calloc(1, sizeof *text);
    if (cpus && !cpuset_is_empty(cpus))
        json_object_set_new(ours, "rtvmd.io/cpus", json_string(cpuset_format(cpus, text)));
    return ours;
}

static json_t *probe_volumes(const struct latency_test *test)
{
    uint32_t kinds = (uint32_t)test->wanted[MEASUREMENT_TIMER] + (uint32_t)test->wanted[MEASUREMENT_GAPS];
    uint64_t interval_ms = test->duration_ms / ((uint64_t)kinds * LATENCY_REPORTS);
    char tag[PROBE_TAG_MAX];
    probe_image_tag(test->wanted[MEASUREMENT_TIMER] ? LATENCY_REPORTS : 0,
                    test->wanted[MEASUREMENT_GAPS] ? LATENCY_REPORTS : 0, interval_ms ? (uint32_t)interval_ms : 1, tag);
    json_t *image = json_sprintf("%s:%s", IMAGE_PROBE_NAME, tag);
    return json_pack("[{s:s, s:{s:o}}]", "name", "probe", "containerDisk", "image", image);
}

static json_t *probe_devices(const json_t *devices)
{
    const char *bus = json_text_at(devices, "disks.0.disk.bus", "virtio");
    json_t *disk = json_pack("{s:s, s:{s:s}}", "name", "probe", "disk", "bus", strcmp(bus, "usb") ? bus : "virtio");
    if (json_bool_at(devices, "disks.0.dedicatedIOThread", false))
        json_object_set_new(disk, "dedicatedIOThread", json_true());
    return json_pack("{s:b, s:b, s:b, s:b, s:[o]}", "autoattachGraphicsDevice", 0, "autoattachMemBalloon", 0,
                     "autoattachPodInterface", 0, "autoattachSerialConsole", 1, "disks", disk);
}

json_t *latency_probe_vmi(const struct latency_test *test, const json_t *like, const struct cpuset *cpus,
                          const char *namespace_, const char *name)
{
    static const char *const LEFT_OUT[] = {"firmware", "launchSecurity", "devices"};
    const json_t *template = template_of(like);
    json_t *domain = json_deep_copy(json_at(template, "spec.domain"));
    if (!json_is_object(domain)) {
        json_decref(domain);
        domain = json_object();
    }
    auto_json *devices = json_incref(json_object_get(domain, "devices"));
    for (size_t i = 0; i < ARRAY_SIZE(LEFT_OUT); i++)
        json_object_del(domain, LEFT_OUT[i]);
    json_object_set_new(domain, "devices", probe_devices(devices));
    return json_pack("{s:s, s:s, s:{s:s, s:s, s:o}, s:{s:i, s:o, s:o}}", "apiVersion", "kubevirt.io/v1", "kind",
                     "VirtualMachineInstance", "metadata", "name", name, "namespace", namespace_, "annotations",
                     annotations_of(template, cpus), "spec", "terminationGracePeriodSeconds", 0, "domain", domain,
                     "volumes", probe_volumes(test));
}
