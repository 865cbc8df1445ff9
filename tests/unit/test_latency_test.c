#include "runtime/latency/latency_test.c"

#include "tests/test.h"

static struct error err;

static json_t *test_of(const char *spec)
{
    auto_free char *text = must_format(
        "{\"apiVersion\":\"rtvmd.io/v1alpha1\",\"kind\":\"LatencyTest\",\"metadata\":{\"name\":\"a\"},\"spec\":%s}",
        spec);
    return json_from_text(text, strlen(text), &err);
}

static char *causes_of(json_t *object, const json_t *before)
{
    auto_findings findings = {0};
    latency_test_admit(object, before, &findings);
    struct text out = {0};
    for (size_t i = 0; i < findings.cause_count; i++) {
        auto_free char *cause = cause_text(&findings.cause[i]);
        text_printf(&out, "%s%s", i ? "; " : "", cause);
    }
    return text_take(&out);
}

static void what_is_not_said_has_a_default(void)
{
    struct latency_test test;
    auto_json *object = test_of("{}");
    auto_free char *causes = causes_of(object, NULL);
    CHECK_TEXT(causes, "");
    CHECK_TEXT(json_text_at(object, "status.phase", ""), "Pending");
    CHECK_INT(latency_test_decode(object, &test, &err), 0);
    CHECK(test.target == LATENCY_HOST && test.wanted[MEASUREMENT_TIMER] && test.wanted[MEASUREMENT_GAPS] && !test.load);
    CHECK_INT(test.duration_ms, 10000);
    CHECK(cpuset_is_empty(&test.cpus));
    auto_json *vm = test_of("{\"virtualMachine\":\"x\",\"kind\":\"gaps\",\"duration\":\"2m\",\"load\":true}");
    CHECK_INT(latency_test_decode(vm, &test, &err), 0);
    CHECK(test.target == LATENCY_VM && !test.wanted[MEASUREMENT_TIMER] && test.load && test.duration_ms == 120000);
}

static void knows_whose_guest(void)
{
    struct latency_test test;
    auto_json *inside = test_of("{\"virtualMachine\":\"x\",\"insideGuest\":true}");
    auto_free char *causes = causes_of(inside, NULL);
    CHECK_TEXT(causes, "");
    CHECK_INT(latency_test_decode(inside, &test, &err), 0);
    CHECK(test.target == LATENCY_GUEST);
    auto_json *outside = test_of("{\"virtualMachine\":\"x\",\"insideGuest\":false}");
    CHECK_INT(latency_test_decode(outside, &test, &err), 0);
    CHECK(test.target == LATENCY_VM);
}

static void says_everything_that_is_wrong(void)
{
    static const struct {
        const char *spec;
        const char *causes;
    } CASES[] = {
        {"{\"cpu\":1,\"load\":\"yes\"}", "spec.cpu: unknown field; spec.load: want true or false"},
        {"{\"cpus\":\"1\",\"virtualMachine\":\"x\"}", "spec: want at most one of cpus, virtualMachine and template"},
        {"{\"insideGuest\":true}", "spec.insideGuest: want spec.virtualMachine, one that runs"},
        {"{\"kind\":\"all\"}", "spec: kind: \"all\": want timer, gaps or both"},
        {"{\"duration\":\"8d\"}", "spec.duration: \"8d\": want a time such as 500ms, 10s, 5m or 12h, at most 7 days"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        auto_json *object = test_of(CASES[i].spec);
        auto_free char *causes = causes_of(object, NULL);
        CHECK_TEXT(strstr(causes, "spec"), CASES[i].causes);
    }
    auto_json *bad = test_of("{\"template\":{\"spec\":{\"domain\":{\"cpu\":{\"realtime\":{}}}}}}");
    auto_free char *causes = causes_of(bad, NULL);
    CHECK(text_starts_with(causes, "spec.template.spec.domain"));
}

static void is_not_changed_later(void)
{
    auto_json *before = test_of("{\"cpus\":\"1\"}");
    json_object_set_new(before, "status", json_pack("{s:s}", "phase", "Running"));
    auto_json *same = test_of("{\"cpus\":\"1\"}");
    json_object_set_new(same, "status", json_pack("{s:s}", "phase", "Succeeded"));
    auto_free char *none = causes_of(same, before);
    CHECK_TEXT(none, "");
    CHECK_TEXT(json_text_at(same, "status.phase", ""), "Running"); /* clients do not write it */
    auto_json *other = test_of("{\"cpus\":\"2\"}");
    auto_free char *causes = causes_of(other, before);
    CHECK_TEXT(causes, "spec: a LatencyTest is not changed; make another one");
}

static const char VM[] =
    "{\"kind\":\"VirtualMachine\",\"spec\":{\"template\":{\"metadata\":{\"annotations\":{\"rtvmd.io/smt-policy\":"
    "\"isolate\",\"rtvmd.io/latency-gate\":\"40us\",\"note\":\"x\"}},\"spec\":{\"domain\":{\"cpu\":{\"cores\":3,"
    "\"realtime\":{\"mask\":\"0\"}},\"ioThreadsPolicy\":\"shared\",\"firmware\":{\"bootloader\":{\"efi\":{}}},"
    "\"memory\":{\"guest\":\"1Gi\"},\"devices\":{\"disks\":[{\"name\":\"root\",\"disk\":{\"bus\":\"sata\"}}],"
    "\"interfaces\":[{\"name\":\"net\",\"masquerade\":{}}]}},\"networks\":[{\"name\":\"net\",\"pod\":{}}],"
    "\"volumes\":[{\"name\":\"root\",\"hostDisk\":{\"path\":\"/x\"}}]}}}}";

static void the_probe_keeps_what_places_and_drops_the_rest(void)
{
    struct latency_test test = {.duration_ms = 10000, .wanted = {true, true}};
    struct cpuset cpus;
    CHECK_INT(cpuset_parse("4-6", &cpus, &err), 0);
    auto_json *vm = json_from_text(VM, sizeof VM - 1, &err);
    auto_json *probe = latency_probe_vmi(&test, vm, &cpus, "lab", "a-probe");
    CHECK_TEXT(json_text_at(probe, "kind", ""), "VirtualMachineInstance");
    CHECK_TEXT(json_text_at(probe, "metadata.namespace", ""), "lab");
    const json_t *annotations = json_at(probe, "metadata.annotations");
    CHECK_TEXT(json_string_value(json_object_get(annotations, "rtvmd.io/smt-policy")), "isolate");
    CHECK_TEXT(json_string_value(json_object_get(annotations, "rtvmd.io/cpus")), "4-6");
    CHECK_INT(json_object_size(annotations), 2);
    CHECK_INT(json_int_at(probe, "spec.domain.cpu.cores", 0), 3);
    CHECK_TEXT(json_text_at(probe, "spec.domain.cpu.realtime.mask", ""), "0");
    CHECK_TEXT(json_text_at(probe, "spec.domain.ioThreadsPolicy", ""), "shared");
    CHECK(!json_at(probe, "spec.domain.firmware") && !json_at(probe, "spec.networks") &&
          !json_at(probe, "spec.domain.devices.interfaces"));
    CHECK_TEXT(json_text_at(probe, "spec.domain.devices.disks.0.disk.bus", ""), "sata");
    CHECK_INT(json_array_size(json_at(probe, "spec.volumes")), 1);
    CHECK_TEXT(json_text_at(probe, "spec.volumes.0.containerDisk.image", ""), "rtvmd.io/latency-probe:t25-g25-200ms");
    CHECK(json_at(vm, "spec.template.spec.domain.firmware") != NULL); /* the VM stays as it is */
    test.wanted[MEASUREMENT_TIMER] = false;
    auto_json *bare = latency_probe_vmi(&test, json_object_get(vm, "nothing"), NULL, "lab", "a");
    CHECK_TEXT(json_text_at(bare, "spec.volumes.0.containerDisk.image", ""), "rtvmd.io/latency-probe:t0-g25-400ms");
}

int main(void)
{
    RUN(what_is_not_said_has_a_default);
    RUN(knows_whose_guest);
    RUN(says_everything_that_is_wrong);
    RUN(is_not_changed_later);
    RUN(the_probe_keeps_what_places_and_drops_the_rest);
    return test_end();
}
