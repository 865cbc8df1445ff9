#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/log.h"
#include "runtime/inside.h"
#include "runtime/latency/latency_job.h"
#include "runtime/latency/tracer.h"

/* LatencyTest objects: which of them may measure now, and what came of it. One at a time: two measurements at once
 * disturb each other. The CPUs of a host test are claimed like a VM's, so that none of them is anybody else's while it
 * lasts; a VM's test runs the probe guest as a VM of its own, with a claim of its own. */

static const char KIND[] = "LatencyTest";
enum { PROGRESS_STEPS = 20, PROGRESS_MIN_MS = 1000, PROGRESS_MAX_MS = 60000 };

struct latency_run {
    struct worker_job worker;
    struct runtime *runtime;
    struct latency_job job;
    atomic_bool stop;
    atomic_uint percent;
    struct work_host *host;
    char *namespace_;
    char *name;
    char *domain; /* LATENCY_GUEST */
    char uid[64];
    bool failed;
    struct error err;
};

static char *claim_key(const char *namespace_, const char *name)
{
    return must_format(LATENCY_CLAIM "%s/%s", namespace_, name);
}

static char *probe_name(const json_t *test)
{
    return must_format("%.240s-probe", json_text_at(test, "metadata.name", ""));
}

bool latency_test_has_claim(const struct store_claim *claim)
{
    return text_starts_with(claim->uid, LATENCY_CLAIM);
}

/* ---- the status */
static void write_status(struct runtime *runtime, const json_t *test, const char *phase, const char *message)
{
    json_t *next = json_deep_copy(test);
    json_t *status = json_object_get(next, "status");
    char now[TIMESTAMP_TEXT_MAX];
    if (!json_is_object(status))
        json_object_set_new(next, "status", status = json_object());
    json_object_set_new(status, "phase", json_string(phase));
    if (message)
        json_object_set_new(status, "message", json_string(message));
    else
        json_object_del(status, "message");
    timestamp_format(runtime_now_s(runtime), now);
    if (strcmp(phase, "Running") == 0 && !json_object_get(status, "startTime"))
        json_object_set_new(status, "startTime", json_string(now));
    if (strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0)
        json_object_set_new(status, "completionTime", json_string(now));
    object_store(runtime, next, false);
}

static void drop_claim(struct runtime *runtime, const char *namespace_, const char *name)
{
    struct error err;
    auto_free char *key = claim_key(namespace_, name);
    auto_json *held = store_claim_placement(runtime->store, key);
    if (!held)
        return;
    if (store_claim_drop(runtime->store, key, &err) || store_last_placement_forget(runtime->store, key, &err))
        log_warn("claim of latency test %s/%s stays: %s", namespace_, name, err.text);
    plan_retry_all(runtime);
}

static void remove_probe(struct runtime *runtime, const json_t *test)
{
    struct error err;
    auto_free char *name = probe_name(test);
    const char *namespace_ = json_text_at(test, "metadata.namespace", "");
    auto_json *vmi = store_get(runtime->store, "VirtualMachineInstance", namespace_, name);
    if (vmi && text_equal(object_controller(vmi), json_text_at(test, "metadata.uid", "")) &&
        runtime_delete(runtime, "VirtualMachineInstance", namespace_, name, 0, false, NULL, &err))
        log_warn("probe %s/%s stays: %s", namespace_, name, err.text);
}

static void fail_test(struct runtime *runtime, const json_t *test, const char *why)
{
    drop_claim(runtime, json_text_at(test, "metadata.namespace", ""), json_text_at(test, "metadata.name", ""));
    remove_probe(runtime, test);
    write_status(runtime, test, "Failed", why);
}

/* ---- results */
static void finish_run(struct latency_run *run)
{
    latency_job_finish(&run->job);
    job_drop_host(run->host);
    free(run->namespace_);
    free(run->name);
    free(run->domain);
    free(run);
}

static void run_done(struct worker_job *worker, bool canceled)
{
    struct latency_run *run = (struct latency_run *)worker;
    struct runtime *runtime = run->runtime;
    runtime->latency_run = NULL;
    auto_json *test = canceled ? NULL : store_get(runtime->store, KIND, run->namespace_, run->name);
    if (!canceled) {
        loop_timer_disarm(runtime->latency_timer);
        drop_claim(runtime, run->namespace_, run->name);
        latency_tests_queue(runtime);
    }
    if (test && strcmp(json_text_at(test, "metadata.uid", ""), run->uid) == 0) {
        if (run->failed) {
            fail_test(runtime, test, run->err.text);
        } else {
            auto_json *next = json_deep_copy(test);
            json_put_at(next, "status.progress", json_integer(100));
            json_put_at(next, "status.run", json_string(run->job.stored_name));
            json_put_at(next, "status.result", json_incref(run->job.result));
            remove_probe(runtime, test);
            write_status(runtime, next, "Succeeded", NULL);
        }
    }
    finish_run(run);
}

static void run_now(struct worker_job *worker)
{
    struct latency_run *run = (struct latency_run *)worker;
    run->failed = latency_job_run(&run->job, &run->err) < 0;
}

void latency_tests_tick(void *arg)
{
    struct runtime *runtime = arg;
    struct latency_run *run = runtime->latency_run;
    if (!run)
        return;
    uint64_t duration_ms = run->job.request.duration_ms;
    unsigned percent = atomic_load(&run->percent);
    uint64_t step_ms = duration_ms / PROGRESS_STEPS;
    auto_json *test = store_get(runtime->store, KIND, run->namespace_, run->name);
    if (test) {
        json_t *next = json_deep_copy(test);
        json_put_at(next, "status.progress", json_integer(percent < 99 ? percent : 99));
        object_store(runtime, next, false);
    }
    loop_timer_arm(runtime->latency_timer, step_ms < PROGRESS_MIN_MS   ? PROGRESS_MIN_MS
                                           : step_ms > PROGRESS_MAX_MS ? PROGRESS_MAX_MS
                                                                       : step_ms);
}

static void send_off(const struct error *failure, void *arg)
{
    struct runtime *runtime = arg;
    struct latency_run *run = runtime->latency_run;
    if (!run)
        return;
    if (failure) {
        run->failed = true;
        run->err = *failure;
        run_done(&run->worker, false);
        return;
    }
    if (!runtime->latency_pool) {
        struct cpuset housekeeping = runtime_housekeeping(runtime);
        runtime->latency_pool = worker_pool_new(runtime->loop, runtime->hooks.threads ? 1 : 0, &housekeeping);
    }
    latency_tests_tick(runtime);
    worker_submit(runtime->latency_pool, &run->worker);
}

/* ---- starting */
static struct latency_run *new_run(struct runtime *runtime, const json_t *test, const struct latency_test *wanted)
{
    struct latency_run *run = must_calloc(1, sizeof *run);
    run->worker = (struct worker_job){.run = run_now, .done = run_done};
    run->runtime = runtime;
    run->host = job_hold_host(runtime);
    run->namespace_ = must_strdup(json_text_at(test, "metadata.namespace", ""));
    run->name = must_strdup(json_text_at(test, "metadata.name", ""));
    strncpy(run->uid, json_text_at(test, "metadata.uid", ""), sizeof run->uid - 1);
    run->job.target = wanted->target;
    run->job.stop = &run->stop;
    run->job.percent = &run->percent;
    run->job.host = &run->host->host;
    run->job.folder = must_format("%s/latency", runtime->state_dir);
    run->job.run_name = must_strdup(wanted->run_name);
    run->job.request.duration_ms = wanted->duration_ms;
    memcpy(run->job.request.wanted, wanted->wanted, sizeof wanted->wanted);
    return run;
}

static void add_claimed(const struct store_claim *claim, void *arg)
{
    struct cpuset *all = arg;
    *all = cpuset_or(all, &claim->cpus);
}

static struct cpuset claimed_cpus(struct runtime *runtime)
{
    struct cpuset all = {0};
    store_claim_each(runtime->store, add_claimed, &all);
    return all;
}

/* Load runs where nobody has a CPU for himself, and where nothing is measured. */
static struct cpuset load_cpus(struct runtime *runtime, const struct cpuset *measured)
{
    struct cpuset housekeeping = runtime_housekeeping(runtime);
    struct cpuset claimed = claimed_cpus(runtime);
    struct cpuset free_ones = cpuset_minus(&housekeeping, &claimed);
    return cpuset_minus(&free_ones, measured);
}

static void begin(struct runtime *runtime, const json_t *test, const struct latency_test *wanted,
                  struct latency_run *run)
{
    if (wanted->load)
        run->job.request.load_cpus = load_cpus(runtime, &run->job.request.cpus);
    runtime->latency_run = run;
    write_status(runtime, test, "Running", NULL);
    store_after_commit(runtime->store, send_off, runtime);
}

/* Those that were asked for, or all that no VM has; never one a VM has, nor one that everybody shares. */
static int choose_cpus(struct runtime *runtime, const struct latency_test *wanted, struct cpuset *ret_cpus,
                       struct error *err)
{
    const struct host *host = runtime_host(runtime);
    struct cpuset housekeeping = runtime_housekeeping(runtime);
    struct cpuset exclusive = cpuset_minus(&host->usable_cpus, &housekeeping);
    struct cpuset claimed = claimed_cpus(runtime);
    struct cpuset_text text;
    struct cpuset_text all;
    *ret_cpus = cpuset_is_empty(&wanted->cpus) ? cpuset_minus(&exclusive, &claimed) : wanted->cpus;
    struct cpuset foreign = cpuset_minus(ret_cpus, &exclusive);
    struct cpuset taken = cpuset_and(ret_cpus, &claimed);
    if (!cpuset_is_empty(&foreign))
        return fail(
            err, ERROR_INVALID,
            "cpus: %s: not for VMs here, other programs run on them; want CPUs out of %s, or rtvmd latency host",
            cpuset_format(&foreign, &text), cpuset_format(&exclusive, &all));
    if (!cpuset_is_empty(&taken))
        return fail(err, ERROR_CONFLICT, "cpus: %s belong to a virtual machine: waiting for it to stop",
                    cpuset_format(&taken, &text));
    if (cpuset_is_empty(ret_cpus))
        return fail(err, ERROR_CONFLICT, "no CPU is free: waiting for a virtual machine to stop");
    return 0;
}

static int try_host(struct runtime *runtime, const json_t *test, const struct latency_test *wanted, struct error *err)
{
    struct cpuset cpus;
    if (choose_cpus(runtime, wanted, &cpus, err) < 0)
        return -1;
    auto_free char *key =
        claim_key(json_text_at(test, "metadata.namespace", ""), json_text_at(test, "metadata.name", ""));
    auto_json *nothing = json_object();
    const struct store_claim claim = {.uid = key, .owner = key, .cpus = cpus, .placement = nothing};
    if (store_claim_put(runtime->store, &claim, err) < 0)
        return -1;
    struct latency_run *run = new_run(runtime, test, wanted);
    run->job.subject = must_strdup("host");
    run->job.request.cpus = cpus;
    begin(runtime, test, wanted, run);
    return 0;
}

/* ---- the probe in place of a VM */

/* The manifest, and the CPUs the VM had last or would get now. */
static json_t *find_manifest(struct runtime *runtime, const json_t *test, const struct latency_test *wanted,
                             struct cpuset *ret_cpus, struct error *err)
{
    const char *namespace_ = json_text_at(test, "metadata.namespace", "");
    const char *name = wanted->virtual_machine;
    *ret_cpus = (struct cpuset){0};
    if (wanted->template)
        return json_incref((json_t *)wanted->template);
    auto_json *vmi = store_get(runtime->store, "VirtualMachineInstance", namespace_, name);
    if (vmi && !vmi_phase_is_final(vmi_status_phase(vmi))) {
        fail(err, ERROR_CONFLICT, "virtual machine %s runs, and its CPUs are its own: waiting for it to stop", name);
        return NULL;
    }
    json_t *vm = store_get(runtime->store, "VirtualMachine", namespace_, name);
    if (!vm) {
        fail(err, ERROR_NOT_FOUND, "virtualmachines.kubevirt.io \"%s\" not found", name);
        return NULL;
    }
    struct error ignored;
    auto_free struct placement *placement = must_calloc(1, sizeof *placement);
    auto_json *decision = runtime_plan(runtime, vm, &ignored);
    if (placement_from_json(json_at(decision, "placement"), placement, &ignored) == 0)
        *ret_cpus = placement->exclusive;
    return vm;
}

static int make_probe(struct runtime *runtime, const json_t *test, const struct latency_test *wanted, const char *name,
                      struct error *err)
{
    struct cpuset cpus;
    auto_findings findings = {0};
    auto_json *like = find_manifest(runtime, test, wanted, &cpus, err);
    if (!like)
        return -1;
    auto_json *vmi = latency_probe_vmi(wanted, like, &cpus, json_text_at(test, "metadata.namespace", ""), name);
    object_set_controller(vmi, test);
    if (runtime_admit_write(runtime, vmi, NULL, &findings, err) < 0)
        return -1;
    if (findings.cause_count > 0) {
        auto_free char *cause = cause_text(&findings.cause[0]);
        return fail(err, ERROR_INVALID, "the probe under this manifest: %s", cause);
    }
    return store_create(runtime->store, json_incref(vmi), NULL, err);
}

static const char *reason_to_wait(const json_t *vmi)
{
    static const char *const TYPES[] = {"PodScheduled", "Synchronized"};
    for (size_t i = 0; i < ARRAY_SIZE(TYPES); i++)
        if (condition_is(vmi, TYPES[i], "False"))
            return json_text_at(condition_get(vmi, TYPES[i]), "message", "");
    return "the probe guest starts";
}

static json_t *configuration_of(struct runtime *runtime, const struct machine *machine, const json_t *vmi)
{
    json_t *vm = json_pack("{s:{}, s:O}", "metadata", "spec", json_at(vmi, "spec"));
    json_t *annotations = json_at(vmi, "metadata.annotations");
    json_t *placement = store_claim_placement(runtime->store, machine->key);
    if (annotations)
        json_object_set(json_object_get(vm, "metadata"), "annotations", annotations);
    if (placement)
        json_object_set_new(vm, "placement", placement);
    if (machine->proof)
        json_object_set(vm, "proof", machine->proof);
    json_t *own = json_deep_copy(vm); /* the other thread gets no value of the store's */
    json_decref(vm);
    return own;
}

static char *scheduling_of(const struct placement *placement)
{
    struct cpuset_text text;
    if (cpuset_is_empty(&placement->realtime_vcpus))
        return must_strdup("SCHED_OTHER: no real-time vCPU");
    return must_format("SCHED_FIFO %u on vCPUs %s", placement->fifo_priority,
                       cpuset_format(&placement->realtime_vcpus, &text));
}

static void take_vm(struct runtime *runtime, const json_t *vmi, struct latency_job *job)
{
    struct machine *machine =
        machine_get(runtime, json_text_at(vmi, "metadata.namespace", ""), json_text_at(vmi, "metadata.name", ""));
    struct error ignored;
    auto_free struct placement *placement = must_calloc(1, sizeof *placement);
    job->vm = configuration_of(runtime, machine, vmi);
    job->emulated = runtime_emulates(runtime);
    if (placement_from_json(json_at(job->vm, "placement"), placement, &ignored) == 0) {
        job->request.cpus = placement->dedicated ? (struct cpuset){0} : placement->shared;
        for (unsigned v = 0; v < placement->vcpu_count; v++)
            if (placement->vcpu_cpu[v] >= 0)
                cpuset_add(&job->request.cpus, (unsigned)placement->vcpu_cpu[v]);
    }
    job->scheduling = scheduling_of(placement);
}

static int measure_probe(struct runtime *runtime, const json_t *test, const struct latency_test *wanted,
                         const json_t *vmi, struct error *err)
{
    const char *namespace_ = json_text_at(vmi, "metadata.namespace", "");
    auto_free char *socket =
        runtime_socket(runtime, namespace_, json_text_at(vmi, "metadata.name", ""), "serial0", err);
    if (!socket)
        return -1;
    struct latency_run *run = new_run(runtime, test, wanted);
    run->job.subject =
        must_format("%s/%s", namespace_,
                    wanted->virtual_machine ? wanted->virtual_machine : json_text_at(test, "metadata.name", ""));
    run->job.console = take(socket);
    take_vm(runtime, vmi, &run->job);
    begin(runtime, test, wanted, run);
    return 0;
}

static int try_vm(struct runtime *runtime, const json_t *test, const struct latency_test *wanted, struct error *err)
{
    auto_free char *name = probe_name(test);
    auto_json *vmi =
        store_get(runtime->store, "VirtualMachineInstance", json_text_at(test, "metadata.namespace", ""), name);
    if (!vmi) {
        if (make_probe(runtime, test, wanted, name, err) < 0)
            return -1;
        return fail(err, ERROR_CONFLICT, "the probe guest starts");
    }
    if (!text_equal(object_controller(vmi), json_text_at(test, "metadata.uid", "")))
        return fail(err, ERROR_CONFLICT, "waiting for virtual machine instance %s to be gone: the name is needed",
                    name);
    enum vmi_phase phase = vmi_status_phase(vmi);
    if (vmi_phase_is_final(phase) || object_is_deleting(vmi))
        return fail(err, ERROR_INTERNAL, "the probe guest ended before it was measured (%s)", vmi_phase_text(phase));
    if (phase == VMI_RUNNING)
        return measure_probe(runtime, test, wanted, vmi, err);
    return fail(err, ERROR_CONFLICT, "%s", reason_to_wait(vmi));
}

/* ---- tools inside of a VM that runs */

static char *ask_guest(void *arg, const char *command, struct error *err)
{
    const struct latency_run *run = arg;
    return hypervisor_agent(run->runtime->hypervisor, run->domain, command, err);
}

static int try_guest(struct runtime *runtime, const json_t *test, const struct latency_test *wanted, struct error *err)
{
    const char *namespace_ = json_text_at(test, "metadata.namespace", "");
    const char *name = wanted->virtual_machine;
    auto_json *vmi = store_get(runtime->store, "VirtualMachineInstance", namespace_, name);
    if (!vmi || vmi_status_phase(vmi) != VMI_RUNNING)
        return fail(err, ERROR_UNAVAILABLE, "virtual machine %s does not run: start it first", name);
    if (!condition_is(vmi, "AgentConnected", "True"))
        return fail(err, ERROR_UNAVAILABLE,
                    "virtual machine %s has no guest agent connected: install and start qemu-guest-agent in it", name);
    struct machine *machine = machine_get(runtime, namespace_, name);
    auto_free struct placement *placement = must_calloc(1, sizeof *placement);
    auto_json *claimed = store_claim_placement(runtime->store, machine->key);
    if (placement_from_json(claimed, placement, err) < 0)
        return error_prefix(err, "placement of %s", name);
    struct latency_run *run = new_run(runtime, test, wanted);
    run->domain = must_strdup(machine->domain_name);
    run->job.subject = must_format("%s/%s", namespace_, name);
    run->job.agent = (struct guest_agent){ask_guest, run};
    run->job.guest_vcpus = placement->realtime_vcpus;
    run->job.vcpu_count = placement->vcpu_count;
    take_vm(runtime, vmi, &run->job);
    begin(runtime, test, wanted, run);
    return 0;
}

/* ---- the gate in front of a VM */

struct others {
    const char *own_key;
    bool have_realtime;
};

static void look_for_others(const struct store_claim *claim, void *arg)
{
    struct others *others = arg;
    if (strcmp(claim->uid, others->own_key) != 0 && json_text_at(claim->placement, "realtimeCPUs", NULL))
        others->have_realtime = true;
}

/* Load would disturb real-time VMs that run already; beside them there is none, and so no grade. */
void gate_fill(struct runtime *runtime, struct work *work)
{
    enum { GATE_MS = 10000 };
    struct latency_job *job = &work->gate.job;
    const struct placement *placement = work->placement;
    struct others others = {.own_key = work->key};
    if (work->spec.latency_gate_ns == 0 || !placement->dedicated)
        return;
    store_claim_each(runtime->store, look_for_others, &others);
    work->gate.limit_ns = work->spec.latency_gate_ns;
    work->gate.only_warns = work->spec.latency_gate_warns;
    job->target = LATENCY_HOST;
    job->stop = &runtime->latency_stop;
    job->emulated = work->emulation;
    job->folder = must_format("%s/latency", runtime->state_dir);
    job->run_name = must_strdup("");
    job->subject = must_format("%s-gate", work->key);
    for (unsigned v = 0; v < placement->vcpu_count; v++)
        if (placement->vcpu_cpu[v] >= 0)
            cpuset_add(&job->request.cpus, (unsigned)placement->vcpu_cpu[v]);
    for (size_t k = 0; k < MEASUREMENT_KINDS; k++)
        job->request.wanted[k] = true;
    job->request.duration_ms = work->spec.latency_gate_ms ? work->spec.latency_gate_ms : GATE_MS;
    if (!others.have_realtime)
        job->request.load_cpus = load_cpus(runtime, &job->request.cpus);
}

/* ---- which is next */
static bool is_over(const json_t *test)
{
    const char *phase = json_text_at(test, "status.phase", "");
    return strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0;
}

/* What can be waited for is a conflict; everything else ends the test. */
static void try(struct runtime *runtime, const json_t *test)
{
    struct latency_test wanted;
    struct error err;
    int r = latency_test_decode(test, &wanted, &err);
    if (r == 0)
        r = wanted.target == LATENCY_HOST ? try_host(runtime, test, &wanted, &err)
            : wanted.target == LATENCY_VM ? try_vm(runtime, test, &wanted, &err)
                                          : try_guest(runtime, test, &wanted, &err);
    if (r == 0)
        return;
    if (err.kind == ERROR_CONFLICT)
        write_status(runtime, test, "Pending", err.text);
    else
        fail_test(runtime, test, err.text);
}

void latency_tests_control(struct runtime *runtime)
{
    runtime->latency_is_queued = false;
    auto_json *tests = store_list(runtime->store, KIND, NULL, NULL);
    size_t i;
    json_t *test;
    json_array_foreach(tests, i, test)
    {
        const struct latency_run *run = runtime->latency_run;
        bool is_own = run && strcmp(run->uid, json_text_at(test, "metadata.uid", "")) == 0;
        if (is_over(test) || is_own)
            continue;
        if (strcmp(json_text_at(test, "status.phase", ""), "Running") == 0)
            fail_test(runtime, test, "the daemon ended while this was measured");
        else if (run)
            write_status(runtime, test, "Pending", "another latency test runs: one at a time");
        else
            try(runtime, test);
    }
}

void latency_tests_queue(struct runtime *runtime)
{
    if (!runtime->is_started || runtime->is_ending)
        return;
    runtime->latency_is_queued = true;
    loop_timer_arm(runtime->round_timer, 0);
}

static void drop_stale(const struct store_claim *claim, void *arg)
{
    if (latency_test_has_claim(claim))
        json_array_append_new(arg, json_string(claim->uid));
}

void latency_tests_start(struct runtime *runtime)
{
    auto_json *stale = json_array();
    size_t i;
    json_t *key;
    struct error err;
    store_claim_each(runtime->store, drop_stale, stale);
    json_array_foreach(stale, i, key) if (store_claim_drop(runtime->store, json_string_value(key), &err))
        log_warn("%s stays: %s", json_string_value(key), err.text);
    if (tracer_sweep(&TRACEFS_LIVE, &err) < 0)
        log_warn("the osnoise tracer of a measurement that was killed is not put back: %s", err.text);
    latency_tests_queue(runtime);
}

void latency_tests_changed(struct runtime *runtime, const struct store_change *change)
{
    bool is_test = strcmp(change->kind, KIND) == 0;
    const struct latency_run *run = runtime->latency_run;
    if (is_test && change->type == STORE_DELETED && run &&
        strcmp(run->uid, json_text_at(change->object, "metadata.uid", "")) == 0)
        atomic_store(&runtime->latency_run->stop, true);
    if (is_test || strcmp(change->kind, "VirtualMachineInstance") == 0)
        latency_tests_queue(runtime);
}

void latency_tests_end(struct runtime *runtime)
{
    atomic_store(&runtime->latency_stop, true);
    if (runtime->latency_run)
        atomic_store(&runtime->latency_run->stop, true);
    worker_pool_free(take(runtime->latency_pool));
    if (runtime->latency_run)
        finish_run(take(runtime->latency_run)); /* it was never sent off */
}
