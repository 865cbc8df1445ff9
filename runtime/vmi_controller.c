#include <string.h>

#include "rtvmd/base/log.h"
#include "runtime/growth.h"
#include "runtime/inside.h"

/* Brings one VMI a step further: view → reconcile_vmi → step, then writes down what there is to see. */

void object_store(struct runtime *runtime, json_t *next, bool bump_generation)
{
    struct error err;
    auto_free char *name = must_strdup(json_text_at(next, "metadata.name", ""));
    if (store_update(runtime->store, next, bump_generation, NULL, &err))
        log_warn("object %s stays as it was: %s", name, err.text);
}

static struct vmi_view view_of(struct runtime *runtime, const struct machine *machine, const json_t *vmi)
{
    int64_t grace_s = json_int_at(vmi, "metadata.deletionGracePeriodSeconds", vmi_grace_s(vmi));
    return (struct vmi_view){
        .phase = vmi_status_phase(vmi),
        .deleting = object_is_deleting(vmi),
        .expires_s = timestamp_parse(json_text_at(vmi, "metadata.deletionTimestamp", NULL)),
        .grace_s = grace_s,
        .acpi = json_bool_at(vmi, "spec.domain.features.acpi.enabled", true),
        .claimed = plan_is_claimed(runtime, machine),
        .claim_is_kept = machine->keeps_claim,
        .is_busy = machine->is_busy,
        .is_observed = machine_is_observed(runtime, machine),
        .domain = machine_domain_state(machine),
        .reason = machine->domain.reason,
        .is_clean = machine->is_clean,
        .is_taken_up = machine->taken_up_pid == machine->domain.pid,
        .volumes = volumes_need(vmi, NULL),
        .signaled_s = machine->signaled_s,
        .retry_s = machine->retry_s,
        .now_s = runtime_now_s(runtime),
    };
}

/* True when planning has to wait for a fresh look at the host: page pools and CPUs change under us. */
static bool needs_host(struct runtime *runtime, struct machine *machine)
{
    enum { HOST_FRESH_S = 2 };
    int64_t age_s = runtime_now_s(runtime) - runtime->host_read_s;
    if (runtime->gives_pages_back) { /* which ends with a look */
        machine->waits_for_host = true;
        return true;
    }
    if (!runtime->hooks.refresh_host || (age_s >= 0 && age_s < HOST_FRESH_S))
        return false;
    machine->waits_for_host = true;
    host_read_start(runtime);
    return true;
}

static void plan(struct runtime *runtime, struct machine *machine, json_t *vmi, struct vmi_report *report,
                 struct text *refusal)
{
    if (needs_host(runtime, machine)) {
        report->refusal = json_text_at(condition_get(vmi, "PodScheduled"), "message", NULL);
        return;
    }
    machine->is_unschedulable = !plan_and_claim(runtime, machine, vmi, refusal);
    if (!machine->is_unschedulable) {
        report->phase = VMI_SCHEDULED;
        machine_queue(runtime, machine); /* the phase is no news when its placement was taken away */
        event_record(runtime, vmi, "Normal", "SuccessfulCreate", "Created virtual machine pod virt-launcher-%s",
                     machine->name);
        return;
    }
    /* What was kept for it is not enough any more (its template was changed): let others have it meanwhile. */
    enum domain_state domain = machine_domain_state(machine);
    if (plan_is_claimed(runtime, machine) && (domain == DOMAIN_ABSENT || domain == DOMAIN_OFF))
        plan_release(runtime, machine);
    machine->wake_s = growth_limits_end_s(runtime); /* its pages may be found then */
    report->phase = VMI_SCHEDULING;
    report->refusal = text_cstr(refusal);
    if (strcmp(json_text_at(condition_get(vmi, "PodScheduled"), "message", ""), report->refusal) != 0)
        event_record(runtime, vmi, "Warning", "FailedScheduling", "%s", report->refusal);
}

static void end(struct runtime *runtime, struct machine *machine, const json_t *vmi, enum vmi_phase phase,
                struct vmi_report *report)
{
    report->phase = phase;
    machine_worked(machine);
    if (phase == VMI_SUCCEEDED)
        event_record(runtime, vmi, "Normal", "Stopped", "The VirtualMachineInstance was shut down.");
    else
        event_record(runtime, vmi, "Warning", "Stopped", "The VirtualMachineInstance crashed.");
    log_info("vmi ended vmi=%s phase=%s", machine->key, vmi_phase_text(phase));
}

/* The object goes when nobody else holds a finalizer on it. */
static void remove_vmi(struct runtime *runtime, struct machine *machine, json_t *vmi)
{
    struct error err;
    if (!machine->keeps_claim)
        plan_release(runtime, machine);
    auto_json *vm = store_get(runtime->store, "VirtualMachine", machine->namespace_, machine->name);
    if (!vm && !machine->keeps_claim)
        store_last_placement_forget(runtime->store, machine->key, &err);
    auto_json *next = json_deep_copy(vmi);
    object_drop_finalizer(next, FINALIZER_VMI);
    object_drop_finalizer(next, FINALIZER_VM);
    if (json_at(next, "metadata.finalizers"))
        object_store(runtime, take(next), false);
    else if (store_delete(runtime->store, "VirtualMachineInstance", machine->namespace_, machine->name, NULL, &err))
        log_warn("vmi %s stays: %s", machine->key, err.text);
    machine->uid[0] = '\0';
    /* What a run had was given back; what the VM has beside (when it was not being deleted then) is still there. */
    machine->is_clean = vm && object_is_deleting(vm) && machine->is_all_clean;
}

static const char *failure_reason(const struct machine *machine)
{
    if (machine->failed_at_volumes && machine->failure.kind == ERROR_UNAVAILABLE)
        return machine->failures > 1 ? "ImagePullBackOff" : "ErrImagePull";
    return "Synchronizing with the Domain failed."; /* KubeVirt's reason, word for word */
}

static struct vmi_report report_of(struct runtime *runtime, const struct machine *machine, const json_t *vmi,
                                   const struct vmi_view *view)
{
    bool realtime = json_at(vmi, "spec.domain.cpu.realtime") != NULL;
    bool dedicated = json_bool_at(vmi, "spec.domain.cpu.dedicatedCpuPlacement", false);
    return (struct vmi_report){
        .now_s = view->now_s,
        .node_name = runtime->node_name,
        .phase = view->phase,
        .deleting = view->deleting,
        .is_observed = view->is_observed,
        .domain = view->domain,
        .reason = view->reason,
        .has_agent = machine->domain.has_agent,
        .emulated = runtime_emulates(runtime),
        .proof_is_wanted = realtime || dedicated,
        .proof = machine->proof,
        .repaired = machine->repaired,
        .is_audited = machine->is_audited,
        .untrue = machine->untrue,
        .untrue_reason = machine->untrue_reason,
        .failure = machine->has_failure ? machine->failure.text : NULL,
        .failure_reason = machine->has_failure ? failure_reason(machine) : NULL,
        .gate = machine->gate,
        .guest = machine->guest,
        .runtime_user = view->phase == VMI_RUNNING && machine->domain.pid > 0 ? (int64_t)machine->domain.user : -1,
    };
}

/* Threads drift (somebody runs taskset, libvirt re-pins): a slow second look, only at what was pinned. */
static bool is_due_for_proof(const struct machine *machine, const struct vmi_view *view,
                             const struct vmi_report *report)
{
    if (view->phase != VMI_RUNNING || view->deleting || !report->proof_is_wanted || !machine->proof || view->is_busy ||
        !view->is_observed || machine->domain.pid <= 0)
        return false;
    int64_t age_s = view->now_s - machine->proved_s;
    return age_s >= LIMIT_RESYNC_S / 2 || age_s < 0;
}

static enum work_kind work_for(enum vmi_action action)
{
    switch (action) {
    case VMI_START:
        return WORK_START;
    case VMI_TAKE_UP:
        return WORK_TAKE_UP;
    case VMI_SIGNAL:
        return WORK_SIGNAL;
    case VMI_DESTROY:
        return WORK_DESTROY;
    case VMI_CLEAN:
        return WORK_CLEAN;
    case VMI_ATTACH:
        return WORK_ATTACH;
    case VMI_DETACH:
        return WORK_DETACH;
    default:
        return WORK_KIND_COUNT;
    }
}

static void write_status(struct runtime *runtime, const json_t *vmi, const struct vmi_report *report)
{
    json_t *next = json_deep_copy(vmi);
    if (!json_at(next, "status.conditions")) {
        auto_json *before = json_incref(json_at(vmi, "status"));
        vmi_status_first(next);
        json_object_update(json_object_get(next, "status"), before);
    }
    vmi_status_update(next, report);
    object_store(runtime, next, false);
}

/* Nothing but a domain is there (a store put back from an old backup, or somebody else's daemon), or nothing but a
 * claim. */
static void control_remains(struct runtime *runtime, struct machine *machine)
{
    const char *uid = machine->domain.identity.uid;
    struct error gone;
    fail(&gone, ERROR_NOT_FOUND, "virtualmachineinstance.kubevirt.io \"%s\" not found", machine->name);
    act_cancel_all(machine, &gone);
    if (!machine_is_observed(runtime, machine))
        return;
    if (machine->domain.state == DOMAIN_ABSENT && !machine->keeps_claim && plan_is_claimed(runtime, machine))
        plan_release(runtime, machine);
    if (machine->domain.state == DOMAIN_ABSENT || text_equal(machine->reported_orphan, uid))
        return;
    free(machine->reported_orphan);
    machine->reported_orphan = must_strdup(uid);
    log_warn("domain %s carries our mark but has no object here; it is left alone, remove it with virsh",
             machine->domain_name);
}

/* Who waited for room before the daemon was restarted still does: it must not lose its turn to whoever is looked at
 * first. */
static void note_waiting(struct machine *machine, const json_t *vmi, const struct vmi_view *view,
                         enum vmi_action action)
{
    machine->waits_since_s =
        timestamp_parse(json_text_at(vmi, "status.phaseTransitionTimestamps.0.phaseTransitionTimestamp", NULL));
    if (view->is_observed)
        machine->is_unschedulable = machine->is_unschedulable && action == VMI_PLAN;
    else if (condition_is(vmi, "PodScheduled", "False"))
        machine->is_unschedulable = true;
}

void vmi_control(struct runtime *runtime, struct machine *machine)
{
    auto_json *vmi = store_get(runtime->store, "VirtualMachineInstance", machine->namespace_, machine->name);
    machine->wake_s = 0;
    if (!vmi) {
        control_remains(runtime, machine);
        return;
    }
    machine_adopt_uid(machine, json_text_at(vmi, "metadata.uid", ""));
    if (!machine->is_busy && act_next(runtime, machine, vmi))
        return;
    const struct vmi_view view = view_of(runtime, machine, vmi);
    struct vmi_report report = report_of(runtime, machine, vmi, &view);
    struct vmi_step step = reconcile_vmi(&view);
    auto_text refusal = {0};
    if (view.phase == VMI_RUNNING && view.is_observed)
        guest_report_refresh(runtime, machine);
    machine->wake_s = step.wake_s;
    note_waiting(machine, vmi, &view, step.action);
    switch (step.action) {
    case VMI_PLAN:
        plan(runtime, machine, vmi, &report, &refusal);
        break;
    case VMI_BEGIN:
        report.phase = VMI_RUNNING;
        log_info("vmi running vmi=%s pid=%d", machine->key, machine->domain.pid);
        break;
    case VMI_END:
        end(runtime, machine, vmi, step.phase, &report);
        break;
    case VMI_RELEASE:
        plan_release(runtime, machine);
        break;
    case VMI_REMOVE:
        remove_vmi(runtime, machine, vmi);
        return;
    case VMI_SIGNAL:
        machine->signaled_s = view.now_s;
        job_submit(runtime, machine, WORK_SIGNAL, vmi);
        break;
    case VMI_WAIT:
        if (is_due_for_proof(machine, &view, &report))
            job_look_at_threads(runtime, machine, vmi);
        break;
    default:
        job_submit(runtime, machine, work_for(step.action), vmi);
        break;
    }
    write_status(runtime, vmi, &report);
}
