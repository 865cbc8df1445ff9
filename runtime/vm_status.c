#include <string.h>

#include "runtime/inside.h"

/* The status of a VM: a mirror of its VMI, and what is still to be done (facts 5.8). Pure. */

json_t *vm_status_request(const json_t *vm, size_t index)
{
    return json_array_get(json_at(vm, "status.stateChangeRequests"), index);
}

void vm_status_add_request(json_t *vm, const char *action, const char *uid, bool paused)
{
    if (!json_is_array(json_at(vm, "status.stateChangeRequests")))
        json_put_at(vm, "status.stateChangeRequests", json_array());
    json_t *request = json_pack("{s:s}", "action", action);
    if (uid)
        json_object_set_new(request, "uid", json_string(uid));
    if (paused)
        json_object_set_new(request, "data", json_pack("{s:s}", "paused", "true"));
    json_array_append_new(json_at(vm, "status.stateChangeRequests"), request);
}

void vm_status_drop_request(json_t *vm)
{
    json_t *list = json_at(vm, "status.stateChangeRequests");
    json_array_remove(list, 0);
    if (json_array_size(list) == 0)
        json_drop_at(vm, "status.stateChangeRequests");
}

static bool has_reason(const json_t *vmi, const char *type, const char *reason)
{
    return strcmp(json_text_at(condition_get(vmi, type), "reason", ""), reason) == 0;
}

static void mirror(json_t *vm, const json_t *from, int64_t now_s)
{
    const char *type = json_text_at(from, "type", "");
    condition_set(vm, type, json_text_at(from, "status", ""), json_text_at(from, "reason", NULL),
                  json_text_at(from, "message", NULL), now_s);
    json_object_set(condition_get(vm, type), "lastTransitionTime", json_object_get(from, "lastTransitionTime"));
}

static bool is_own_condition(const char *type)
{
    return strcmp(type, "Ready") == 0 || strcmp(type, "Failure") == 0 || strcmp(type, "RestartRequired") == 0;
}

/* All conditions of the VMI, and none that it no longer has. */
static void write_conditions(json_t *vm, const struct vm_report *r)
{
    size_t i;
    json_t *condition;
    auto_json *present = json_deep_copy(json_at(vm, "status.conditions"));
    json_array_foreach(present, i, condition)
    {
        const char *type = json_text_at(condition, "type", "");
        if (!is_own_condition(type) && !(r->vmi && condition_get(r->vmi, type)))
            condition_drop(vm, type);
    }
    json_array_foreach(json_at(r->vmi, "status.conditions"), i, condition)
    {
        mirror(vm, condition, r->now_s);
    }
    if (!r->vmi || !condition_get(r->vmi, "Ready"))
        condition_set(vm, "Ready", "False", r->vmi ? "GuestNotRunning" : "VMINotExists",
                      r->vmi ? "Guest VM is not reported as running" : "VMI does not exist", r->now_s);
    if (r->failure)
        condition_set(vm, "Failure", "True", r->failure_reason, r->failure, r->now_s);
    else
        condition_drop(vm, "Failure");
    auto_text restart = {0};
    text_append(&restart, "a non-live-updatable field was changed in the template spec");
    if (r->next_refusal)
        text_printf(&restart, "; as it is now the VM would not be placed: %s", r->next_refusal);
    if (r->needs_restart)
        condition_set(vm, "RestartRequired", "True", "RestartRequired", text_cstr(&restart), r->now_s);
    else
        condition_drop(vm, "RestartRequired");
}

static const char *printable(const json_t *vm, const struct vm_report *r)
{
    const json_t *vmi = r->vmi;
    const struct vm_print print = {
        .deleting = object_is_deleting(vm),
        .has_vmi = vmi != NULL,
        .vmi_deleting = vmi && object_is_deleting(vmi),
        .stop_expected = r->stop_expected,
        .start_expected = r->start_expected,
        .is_paused = condition_is(vmi, "Paused", "True"),
        .is_unschedulable =
            condition_is(vmi, "PodScheduled", "False") && has_reason(vmi, "PodScheduled", "Unschedulable"),
        .pull_failed = has_reason(vmi, "Synchronized", "ErrImagePull"),
        .pull_backs_off = has_reason(vmi, "Synchronized", "ImagePullBackOff"),
        .volume_is_missing = has_reason(vmi, "Synchronized", "PersistentVolumeClaimNotFound"),
        .backs_off = r->backs_off,
        .phase = vmi ? vmi_status_phase(vmi) : VMI_UNSET,
    };
    return vm_printable_status(&print);
}

static void put_true_or_drop(json_t *vm, const char *path, bool value)
{
    if (value)
        json_put_at(vm, path, json_true());
    else
        json_drop_at(vm, path);
}

void vm_status_update(json_t *vm, const struct vm_report *r)
{
    if (!json_is_object(json_object_get(vm, "status")))
        json_object_set_new(vm, "status", json_object());
    int64_t generation = json_int_at(vm, "metadata.generation", 1);
    const char *running = r->vmi ? object_annotation(r->vmi, ANNOTATION_VM_GENERATION) : NULL;
    uint64_t observed;
    if (!running || !text_to_u64(running, &observed))
        observed = (uint64_t)generation;
    put_true_or_drop(vm, "status.created", r->vmi != NULL);
    put_true_or_drop(vm, "status.ready", condition_is(r->vmi, "Ready", "True"));
    json_put_at(vm, "status.desiredGeneration", json_integer(generation));
    json_put_at(vm, "status.observedGeneration", json_integer((json_int_t)observed));
    write_conditions(vm, r);
    json_put_at(vm, "status.printableStatus", json_string(printable(vm, r)));
}
