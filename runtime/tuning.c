#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/log.h"
#include "runtime/inside.h"
#include "runtime/tune/tune.h"

/* Host tuning for VMs: from just before a domain is started until its run was cleaned up after, at most as far as the
 * configuration allows. What is right follows from all owners together, so one task is in hand at a time and the others
 * wait in order. Its steps are taken here, on the loop thread, and written down; what an order says is done by a worker
 * after that commit. A VM whose task is in hand or waits counts as busy: its start goes on when the task is over, also
 * when something hung and was given up (an event says what). */

struct tuning {
    struct worker_job job; /* first: carrying out one order */
    struct tuning *next;
    struct runtime *runtime;
    struct tune_task task;
    struct work *work; /* to be sent when the task is over; may be NULL */
    char *key;         /* of the machine that is busy meanwhile; NULL: none */
    void (*over)(struct tuning *tuning, const struct error *failure); /* may be NULL */
    runtime_done *done;
    void *arg;
    bool is_start;

    json_t *order;
    json_t *lines; /* of the report, until they are back on the loop thread */
    bool failed;
    struct error err;
};

static void log_notes(const struct tune_result *result, const char *owner)
{
    if (result->left)
        log_info("host tuning left %u things as they are owner=%s: %s", result->left, owner, text_cstr(&result->notes));
}

static void tuning_free(struct tuning *tuning)
{
    if (tuning->work) {
        if (tuning->work->host)
            job_drop_host(tuning->work->host);
        work_free(tuning->work);
    }
    tune_task_finish(&tuning->task);
    json_decref(tuning->order);
    json_decref(tuning->lines);
    free(tuning->key);
    free(tuning);
}

/* ---- one order at a time */
static void advance(struct runtime *runtime);

static void run_order(struct worker_job *job)
{
    struct tuning *tuning = (struct tuning *)job;
    tuning->failed = tune_apart(tuning->runtime->state_dir, tuning->order, &tuning->runtime->tuning_stop, tuning->lines,
                                &tuning->err) < 0;
}

static void end_first(struct runtime *runtime, const struct error *failure)
{
    struct tuning *tuning = runtime->tuning_first;
    runtime->tuning_first = tuning->next;
    if (!runtime->tuning_first)
        runtime->tuning_end = &runtime->tuning_first;
    log_notes(&tuning->task.result, tuning->task.owner);
    if (tuning->over)
        tuning->over(tuning, failure);
    if (tuning->done)
        tuning->done(failure ? failure : tuning->task.is_blocked ? &tuning->err : NULL, tuning->arg);
    tuning_free(tuning);
}

/* What may have been left half done is looked at again, when nothing else makes us. */
static void note_blocked(struct runtime *runtime, struct tuning *tuning)
{
    struct tune_task *task = &tuning->task;
    tune_task_give_up(task);
    log_warn("host tuning hangs owner=%s at=%s: %s", task->owner, task->at ? task->at : "its turn", tuning->err.text);
    runtime->tuning_retry_s = runtime_now_s(runtime) + LIMIT_TUNING_RETRY_S;
    runtime_arm(runtime);
}

static void order_done(struct worker_job *job, bool canceled)
{
    struct tuning *tuning = (struct tuning *)job;
    struct runtime *runtime = tuning->runtime;
    if (canceled)
        return; /* it is freed with those that wait */
    size_t i;
    json_t *line;
    json_array_foreach(tuning->lines, i, line)
    {
        tune_task_take(&tuning->task, line, runtime->tuning_seen);
    }
    json_array_clear(tuning->lines);
    if (tuning->failed)
        note_blocked(runtime, tuning);
    runtime->tunes = false;
    advance(runtime);
}

static void order_written(const struct error *failure, void *arg)
{
    struct runtime *runtime = arg;
    struct tuning *tuning = runtime->tuning_first;
    if (runtime->is_ending)
        return; /* the next start undoes it */
    if (failure) {
        runtime->tunes = false;
        end_first(runtime, failure);
        advance(runtime);
        return;
    }
    tuning->job = (struct worker_job){.run = run_order, .done = order_done};
    worker_submit(runtime->pool, &tuning->job);
}

static void advance(struct runtime *runtime)
{
    while (runtime->tuning_first && !runtime->tunes && !runtime->is_ending) {
        struct tuning *tuning = runtime->tuning_first;
        struct error err;
        json_t *order;
        int r = tune_task_next(&tuning->task, runtime->store, "", &order, &err);
        if (r > 0) {
            runtime->tunes = true;
            json_decref(tuning->order);
            tuning->order = json_deep_copy(order); /* the worker thread gets no value of ours */
            store_after_commit(runtime->store, order_written, runtime);
        } else {
            end_first(runtime, r < 0 ? &err : NULL);
        }
    }
}

static struct tuning *tuning_new(struct runtime *runtime, enum tune_task_kind kind, const char *owner)
{
    struct tuning *tuning = must_calloc(1, sizeof *tuning);
    tuning->runtime = runtime;
    tuning->task.kind = kind;
    tuning->task.owner = must_strdup(owner);
    tuning->task.memory = &runtime->irqbalance;
    tuning->lines = json_array();
    if (!runtime->tuning_seen)
        runtime->tuning_seen = json_object();
    return tuning;
}

static void queue(struct tuning *tuning)
{
    struct runtime *runtime = tuning->runtime;
    struct machine *machine = tuning->key ? machine_by_key(runtime, tuning->key) : NULL;
    if (machine)
        machine->is_busy = true;
    *runtime->tuning_end = tuning;
    runtime->tuning_end = &tuning->next;
    advance(runtime);
}

void tuning_stop(struct runtime *runtime)
{
    atomic_store(&runtime->tuning_stop, true);
}

void tuning_free_all(struct runtime *runtime)
{
    for (struct tuning *tuning; (tuning = runtime->tuning_first);) {
        runtime->tuning_first = tuning->next;
        tuning_free(tuning);
    }
    json_decref(runtime->tuning_seen);
}

/* ---- the VM a task is for */
/* The machine, not busy any more, when what was begun for it still makes sense. *ret_vmi: a new reference. */
static struct machine *free_machine(struct tuning *tuning, json_t **ret_vmi)
{
    struct runtime *runtime = tuning->runtime;
    struct machine *machine = machine_by_key(runtime, tuning->key);
    *ret_vmi = NULL;
    if (!machine)
        return NULL;
    machine->is_busy = false;
    runtime_look(runtime); /* looks meanwhile passed it over */
    machine_queue(runtime, machine);
    loop_timer_arm(runtime->round_timer, 0);
    auto_json *vmi = store_get(runtime->store, "VirtualMachineInstance", machine->namespace_, machine->name);
    if (!vmi || (tuning->work && strcmp(machine->uid, tuning->work->uid) != 0))
        return NULL;
    *ret_vmi = take(vmi);
    return machine;
}

static void record_blocked(struct tuning *tuning, const json_t *vmi)
{
    const struct tune_task *task = &tuning->task;
    if (task->is_blocked)
        event_record(tuning->runtime, vmi, "Warning", "TuningBlocked",
                     "host tuning hangs at %s and was given up: %s; the virtual machine goes on without the rest",
                     task->at ? task->at : "its turn", tuning->err.text);
}

/* ---- before the start of a domain */
static void applied(struct tuning *tuning, const struct error *failure)
{
    auto_json *vmi = NULL;
    const struct tune_result *result = &tuning->task.result;
    struct cpuset_text text;
    struct machine *machine = free_machine(tuning, &vmi);
    if (!machine || object_is_deleting(vmi))
        return; /* what was changed is put back when the machine is cleaned up after */
    record_blocked(tuning, vmi);
    if (!failure && !tuning->task.is_blocked)
        event_record(tuning->runtime, vmi, "Normal", "TuningApplied",
                     "host tuned for CPUs %s: %u changes, %u things left as they are",
                     cpuset_format(&tuning->task.cpus, &text), result->done, result->left);
    job_start(tuning->runtime, machine, take(tuning->work), vmi, failure);
}

static enum tune_level level_of(struct runtime *runtime, const struct work *work, const json_t *vmi)
{
    static const char *const LEVELS[] = {"none", "safe", "full"};
    enum tune_level wanted = (enum tune_level)work->spec.host_tuning;
    enum tune_level level = wanted < runtime->config.tuning ? wanted : runtime->config.tuning;
    if (level < wanted)
        event_record(runtime, vmi, "Warning", "TuningRefused",
                     "host tuning %s is wanted, the configuration allows %s (host.tuning)", LEVELS[wanted],
                     LEVELS[level]);
    return level;
}

bool tuning_begin(struct runtime *runtime, struct work *work, const json_t *vmi)
{
    enum tune_level level = level_of(runtime, work, vmi);
    const struct cpuset *cpus = &work->placement->exclusive;
    if (level == TUNE_NONE || cpuset_is_empty(cpus))
        return false;
    struct tuning *tuning = tuning_new(runtime, TUNE_TASK_APPLY, work->key);
    tuning->task.cpus = *cpus;
    tuning->task.level = level;
    tuning->key = must_strdup(work->key);
    tuning->work = work;
    tuning->over = applied;
    queue(tuning);
    return true;
}

/* ---- partitions, before the guest goes on */
/* What the kernel keeps free since it was booted needs nothing. */
static size_t cpus_to_isolate(const struct work *work, struct cpuset *ret_cpus)
{
    const struct placement *placement = work->placement;
    const struct host *host = &work->host->host;
    for (unsigned v = 0; v < placement->vcpu_count; v++) {
        int cpu = placement->vcpu_cpu[v];
        if (cpu < 0 || !cpuset_has(&placement->exclusive, (unsigned)cpu))
            continue;
        struct cpuset parked = cpuset_and(&host->cpu[cpu].siblings, &placement->parked);
        struct cpuset own = cpuset_of((unsigned)cpu);
        own = cpuset_or(&own, &parked);
        ret_cpus[v] = cpuset_minus(&own, &host->isolated);
    }
    return placement->vcpu_count;
}

bool tuning_wants_isolation(struct runtime *runtime, const struct work *work)
{
    auto_free struct cpuset *cpus = must_calloc(LIMIT_VM_VCPUS, sizeof *cpus);
    size_t count = tune_has(runtime->store, work->key) ? cpus_to_isolate(work, cpus) : 0;
    for (size_t v = 0; v < count; v++)
        if (!cpuset_is_empty(&cpus[v]))
            return true;
    return false;
}

static void isolated(struct tuning *tuning, const struct error *failure)
{
    auto_json *vmi = NULL;
    struct runtime *runtime = tuning->runtime;
    const struct tune_result *result = &tuning->task.result;
    struct machine *machine = free_machine(tuning, &vmi);
    if (!machine)
        return;
    const char *why = failure ? failure->text : text_cstr(&result->notes);
    record_blocked(tuning, vmi);
    if (failure || result->left)
        event_record(runtime, vmi, "Warning", "NotIsolated", "%.*s", (int)strcspn(why, "\n"), why);
    else if (result->done)
        event_record(runtime, vmi, "Normal", "Isolated", "its vCPUs are isolated partitions: %u changes", result->done);
    if (tuning->work)
        job_send(runtime, machine, take(tuning->work));
}

bool tuning_isolate(struct runtime *runtime, struct work *work, int pid, bool sends)
{
    if (pid <= 0 || !tuning_wants_isolation(runtime, work))
        return false;
    struct tuning *tuning = tuning_new(runtime, TUNE_TASK_ISOLATE, work->key);
    tuning->task.pid = pid;
    tuning->task.vcpus = must_calloc(LIMIT_VM_VCPUS, sizeof *tuning->task.vcpus);
    tuning->task.vcpu_count = cpus_to_isolate(work, tuning->task.vcpus);
    tuning->key = must_strdup(work->key);
    tuning->work = sends ? work : NULL;
    tuning->over = isolated;
    queue(tuning);
    return true;
}

/* ---- undoing */
static void undone(struct tuning *tuning, const struct error *failure)
{
    if (failure)
        log_warn("host tuning of %s is not undone, it is tried again: %s", tuning->task.owner, failure->text);
}

/* Who sees that the VM is gone sees the host as it was, unless that hangs. */
static void undone_for_vm(struct tuning *tuning, const struct error *failure)
{
    auto_json *vmi = NULL;
    undone(tuning, failure);
    free_machine(tuning, &vmi);
}

void tuning_undo(struct runtime *runtime, const char *owner)
{
    if (!tune_has(runtime->store, owner))
        return;
    struct tuning *tuning = tuning_new(runtime, TUNE_TASK_UNDO, owner);
    tuning->key = must_strdup(owner);
    tuning->over = undone_for_vm;
    queue(tuning);
}

void tuning_undo_one(struct runtime *runtime, int64_t id, runtime_done *done, void *arg)
{
    struct error err;
    if (!tune_is_ours(runtime->store, id)) {
        fail(&err, ERROR_CONFLICT, "it is no change of tuning's: it is undone when its VM stops");
        done(&err, arg);
        return;
    }
    struct tuning *tuning = tuning_new(runtime, TUNE_TASK_UNDO_ONE, "");
    tuning->task.id = id;
    tuning->over = undone;
    tuning->done = done;
    tuning->arg = arg;
    queue(tuning);
}

/* Whoever types undoes it himself. Who is being started has no domain yet. */
static bool lives(const char *owner, void *arg)
{
    const struct machine *machine = machine_by_key(arg, owner);
    return !owner[0] || (machine && (machine->is_busy || machine_is_up(machine)));
}

static void recovered(struct tuning *tuning, const struct error *failure)
{
    undone(tuning, failure);
    if (!failure && tuning->task.result.done)
        log_info("undid %u host changes of virtual machines that do not run any more", tuning->task.result.done);
}

void tuning_recover(struct runtime *runtime)
{
    struct tuning *tuning = tuning_new(runtime, TUNE_TASK_RECOVER, "");
    tuning->task.lives = lives;
    tuning->task.lives_arg = runtime;
    tuning->over = recovered;
    runtime->tuning_retry_s = 0;
    queue(tuning);
}

/* ---- irqbalance was restarted */
static void told_again(struct tuning *tuning, const struct error *failure)
{
    const struct tune_result *result = &tuning->task.result;
    struct cpuset_text text;
    if (!failure && result->done)
        log_info("irqbalance was restarted and told again to keep off CPUs %s owner=%s",
                 cpuset_format(&tuning->task.cpus, &text), tuning->task.owner);
}

void tuning_resync(struct runtime *runtime)
{
    struct tune_lost lost;
    if (runtime->tuning_first || !tune_lost_irqbalance(runtime->store, "", &lost))
        return;
    struct tuning *tuning = tuning_new(runtime, TUNE_TASK_KNOB, lost.owner);
    tuning->task.knob = "irqbalance";
    tuning->task.cpus = lost.cpus;
    tuning->task.id = lost.id;
    tuning->over = told_again;
    free(lost.owner);
    queue(tuning);
}
