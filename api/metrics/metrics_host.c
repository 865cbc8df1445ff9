/* Samples about the host, the API, the store and the process itself. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "api/metrics/meter.h"
#include "api/metrics/metrics.h"
#include "api/watch.h"
#include "rtvmd/base/file.h"
#include "rtvmd/version.h"
#include "runtime/statistics.h"

void metrics_build(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    (void)metric;
    (void)view;
    exposition_count(e, LABELS({"version", RTVMD_VERSION}, {"kubevirt_version", RTVMD_KUBEVIRT_VERSION}), 1);
}

void metrics_hypervisor(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    (void)metric;
    exposition_count(e, NO_LABELS, view->statistics && view->statistics->has_domains);
}

static struct cpuset claimed_cpus(const struct metrics_view *view)
{
    struct cpuset all = {0};
    size_t i;
    json_t *placement;
    json_array_foreach(view->placements, i, placement)
    {
        struct cpuset cpus = metrics_claimed(placement);
        all = cpuset_or(&all, &cpus);
    }
    return all;
}

void metrics_cpus(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    (void)metric;
    const struct host *host = runtime_host(view->api->runtime);
    struct cpuset housekeeping = runtime_housekeeping(view->api->runtime);
    struct cpuset exclusive = cpuset_minus(&host->online, &housekeeping);
    struct cpuset claimed = claimed_cpus(view);
    exposition_count(e, LABELS({"node", view->node}, {"use", "housekeeping"}), cpuset_count(&housekeeping));
    exposition_count(e, LABELS({"node", view->node}, {"use", "exclusive"}), cpuset_count(&exclusive));
    exposition_count(e, LABELS({"node", view->node}, {"use", "claimed"}), cpuset_count(&claimed));
}

static uint64_t claimed_pages(const struct metrics_view *view, int node, uint64_t page_bytes)
{
    uint64_t sum = 0;
    size_t i, k;
    json_t *placement, *pages;
    json_array_foreach(view->placements, i, placement)
    {
        json_array_foreach(json_at(placement, "status.claimed.pages"), k, pages)
        {
            if (json_int_at(pages, "node", -1) == node && (uint64_t)json_int_at(pages, "pageBytes", 0) == page_bytes)
                sum += (uint64_t)json_int_at(pages, "pages", 0);
        }
    }
    return sum;
}

static void pages_of(const struct metrics_view *view, int node, const struct host_page_pool *pool, struct exposition *e)
{
    char id[16], size[32];
    snprintf(id, sizeof id, "%d", node);
    snprintf(size, sizeof size, "%llu", (unsigned long long)pool->size_bytes);
    exposition_count(e, LABELS({"numa_node", id}, {"page_bytes", size}, {"state", "total"}), pool->total);
    exposition_count(e, LABELS({"numa_node", id}, {"page_bytes", size}, {"state", "claimed"}),
                     claimed_pages(view, node, pool->size_bytes));
    for (size_t i = 0; view->statistics && i < view->statistics->pool_count; i++)
        if (view->statistics->pool[i].node == node && view->statistics->pool[i].page_bytes == pool->size_bytes)
            exposition_count(e, LABELS({"numa_node", id}, {"page_bytes", size}, {"state", "free"}),
                             view->statistics->pool[i].pages);
}

void metrics_pages(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    (void)metric;
    const struct host *host = runtime_host(view->api->runtime);
    for (unsigned n = 0; n < host->node_count; n++)
        for (unsigned p = 0; p < host->node[n].pool_count; p++)
            pages_of(view, host->node[n].id, &host->node[n].pool[p], e);
}

static const void *counter_at(const struct metric *metric, const struct metrics_view *view)
{
    return (const char *)runtime_counters(view->api->runtime) + metric->field;
}

void metrics_counter(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    exposition_count(e, NO_LABELS, *(const uint64_t *)counter_at(metric, view));
}

void metrics_steps(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    const uint64_t *steps = counter_at(metric, view);
    for (unsigned i = VMI_WAIT + 1; i < VMI_ACTION_COUNT; i++)
        if (steps[i])
            exposition_count(e, LABELS({"step", vmi_action_text((enum vmi_action)i)}), steps[i]);
}

void metrics_commits(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    (void)metric;
    exposition_histogram(e, NO_LABELS, &store_statistics(view->api->store)->commits);
}

void metrics_commit_failures(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    (void)metric;
    exposition_count(e, NO_LABELS, store_statistics(view->api->store)->failures);
}

void metrics_store_writes(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    (void)metric;
    exposition_count(e, NO_LABELS, store_statistics(view->api->store)->writes);
}

void metrics_requests(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    (void)metric;
    meter_write_requests(view->api->meter, e);
}

void metrics_request_durations(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    (void)metric;
    meter_write_durations(view->api->meter, e);
}

void metrics_connections(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    (void)metric;
    exposition_count(e, NO_LABELS, http_connection_count(view->api->http));
}

void metrics_watches(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    (void)metric;
    exposition_count(e, NO_LABELS, watches_count(view->api->watches));
}

/* ---- this process */
static uint64_t cpu_ns(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000u +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000u;
}

/* The n-th number of a file of ours in /proc, counted from 0, after the last parenthesis if there is one. */
static uint64_t own_number(const char *path, unsigned n)
{
    auto_text text = {0};
    struct error ignored;
    if (file_read("", path, 4096, &text, &ignored))
        return 0;
    const char *at = strrchr(text_cstr(&text), ')');
    at = at ? at + 2 : text_cstr(&text);
    for (; n > 0 && (at = strchr(at, ' ')); n--)
        at++;
    return at ? strtoull(at, NULL, 10) : 0;
}

static uint64_t descriptors(void)
{
    uint64_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (!folder)
        return 0;
    for (struct dirent *entry; (entry = readdir(folder));)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count - 1; /* the folder's own */
}

/* Ticks since boot, and when boot was. */
static uint64_t start_s(void)
{
    enum { STARTTIME_AFTER_NAME = 19 };
    uint64_t ticks = own_number("/proc/self/stat", STARTTIME_AFTER_NAME);
    struct timespec up;
    clock_gettime(CLOCK_BOOTTIME, &up);
    return (uint64_t)(now_wall_s() - up.tv_sec) + ticks / (uint64_t)sysconf(_SC_CLK_TCK);
}

void metrics_process(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    (void)view;
    if (strcmp(metric->word, "cpu") == 0)
        exposition_seconds(e, NO_LABELS, cpu_ns());
    else if (strcmp(metric->word, "memory") == 0)
        exposition_count(e, NO_LABELS, own_number("/proc/self/statm", 1) * (uint64_t)sysconf(_SC_PAGESIZE));
    else if (strcmp(metric->word, "descriptors") == 0)
        exposition_count(e, NO_LABELS, descriptors());
    else
        exposition_count(e, NO_LABELS, start_s());
}
