#include "runtime/statistics.h"

#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/file.h"
#include "runtime/inside.h"

/* Asked for when somebody scrapes and never else: one job for all VMs, whose result serves everybody who asks within
 * LIMIT_STATISTICS_AGE_MS. Whoever waits does not wait longer than LIMIT_STATISTICS_WAIT_MS for a libvirt that hangs.
 */

struct statistics_wait {
    runtime_statistics_done *done;
    void *arg;
    struct statistics_wait *next;
};

struct statistics_job {
    struct worker_job job;
    struct runtime *runtime;
    struct hypervisor *hypervisor;
    struct runtime_statistics *result;
};

static void statistics_free(struct runtime_statistics *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->vm_count; i++) {
        free(s->vm[i].namespace_);
        free(s->vm[i].name);
        free(s->vm[i].domain_name);
        process_usage_finish(&s->vm[i].usage);
        domain_statistics_finish(&s->vm[i].domain);
    }
    free(s->vm);
    free(s->pool);
    free(s);
}

static void answer_all(struct runtime *runtime, const struct runtime_statistics *statistics)
{
    loop_timer_disarm(runtime->statistics_timer);
    struct statistics_wait *wait = take(runtime->statistics_waits);
    while (wait) {
        struct statistics_wait *next = wait->next;
        wait->done(statistics, wait->arg);
        free(wait);
        wait = next;
    }
}

/* ---- on the worker thread */
static void read_pool(struct free_pages *pool)
{
    auto_free char *path = must_format("/sys/devices/system/node/node%d/hugepages/hugepages-%llukB/free_hugepages",
                                       pool->node, (unsigned long long)(pool->page_bytes / 1024));
    auto_text text = {0};
    struct error gone;
    pool->pages = file_read("", path, 64, &text, &gone) == 0 ? strtoull(text_cstr(&text), NULL, 10) : 0;
}

static void read_domains(struct statistics_job *job)
{
    struct runtime_statistics *s = job->result;
    auto_free const char **names = must_calloc(s->vm_count + 1, sizeof *names);
    auto_free struct domain_statistics *domains = must_calloc(s->vm_count + 1, sizeof *domains);
    for (size_t i = 0; i < s->vm_count; i++)
        names[i] = s->vm[i].domain_name;
    struct error err;
    s->has_domains = hypervisor_statistics(job->hypervisor, names, s->vm_count, domains, &err) == 0;
    for (size_t i = 0; i < s->vm_count; i++)
        s->vm[i].domain = domains[i];
}

static void run(struct worker_job *base)
{
    struct statistics_job *job = (struct statistics_job *)base;
    struct runtime_statistics *s = job->result;
    struct error gone;
    for (size_t i = 0; i < s->pool_count; i++)
        read_pool(&s->pool[i]);
    for (size_t i = 0; i < s->vm_count; i++)
        s->vm[i].has_usage = s->vm[i].pid > 0 && process_usage_read("", s->vm[i].pid, &s->vm[i].usage, &gone) == 0;
    read_domains(job);
    s->taken_ms = now_monotonic_ms();
}

/* ---- on the loop thread */
static void done(struct worker_job *base, bool canceled)
{
    struct statistics_job *job = (struct statistics_job *)base;
    struct runtime *runtime = job->runtime;
    if (canceled) {
        statistics_free(job->result);
    } else {
        statistics_free(runtime->statistics);
        runtime->statistics = job->result;
        runtime->statistics_are_coming = false;
        answer_all(runtime, runtime->statistics);
    }
    free(job);
}

static void add_vms(struct runtime *runtime, struct runtime_statistics *s)
{
    s->vm = must_calloc(runtime->machine_count + 1, sizeof *s->vm);
    for (size_t i = 0; i < runtime->machine_count; i++) {
        const struct machine *machine = runtime->machine[i];
        enum domain_state state = machine_domain_state(machine);
        if (state != DOMAIN_RUNNING && state != DOMAIN_PAUSED && state != DOMAIN_SHUTTING_DOWN)
            continue;
        s->vm[s->vm_count++] = (struct vm_statistics){.namespace_ = must_strdup(machine->namespace_),
                                                      .name = must_strdup(machine->name),
                                                      .domain_name = must_strdup(machine->domain_name),
                                                      .pid = machine->domain.pid};
    }
}

static void add_pools(const struct host *host, struct runtime_statistics *s)
{
    s->pool = must_calloc((size_t)host->node_count * LIMIT_HOST_PAGE_SIZES + 1, sizeof *s->pool);
    for (unsigned n = 0; n < host->node_count; n++)
        for (unsigned p = 0; p < host->node[n].pool_count; p++)
            s->pool[s->pool_count++] = (struct free_pages){host->node[n].id, host->node[n].pool[p].size_bytes, 0};
}

static void begin(struct runtime *runtime)
{
    struct statistics_job *job = must_calloc(1, sizeof *job);
    job->job = (struct worker_job){.run = run, .done = done};
    job->runtime = runtime;
    job->hypervisor = runtime->hypervisor;
    job->result = must_calloc(1, sizeof *job->result);
    add_vms(runtime, job->result);
    add_pools(&runtime->host->host, job->result);
    runtime->statistics_are_coming = true;
    worker_submit(runtime->pool, &job->job);
}

void runtime_statistics(struct runtime *runtime, runtime_statistics_done *callback, void *arg)
{
    const struct runtime_statistics *now = runtime->statistics;
    if (now && now_monotonic_ms() - now->taken_ms < LIMIT_STATISTICS_AGE_MS) {
        callback(now, arg);
        return;
    }
    struct statistics_wait *wait = must_calloc(1, sizeof *wait);
    *wait = (struct statistics_wait){callback, arg, runtime->statistics_waits};
    runtime->statistics_waits = wait;
    if (!wait->next)
        loop_timer_arm(runtime->statistics_timer, LIMIT_STATISTICS_WAIT_MS);
    if (!runtime->statistics_are_coming)
        begin(runtime);
}

void statistics_late(void *arg)
{
    answer_all(arg, NULL);
}

void statistics_end(struct runtime *runtime)
{
    for (struct statistics_wait *next, *wait = take(runtime->statistics_waits); wait; wait = next) {
        next = wait->next;
        free(wait);
    }
    statistics_free(runtime->statistics);
    loop_watch_free(runtime->statistics_timer);
}

const struct runtime_counters *runtime_counters(const struct runtime *runtime)
{
    return &runtime->counters;
}
