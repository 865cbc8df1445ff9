#include "runtime/vm_status.c"

#include "tests/test.h"

static json_t *fresh_vm(void)
{
    return json_pack("{s:s, s:{s:s, s:i}}", "kind", "VirtualMachine", "metadata", "name", "a", "generation", 3);
}

static json_t *running_vmi(void)
{
    json_t *vmi = json_pack("{s:s, s:{s:{}}, s:{s:s}}", "kind", "VirtualMachineInstance", "metadata", "annotations",
                            "status", "phase", "Running");
    object_set_annotation(vmi, ANNOTATION_VM_GENERATION, "2");
    condition_set(vmi, "Ready", "True", NULL, NULL, 5);
    condition_set(vmi, "RealtimeProven", "True", "AsPlanned", "all", 6);
    return vmi;
}

static void mirrors_its_vmi(void)
{
    auto_json *vm = fresh_vm();
    auto_json *vmi = running_vmi();
    struct vm_report r = {.now_s = 10, .vmi = vmi};
    vm_status_update(vm, &r);
    CHECK_TEXT(json_text_at(vm, "status.printableStatus", ""), "Running");
    CHECK(json_bool_at(vm, "status.created", false) && json_bool_at(vm, "status.ready", false));
    CHECK_INT(json_int_at(vm, "status.desiredGeneration", 0), 3);
    CHECK_INT(json_int_at(vm, "status.observedGeneration", 0), 2);
    CHECK(condition_is(vm, "RealtimeProven", "True"));
    CHECK_TEXT(json_text_at(condition_get(vm, "RealtimeProven"), "lastTransitionTime", ""), "1970-01-01T00:00:06Z");
    auto_json *before = json_deep_copy(vm);
    r.now_s = 20;
    vm_status_update(vm, &r);
    CHECK(json_equal(vm, before));

    condition_set(vmi, "Paused", "True", "PausedByUser", "VMI was paused by user", 11);
    condition_drop(vmi, "RealtimeProven");
    vm_status_update(vm, &r);
    CHECK_TEXT(json_text_at(vm, "status.printableStatus", ""), "Paused");
    CHECK(!condition_get(vm, "RealtimeProven"));
}

static void stands_alone(void)
{
    auto_json *vm = fresh_vm();
    struct vm_report r = {.now_s = 10};
    vm_status_update(vm, &r);
    CHECK_TEXT(json_text_at(vm, "status.printableStatus", ""), "Stopped");
    CHECK_TEXT(json_text_at(condition_get(vm, "Ready"), "reason", ""), "VMINotExists");
    CHECK(!json_at(vm, "status.created") && !json_at(vm, "status.ready"));
    r.failure = "no";
    r.failure_reason = "FailedCreate";
    r.needs_restart = true;
    vm_status_update(vm, &r);
    CHECK(condition_is(vm, "Failure", "True") && condition_is(vm, "RestartRequired", "True"));
    r.next_refusal = "no room";
    vm_status_update(vm, &r);
    CHECK_TEXT(json_text_at(condition_get(vm, "RestartRequired"), "message", ""),
               "a non-live-updatable field was changed in the template spec; as it is now the VM would not be placed: "
               "no room");
    r = (struct vm_report){.now_s = 11, .start_expected = true, .backs_off = true};
    vm_status_update(vm, &r);
    CHECK_TEXT(json_text_at(vm, "status.printableStatus", ""), "CrashLoopBackOff");
    CHECK(!condition_get(vm, "Failure") && !condition_get(vm, "RestartRequired"));
}

static void queues_requests(void)
{
    auto_json *vm = fresh_vm();
    CHECK(vm_status_request(vm, 0) == NULL);
    json_object_set_new(vm, "status", json_object());
    vm_status_add_request(vm, "Stop", "u1", false);
    vm_status_add_request(vm, "Start", NULL, true);
    CHECK_TEXT(json_text_at(vm_status_request(vm, 0), "uid", ""), "u1");
    CHECK_TEXT(json_text_at(vm_status_request(vm, 1), "data.paused", ""), "true");
    vm_status_drop_request(vm);
    CHECK_TEXT(json_text_at(vm_status_request(vm, 0), "action", ""), "Start");
    vm_status_drop_request(vm);
    CHECK(!json_at(vm, "status.stateChangeRequests"));
    vm_status_drop_request(vm); /* none left: fine */
}

int main(void)
{
    RUN(mirrors_its_vmi);
    RUN(stands_alone);
    RUN(queues_requests);
    return test_end();
}
