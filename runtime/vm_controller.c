#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/log.h"
#include "runtime/inside.h"

/* Brings one VM a step further: view → reconcile_vm → step. What the VM wants of its VMI is written into the stored
 * objects; the VMI's own controller does the rest. */

static enum vm_request request_of(const json_t *request)
{
    const char *action = json_text_at(request, "action", "");
    if (strcmp(action, "Start") == 0)
        return VM_REQUEST_START;
    return strcmp(action, "Stop") == 0 ? VM_REQUEST_STOP : VM_REQUEST_NONE;
}

static struct vm_view view_of(struct runtime *runtime, const struct machine *machine, const json_t *vm,
                              const json_t *vmi)
{
    const char *uid = json_text_at(vmi, "metadata.uid", "");
    const char *owner = vmi ? object_controller(vmi) : NULL;
    const json_t *request = vm_status_request(vm, 0);
    const char *for_uid = json_text_at(request, "uid", NULL);
    enum vm_run_strategy strategy = spec_run_strategy(vm);
    return (struct vm_view){
        .strategy = strategy,
        .strategy_is_new = strcmp(json_text_at(vm, "status.runStrategy", ""), vm_run_strategy_text(strategy)) != 0,
        .deleting = object_is_deleting(vm),
        .orphans = object_has_finalizer(vm, "orphan"),
        .is_clean = machine->is_clean,
        .has_vmi = vmi != NULL,
        .vmi_is_ours = owner && strcmp(owner, json_text_at(vm, "metadata.uid", "")) == 0,
        .vmi_is_foreign = owner && strcmp(owner, json_text_at(vm, "metadata.uid", "")) != 0,
        .vmi_deleting = vmi && object_is_deleting(vmi),
        .phase = vmi ? vmi_status_phase(vmi) : VMI_UNSET,
        .vmi_ran = vmi && vmi_status_ran(vmi),
        .vmi_is_counted = strcmp(json_text_at(vm, "status.startFailure.lastFailedVMIUID", ""), uid) == 0,
        .request = request_of(request),
        .request_is_stale = for_uid && strcmp(for_uid, uid) != 0,
        .failures = (unsigned)json_int_at(vm, "status.startFailure.consecutiveFailCount", 0),
        .retry_after_s = timestamp_parse(json_text_at(vm, "status.startFailure.retryAfterTimestamp", NULL)),
        .jitter = runtime->hooks.jitter(runtime->hooks.arg),
        .now_s = runtime_now_s(runtime),
    };
}

/* The VMI a VM asks for now. */
static json_t *make_vmi(const json_t *vm, bool paused)
{
    json_t *vmi = spec_vmi_from_vm(vm);
    auto_free char *generation = must_format("%lld", (long long)json_int_at(vm, "metadata.generation", 1));
    object_set_controller(vmi, vm);
    object_set_annotation(vmi, ANNOTATION_VM_GENERATION, generation);
    object_add_finalizer(vmi, FINALIZER_VM);
    object_add_finalizer(vmi, FINALIZER_VMI);
    if (paused)
        json_put_at(vmi, "spec.startStrategy", json_string("Paused"));
    vmi_status_first(vmi);
    return vmi;
}

static int create(struct runtime *runtime, const json_t *vm, struct error *err)
{
    bool paused = strcmp(json_text_at(vm_status_request(vm, 0), "data.paused", ""), "true") == 0;
    auto_json *stored = NULL;
    json_t *vmi = make_vmi(vm, paused);
    vmi_status_set_phase(vmi, VMI_PENDING, runtime_now_s(runtime));
    if (store_create(runtime->store, vmi, &stored, err)) {
        event_record(runtime, vm, "Warning", "FailedCreate", "Error creating virtual machine instance: %s", err->text);
        return -1;
    }
    event_record(runtime, vm, "Normal", "SuccessfulCreate",
                 "Started the virtual machine by creating the new virtual machine instance %s",
                 json_text_at(vm, "metadata.name", ""));
    return 0;
}

static void delete_vmi(struct runtime *runtime, const json_t *vm, const json_t *vmi)
{
    int64_t grace_s = vmi_grace_s(vmi);
    if (object_is_deleting(vm))
        grace_s = json_int_at(vm, "metadata.deletionGracePeriodSeconds", grace_s);
    json_t *next = json_clone(vmi);
    object_mark_deleted(next, grace_s, runtime_now_s(runtime));
    object_store(runtime, next, false);
    event_record(runtime, vm, "Normal", "SuccessfulDelete",
                 "Stopped the virtual machine by deleting the virtual machine instance %s",
                 json_text_at(vmi, "metadata.uid", ""));
}

/* A copy whose metadata and status may be changed; its spec is the stored one. */
static json_t *copy_for_status(const json_t *vm)
{
    json_t *copy = json_copy((json_t *)vm);
    json_t *status = json_object_get(vm, "status");
    json_object_set_new(copy, "metadata", json_clone(json_object_get(vm, "metadata")));
    json_object_set_new(copy, "status", json_is_object(status) ? json_clone(status) : json_object());
    return copy;
}

static void turn_on(json_t *vm)
{
    json_object_set_new(vm, "spec", json_clone(json_object_get(vm, "spec")));
    if (json_at(vm, "spec.running"))
        json_put_at(vm, "spec.running", json_true());
    else
        json_put_at(vm, "spec.runStrategy", json_string("Always"));
}

static void set_owner(struct runtime *runtime, const json_t *vm, const json_t *vmi)
{
    json_t *next = json_clone(vmi);
    if (vm) {
        object_set_controller(next, vm);
        object_add_finalizer(next, FINALIZER_VM);
    } else {
        json_drop_at(next, "metadata.ownerReferences");
        object_drop_finalizer(next, FINALIZER_VM);
    }
    object_store(runtime, next, false);
}

static void remove_vm(struct runtime *runtime, struct machine *machine, const json_t *vm, bool leaves_vmi)
{
    struct error err;
    if (!leaves_vmi) {
        plan_release(runtime, machine);
        store_last_placement_forget(runtime->store, machine->key, &err);
    }
    json_t *next = json_clone(vm);
    object_drop_finalizer(next, FINALIZER_VM);
    object_drop_finalizer(next, "orphan");
    if (json_at(next, "metadata.finalizers")) {
        object_store(runtime, next, false);
        return;
    }
    json_decref(next);
    if (store_delete(runtime->store, "VirtualMachine", machine->namespace_, machine->name, NULL, &err))
        log_warn("vm %s stays: %s", machine->key, err.text);
}

static void write_failures(json_t *vm, const struct vm_step *step, const json_t *vmi)
{
    if (step->failures == 0) {
        json_drop_at(vm, "status.startFailure");
        return;
    }
    char retry[TIMESTAMP_TEXT_MAX];
    json_put_at(vm, "status.startFailure.consecutiveFailCount", json_integer(step->failures));
    json_put_at(vm, "status.startFailure.retryAfterTimestamp",
                json_string(timestamp_format(step->retry_after_s, retry)));
    if (step->count_failure)
        json_put_at(vm, "status.startFailure.lastFailedVMIUID", json_string(json_text_at(vmi, "metadata.uid", "")));
}

/* The template was changed in a way only the next start can take up. */
static bool needs_restart(const json_t *vm, const json_t *vmi)
{
    const char *running = vmi ? object_annotation(vmi, ANNOTATION_VM_GENERATION) : NULL;
    auto_free char *generation = must_format("%lld", (long long)json_int_at(vm, "metadata.generation", 1));
    if (!running || strcmp(running, generation) == 0 || vmi_phase_is_final(vmi_status_phase(vmi)))
        return false;
    auto_json *wanted = spec_vmi_from_vm(vm);
    auto_json *spec = json_copy(json_object_get(vmi, "spec"));
    json_t *wanted_spec = json_object_get(wanted, "spec");
    /* Not of the template: the grace period a stop has shortened, the pause a start has asked for. */
    static const char *const LIVE[] = {"terminationGracePeriodSeconds", "startStrategy", "nodeSelector", "affinity",
                                       "tolerations"};
    for (size_t i = 0; i < ARRAY_SIZE(LIVE); i++) {
        json_object_del(spec, LIVE[i]);
        json_object_del(wanted_spec, LIVE[i]);
    }
    return !json_equal(spec, wanted_spec);
}

/* Applies the step. True: the VM's status is written afterwards (in *next), false: the VM is gone. */
static bool apply(struct runtime *runtime, struct machine *machine, const json_t *vm, const json_t *vmi,
                  const struct vm_step *step, json_t *next, bool *ret_bump, struct vm_report *report,
                  struct error *failure)
{
    switch (step->action) {
    case VM_CREATE:
        if (create(runtime, vm, failure)) {
            report->failure = failure->text;
            report->failure_reason = "FailedCreate";
            return true;
        }
        break;
    case VM_DELETE_AND_RERUN:
        vm_status_add_request(next, "Start", NULL, false);
        delete_vmi(runtime, vm, vmi);
        break;
    case VM_DELETE:
        delete_vmi(runtime, vm, vmi);
        break;
    case VM_ADOPT:
        set_owner(runtime, vm, vmi);
        break;
    case VM_TURN_ON:
        turn_on(next);
        *ret_bump = true;
        break;
    case VM_LET_GO:
        reserve_forget(runtime, machine);
        set_owner(runtime, NULL, vmi);
        remove_vm(runtime, machine, vm, true);
        return false;
    case VM_CLEAN:
        if (machine->retry_s > report->now_s)
            machine->vm_wake_s = machine->retry_s;
        else if (!machine->is_busy && machine_is_observed(runtime, machine))
            job_submit(runtime, machine, WORK_CLEAN, NULL);
        break;
    case VM_REMOVE:
        remove_vm(runtime, machine, vm, vmi != NULL);
        return false;
    case VM_BLOCKED:
        report->failure = "a virtual machine instance of this name belongs to another owner";
        report->failure_reason = "FailedCreate";
        break;
    case VM_WAIT:
    case VM_ACTION_COUNT:
        break;
    }
    if (step->action != VM_TURN_ON)
        json_put_at(next, "status.runStrategy", json_string(vm_run_strategy_text(spec_run_strategy(next))));
    return true;
}

/* Beside what runs, room for what was made of the VM since. While it restarts, both stay until the switch. */
static void hold_next(struct runtime *runtime, struct machine *machine, const json_t *vm,
                      const struct vm_report *report, bool wants_claim, struct text *ret_refusal)
{
    bool runs_as_wanted = report->vmi && vmi_status_phase(report->vmi) == VMI_RUNNING && !report->needs_restart;
    if (wants_claim && report->needs_restart && plan_is_claimed(runtime, machine))
        reserve_next(runtime, machine, vm, ret_refusal);
    else if (!wants_claim || runs_as_wanted)
        reserve_forget(runtime, machine);
}

void vm_control(struct runtime *runtime, struct machine *machine)
{
    auto_json *vm = store_get(runtime->store, "VirtualMachine", machine->namespace_, machine->name);
    auto_json *vmi = store_get(runtime->store, "VirtualMachineInstance", machine->namespace_, machine->name);
    machine->vm_wake_s = 0;
    machine->keeps_claim = false;
    if (!vm)
        return;
    if (!vmi)
        machine_adopt_uid(machine, "");
    const struct vm_view view = view_of(runtime, machine, vm, vmi);
    struct vm_step step = reconcile_vm(&view);
    machine->keeps_claim = step.wants_claim;
    machine->vm_wake_s = step.wake_s;

    auto_json *next = copy_for_status(vm);
    bool bump = false;
    struct error failure;
    struct vm_report report = {.now_s = view.now_s, .backs_off = step.action == VM_WAIT && step.wake_s > 0};
    write_failures(next, &step, vmi);
    if (!apply(runtime, machine, vm, vmi, &step, next, &bump, &report, &failure))
        return;
    if (step.drop_request && !report.failure)
        vm_status_drop_request(next);
    if (!vmi && !step.wants_claim && plan_is_claimed(runtime, machine) && machine_is_observed(runtime, machine) &&
        machine->domain.state == DOMAIN_ABSENT)
        plan_release(runtime, machine);
    auto_json *now = store_get(runtime->store, "VirtualMachineInstance", machine->namespace_, machine->name);
    report.vmi = view.vmi_is_foreign ? NULL : now;
    report.start_expected = step.wants_run;
    report.stop_expected = step.action == VM_DELETE || step.action == VM_DELETE_AND_RERUN;
    report.needs_restart = needs_restart(vm, report.vmi);
    auto_text refusal = {0};
    hold_next(runtime, machine, vm, &report, step.wants_claim, &refusal);
    report.next_refusal = refusal.length ? text_cstr(&refusal) : NULL;
    vm_status_update(next, &report);
    if (bump)
        object_store(runtime, take(next), true);
    else if (store_update_patiently(runtime->store, take(next), &failure))
        log_warn("the status of vm %s stays as it was: %s", machine->key, failure.text);
}
