/* The journal as it is shown: each entry beside what was found. Changes nothing. */
#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/timestamp.h"
#include "runtime/tune/page_pool.h"
#include "runtime/tune/tunable.h"

struct listing {
    const json_t *seen;
    struct cpuset online;
    size_t count;
    const struct store_host_change **change; /* oldest first */
};

/* The texts live as long as the journal is not written to. */
static void collect(const struct store_host_change *change, void *arg)
{
    struct listing *listing = arg;
    listing->change = must_realloc(listing->change, listing->count + 1, sizeof(struct store_host_change *));
    memmove(listing->change + 1, listing->change, listing->count++ * sizeof(struct store_host_change *));
    listing->change[0] = change;
}

static enum tune_state judge(const struct tunable *target, const struct tune_entry *entry, const char *const *wish,
                             size_t count, const struct cpuset *online)
{
    if (strcmp(entry->found, entry->wanted) == 0)
        return TUNE_APPLIED;
    if (tunable_is_late(target))
        return TUNE_PENDING;
    return tunable_is_ours(target, entry->found, entry->change->old_value, wish, count, online) ? TUNE_NOT_APPLIED
                                                                                                : TUNE_OVERRIDDEN;
}

/* What was seen of it. False: nobody looked, or it could not be read in time. */
static bool recall(const struct listing *listing, struct tune_entry *entry)
{
    auto_free char *key = must_format("%lld", (long long)entry->change->id);
    const json_t *found = json_object_get(listing->seen, key);
    if (!found)
        entry->state = TUNE_UNKNOWN;
    else if (!json_is_string(found))
        entry->state = TUNE_GONE;
    else
        entry->found = must_strdup(json_string_value(found));
    return entry->found != NULL;
}

/* Pages a VM had added to a pool (runtime/growth.c). */
static void show_pool(const struct listing *listing, struct tune_entry *entry)
{
    entry->knob = "hugepages";
    entry->why = "pages added to a pool while a VM runs that does not fit otherwise";
    entry->wanted = must_strdup(entry->change->new_value);
    if (recall(listing, entry))
        entry->state = text_starts_with(entry->wanted, "up to ") ? TUNE_PENDING : TUNE_APPLIED;
}

static void show(const struct listing *listing, struct tune_entry *entry)
{
    struct tunable target;
    const struct store_host_change *change = entry->change;
    if (text_starts_with(change->path, PAGE_POOL_TARGET)) {
        show_pool(listing, entry);
        return;
    }
    auto_free const char **wish = must_calloc(listing->count, sizeof *wish);
    size_t count = 0;
    for (size_t i = 0; i < listing->count; i++)
        if (strcmp(listing->change[i]->path, change->path) == 0)
            wish[count++] = listing->change[i]->new_value;
    tune_describe(change->path, &entry->knob, &entry->why);
    entry->state = TUNE_APPLIED;
    if (!tunable_parse(change->path, &target))
        return; /* not tuning's: kept in the journal by what undoes it */
    entry->wanted = tunable_value(&target, change->old_value, wish, count, &listing->online);
    if (recall(listing, entry))
        entry->state = judge(&target, entry, wish, count, &listing->online);
}

void tune_show(struct store *store, const json_t *seen, int64_t only_id,
               void (*callback)(const struct tune_entry *entry, void *arg), void *arg)
{
    struct listing listing = {.seen = seen};
    struct error err;
    if (cpuset_parse(json_text_at(seen, "online", ""), &listing.online, &err) < 0)
        listing.online = (struct cpuset){0};
    store_journal_each(store, collect, &listing);
    for (size_t i = 0; i < listing.count; i++) {
        struct tune_entry entry = {.change = listing.change[i]};
        if (only_id && entry.change->id != only_id)
            continue;
        show(&listing, &entry);
        callback(&entry, arg);
        free(entry.wanted);
        free(entry.found);
    }
    free(listing.change);
}

static void add_target(const struct store_host_change *change, void *arg)
{
    json_array_append_new(arg, json_pack("{s:I, s:s}", "id", (json_int_t)change->id, "target", change->path));
}

json_t *tune_look_order(struct store *store)
{
    json_t *list = json_array();
    store_journal_each(store, add_target, list);
    json_t *order = json_array_size(list) ? json_pack("{s:s, s:O}", "stage", "look", "look", list) : NULL;
    json_decref(list);
    return order;
}

void tune_seen_take(json_t *seen, const json_t *line)
{
    json_t *found = json_object_get(line, "found");
    if (json_object_get(line, "online"))
        json_object_set(seen, "online", json_object_get(line, "online"));
    bool is_dropped = json_object_get(line, "drop") != NULL;
    if (!is_dropped && !json_object_get(line, "id"))
        return;
    auto_free char *key = must_format("%lld", (long long)json_int_at(line, is_dropped ? "drop" : "id", 0));
    if (is_dropped)
        json_object_del(seen, key);
    else
        json_object_set_new(seen, key, found ? json_incref(found) : json_null());
}

static void take_seen(const json_t *line, void *arg)
{
    tune_seen_take(arg, line);
}

void tune_each(const struct tune_machine *machine, struct store *store,
               void (*callback)(const struct tune_entry *entry, void *arg), void *arg)
{
    auto_json *seen = json_object();
    auto_json *order = tune_look_order(store);
    if (!order)
        return;
    tune_order_run(machine, order, take_seen, seen);
    tune_show(store, seen, 0, callback, arg);
}

static json_t *owner_to_json(const char *owner)
{
    const char *slash = strchr(owner, '/');
    if (!slash)
        return json_pack("{s:s}", "kind", "User");
    auto_free char *namespace_ = must_strndup(owner, (size_t)(slash - owner));
    return json_pack("{s:s, s:s, s:s}", "kind", "VirtualMachineInstance", "namespace", namespace_, "name", slash + 1);
}

json_t *tune_entry_to_json(const struct tune_entry *entry)
{
    static const char *const STATES[] = {"Applied", "Pending", "NotApplied", "Overridden", "Gone", "Unknown"};
    const struct store_host_change *change = entry->change;
    char made[TIMESTAMP_TEXT_MAX];
    auto_free char *name = must_format("%s-%lld", entry->knob, (long long)change->id);
    json_t *metadata =
        json_pack("{s:s, s:s}", "name", name, "creationTimestamp", timestamp_format(change->made_s, made));
    json_t *spec = json_pack("{s:s, s:s, s:s, s:s, s:o}", "knob", entry->knob, "why", entry->why, "target",
                             change->path, "wanted", change->new_value, "owner", owner_to_json(change->owner));
    json_t *status = json_pack("{s:s, s:s, s:s}", "state", STATES[entry->state], "before", change->old_value, "wanted",
                               entry->wanted ? entry->wanted : change->new_value);
    if (entry->found)
        json_object_set_new(status, "found", json_string(entry->found));
    return json_pack("{s:s, s:s, s:o, s:o, s:o}", "apiVersion", "rtvmd.io/v1alpha1", "kind", "HostChange", "metadata",
                     metadata, "spec", spec, "status", status);
}
