#include <string.h>

#include "runtime/act.h"
#include "runtime/inside.h"

/* start, stop and restart of a VM: a table of what each run strategy makes of them (facts 5.4). Nothing is done here
 * but writing down what is wanted. */

struct vm_act {
    struct runtime *runtime;
    const json_t *vm;
    const json_t *vmi; /* NULL: none */
    const json_t *options;
    const char *name;
    enum vm_run_strategy strategy;
    enum vmi_phase phase;
    bool alive;
    bool dry_run;
};

static bool has_grace(const json_t *options, const char *key, int64_t *ret_grace_s)
{
    *ret_grace_s = json_int_at(options, key, -1);
    return json_is_integer(json_at(options, key));
}

static int conflict(const struct vm_act *act, const char *detail, struct error *err)
{
    return fail(err, ERROR_CONFLICT, "Operation cannot be fulfilled on virtualmachine.kubevirt.io \"%s\": %s",
                act->name, detail);
}

static int store_vm(const struct vm_act *act, json_t *next, bool bump, struct error *err)
{
    if (!act->dry_run)
        return store_update(act->runtime->store, next, bump, NULL, err);
    json_decref(next);
    return 0;
}

/* runStrategy, or running where the object says it that way. */
static int set_running(const struct vm_act *act, bool running, struct error *err)
{
    json_t *next = json_deep_copy(act->vm);
    if (json_at(next, "spec.running"))
        json_put_at(next, "spec.running", json_boolean(running));
    else
        json_put_at(next, "spec.runStrategy", json_string(running ? "Always" : "Halted"));
    return store_vm(act, next, true, err);
}

static int request(const struct vm_act *act, bool stop, bool start, bool paused, struct error *err)
{
    if (vm_status_request(act->vm, 0))
        return conflict(act, "unable to complete request: stop/start already underway", err);
    json_t *next = json_deep_copy(act->vm);
    if (!json_is_object(json_object_get(next, "status")))
        json_object_set_new(next, "status", json_object());
    if (stop)
        vm_status_add_request(next, "Stop", json_text_at(act->vmi, "metadata.uid", NULL), false);
    if (start)
        vm_status_add_request(next, "Start", NULL, paused);
    return store_vm(act, next, false, err);
}

/* The grace period of the running VMI, shortened for this stop; one on its way down is hurried up. */
static int shorten_grace(const struct vm_act *act, int64_t grace_s, struct error *err)
{
    if (!act->vmi || act->dry_run)
        return 0;
    json_t *next = json_deep_copy(act->vmi);
    json_put_at(next, "spec.terminationGracePeriodSeconds", json_integer(grace_s));
    if (object_is_deleting(next))
        object_mark_deleted(next, grace_s, runtime_now_s(act->runtime));
    return store_update(act->runtime->store, next, true, NULL, err);
}

static int start(const struct vm_act *act, struct error *err)
{
    bool paused = json_bool_at(act->options, "paused", false);
    char detail[128];
    if (act->alive)
        return conflict(act, "VM is already running", err);
    switch (act->strategy) {
    case VM_RUN_HALTED:
        return paused ? request(act, false, true, true, err) : set_running(act, true, err);
    case VM_RUN_ALWAYS:
    case VM_RUN_ONCE:
        snprintf(detail, sizeof detail, "%s does not support manual start requests",
                 vm_run_strategy_text(act->strategy));
        return conflict(act, detail, err);
    case VM_RUN_MANUAL:
        return request(act, act->vmi != NULL, true, paused, err);
    case VM_RUN_RERUN_ON_FAILURE:
        if (act->phase == VMI_FAILED)
            return conflict(act, "RerunOnFailure does not support starting VM from failed state", err);
        return request(act, act->vmi != NULL, true, paused, err);
    }
    return 0;
}

static int stop(const struct vm_act *act, struct error *err)
{
    int64_t grace_s;
    bool shortens = has_grace(act->options, "gracePeriod", &grace_s);
    if (shortens && grace_s < 0)
        return fail(err, ERROR_BAD_REQUEST, "gracePeriod has to be greater or equal to 0");
    if (act->strategy == VM_RUN_HALTED) {
        if (!act->vmi)
            return conflict(act, "VM is not running", err);
        if (!shortens || grace_s >= vmi_grace_s(act->vmi))
            return conflict(act, "Halted only supports manual stop requests with a shorter graceperiod", err);
    }
    if ((act->strategy == VM_RUN_MANUAL || act->strategy == VM_RUN_RERUN_ON_FAILURE) && !act->alive)
        return conflict(act, "VM is not running", err);
    if (shortens && act->alive && shorten_grace(act, grace_s, err))
        return -1;
    if (act->strategy == VM_RUN_ALWAYS || act->strategy == VM_RUN_ONCE)
        return set_running(act, false, err);
    return request(act, true, false, false, err);
}

static int restart(const struct vm_act *act, struct error *err)
{
    int64_t grace_s;
    bool forces = has_grace(act->options, "gracePeriodSeconds", &grace_s);
    if (forces && grace_s > 0)
        return fail(err, ERROR_BAD_REQUEST, "For force restart, only gracePeriod=0 is supported for now");
    if (forces && grace_s < 0)
        return fail(err, ERROR_BAD_REQUEST, "gracePeriod has to be greater or equal to 0");
    if (act->strategy == VM_RUN_HALTED || act->strategy == VM_RUN_ONCE) {
        char detail[128];
        snprintf(detail, sizeof detail, "RunStrategy %s does not support manual restart requests",
                 vm_run_strategy_text(act->strategy));
        return conflict(act, detail, err);
    }
    if (!act->alive)
        return conflict(act, "VM is not running: Halted", err);
    /* KubeVirt writes 1: 0 would skip the guest's power button without saying so in the object. */
    if (forces && shorten_grace(act, 1, err))
        return -1;
    return request(act, true, true, false, err);
}

int act_on_vm(struct runtime *runtime, enum runtime_action action, const char *namespace_, const char *name,
              const json_t *options, struct error *err)
{
    auto_json *vm = store_get(runtime->store, "VirtualMachine", namespace_, name);
    auto_json *vmi = store_get(runtime->store, "VirtualMachineInstance", namespace_, name);
    if (!vm)
        return fail(err, ERROR_NOT_FOUND, "virtualmachine.kubevirt.io \"%s\" not found", name);
    enum vmi_phase phase = vmi ? vmi_status_phase(vmi) : VMI_UNSET;
    const struct vm_act act = {
        .runtime = runtime,
        .vm = vm,
        .vmi = vmi,
        .options = options,
        .name = name,
        .strategy = spec_run_strategy(vm),
        .phase = phase,
        .alive = phase != VMI_UNSET && !vmi_phase_is_final(phase),
        .dry_run = act_is_dry(options),
    };
    size_t mark = store_mark(runtime->store);
    int r = action == RUNTIME_VM_START  ? start(&act, err)
            : action == RUNTIME_VM_STOP ? stop(&act, err)
                                        : restart(&act, err);
    if (r)
        store_rollback(runtime->store, mark);
    return r;
}
