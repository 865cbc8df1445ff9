#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/log.h"
#include "runtime/inside.h"

/* Hosts change under what was promised: a CPU goes offline, a pool shrinks, pages stay behind. With each reading of the
 * host the placements of what runs are held against it, and the pages against the promises. Nothing is moved: what is
 * no longer true is said, once, where its owner looks. */

static void say_of_machine(struct runtime *runtime, struct machine *machine, const char *text, const char *reason)
{
    machine_queue(runtime, machine);
    free(machine->untrue);
    machine->untrue = text ? must_strdup(text) : NULL;
    machine->untrue_reason = reason;
    auto_json *vmi = store_get(runtime->store, "VirtualMachineInstance", machine->namespace_, machine->name);
    if (!vmi)
        return;
    if (text && text_equal(text, json_text_at(condition_get(vmi, "PlacementHolds"), "message", NULL)))
        return; /* said by the daemon before this one */
    if (text) {
        log_warn("placement of vmi=%s is not true any more: %s", machine->key, text);
        event_record(runtime, vmi, "Warning", "PlacementBroken", "the host changed: %s", text);
    } else {
        log_info("placement of vmi=%s is true again", machine->key);
        event_record(runtime, vmi, "Normal", "PlacementHolds", "the placement is true again");
    }
}

static void audit_machine(struct runtime *runtime, struct machine *machine, struct decision *decision)
{
    auto_text text = {0};
    if (!plan_audit(runtime, machine, decision))
        for (unsigned i = 0; i < decision->reason_count; i++)
            text_printf(&text, "%s%s", i ? "; " : "", decision->reason[i].message);
    const char *untrue = text.length ? text_cstr(&text) : NULL;
    if (!machine->is_audited)
        machine_queue(runtime, machine);
    machine->is_audited = true;
    if (untrue ? !text_equal(untrue, machine->untrue) : machine->untrue != NULL)
        say_of_machine(runtime, machine, untrue, untrue ? decision->reason[0].code : NULL);
}

static void audit_pages(struct runtime *runtime, struct decision *decision)
{
    auto_text text = {0};
    decision->warning_count = 0;
    plan_audit_pages(runtime, decision);
    for (unsigned i = 0; i < decision->warning_count; i++)
        text_printf(&text, "%s%s", i ? "; " : "", decision->warning[i]);
    const char *alarm = text.length ? text_cstr(&text) : NULL;
    if (alarm ? text_equal(alarm, runtime->page_alarm) : runtime->page_alarm == NULL)
        return;
    if (!alarm != !runtime->page_alarm)
        runtime->page_alarm_changed_s = runtime_now_s(runtime);
    free(runtime->page_alarm);
    runtime->page_alarm = alarm ? must_strdup(alarm) : NULL;
    auto_json *node = runtime_node(runtime);
    json_put_at(node, "metadata.namespace", json_string("default")); /* where Kubernetes keeps events of nodes */
    if (alarm) {
        log_warn("huge pages do not add up: %s", alarm);
        event_record(runtime, node, "Warning", "HugePagesUnaccounted", "%s", alarm);
    } else {
        log_info("huge pages add up again");
        event_record(runtime, node, "Normal", "HugePagesAccounted", "huge pages in use and promised add up again");
    }
}

void audit_host(struct runtime *runtime, bool is_settled)
{
    if (!runtime->has_swept || !is_settled)
        return;
    auto_free struct decision *decision = must_calloc(1, sizeof *decision);
    for (size_t i = 0; i < runtime->machine_count; i++) {
        struct machine *machine = runtime->machine[i];
        if (machine->uid[0] && machine_is_up(machine))
            audit_machine(runtime, machine, decision);
    }
    if (!runtime->gives_pages_back)
        audit_pages(runtime, decision);
}
