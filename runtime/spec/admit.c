/* The way in, in KubeVirt's order: schema, defaults, validation. A VM is validated as the VMI it would make; in the VM
 * itself only what must survive restarts is written down. */
#include <string.h>

#include "runtime/spec/defaults.h"
#include "runtime/spec/names.h"
#include "runtime/spec/schema.h"
#include "runtime/spec/validate.h"

static bool is_known_version(const char *version)
{
    return strcmp(version, "kubevirt.io/v1") == 0 || strcmp(version, "kubevirt.io/v1alpha3") == 0;
}

static int check_kind(const json_t *object, struct findings *findings, struct error *err)
{
    const char *kind = json_text_at(object, "kind", "");
    const char *version = json_text_at(object, "apiVersion", "");
    if (strcmp(kind, "VirtualMachine") != 0 && strcmp(kind, "VirtualMachineInstance") != 0)
        return fail(err, ERROR_BAD_REQUEST, "kind: \"%.100s\" is neither VirtualMachine nor VirtualMachineInstance",
                    kind);
    if (!is_known_version(version))
        return fail(err, ERROR_BAD_REQUEST, "apiVersion: \"%.100s\" is not known for a %s; write kubevirt.io/v1",
                    version, kind);
    if (strcmp(version, "kubevirt.io/v1") != 0)
        findings_warn(findings, "%s is now deprecated and will be removed in a future release.", version);
    return 0;
}

static void check_name(const json_t *object, struct findings *findings)
{
    const char *name = json_text_at(object, "metadata.name", "");
    auto_text complaints = {0};
    if (!*name && !*json_text_at(object, "metadata.generateName", ""))
        findings_cause(findings, CAUSE_REQUIRED, "metadata.name",
                       "metadata.name: Required value: name or generateName is required");
    else if (*name && name_complaints(NAME_DNS_SUBDOMAIN, name, &complaints))
        findings_cause(findings, CAUSE_INVALID, "metadata.name", "metadata.name: Invalid value: \"%s\": %s", name,
                       text_cstr(&complaints));
}

static void check_namespace(const json_t *object, struct findings *findings)
{
    const char *name = json_text_at(object, "metadata.namespace", "");
    auto_text complaints = {0};
    if (*name && name_complaints(NAME_DNS_LABEL, name, &complaints))
        findings_cause(findings, CAUSE_INVALID, "metadata.namespace", "metadata.namespace: Invalid value: \"%s\": %s",
                       name, text_cstr(&complaints));
}

static void check_keys(const json_t *map, const char *at, bool values_are_short, struct findings *findings)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)map, key, value)
    {
        auto_text complaints = {0};
        if (name_complaints(NAME_LABEL_KEY, key, &complaints))
            findings_cause(findings, CAUSE_INVALID, at, "%s: Invalid value: \"%s\": %s", at, key,
                           text_cstr(&complaints));
        text_clear(&complaints);
        if (values_are_short && name_complaints(NAME_LABEL_VALUE, json_string_value(value), &complaints))
            findings_cause(findings, CAUSE_INVALID, at, "%s: Invalid value: \"%s\": %s", at, json_string_value(value),
                           text_cstr(&complaints));
    }
}

static void check_metadata(const json_t *object, struct findings *findings)
{
    check_name(object, findings);
    check_namespace(object, findings);
    check_keys(json_at(object, "metadata.labels"), "metadata.labels", true, findings);
    check_keys(json_at(object, "metadata.annotations"), "metadata.annotations", false, findings);
    const json_t *template = json_at(object, "spec.template.metadata");
    check_keys(json_object_get(template, "labels"), "spec.template.metadata.labels", true, findings);
    check_keys(json_object_get(template, "annotations"), "spec.template.metadata.annotations", false, findings);
}

static bool is_complained_about(const struct findings *findings, const char *field)
{
    for (size_t i = 0; i < findings->cause_count; i++)
        if (strcmp(findings->cause[i].field, field) == 0)
            return true;
    return false;
}

static void add_late(struct findings *findings, const struct findings *late)
{
    for (size_t i = 0; i < late->cause_count; i++)
        if (!is_complained_about(findings, late->cause[i].field))
            findings_cause(findings, late->cause[i].reason, late->cause[i].field, "%s", late->cause[i].message);
}

static int cannot_be_read(const struct findings *unreadable, struct findings *findings, struct error *err)
{
    add_late(findings, unreadable);
    auto_text all = {0};
    for (size_t i = 0; i < unreadable->cause_count && i < 10; i++)
        text_printf(&all, "%s%s", i ? ", " : "", unreadable->cause[i].message);
    return fail(err, ERROR_BAD_REQUEST, "%s", text_cstr(&all));
}

static void validate_vm(json_t *vm, struct findings *findings)
{
    if (!json_at(vm, "spec.template")) {
        findings_cause(findings, CAUSE_REQUIRED, "spec.template", "missing virtual machine template.");
        return;
    }
    defaults_vm(vm);
    auto_json *vmi = spec_vmi_from_vm(vm);
    struct admission a = {
        .vm = vm,
        .spec = json_object_get(vmi, "spec"),
        .at = "spec.template.spec",
        .metadata = json_at(vm, "spec.template.metadata"),
        .metadata_at = "spec.template.metadata",
        .findings = findings,
    };
    validate(&a);
}

static void validate_vmi(json_t *vmi, struct findings *findings)
{
    defaults_vmi(vmi);
    struct admission a = {
        .spec = json_object_get(vmi, "spec"),
        .at = "spec",
        .metadata = json_object_get(vmi, "metadata"),
        .metadata_at = "metadata",
        .findings = findings,
    };
    validate(&a);
}

static int admit(json_t *object, struct findings *findings, struct schema_result *schema, struct error *err)
{
    if (check_kind(object, findings, err) < 0)
        return -1;
    const char *kind = json_text_at(object, "kind", "");
    schema_check(object, kind, findings, schema);
    if (schema->unreadable.cause_count > 0)
        return cannot_be_read(&schema->unreadable, findings, err);
    check_metadata(object, findings);
    if (strcmp(kind, "VirtualMachine") == 0)
        validate_vm(object, findings);
    else
        validate_vmi(object, findings);
    add_late(findings, &schema->late);
    return 0;
}

int spec_admit(json_t *object, struct findings *findings, struct error *err)
{
    struct schema_result schema = {0};
    int result = admit(object, findings, &schema, err);
    schema_result_finish(&schema);
    return result;
}
