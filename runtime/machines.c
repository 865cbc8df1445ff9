#include <stdlib.h>
#include <string.h>

#include "runtime/inside.h"

/* The machines, ordered by key, and the queue of those that need a decision. */

static size_t lower(const struct runtime *runtime, const char *key)
{
    size_t low = 0;
    size_t high = runtime->machine_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(runtime->machine[middle]->key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct machine *machine_by_key(struct runtime *runtime, const char *key)
{
    size_t at = lower(runtime, key);
    bool is_there = at < runtime->machine_count && strcmp(runtime->machine[at]->key, key) == 0;
    return is_there ? runtime->machine[at] : NULL;
}

struct machine *machine_find(struct runtime *runtime, const char *namespace_, const char *name)
{
    auto_free char *key = must_format("%s/%s", namespace_, name);
    return machine_by_key(runtime, key);
}

struct machine *machine_get(struct runtime *runtime, const char *namespace_, const char *name)
{
    auto_free char *key = must_format("%s/%s", namespace_, name);
    size_t at = lower(runtime, key);
    if (at < runtime->machine_count && strcmp(runtime->machine[at]->key, key) == 0)
        return runtime->machine[at];
    struct machine *machine = must_calloc(1, sizeof *machine);
    auto_text domain = {0};
    domain_name(namespace_, name, &domain);
    machine->key = take(key);
    machine->namespace_ = must_strdup(namespace_);
    machine->name = must_strdup(name);
    machine->domain_name = text_take(&domain);
    machine->taken_up_pid = -1;
    /* The last look saw everything there was: so it saw that this one is not there. */
    machine->observed_at = runtime->looked_at;
    if (runtime->machine_count == runtime->machine_capacity) {
        runtime->machine_capacity = runtime->machine_capacity ? 2 * runtime->machine_capacity : 16;
        runtime->machine = must_realloc(runtime->machine, runtime->machine_capacity, sizeof(struct machine *));
    }
    memmove(runtime->machine + at + 1, runtime->machine + at, (runtime->machine_count - at) * sizeof(struct machine *));
    runtime->machine[at] = machine;
    runtime->machine_count++;
    return machine;
}

void machine_free(struct machine *machine)
{
    free(machine->key);
    free(machine->namespace_);
    free(machine->name);
    free(machine->domain_name);
    free(machine->reported_orphan);
    free(machine->untrue);
    json_decref(machine->proof);
    json_decref(machine->gate);
    json_decref(machine->guest);
    free(machine);
}

void machine_drop_if_empty(struct runtime *runtime, struct machine *machine)
{
    if (machine->is_queued || machine->is_busy || machine->act || machine->domain.state != DOMAIN_ABSENT)
        return;
    auto_json *vm = store_get(runtime->store, "VirtualMachine", machine->namespace_, machine->name);
    auto_json *vmi = store_get(runtime->store, "VirtualMachineInstance", machine->namespace_, machine->name);
    if (vm || vmi)
        return;
    size_t at = lower(runtime, machine->key);
    runtime->machine_count--;
    memmove(runtime->machine + at, runtime->machine + at + 1, (runtime->machine_count - at) * sizeof(struct machine *));
    machine_free(machine);
}

void machine_queue(struct runtime *runtime, struct machine *machine)
{
    if (machine->is_queued)
        return;
    machine->is_queued = true;
    machine->next_queued = NULL;
    *runtime->queue_end = machine;
    runtime->queue_end = &machine->next_queued;
    if (runtime->is_started)
        loop_timer_arm(runtime->round_timer, 0);
}

struct machine *machine_next(struct runtime *runtime)
{
    struct machine *machine = runtime->queue_first;
    if (!machine)
        return NULL;
    runtime->queue_first = machine->next_queued;
    if (!runtime->queue_first)
        runtime->queue_end = &runtime->queue_first;
    machine->is_queued = false;
    return machine;
}

void machine_adopt_uid(struct machine *machine, const char *uid)
{
    if (strcmp(machine->uid, uid) == 0)
        return;
    strncpy(machine->uid, uid, sizeof machine->uid - 1);
    machine->is_clean = machine->is_all_clean = false;
    machine->taken_up_pid = -1;
    machine->signaled_s = machine->retry_s = machine->wake_s = 0;
    machine->failures = 0;
    machine->has_failure = machine->is_unschedulable = false;
    json_decref(take(machine->proof));
    json_decref(take(machine->gate));
    json_decref(take(machine->guest));
    machine->guest_asked_s = 0;
    machine->repaired = 0;
    machine->is_audited = false;
    free(take(machine->untrue));
}

bool machine_is_observed(const struct runtime *runtime, const struct machine *machine)
{
    return runtime->is_connected && machine->observed_at > 0 && machine->observed_at >= machine->settled_at;
}

enum domain_state machine_domain_state(const struct machine *machine)
{
    /* A domain of an earlier incarnation that is off is replaced by the next start; one that runs makes it fail. */
    return strcmp(machine->domain.identity.uid, machine->uid) == 0 ? machine->domain.state : DOMAIN_ABSENT;
}

void machine_failed(struct runtime *runtime, struct machine *machine, enum vmi_action action, const struct error *err)
{
    machine->failures++;
    machine->retry_s = runtime_now_s(runtime) + vmi_retry_delay_s(machine->failures);
    machine->failure = *err;
    machine->failed_action = action;
    machine->has_failure = true;
}

void machine_worked(struct machine *machine)
{
    machine->failures = 0;
    machine->retry_s = 0;
    machine->has_failure = false;
}
