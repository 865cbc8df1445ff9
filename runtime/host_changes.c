#include <stdlib.h>
#include <string.h>

#include "runtime/inside.h"
#include "runtime/tune/tune.h"

/* What tuning changed, as objects. What is found now is read when somebody asks and never else, by a worker: also
 * reading may wait for a write that hangs. One look serves everybody who asks meanwhile. */

struct host_change_wait {
    void (*done)(void *arg);
    void *arg;
    struct host_change_wait *next;
};

struct look {
    struct worker_job job;
    struct runtime *runtime;
    json_t *order;
    json_t *lines;
};

static void run_look(struct worker_job *job)
{
    struct look *look = (struct look *)job;
    struct error err; /* what could not be read in time is shown as unknown */
    tune_apart(look->runtime->state_dir, look->order, &look->runtime->tuning_stop, look->lines, &err);
}

static void answer_all(struct runtime *runtime)
{
    struct host_change_wait *wait = take(runtime->host_change_waits);
    while (wait) {
        struct host_change_wait *next = wait->next;
        wait->done(wait->arg);
        free(wait);
        wait = next;
    }
}

static void look_done(struct worker_job *job, bool canceled)
{
    struct look *look = (struct look *)job;
    struct runtime *runtime = look->runtime;
    if (!canceled) {
        size_t i;
        json_t *line;
        json_decref(runtime->tuning_seen);
        runtime->tuning_seen = json_object();
        json_array_foreach(look->lines, i, line)
        {
            tune_seen_take(runtime->tuning_seen, line);
        }
        runtime->host_changes_are_seen = false;
        answer_all(runtime);
    }
    json_decref(look->order);
    json_decref(look->lines);
    free(look);
}

void runtime_see_host_changes(struct runtime *runtime, void (*done)(void *arg), void *arg)
{
    json_t *order = tune_look_order(runtime->store);
    if (!order || runtime->is_ending) {
        json_decref(order);
        done(arg);
        return;
    }
    struct host_change_wait *wait = must_calloc(1, sizeof *wait);
    *wait = (struct host_change_wait){done, arg, runtime->host_change_waits};
    runtime->host_change_waits = wait;
    if (runtime->host_changes_are_seen) {
        json_decref(order);
        return;
    }
    struct look *look = must_calloc(1, sizeof *look);
    look->job = (struct worker_job){.run = run_look, .done = look_done};
    look->runtime = runtime;
    look->order = order;
    look->lines = json_array();
    runtime->host_changes_are_seen = true;
    worker_submit(runtime->pool, &look->job);
}

void host_changes_end(struct runtime *runtime)
{
    struct host_change_wait *wait = take(runtime->host_change_waits);
    while (wait) {
        struct host_change_wait *next = wait->next;
        free(wait);
        wait = next;
    }
}

struct search {
    const char *name; /* NULL: all */
    json_t *list;
    int64_t id;
};

static void add_change(const struct tune_entry *entry, void *arg)
{
    struct search *search = arg;
    auto_json *object = tune_entry_to_json(entry);
    if (search->name && !text_equal(json_text_at(object, "metadata.name", NULL), search->name))
        return;
    search->id = entry->change->id;
    json_array_append(search->list, object);
}

/* The id is the end of the name: only that entry is worked out. */
static void search_for(struct runtime *runtime, struct search *search)
{
    uint64_t id = 0;
    const char *dash = search->name ? strrchr(search->name, '-') : NULL;
    search->list = json_array();
    if (search->name && (!dash || !text_to_u64(dash + 1, &id) || id == 0 || id > INT64_MAX))
        return;
    tune_show(runtime->store, runtime->tuning_seen, (int64_t)id, add_change, search);
}

json_t *runtime_host_change(struct runtime *runtime, const char *name)
{
    struct search search = {.name = name};
    search_for(runtime, &search);
    if (!name)
        return search.list;
    json_t *only = json_incref(json_array_get(search.list, 0));
    json_decref(search.list);
    return only;
}

void runtime_undo_host_change(struct runtime *runtime, const char *name, runtime_done *done, void *arg)
{
    struct error err;
    struct search search = {.name = name};
    search_for(runtime, &search);
    json_decref(search.list);
    if (search.id) {
        tuning_undo_one(runtime, search.id, done, arg);
        return;
    }
    fail(&err, ERROR_NOT_FOUND, "hostchanges.rtvmd.io \"%s\" not found", name);
    done(&err, arg);
}
