#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/log.h"
#include "runtime/inside.h"
#include "runtime/tune/tune.h"

/* Host tuning for one VM: from just before its domain is started until its run was cleaned up after, at most as far as
 * the configuration allows. On the loop thread: all owners share one journal, and what is right follows from all. */

static void log_notes(struct tune_result *result, const char *owner)
{
    if (result->left)
        log_info("host tuning left %u things as they are owner=%s: %s", result->left, owner, text_cstr(&result->notes));
    text_finish(&result->notes);
}

int tuning_begin(struct runtime *runtime, const struct work *work, const json_t *vmi, struct error *err)
{
    static const char *const LEVELS[] = {"none", "safe", "full"};
    enum tune_level wanted = (enum tune_level)work->spec.host_tuning;
    enum tune_level level = wanted < runtime->config.tuning ? wanted : runtime->config.tuning;
    if (level < wanted)
        event_record(runtime, vmi, "Warning", "TuningRefused",
                     "host tuning %s is wanted, the configuration allows %s (host.tuning)", LEVELS[wanted],
                     LEVELS[level]);
    const struct cpuset *cpus = &work->placement->exclusive;
    if (level == TUNE_NONE || cpuset_is_empty(cpus))
        return 0;
    struct tune_result result = {0};
    struct cpuset_text text;
    int r = tune_apply(&TUNE_LIVE, runtime->store, work->key, cpus, level, &result, err);
    if (r == 0)
        event_record(runtime, vmi, "Normal", "TuningApplied",
                     "host tuned for CPUs %s: %u changes, %u things left as they are", cpuset_format(cpus, &text),
                     result.done, result.left);
    log_notes(&result, work->key);
    return r;
}

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

void tuning_isolate(struct runtime *runtime, const struct work *work, int pid, const json_t *vmi)
{
    struct tune_result result = {0};
    struct error err;
    if (!tune_has(runtime->store, work->key) || pid <= 0)
        return;
    auto_free struct cpuset *cpus = must_calloc(LIMIT_VM_VCPUS, sizeof *cpus);
    size_t count = cpus_to_isolate(work, cpus);
    int r = tune_isolate(&TUNE_LIVE, runtime->store, work->key, pid, cpus, count, &result, &err);
    const char *why = r < 0 ? err.text : text_cstr(&result.notes);
    if (r < 0 || (result.left && work->kind == WORK_START))
        event_record(runtime, vmi, "Warning", "NotIsolated", "%.*s", (int)strcspn(why, "\n"), why);
    else if (result.done)
        event_record(runtime, vmi, "Normal", "Isolated", "its vCPUs are isolated partitions: %u changes", result.done);
    log_notes(&result, work->key);
}

void tuning_end(struct runtime *runtime, const char *owner)
{
    struct tune_result result = {0};
    struct error err;
    if (tune_undo(&TUNE_LIVE, runtime->store, owner, &result, &err) < 0)
        log_warn("host tuning of %s is not undone, the next start tries again: %s", owner, err.text);
    log_notes(&result, owner);
}

struct search {
    const char *name; /* NULL: all */
    json_t *list;
};

static void add_change(const struct tune_entry *entry, void *arg)
{
    const struct search *search = arg;
    auto_json *object = tune_entry_to_json(entry);
    if (!search->name || text_equal(json_text_at(object, "metadata.name", NULL), search->name))
        json_array_append(search->list, object);
}

json_t *runtime_host_change(struct runtime *runtime, const char *name)
{
    struct search search = {name, json_array()};
    tune_each(&TUNE_LIVE, runtime->store, add_change, &search);
    if (!name)
        return search.list;
    json_t *only = json_incref(json_array_get(search.list, 0));
    json_decref(search.list);
    return only;
}

struct named {
    const char *name;
    int64_t id;
};

static void find_change(const struct tune_entry *entry, void *arg)
{
    struct named *named = arg;
    auto_json *object = tune_entry_to_json(entry);
    if (strcmp(json_text_at(object, "metadata.name", ""), named->name) == 0)
        named->id = entry->change->id;
}

int runtime_undo_host_change(struct runtime *runtime, const char *name, struct error *err)
{
    struct named named = {.name = name};
    struct tune_result result = {0};
    tune_each(&TUNE_LIVE, runtime->store, find_change, &named);
    if (!named.id)
        return fail(err, ERROR_NOT_FOUND, "hostchanges.rtvmd.io \"%s\" not found", name);
    int r = tune_undo_one(&TUNE_LIVE, runtime->store, named.id, &result, err);
    log_notes(&result, name);
    return r;
}

/* Whoever types undoes it himself. */
static bool lives(const char *owner, void *arg)
{
    const struct machine *machine = machine_by_key(arg, owner);
    return !owner[0] || (machine && machine->domain.state != DOMAIN_ABSENT && machine->domain.state != DOMAIN_OFF);
}

void tuning_recover(struct runtime *runtime)
{
    struct tune_result result = {0};
    struct error err;
    if (tune_recover(&TUNE_LIVE, runtime->store, lives, runtime, &result, &err) < 0)
        log_warn("host tuning of an earlier run is not undone: %s", err.text);
    else if (result.done)
        log_info("undid %u host changes of virtual machines that do not run any more", result.done);
    log_notes(&result, "an earlier run");
}
