/* The journal as it is shown: each entry beside what is found now. Changes nothing. */
#include <stdlib.h>
#include <string.h>

#include "hostprobe/files.h"
#include "rtvmd/base/timestamp.h"
#include "runtime/tune/page_pool.h"
#include "runtime/tune/tunable.h"

struct listing {
    const struct tune_machine *machine;
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

/* Pages a VM had added to a pool (runtime/growth.c). */
static void look_at_pool(const struct listing *listing, struct tune_entry *entry)
{
    struct error err;
    uint64_t pages;
    entry->knob = "hugepages";
    entry->why = "pages added to a pool while a VM runs that does not fit otherwise";
    entry->wanted = must_strdup(entry->change->new_value);
    entry->state = TUNE_GONE;
    if (page_pool_total(listing->machine->root, strchr(entry->change->path, ':') + 1, &pages, &err) < 0)
        return;
    entry->found = must_format("%llu", (unsigned long long)pages);
    entry->state = text_starts_with(entry->wanted, "up to ") ? TUNE_PENDING : TUNE_APPLIED;
}

static void look(const struct listing *listing, struct tune_entry *entry)
{
    struct error err;
    struct tunable target;
    const struct store_host_change *change = entry->change;
    if (text_starts_with(change->path, PAGE_POOL_TARGET)) {
        look_at_pool(listing, entry);
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
    entry->state = TUNE_GONE;
    entry->wanted = tunable_value(&target, change->old_value, wish, count, &listing->online);
    entry->found = tunable_read(listing->machine, &target, &err);
    if (entry->found)
        entry->state = judge(&target, entry, wish, count, &listing->online);
}

void tune_each(const struct tune_machine *machine, struct store *store,
               void (*callback)(const struct tune_entry *entry, void *arg), void *arg)
{
    const struct files files = {machine->root};
    struct listing listing = {.machine = machine};
    files_set(&files, &listing.online, "/sys/devices/system/cpu/online");
    store_journal_each(store, collect, &listing);
    for (size_t i = 0; i < listing.count; i++) {
        struct tune_entry entry = {.change = listing.change[i]};
        look(&listing, &entry);
        callback(&entry, arg);
        free(entry.wanted);
        free(entry.found);
    }
    free(listing.change);
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
    static const char *const STATES[] = {"Applied", "Pending", "NotApplied", "Overridden", "Gone"};
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
