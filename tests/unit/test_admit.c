#include "runtime/spec/admit.c"

#include "tests/test.h"

/* The first object of the manifest, admitted; NULL when it cannot be read at all. */
static json_t *admit_text(const char *yaml, struct findings *findings)
{
    struct error err;
    auto_json *objects = manifest_parse(yaml, strlen(yaml), &err);
    json_t *object = json_incref(json_array_get(objects, 0));
    if (object && spec_admit(object, findings, &err) == 0)
        return object;
    json_decref(object);
    return NULL;
}

static void check_at(const json_t *object, const char *path, const char *json)
{
    auto_free char *text = json_at(object, path) ? json_to_text(json_at(object, path)) : must_strdup("(missing)");
    if (strcmp(text, json) != 0)
        printf("# at %s\n", path);
    CHECK_TEXT(text, json);
}

static const char VMI[] = "apiVersion: kubevirt.io/v1\n"
                          "kind: VirtualMachineInstance\n"
                          "metadata: {name: a, namespace: lab}\n"
                          "spec:\n"
                          "  domain:\n"
                          "    resources: {requests: {memory: 1Gi}, limits: {cpu: 2500m}}\n"
                          "    features: {hyperv: {synictimer: {}, evmcs: {}, spinlocks: {}}}\n"
                          "    devices:\n"
                          "      autoattachInputDevice: true\n"
                          "      disks: [{name: c, cdrom: {}}]\n"
                          "  volumes:\n"
                          "  - {name: c, containerDisk: {image: 'host:5000/img'}}\n"
                          "  - {name: d, containerDisk: {image: img}}\n"
                          "  - {name: e, containerDisk: {image: 'img:latest'}}\n"
                          "  - {name: f, memoryDump: {claimName: x}}\n";

static void a_vmi_gets_all_defaults(void)
{
    auto_findings findings = {0};
    auto_json *vmi = admit_text(VMI, &findings);
    CHECK_INT(findings.cause_count, 0);
    static const struct {
        const char *path;
        const char *json;
    } WANTED[] = {
        {"spec.architecture", "\"amd64\""},
        {"spec.domain.machine", "{\"type\":\"q35\"}"},
        {"spec.domain.resources.requests.cpu", "\"2500m\""},
        {"spec.domain.memory.guest", "\"1Gi\""},
        {"spec.domain.cpu.sockets", "3"},
        {"spec.domain.cpu.cores", "1"},
        {"spec.domain.cpu.model", "\"host-model\""},
        {"spec.domain.cpu.maxSockets", "(missing)"},
        {"spec.domain.memory.maxGuest", "(missing)"},
        {"spec.domain.cpu.features", "[{\"name\":\"vmx\",\"policy\":\"require\"}]"},
        {"spec.domain.features.hyperv.synic", "{\"enabled\":true}"},
        {"spec.domain.features.hyperv.vpindex", "{\"enabled\":true}"},
        {"spec.domain.features.hyperv.vapic", "{\"enabled\":true}"},
        {"spec.domain.features.hyperv.spinlocks", "{\"enabled\":true,\"spinlocks\":4096}"},
        {"spec.domain.devices.inputs", "[{\"name\":\"default-0\",\"bus\":\"usb\",\"type\":\"tablet\"}]"},
        {"spec.domain.devices.disks.0.cdrom", "{\"bus\":\"sata\",\"readonly\":true,\"tray\":\"closed\"}"},
        {"spec.domain.devices.disks.1", "{\"name\":\"d\",\"disk\":{\"bus\":\"sata\"}}"},
        {"spec.domain.devices.disks.3", "(missing)"},
        {"spec.domain.devices.interfaces", "[{\"name\":\"default\",\"bridge\":{}}]"},
        {"spec.networks", "[{\"name\":\"default\",\"pod\":{}}]"},
        {"spec.volumes.0.containerDisk.imagePullPolicy", "\"IfNotPresent\""},
        {"spec.volumes.1.containerDisk.imagePullPolicy", "\"Always\""},
        {"spec.volumes.2.containerDisk.imagePullPolicy", "\"Always\""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(WANTED); i++)
        check_at(vmi, WANTED[i].path, WANTED[i].json);
}

static void admitting_twice_changes_nothing(void)
{
    auto_findings findings = {0};
    auto_json *vmi = admit_text(VMI, &findings);
    auto_json *again = json_deep_copy(vmi);
    struct error err;
    CHECK_INT(spec_admit(again, &findings, &err), 0);
    CHECK(json_equal(vmi, again));
}

static void the_uuid_is_the_same_for_the_same_name(void)
{
    auto_findings findings = {0};
    auto_json *one = admit_text(VMI, &findings);
    auto_json *two = admit_text(VMI, &findings);
    auto_json *other = json_deep_copy(one);
    json_put_at(other, "metadata.name", json_string("b"));
    json_drop_at(other, "spec.domain.firmware.uuid");
    struct error err;
    CHECK_INT(spec_admit(other, &findings, &err), 0);
    const char *uuid = json_text_at(one, "spec.domain.firmware.uuid", "");
    CHECK_INT(strlen(uuid), 36);
    CHECK_TEXT(uuid, json_text_at(two, "spec.domain.firmware.uuid", ""));
    CHECK(strcmp(uuid, json_text_at(other, "spec.domain.firmware.uuid", "")) != 0);
}

static const char VM[] = "apiVersion: kubevirt.io/v1\n"
                         "kind: VirtualMachine\n"
                         "metadata: {name: a, labels: {of: vm}}\n"
                         "spec:\n"
                         "  runStrategy: Manual\n"
                         "  template:\n"
                         "    metadata: {labels: {of: vmi}, annotations: {rtvmd.io/cpus: '3'}}\n"
                         "    spec: {domain: {memory: {guest: 1Gi}}}\n";

static void a_vm_keeps_what_was_written(void)
{
    auto_findings findings = {0};
    auto_json *vm = admit_text(VM, &findings);
    CHECK_INT(findings.cause_count, 0);
    check_at(vm, "spec.template.spec",
             "{\"domain\":{\"memory\":{\"guest\":\"1Gi\"},\"machine\":{\"type\":\"q35\"}},"
             "\"architecture\":\"amd64\"}");
    CHECK_INT(spec_run_strategy(vm), VM_RUN_MANUAL);
}

static void a_vm_makes_a_vmi(void)
{
    auto_findings findings = {0};
    auto_json *vm = admit_text(VM, &findings);
    auto_json *vmi = spec_vmi_from_vm(vm);
    check_at(vmi, "kind", "\"VirtualMachineInstance\"");
    check_at(vmi, "metadata", "{\"name\":\"a\",\"labels\":{\"of\":\"vmi\"},\"annotations\":{\"rtvmd.io/cpus\":\"3\"}}");
    check_at(vmi, "spec.domain.cpu.model", "\"host-model\"");
    CHECK(json_at(vm, "spec.template.spec.domain.cpu") == NULL);
}

static void run_strategies_are_read(void)
{
    static const struct {
        const char *spec;
        enum vm_run_strategy strategy;
    } CASES[] = {
        {"{\"running\":true}", VM_RUN_ALWAYS},
        {"{\"running\":false}", VM_RUN_HALTED},
        {"{}", VM_RUN_HALTED},
        {"{\"runStrategy\":\"Once\"}", VM_RUN_ONCE},
        {"{\"runStrategy\":\"RerunOnFailure\"}", VM_RUN_RERUN_ON_FAILURE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct error err;
        auto_json *vm = json_object();
        json_object_set_new(vm, "spec", json_from_text(CASES[i].spec, strlen(CASES[i].spec), &err));
        CHECK_INT(spec_run_strategy(vm), CASES[i].strategy);
        CHECK(strlen(vm_run_strategy_text(CASES[i].strategy)) > 3);
    }
}

static void slips_move_with_a_warning(void)
{
    auto_findings findings = {0};
    auto_json *vmi =
        admit_text("apiVersion: kubevirt.io/v1\nkind: VirtualMachineInstance\nmetadata: {name: a}\n"
                   "spec: {domain: {cpu: {ioThreadsPolicy: auto, tscFrequency: 1}, memory: {guest: 1Gi}}}\n",
                   &findings);
    check_at(vmi, "spec.domain.ioThreadsPolicy", "\"auto\"");
    check_at(vmi, "spec.domain.cpu.ioThreadsPolicy", "(missing)");
    CHECK_INT(findings.warning_count, 2);
    CHECK_INT(findings.unknown_count, 1); /* what is honored is not unknown: strict clients may send it */
    CHECK_TEXT(findings.unknown[0], "spec.domain.cpu.tscFrequency");
}

static void a_slip_inside_a_slip_moves_too(void)
{
    auto_findings findings = {0};
    auto_json *vmi = admit_text("apiVersion: kubevirt.io/v1\nkind: VirtualMachineInstance\nmetadata: {name: a}\n"
                                "spec: {resources: {request: {memory: 1Gi}}, domain: {hugepages: {size: 2Mi}}}\n",
                                &findings);
    check_at(vmi, "spec.domain.resources.requests.memory", "\"1Gi\"");
    check_at(vmi, "spec.domain.memory.hugepages", "{\"pageSize\":\"2Mi\"}");
    CHECK_INT(findings.warning_count, 4);
}

static void what_cannot_be_read_is_a_bad_request_with_all_fields(void)
{
    static const char YAML[] = "apiVersion: kubevirt.io/v1\nkind: VirtualMachineInstance\nmetadata: {name: a}\n"
                               "spec: {domain: {cpu: {cores: x, threads: -1}, memory: {guest: 1 Gi}}}\n";
    auto_findings findings = {0};
    struct error err;
    auto_json *objects = manifest_parse(YAML, strlen(YAML), &err);
    CHECK_INT(spec_admit(json_array_get(objects, 0), &findings, &err), -1);
    CHECK_INT(err.kind, ERROR_BAD_REQUEST);
    CHECK_INT(findings.cause_count, 3);
    CHECK(strstr(err.text, "spec.domain.cpu.cores") && strstr(err.text, "spec.domain.memory.guest"));
}

static void a_thousand_causes_are_kept(void)
{
    auto_text yaml = {0};
    text_append(&yaml, "apiVersion: kubevirt.io/v1\nkind: VirtualMachineInstance\nmetadata: {name: a}\nspec:\n"
                       "  domain: {memory: {guest: 1Gi}, cpu: {features: [");
    for (unsigned i = 0; i < LIMIT_CAUSES + 10; i++)
        text_append(&yaml, "{name: x, policy: bogus},");
    text_append(&yaml, "]}}\n");
    auto_findings findings = {0};
    auto_json *vmi = admit_text(text_cstr(&yaml), &findings);
    CHECK(vmi != NULL);
    CHECK_INT(findings.cause_count, LIMIT_CAUSES);
}

int main(void)
{
    RUN(a_vmi_gets_all_defaults);
    RUN(admitting_twice_changes_nothing);
    RUN(the_uuid_is_the_same_for_the_same_name);
    RUN(a_vm_keeps_what_was_written);
    RUN(a_vm_makes_a_vmi);
    RUN(run_strategies_are_read);
    RUN(slips_move_with_a_warning);
    RUN(a_slip_inside_a_slip_moves_too);
    RUN(what_cannot_be_read_is_a_bad_request_with_all_fields);
    RUN(a_thousand_causes_are_kept);
    return test_end();
}
