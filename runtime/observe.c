#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/log.h"
#include "runtime/growth.h"
#include "runtime/inside.h"

/* Looking: all domains at once, on a worker thread, never two looks at the same time. A look says nothing about a
 * machine whose last work ended after the look began: it may be older than what was done.
 *
 * Also here: reading the host again, which is looking too. */

struct look {
    struct worker_job job;
    struct runtime *runtime;
    uint64_t begun_at;
    bool failed;
    struct error err;
    struct observed_domain *domain;
    size_t count;
};

static void run_look(struct worker_job *job)
{
    struct look *look = (struct look *)job;
    look->failed = hypervisor_observe(look->runtime->hypervisor, &look->domain, &look->count, &look->err) != 0;
}

static int by_identity(const void *a, const void *b)
{
    const struct domain_identity *x = &((const struct observed_domain *)a)->identity;
    const struct domain_identity *y = &((const struct observed_domain *)b)->identity;
    int order = strcmp(x->namespace_, y->namespace_);
    return order ? order : strcmp(x->name, y->name);
}

static void see(struct runtime *runtime, struct machine *machine, const struct observed_domain *seen, uint64_t begun_at)
{
    static const struct observed_domain NOT_THERE = {.state = DOMAIN_ABSENT};
    if (machine->is_busy || machine->settled_at > begun_at)
        return;
    if (!seen)
        seen = &NOT_THERE;
    bool is_news = !machine_is_observed(runtime, machine) || machine->domain.state != seen->state ||
                   machine->domain.reason != seen->reason || machine->domain.pid != seen->pid ||
                   machine->domain.has_agent != seen->has_agent ||
                   strcmp(machine->domain.identity.uid, seen->identity.uid) != 0;
    machine->domain = *seen;
    machine->observed_at = begun_at;
    /* Those who wait for room are asked in their own order, afterwards. */
    if (is_news && machine->is_unschedulable)
        runtime->asks_waiting = true;
    else if (is_news)
        machine_queue(runtime, machine);
}

/* Claims of what exists nowhere any more (a store put back from a backup, say) would hold CPUs for ever. */
static void collect_stale(const struct store_claim *claim, void *arg)
{
    struct runtime *runtime = arg;
    if (!latency_test_has_claim(claim) && !machine_by_key(runtime, claim->owner)) {
        const char *slash = strchr(claim->owner, '/');
        auto_free char *namespace_ = must_strndup(claim->owner, slash ? (size_t)(slash - claim->owner) : 0);
        machine_queue(runtime, machine_get(runtime, namespace_, slash ? slash + 1 : claim->owner));
    }
}

static void apply(struct runtime *runtime, struct look *look)
{
    qsort(look->domain, look->count, sizeof *look->domain, by_identity);
    bool was_connected = runtime->is_connected;
    if (!was_connected)
        runtime->connection_changed_s = runtime_now_s(runtime);
    runtime->is_connected = true;
    runtime->look_failures = 0;
    runtime->looked_at = look->begun_at;
    for (size_t i = 0; i < look->count; i++)
        machine_get(runtime, look->domain[i].identity.namespace_, look->domain[i].identity.name);
    for (size_t i = 0; i < runtime->machine_count; i++) {
        struct machine *machine = runtime->machine[i];
        struct observed_domain key = {0};
        strncpy(key.identity.namespace_, machine->namespace_, sizeof key.identity.namespace_ - 1);
        strncpy(key.identity.name, machine->name, sizeof key.identity.name - 1);
        see(runtime, machine, look->count ? bsearch(&key, look->domain, look->count, sizeof key, by_identity) : NULL,
            look->begun_at);
        if (!was_connected && !machine->is_unschedulable)
            machine_queue(runtime, machine);
    }
    if (!was_connected || runtime->asks_waiting)
        plan_retry_all(runtime);
    runtime->asks_waiting = false;
    if (!runtime->has_swept) {
        store_claim_each(runtime->store, collect_stale, runtime);
        tuning_recover(runtime);
        growth_recover(runtime);
        host_read_start(runtime); /* what became untrue while nobody looked */
    }
    runtime->has_swept = true;
}

static void lose(struct runtime *runtime, const struct error *err)
{
    enum { LOOK_RETRY_MAX_S = 30 };
    if (runtime->is_connected || runtime->look_failures == 0)
        log_warn("cannot look at the domains, running ones are not touched: %s", err->text);
    if (runtime->is_connected)
        runtime->connection_changed_s = runtime_now_s(runtime);
    runtime->is_connected = false;
    runtime->looked_at = 0;
    runtime->connection_error = *err;
    runtime->look_failures++;
    int64_t delay_s = runtime->look_failures < 5 ? 1 << runtime->look_failures : LOOK_RETRY_MAX_S;
    runtime->look_s = runtime_now_s(runtime) + delay_s;
}

/* ---- what the hypervisor is; asked beside the first look, for the answer takes seconds when libvirt must first try
 * out its emulators. */
struct inquiry {
    struct worker_job job;
    struct runtime *runtime;
    struct hypervisor_facts facts;
    json_t *cpu;
    bool emulated; /* without KVM, as far as is known before libvirt is asked */
    bool failed;
    struct error err;
};

static void run_inquiry(struct worker_job *job)
{
    struct inquiry *inquiry = (struct inquiry *)job;
    inquiry->failed = hypervisor_facts(inquiry->runtime->hypervisor, &inquiry->facts, &inquiry->err) != 0;
    if (!inquiry->failed)
        inquiry->cpu =
            hypervisor_cpu(inquiry->runtime->hypervisor, inquiry->emulated || !inquiry->facts.kvm, &inquiry->err);
}

static void inquiry_done(struct worker_job *job, bool canceled)
{
    struct inquiry *inquiry = (struct inquiry *)job;
    struct runtime *runtime = inquiry->runtime;
    if (!canceled && !inquiry->failed) {
        runtime->facts = inquiry->facts;
        runtime->has_facts = true;
        json_decref(runtime->cpu);
        runtime->cpu = take(inquiry->cpu);
        log_info("hypervisor uri=%s libvirt=%s qemu=%s kvm=%s", runtime->libvirt_uri, runtime->facts.libvirt_version,
                 runtime->facts.qemu_version, runtime->facts.kvm ? "yes" : "no");
    }
    json_decref(inquiry->cpu);
    free(inquiry);
}

static void ask_facts(struct runtime *runtime)
{
    struct inquiry *inquiry = must_calloc(1, sizeof *inquiry);
    inquiry->job = (struct worker_job){.run = run_inquiry, .done = inquiry_done};
    inquiry->runtime = runtime;
    inquiry->emulated = runtime_emulates(runtime);
    worker_submit(runtime->pool, &inquiry->job);
}

static void look_done(struct worker_job *job, bool canceled)
{
    struct look *look = (struct look *)job;
    struct runtime *runtime = look->runtime;
    if (!canceled) {
        runtime->is_looking = false;
        if (look->failed) {
            lose(runtime, &look->err);
        } else {
            if (!runtime->is_connected)
                ask_facts(runtime);
            apply(runtime, look);
        }
        if (runtime->look_again)
            runtime_look(runtime);
        runtime_arm(runtime);
    }
    free(look->domain);
    free(look);
}

void observe_start(struct runtime *runtime)
{
    struct look *look = must_calloc(1, sizeof *look);
    look->job = (struct worker_job){.run = run_look, .done = look_done};
    look->runtime = runtime;
    look->begun_at = ++runtime->sequence;
    runtime->is_looking = true;
    runtime->look_again = false;
    runtime->look_s = 0;
    worker_submit(runtime->pool, &look->job);
}

void runtime_look(struct runtime *runtime)
{
    if (!runtime->is_started || runtime->is_ending)
        return;
    if (runtime->is_looking)
        runtime->look_again = true;
    else
        observe_start(runtime);
}

/* ---- the host */
struct host_reading {
    struct worker_job job;
    struct runtime *runtime;
    uint64_t begun_at;  /* host_changes */
    uint64_t claims_at; /* claim_changes */
    int (*refresh)(struct host *host, struct error *err);
    struct work_host *next;
    bool failed;
    struct error err;
};

static void run_reading(struct worker_job *job)
{
    struct host_reading *reading = (struct host_reading *)job;
    reading->failed = reading->refresh(&reading->next->host, &reading->err) != 0;
}

static void queue_waiting(struct runtime *runtime)
{
    for (size_t i = 0; i < runtime->machine_count; i++)
        if (runtime->machine[i]->waits_for_host) {
            runtime->machine[i]->waits_for_host = false;
            machine_queue(runtime, runtime->machine[i]);
        }
}

static void reading_done(struct worker_job *job, bool canceled)
{
    struct host_reading *reading = (struct host_reading *)job;
    struct runtime *runtime = reading->runtime;
    if (!canceled) {
        runtime->host_is_being_read = false;
        runtime->host_read_s = reading->begun_at == runtime->host_changes ? runtime_now_s(runtime) : 0;
        if (reading->failed) {
            log_warn("cannot read the host again, planning with what was known: %s", reading->err.text);
        } else {
            struct work_host *before = runtime->host;
            runtime->host = take(reading->next);
            job_drop_host(before);
            audit_host(runtime,
                       reading->begun_at == runtime->host_changes && reading->claims_at == runtime->claim_changes);
        }
        queue_waiting(runtime);
    }
    if (reading->next)
        job_drop_host(reading->next);
    free(reading);
}

void host_read_start(struct runtime *runtime)
{
    if (runtime->host_is_being_read)
        return;
    if (!runtime->hooks.refresh_host) {
        queue_waiting(runtime);
        return;
    }
    runtime->host_is_being_read = true;
    struct host_reading *reading = must_calloc(1, sizeof *reading);
    reading->job = (struct worker_job){.run = run_reading, .done = reading_done};
    reading->runtime = runtime;
    reading->begun_at = runtime->host_changes;
    reading->claims_at = runtime->claim_changes;
    reading->refresh = runtime->hooks.refresh_host;
    reading->next = must_calloc(1, sizeof *reading->next);
    reading->next->references = 1;
    reading->next->host = runtime->host->host;
    worker_submit(runtime->pool, &reading->job);
}
