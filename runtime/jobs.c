#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/log.h"
#include "runtime/growth.h"
#include "runtime/inside.h"

/* Sending work off and taking its results in. A job starts only after everything written so far is on disk: nothing is
 * done that is not promised first. One job per machine at a time. */

struct work_host *job_hold_host(struct runtime *runtime)
{
    runtime->host->references++;
    return runtime->host;
}

void job_drop_host(struct work_host *host)
{
    if (--host->references == 0)
        free(host);
}

/* A unix socket's path is short: a long name is cut, and told from its like by a number. Never by what may be unknown,
 * like the uid once the VMI is gone: the folder is removed with all that is in it, and may not be the one above. */
char *job_run_dir(const struct runtime *runtime, const struct machine *machine)
{
    enum { FOLDER_MAX = 80 };
    char *dir = must_format("%s/%s", runtime->run_dir, machine->domain_name);
    if (strlen(dir) <= FOLDER_MAX)
        return dir;
    free(dir);
    return must_format("%s/%.20s~%016llx", runtime->run_dir, machine->domain_name,
                       (unsigned long long)text_hash(TEXT_HASH_BEGIN, machine->domain_name));
}

static void work_done(struct worker_job *job, bool canceled);

/* ---- what a long job says meanwhile, as events */
struct progress_note {
    struct worker_job job;
    struct runtime *runtime;
    char *key;
    char uid[64];
    char *sentence;
};

static void progress_arrived(struct worker_job *job, bool canceled)
{
    struct progress_note *note = (struct progress_note *)job;
    struct machine *machine = canceled ? NULL : machine_by_key(note->runtime, note->key);
    auto_json *vmi =
        machine ? store_get(note->runtime->store, "VirtualMachineInstance", machine->namespace_, machine->name) : NULL;
    if (vmi && strcmp(machine->uid, note->uid) == 0)
        event_record(note->runtime, vmi, "Normal",
                     text_starts_with(note->sentence, "pulling ") ? "Pulling" : "Preparing", "%s", note->sentence);
    free(note->key);
    free(note->sentence);
    free(note);
}

/* On the worker thread. Percentages are for terminals. */
static void send_progress(struct work *work, const char *sentence)
{
    if (strchr(sentence, '%'))
        return;
    struct progress_note *note = must_calloc(1, sizeof *note);
    note->job.done = progress_arrived;
    note->runtime = work->runtime;
    note->key = must_strdup(work->key);
    memcpy(note->uid, work->uid, sizeof note->uid);
    note->sentence = must_strdup(sentence);
    worker_note(work->runtime->pool, &note->job);
}

struct work *job_new(struct runtime *runtime, struct machine *machine, enum work_kind kind)
{
    struct work *work = must_calloc(1, sizeof *work);
    work->job = (struct worker_job){.run = work_run, .done = work_done};
    work->runtime = runtime;
    work->kind = kind;
    work->key = must_strdup(machine->key);
    memcpy(work->uid, machine->uid, sizeof work->uid);
    work->hypervisor = runtime->hypervisor;
    work->progress = send_progress;
    work->namespace_ = must_strdup(machine->namespace_);
    work->name = must_strdup(machine->name);
    work->domain_name = must_strdup(machine->domain_name);
    work->run_dir = job_run_dir(runtime, machine);
    work->image =
        (struct image_config){.state_dir = runtime->state_dir, .host_disk_dirs = runtime->config.host_disk_dirs};
    work->emulation = runtime_emulates(runtime);
    return work;
}

static void add_lookup(struct runtime *runtime, struct work *work, const char *kind, const char *name)
{
    auto_json *object = name ? store_get(runtime->store, kind, work->namespace_, name) : NULL;
    if (!object)
        return;
    auto_free char *key = must_format("%s/%s", kind, name);
    json_object_set_new(work->lookups, key, json_deep_copy(object));
}

/* The store is of the loop thread only: what volumes may ask for is looked up before. */
static void add_lookups(struct runtime *runtime, struct work *work)
{
    static const char *const NAMES[] = {
        "secretRef.name", "networkDataSecretRef.name", "name", "secretName", "secret.name", "configMap.name"};
    work->lookups = json_object();
    for (size_t v = 0; v < work->spec.volume_count; v++)
        for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++) {
            const char *name = json_text_at(work->spec.volume[v].source, NAMES[i], NULL);
            add_lookup(runtime, work, "Secret", name);
            add_lookup(runtime, work, "ConfigMap", name);
        }
}

static int fill(struct runtime *runtime, struct machine *machine, struct work *work, const json_t *vmi,
                struct error *err)
{
    auto_json *placement = store_claim_placement(runtime->store, machine->key);
    auto_json *own = json_deep_copy(vmi); /* the worker thread gets no value of the store's */
    work->placement = must_calloc(1, sizeof *work->placement);
    if (spec_decode(own, &work->spec, err))
        return -1;
    if (!placement)
        return fail(err, ERROR_INTERNAL, "%s has no claim", machine->key);
    if (placement_from_json(placement, work->placement, err))
        return -1;
    work->host = job_hold_host(runtime);
    work->repair = true;
    work->resume = !work->spec.start_paused && vmi_status_phase(vmi) != VMI_RUNNING;
    add_lookups(runtime, work);
    return 0;
}

static void send_all(const struct error *failure, void *arg)
{
    struct runtime *runtime = arg;
    struct work *work = runtime->submit_first;
    runtime->submit_first = NULL;
    runtime->submit_end = &runtime->submit_first;
    while (work) {
        struct work *next = (struct work *)work->job.next;
        if (failure) {
            work->failed = true;
            work->err = *failure;
            work_done(&work->job, false);
        } else {
            worker_submit(runtime->pool, &work->job);
        }
        work = next;
    }
}

void job_send(struct runtime *runtime, struct machine *machine, struct work *work)
{
    machine->is_busy = true;
    if (!runtime->submit_first)
        store_after_commit(runtime->store, send_all, runtime);
    work->job.next = NULL;
    *runtime->submit_end = work;
    runtime->submit_end = (struct work **)&work->job.next;
}

static enum vmi_action action_of(enum work_kind kind)
{
    switch (kind) {
    case WORK_START:
        return VMI_START;
    case WORK_TAKE_UP:
        return VMI_TAKE_UP;
    case WORK_SIGNAL:
        return VMI_SIGNAL;
    case WORK_DESTROY:
        return VMI_DESTROY;
    case WORK_CLEAN:
        return VMI_CLEAN;
    case WORK_ATTACH:
        return VMI_ATTACH;
    case WORK_DETACH:
        return VMI_DETACH;
    default:
        return VMI_WAIT;
    }
}

struct work *job_for(struct runtime *runtime, struct machine *machine, enum work_kind kind, const json_t *vmi,
                     struct error *err)
{
    struct work *work = job_new(runtime, machine, kind);
    if ((kind != WORK_START && kind != WORK_TAKE_UP && kind != WORK_ATTACH) ||
        fill(runtime, machine, work, vmi, err) == 0)
        return work;
    if (work->host)
        job_drop_host(work->host);
    work_free(work);
    return NULL;
}

void job_send_aside(struct runtime *runtime, struct work *work)
{
    work->is_aside = true;
    worker_submit(runtime->pool, &work->job);
}

void job_look_at_threads(struct runtime *runtime, struct machine *machine, const json_t *vmi)
{
    struct error err;
    struct work *work = job_for(runtime, machine, WORK_TAKE_UP, vmi, &err);
    machine->proved_s = runtime_now_s(runtime);
    if (!work)
        return; /* it is proven again with the next start, and says then what is wrong */
    work->threads_only = true;
    job_send(runtime, machine, work);
}

static void not_sent(struct runtime *runtime, struct machine *machine, enum work_kind kind, const json_t *vmi,
                     const struct error *err)
{
    machine_failed(runtime, machine, action_of(kind), err);
    machine_queue(runtime, machine);
    event_record(runtime, vmi, "Warning", "SyncFailed", "%s", err->text);
}

void job_start(struct runtime *runtime, struct machine *machine, struct work *work, const json_t *vmi,
               const struct error *failure)
{
    struct error err;
    if (failure || growth_begin(runtime, work, &err) < 0) {
        not_sent(runtime, machine, WORK_START, vmi, failure ? failure : &err);
        job_drop_host(work->host);
        work_free(work);
        return;
    }
    if (work->resume && tuning_wants_isolation(runtime, work)) {
        work->hold = true;
        work->resume = false;
    }
    gate_fill(runtime, work);
    job_send(runtime, machine, work);
}

void job_submit(struct runtime *runtime, struct machine *machine, enum work_kind kind, const json_t *vmi)
{
    struct error err;
    struct work *work = job_for(runtime, machine, kind, vmi, &err);
    if (!work) {
        not_sent(runtime, machine, kind, vmi, &err);
        return;
    }
    if (kind == WORK_START) {
        machine->is_clean = machine->is_all_clean = false;
        if (!tuning_begin(runtime, work, vmi))
            job_start(runtime, machine, work, vmi, NULL);
        return;
    }
    if (kind == WORK_TAKE_UP && work->resume && machine->domain.state == DOMAIN_PAUSED &&
        tuning_isolate(runtime, work, machine->domain.pid, true))
        return;
    if (kind == WORK_ATTACH || kind == WORK_DETACH)
        volumes_fill(work, vmi);
    if (kind == WORK_CLEAN) {
        auto_json *vm = store_get(runtime->store, "VirtualMachine", machine->namespace_, machine->name);
        work->clean_all = !vm || object_is_deleting(vm);
    }
    job_send(runtime, machine, work);
}

/* ---- results */
void job_record_drift(struct runtime *runtime, const json_t *vmi, const json_t *before, const struct work *work)
{
    /* Helper threads of the kernel are put in place by every start; after it, a repair is news. */
    bool still = work->proof && !json_bool_at(work->proof, "ok", true);
    bool was_running = vmi_status_phase(vmi) == VMI_RUNNING;
    if (!work->drift || (!still && !was_running))
        return;
    auto_text what = {0};
    auto_text known = {0};
    vmi_describe_drift(still ? work->proof : work->drift, &what);
    vmi_describe_drift(before, &known);
    if (still && strcmp(text_cstr(&what), text_cstr(&known)) == 0)
        return; /* said before: not every minute again */
    event_record(runtime, vmi, "Warning", "Drift", "%s%s", still ? "" : "put back in place: ", text_cstr(&what));
}

/* What a look at the threads alone does not tell is as it was. */
static void keep_memory(json_t *proof, const json_t *before)
{
    json_t *memory = json_object_get(before, "memory");
    if (!memory)
        return;
    json_object_set(proof, "memory", memory);
    if (!json_bool_at(memory, "ok", true)) {
        json_object_set_new(proof, "ok", json_false());
        json_object_set_new(proof, "driftCount", json_integer(json_int_at(proof, "driftCount", 0) + 1));
    }
}

static void take_proof(struct runtime *runtime, struct machine *machine, const json_t *vmi, struct work *work)
{
    machine->taken_up_pid = work->domain.pid;
    machine->proved_s = runtime_now_s(runtime);
    if (!work->proof)
        return;
    if (work->threads_only)
        keep_memory(work->proof, machine->proof);
    job_record_drift(runtime, vmi, machine->proof, work);
    json_decref(machine->proof);
    machine->proof = take(work->proof);
    machine->repaired = vmi_status_phase(vmi) == VMI_RUNNING ? work->repaired : 0;
}

static void record_warnings(struct runtime *runtime, const json_t *vmi, struct work *work)
{
    char *line = work->warnings.data;
    for (char *end; line && (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        event_record(runtime, vmi, "Warning", "Adjusted", "%s", line);
    }
}

static void take_gate(struct runtime *runtime, struct machine *machine, const json_t *vmi, struct work *work)
{
    if (!work->gate.verdict)
        return;
    json_decref(machine->gate);
    machine->gate = take(work->gate.verdict);
    if (vmi && text_equal(json_text_at(machine->gate, "reason", NULL), "TooSlow"))
        event_record(runtime, vmi, "Warning", "LatencyGate", "%s", json_text_at(machine->gate, "message", ""));
}

static void take_success(struct runtime *runtime, struct machine *machine, const json_t *vmi, struct work *work)
{
    switch (work->kind) {
    case WORK_START:
        record_warnings(runtime, vmi, work);
        event_record(runtime, vmi, "Normal", "Created", "VirtualMachineInstance defined.");
        event_record(runtime, vmi, "Normal", "Started", "VirtualMachineInstance started.");
        take_proof(runtime, machine, vmi, work);
        if (work->hold)
            machine->taken_up_pid = 0; /* the next step isolates its CPUs and lets the guest go */
        else if (work->domain.state == DOMAIN_PAUSED)
            tuning_isolate(runtime, work, work->domain.pid, false); /* whoever wanted it paused lets it go */
        break;
    case WORK_TAKE_UP:
        take_proof(runtime, machine, vmi, work);
        break;
    case WORK_SIGNAL:
        event_record(runtime, vmi, "Normal", "ShuttingDown", "Signaled Graceful Shutdown");
        break;
    case WORK_DESTROY:
        event_record(runtime, vmi, "Normal", "Deleted", "VirtualMachineInstance stopping");
        break;
    case WORK_ATTACH:
    case WORK_DETACH:
        volumes_note_done(runtime, vmi, work);
        break;
    default:
        break;
    }
}

/* What was promised to it cannot be had. The next placement knows how far the pool can grow: it is another one, or a
 * refusal with numbers. */
static void place_anew(struct runtime *runtime, struct machine *machine)
{
    tuning_undo(runtime, machine->key);
    plan_release(runtime, machine);
}

static void take_result(struct runtime *runtime, struct machine *machine, struct work *work)
{
    bool is_step = action_of(work->kind) != VMI_WAIT;
    machine->is_busy = false;
    machine->settled_at = ++runtime->sequence;
    if (work->is_observed) {
        machine->domain = work->domain;
        machine->observed_at = runtime->sequence;
    } else {
        runtime_look(runtime);
    }
    machine_queue(runtime, machine);
    if (strcmp(machine->uid, work->uid) != 0)
        return; /* about another incarnation */
    if (work->kind == WORK_CLEAN && !work->failed) {
        machine->is_clean = true;
        machine->is_all_clean = work->clean_all;
        tuning_undo(runtime, machine->key);
        growth_end(runtime, machine->key);
        growth_forget_limits(runtime); /* its memory is free now */
    }
    auto_json *vmi = store_get(runtime->store, "VirtualMachineInstance", machine->namespace_, machine->name);
    if (is_step)
        (work->failed ? runtime->counters.steps_failed : runtime->counters.steps)[action_of(work->kind)]++;
    take_gate(runtime, machine, vmi, work);
    if (work->failed && is_step) {
        machine_failed(runtime, machine, action_of(work->kind), &work->err);
        machine->failed_at_volumes = work->kind == WORK_START && work->stage == WORK_STAGE_VOLUMES;
        if (vmi)
            event_record(runtime, vmi, "Warning", "SyncFailed", "%s", work->err.text);
        if (vmi && work->volume)
            volumes_note_failure(runtime, vmi, work);
        log_warn("%s failed vmi=%s: %s", vmi_action_text(action_of(work->kind)), machine->key, work->err.text);
        if (work->kind == WORK_START && growth_fell_short(work))
            place_anew(runtime, machine);
    } else if (is_step) {
        machine_worked(machine);
        if (vmi)
            take_success(runtime, machine, vmi, work);
        if (work->kind == WORK_START || work->kind == WORK_TAKE_UP)
            growth_retry(runtime); /* it has its pages: none are kept for it any more */
    }
}

static void work_done(struct worker_job *job, bool canceled)
{
    struct work *work = (struct work *)job;
    struct runtime *runtime = work->runtime;
    if (!canceled) {
        runtime->counters.drifts += work->drift != NULL;
        runtime->counters.repairs += (unsigned)work->repaired;
        growth_made(runtime, work);
        struct machine *machine = work->is_aside ? NULL : machine_by_key(runtime, work->key);
        if (machine)
            take_result(runtime, machine, work);
        if (work->answer)
            work->answer(work, work->failed ? &work->err : NULL, work->arg);
    } else if (work->answer) {
        free(work->arg);
    }
    if (work->host)
        job_drop_host(work->host);
    work_free(work);
}
