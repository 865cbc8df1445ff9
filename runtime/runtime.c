#include "runtime/runtime.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "rtvmd/base/log.h"
#include "runtime/growth.h"
#include "runtime/inside.h"

/* The loop that turns: something changed → the machine is queued → a round decides one step for each → the commit →
 * jobs → results → queued again, until a round changes nothing. Between changes nothing runs but one timer for what is
 * due, and a slow look when there is anything to look at. */

enum { WORKERS = 4, ROUND_MAX = 32 };

static int64_t wall_now_s(void *arg)
{
    (void)arg;
    return now_wall_s();
}

static double random_jitter(void *arg)
{
    (void)arg;
    uint32_t bits = 0;
    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != sizeof bits)
        return 0.5;
    return (double)bits / (double)UINT32_MAX;
}

static int read_host(struct host *host, struct error *err)
{
    return host_look_again(NULL, host, err);
}

static const struct runtime_hooks LIVE = {
    .now_s = wall_now_s, .jitter = random_jitter, .refresh_host = read_host, .threads = WORKERS};

static void on_domain_change(void *arg)
{
    runtime_look(arg);
}

static void on_object_change(const struct store_change *change, void *arg)
{
    struct runtime *runtime = arg;
    if (strcmp(change->kind, "Event") == 0) {
        if (change->type == STORE_DELETED)
            events_forget(runtime, change->object);
    }
    latency_tests_changed(runtime, change);
    if (strcmp(change->kind, "VirtualMachine") == 0 || strcmp(change->kind, "VirtualMachineInstance") == 0) {
        machine_queue(runtime,
                      machine_get(runtime, change->namespace_, json_text_at(change->object, "metadata.name", "")));
    }
}

static char *lower_host_name(void)
{
    char name[256] = "localhost";
    gethostname(name, sizeof name - 1);
    for (char *p = name; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    return must_strdup(name);
}

struct runtime *runtime_new_with(const struct runtime_config *config, struct loop *loop, struct store *store,
                                 const struct host *host, const struct runtime_hooks *hooks)
{
    struct runtime *runtime = must_calloc(1, sizeof *runtime);
    runtime->config = *config;
    runtime->state_dir = must_strdup(config->state_dir);
    runtime->run_dir = must_strdup(config->run_dir);
    runtime->libvirt_uri = must_strdup(config->libvirt_uri);
    runtime->node_name = lower_host_name();
    runtime->loop = loop;
    runtime->store = store;
    runtime->hooks = *hooks;
    runtime->host = must_calloc(1, sizeof *runtime->host);
    runtime->host->references = 1;
    runtime->host->host = *host;
    runtime->host_read_s = runtime_now_s(runtime);
    runtime->began_s = runtime->connection_changed_s = runtime->page_alarm_changed_s = runtime->host_read_s;
    runtime->queue_end = &runtime->queue_first;
    runtime->submit_end = &runtime->submit_first;
    runtime->tuning_end = &runtime->tuning_first;
    runtime->round_timer = loop_timer(loop, runtime_round, runtime);
    runtime->wake_timer = loop_timer(loop, runtime_wake, runtime);
    runtime->statistics_timer = loop_timer(loop, statistics_late, runtime);
    runtime->latency_timer = loop_timer(loop, latency_tests_tick, runtime);
    struct cpuset housekeeping = runtime_housekeeping(runtime);
    runtime->pool = worker_pool_new(loop, hooks->threads, &housekeeping);
    runtime->hypervisor = hypervisor_new(runtime->libvirt_uri, loop, on_domain_change, runtime);
    fail(&runtime->connection_error, ERROR_UNAVAILABLE, "not connected to %s yet", runtime->libvirt_uri);
    return runtime;
}

struct runtime *runtime_new(const struct runtime_config *config, struct loop *loop, struct store *store,
                            const struct host *host)
{
    struct runtime *runtime = runtime_new_with(config, loop, store, host, &LIVE);
    struct cpuset housekeeping = runtime_housekeeping(runtime);
    worker_keep_thread_on(&housekeeping);
    return runtime;
}

void runtime_set_host(struct runtime *runtime, const struct host *host)
{
    runtime->host->host = *host;
}

/* The Node's identity outlives the process. */
static void name_node(struct runtime *runtime)
{
    struct error err;
    auto_free char *uid = store_value_get(runtime->store, "node.uid");
    if (uid)
        return;
    unsigned char b[16];
    if (getrandom(b, sizeof b, 0) != sizeof b)
        return;
    auto_free char *fresh =
        must_format("%02x%02x%02x%02x-%02x%02x-4%x%02x-8%x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4],
                    b[5], b[6] & 15, b[7], b[8] & 15, b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
    char now[TIMESTAMP_TEXT_MAX];
    if (store_value_put(runtime->store, "node.uid", fresh, &err) ||
        store_value_put(runtime->store, "node.created", timestamp_format(runtime_now_s(runtime), now), &err))
        log_warn("the node has no identity: %s", err.text);
}

static void queue_stored(struct runtime *runtime, const char *kind)
{
    auto_json *list = store_list(runtime->store, kind, NULL, NULL);
    size_t i;
    json_t *object;
    json_array_foreach(list, i, object)
    {
        machine_queue(runtime, machine_get(runtime, json_text_at(object, "metadata.namespace", ""),
                                           json_text_at(object, "metadata.name", "")));
    }
}

void runtime_set_host_disk_dirs(struct runtime *runtime, const char *const *dirs)
{
    runtime->config.host_disk_dirs = dirs;
}

void runtime_start(struct runtime *runtime)
{
    runtime->is_started = true;
    name_node(runtime);
    events_load(runtime);
    runtime->watch = store_watch(runtime->store, on_object_change, runtime);
    queue_stored(runtime, "VirtualMachine");
    queue_stored(runtime, "VirtualMachineInstance");
    latency_tests_start(runtime);
    loop_timer_arm(runtime->round_timer, 0);
    runtime_look(runtime);
}

void runtime_free(struct runtime *runtime)
{
    if (!runtime)
        return;
    runtime->is_ending = true;
    store_unwatch(runtime->watch);
    struct error ignored; /* what was not written is found out again */
    store_flush(runtime->store, &ignored);
    latency_tests_end(runtime);
    tuning_stop(runtime);
    worker_pool_free(runtime->pool);
    tuning_free_all(runtime);
    host_changes_end(runtime);
    hypervisor_free(runtime->hypervisor);
    for (size_t i = 0; i < runtime->machine_count; i++) {
        act_cancel_all(runtime->machine[i], NULL);
        machine_free(runtime->machine[i]);
    }
    free(runtime->machine);
    events_free(runtime);
    statistics_end(runtime);
    free(runtime->page_alarm);
    growth_forget_limits(runtime);
    json_decref(runtime->cpu);
    job_drop_host(runtime->host);
    loop_watch_free(runtime->round_timer);
    loop_watch_free(runtime->wake_timer);
    loop_watch_free(runtime->latency_timer);
    free(runtime->state_dir);
    free(runtime->run_dir);
    free(runtime->libvirt_uri);
    free(runtime->node_name);
    free(runtime);
}

const struct host *runtime_host(const struct runtime *runtime)
{
    return &runtime->host->host;
}

struct cpuset runtime_housekeeping(const struct runtime *runtime)
{
    return host_housekeeping(&runtime->host->host, &runtime->config.reserved_cpus);
}

bool runtime_emulates(const struct runtime *runtime)
{
    bool no_kvm = runtime->host->host.kvm_works == HOST_NO ||
                  (runtime->has_facts && !runtime->facts.kvm && !runtime->facts.is_test);
    return runtime->config.emulation_forced || (runtime->config.emulation_allowed && no_kvm);
}

/* A full disk undoes what was decided, and nothing changed to make us look again: try everything anew, later. */
static void round_committed(const struct error *failure, void *arg)
{
    enum { COMMIT_RETRY_S = 5 };
    struct runtime *runtime = arg;
    runtime->waits_for_commit = false;
    if (!failure)
        return;
    log_error("nothing can be written down: %s", failure->text);
    runtime->retry_s = runtime_now_s(runtime) + COMMIT_RETRY_S;
    runtime_arm(runtime);
}

static bool needs_resync(const struct machine *machine)
{
    return machine->uid[0] && (machine->is_unschedulable || machine->domain.state != DOMAIN_ABSENT);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a == 0 || (b && b < a) ? b : a;
}

static int64_t machine_due_s(const struct machine *machine)
{
    return earlier(machine->wake_s, machine->vm_wake_s);
}

static int64_t machine_next_s(const struct runtime *runtime, const struct machine *machine)
{
    return needs_resync(machine) ? earlier(machine_due_s(machine), runtime->resync_s) : machine_due_s(machine);
}

static int64_t own_next_s(const struct runtime *runtime)
{
    return earlier(earlier(runtime->look_s, runtime->retry_s), runtime->tuning_retry_s);
}

int64_t runtime_next_wake_s(const struct runtime *runtime)
{
    int64_t next = own_next_s(runtime);
    for (size_t i = 0; i < runtime->machine_count; i++)
        next = earlier(next, machine_next_s(runtime, runtime->machine[i]));
    return next;
}

static void arm_at(struct runtime *runtime, int64_t next_s)
{
    if (!runtime->is_started || runtime->is_ending)
        return;
    runtime->armed_s = next_s;
    if (next_s == 0) {
        loop_timer_disarm(runtime->wake_timer);
        return;
    }
    /* Not longer than a resync: the wall clock may be set meanwhile. */
    int64_t delay_s = next_s - runtime_now_s(runtime);
    if (delay_s > LIMIT_RESYNC_S)
        delay_s = LIMIT_RESYNC_S;
    loop_timer_arm(runtime->wake_timer, delay_s > 0 ? (uint64_t)delay_s * 1000 : 0);
}

static void plan_resync(struct runtime *runtime)
{
    int64_t last_s = runtime_now_s(runtime) + LIMIT_RESYNC_S;
    if (runtime->resync_s == 0 || runtime->resync_s > last_s)
        runtime->resync_s = last_s;
}

void runtime_arm(struct runtime *runtime)
{
    plan_resync(runtime);
    arm_at(runtime, runtime_next_wake_s(runtime));
}

/* A bounded bite per turn of the loop: requests are answered in between. Only the machines of the bite are asked when
 * to wake up: there may be thousands that want nothing, and a timer that is too early finds out. */
void runtime_round(void *arg)
{
    struct runtime *runtime = arg;
    struct machine *machine;
    plan_resync(runtime);
    int64_t next_s = runtime->armed_s;
    for (unsigned i = 0; i < ROUND_MAX && (machine = machine_next(runtime)); i++) {
        vm_control(runtime, machine);
        vmi_control(runtime, machine);
        next_s = earlier(next_s, machine_next_s(runtime, machine));
        machine_drop_if_empty(runtime, machine);
    }
    if (runtime->latency_is_queued)
        latency_tests_control(runtime);
    if (runtime->queue_first || runtime->latency_is_queued)
        loop_timer_arm(runtime->round_timer, 0);
    if (!runtime->waits_for_commit)
        runtime->waits_for_commit = store_notice_commit(runtime->store, round_committed, runtime);
    arm_at(runtime, earlier(next_s, own_next_s(runtime)));
}

static bool somebody_needs_resync(const struct runtime *runtime)
{
    for (size_t i = 0; i < runtime->machine_count; i++)
        if (needs_resync(runtime->machine[i]))
            return true;
    return false;
}

void runtime_wake(void *arg)
{
    struct runtime *runtime = arg;
    int64_t now_s = runtime_now_s(runtime);
    bool resync = runtime->resync_s <= now_s && somebody_needs_resync(runtime);
    bool retry = runtime->retry_s && runtime->retry_s <= now_s;
    if (retry)
        runtime->retry_s = 0;
    for (size_t i = 0; i < runtime->machine_count; i++) {
        struct machine *machine = runtime->machine[i];
        int64_t due_s = machine_due_s(machine);
        if ((due_s && due_s <= now_s) || (resync && machine->uid[0]) || retry) {
            machine->wake_s = machine->vm_wake_s = 0;
            machine_queue(runtime, machine);
        }
    }
    if (resync || runtime->resync_s <= now_s)
        runtime->resync_s = now_s + LIMIT_RESYNC_S;
    if (resync || (runtime->look_s && runtime->look_s <= now_s))
        runtime_look(runtime);
    if (resync && runtime->hooks.refresh_host)
        host_read_start(runtime);
    if (resync)
        tuning_resync(runtime);
    if (runtime->tuning_retry_s && runtime->tuning_retry_s <= now_s)
        tuning_recover(runtime);
    runtime_arm(runtime);
}
