#include <stdlib.h>
#include <string.h>

#include "runtime/act.h"

/* pause, unpause, soft reboot, reset, freeze and unfreeze of a running VMI (facts 5.3): checked at once, then done in
 * turn with whatever else is done to the machine. */

struct act {
    struct act *next;
    enum runtime_action action;
    char uid[64];
    runtime_done *done;
    void *arg;
};

bool act_is_dry(const json_t *options)
{
    size_t i;
    json_t *entry;
    json_array_foreach(json_at(options, "dryRun"), i, entry)
    {
        if (text_equal(json_string_value(entry), "All"))
            return true;
    }
    return false;
}

static int conflict(const char *name, const char *detail, struct error *err)
{
    return fail(err, ERROR_CONFLICT, "Operation cannot be fulfilled on virtualmachineinstance.kubevirt.io \"%s\": %s",
                name, detail);
}

static int check_running(const json_t *vmi, enum runtime_action action, const char *name, struct error *err)
{
    enum vmi_phase phase = vmi_status_phase(vmi);
    if (phase == VMI_RUNNING)
        return 0;
    if (action == RUNTIME_VMI_RESET)
        return fail(err, ERROR_BAD_REQUEST,
                    "Unable to connect to VirtualMachineInstance because phase is %s instead of Running or Scheduled",
                    vmi_phase_text(phase));
    return conflict(name, action == RUNTIME_VMI_PAUSE ? "VM is not running" : "VMI is not running", err);
}

static int check(const json_t *vmi, enum runtime_action action, const char *name, struct error *err)
{
    if (check_running(vmi, action, name, err))
        return -1;
    bool paused = condition_is(vmi, "Paused", "True");
    bool agent = condition_is(vmi, "AgentConnected", "True");
    bool acpi = json_bool_at(vmi, "spec.domain.features.acpi.enabled", true);
    switch (action) {
    case RUNTIME_VMI_PAUSE:
        if (paused)
            return conflict(name, "VMI is already paused", err);
        if (json_at(vmi, "spec.livenessProbe") && !json_at(vmi, "spec.livenessProbe.guestAgentPing"))
            return fail(err, ERROR_FORBIDDEN,
                        "virtualmachineinstance.kubevirt.io \"%s\" is forbidden: Pausing VMIs with a "
                        "non-GuestAgentPing LivenessProbe is not supported",
                        name);
        return 0;
    case RUNTIME_VMI_UNPAUSE:
        return paused ? 0 : conflict(name, "VMI is not paused", err);
    case RUNTIME_VMI_SOFTREBOOT:
        if (paused)
            return conflict(name, "VMI is paused", err);
        return agent || acpi ? 0
                             : conflict(name, "VMI neither have the agent connected nor the ACPI feature enabled", err);
    case RUNTIME_VMI_FREEZE:
    case RUNTIME_VMI_UNFREEZE:
        return agent ? 0 : conflict(name, "VMI does not have guest agent connected", err);
    default:
        return 0;
    }
}

static void finish(struct work *work, const struct error *failure, void *arg)
{
    (void)work;
    struct act *act = arg;
    act->done(failure, act->arg);
    free(act);
}

static const struct {
    enum work_kind kind;
    const char *command;
} WORK[] = {
    [RUNTIME_VMI_PAUSE] = {WORK_PAUSE, NULL},
    [RUNTIME_VMI_UNPAUSE] = {WORK_RESUME, NULL},
    [RUNTIME_VMI_SOFTREBOOT] = {WORK_REBOOT, NULL},
    [RUNTIME_VMI_RESET] = {WORK_RESET, NULL},
    [RUNTIME_VMI_FREEZE] = {WORK_AGENT, "{\"execute\":\"guest-fsfreeze-freeze\"}"},
    [RUNTIME_VMI_UNFREEZE] = {WORK_AGENT, "{\"execute\":\"guest-fsfreeze-thaw\"}"},
};

static struct act *pop(struct machine *machine)
{
    struct act *act = machine->act;
    if (act)
        machine->act = act->next;
    return act;
}

bool act_next(struct runtime *runtime, struct machine *machine, const json_t *vmi)
{
    struct act *act = pop(machine);
    if (!act)
        return false;
    struct error err;
    if (strcmp(act->uid, machine->uid) != 0 || check(vmi, act->action, machine->name, &err)) {
        if (strcmp(act->uid, machine->uid) != 0)
            conflict(machine->name, "VMI is not running", &err);
        finish(NULL, &err, act);
        return act_next(runtime, machine, vmi);
    }
    struct work *work = job_new(runtime, machine, WORK[act->action].kind);
    if (WORK[act->action].command) {
        work->command[0] = must_strdup(WORK[act->action].command);
        work->command_count = 1;
    }
    work->answer = finish;
    work->arg = act;
    job_send(runtime, machine, work);
    return true;
}

void act_cancel_all(struct machine *machine, const struct error *failure)
{
    for (struct act *act; (act = pop(machine));) {
        if (failure)
            act->done(failure, act->arg);
        free(act);
    }
}

static int queue_act(struct runtime *runtime, enum runtime_action action, const char *namespace_, const char *name,
                     runtime_done *done, void *arg, bool dry_run, struct error *err)
{
    auto_json *vmi = store_get(runtime->store, "VirtualMachineInstance", namespace_, name);
    if (!vmi)
        return fail(err, ERROR_NOT_FOUND, "virtualmachineinstance.kubevirt.io \"%s\" not found", name);
    if (check(vmi, action, name, err))
        return -1;
    if (dry_run) {
        done(NULL, arg);
        return 0;
    }
    struct machine *machine = machine_get(runtime, namespace_, name);
    machine_adopt_uid(machine, json_text_at(vmi, "metadata.uid", ""));
    struct act *act = must_calloc(1, sizeof *act);
    *act = (struct act){.action = action, .done = done, .arg = arg};
    memcpy(act->uid, machine->uid, sizeof act->uid);
    struct act **end = &machine->act;
    while (*end)
        end = &(*end)->next;
    *end = act;
    machine_queue(runtime, machine);
    return 0;
}

void runtime_act(struct runtime *runtime, enum runtime_action action, const char *namespace_, const char *name,
                 const json_t *options, runtime_done *done, void *arg)
{
    struct error err;
    if (action >= RUNTIME_VM_ADD_VOLUME) {
        if (act_on_volumes(runtime, action, namespace_, name, options, &err))
            done(&err, arg);
        else
            store_after_commit(runtime->store, done, arg);
    } else if (action > RUNTIME_VM_RESTART) {
        if (queue_act(runtime, action, namespace_, name, done, arg, act_is_dry(options), &err))
            done(&err, arg);
    } else if (act_on_vm(runtime, action, namespace_, name, options, &err)) {
        done(&err, arg);
    } else {
        store_after_commit(runtime->store, done, arg);
    }
}
