/* Acting. All entries of one owner are journaled with one fsync, then the changes are made one by one; a crash anywhere
 * leaves entries whose change may not have been made, which undoing recognizes: nothing is to be written then. Entries
 * are dropped only after their change is undone. */
#include "runtime/tune/tune.h"

#include <stdlib.h>
#include <string.h>

#include "hostprobe/files.h"
#include "rtvmd/base/file.h"
#include "runtime/tune/tunable.h"

struct entry {
    int64_t id;
    char *target;
    char *before;
    char *wish;
    char *owner;
    char *boot_id;
};

struct entries {
    size_t count;
    struct entry *at; /* newest first */
};

struct acting {
    const struct tune_machine *machine;
    struct store *store;
    struct cpuset online;
    struct entries entries;
    struct tune_result *result;
};

static void collect(const struct store_host_change *change, void *arg)
{
    struct entries *entries = arg;
    struct tunable ours;
    if (!tunable_parse(change->path, &ours))
        return; /* somebody else's kind of change, who undoes it */
    entries->at = must_realloc(entries->at, entries->count + 1, sizeof *entries->at);
    entries->at[entries->count++] = (struct entry){.id = change->id,
                                                   .target = must_strdup(change->path),
                                                   .before = must_strdup(change->old_value),
                                                   .wish = must_strdup(change->new_value),
                                                   .owner = must_strdup(change->owner),
                                                   .boot_id = must_strdup(change->boot_id)};
}

static void entries_finish(struct entries *entries)
{
    for (size_t i = 0; i < entries->count; i++) {
        const struct entry *e = &entries->at[i];
        free(e->target);
        free(e->before);
        free(e->wish);
        free(e->owner);
        free(e->boot_id);
    }
    free(entries->at);
    *entries = (struct entries){0};
}

static void entries_read(struct acting *acting)
{
    entries_finish(&acting->entries);
    store_journal_each(acting->store, collect, &acting->entries);
}

static void acting_begin(struct acting *acting, const struct tune_machine *machine, struct store *store,
                         struct tune_result *result)
{
    const struct files files = {machine->root};
    *acting = (struct acting){.machine = machine, .store = store, .result = result};
    files_set(&files, &acting->online, "/sys/devices/system/cpu/online");
    entries_read(acting);
}

static void step(const struct acting *acting)
{
    if (acting->machine->step)
        acting->machine->step(acting->machine->arg);
}

static void note(struct acting *acting, const char *target, const char *what)
{
    acting->result->left++;
    text_printf(&acting->result->notes, "%s: %s\n", target, what);
}

static void note_all(struct acting *acting, const char *lines)
{
    text_append(&acting->result->notes, lines);
    for (; *lines; lines++)
        acting->result->left += *lines == '\n';
}

static int flush(struct acting *acting, struct error *err)
{
    step(acting);
    int r = store_flush(acting->store, err);
    step(acting);
    return r;
}

/* Gone for good from the journal (with the next commit) and from what we hold. */
static int forget(struct acting *acting, struct entry *entry, struct error *err)
{
    if (store_journal_drop(acting->store, entry->id, err) < 0)
        return -1;
    entry->id = 0;
    return 0;
}

/* The wishes about a target, oldest first; but: without this one. */
static size_t gather(const struct acting *acting, const char *target, const struct entry *but, const char **ret_wish)
{
    size_t count = 0;
    for (size_t i = acting->entries.count; i-- > 0;) {
        const struct entry *e = &acting->entries.at[i];
        if (e != but && e->id && strcmp(e->target, target) == 0)
            ret_wish[count++] = e->wish;
    }
    return count;
}

/* Brings the target of an entry to what the wishes want, with this entry's or, when undoing, without. True: it is so
 * now. False: it is as it was, and why is noted; *ret_failed: it should be tried again. */
static bool settle(struct acting *acting, struct entry *entry, bool undo, bool *ret_failed)
{
    struct tunable target;
    struct error err;
    *ret_failed = false;
    auto_free char *present =
        tunable_parse(entry->target, &target) ? tunable_read(acting->machine, &target, &err) : NULL;
    if (!present) {
        if (!undo)
            note(acting, entry->target, "gone");
        return undo; /* what is gone needs no undoing */
    }
    auto_free const char **wish = must_calloc(acting->entries.count + 1, sizeof *wish);
    size_t all = gather(acting, entry->target, NULL, wish);
    bool is_ours = tunable_is_ours(&target, present, entry->before, wish, all, &acting->online);
    size_t count = gather(acting, entry->target, undo ? entry : NULL, wish);
    auto_free char *wanted = tunable_value(&target, entry->before, wish, count, &acting->online);
    bool is_late = tunable_is_late(&target);
    if (strcmp(present, wanted) == 0 && !is_late)
        return true;
    if (!is_ours && !is_late) {
        auto_free char *what = must_format("somebody else changed it to \"%s\"; left as it is", present);
        note(acting, entry->target, what);
        return false;
    }
    step(acting);
    if (tunable_write(acting->machine, &target, wanted, &err) < 0) {
        note(acting, entry->target, err.text);
        *ret_failed = true;
        return false;
    }
    step(acting);
    acting->result->done++;
    if (is_late)
        return true;
    auto_free char *found = tunable_read(acting->machine, &target, &err);
    if (undo || text_equal(found, wanted))
        return true;
    /* The kernel took it, and made something else of it: not ours to keep. */
    auto_free char *what = must_format("wrote \"%s\", found \"%s\"; put back", wanted, found ? found : "nothing");
    note(acting, entry->target, what);
    acting->result->done--;
    if (tunable_write(acting->machine, &target, present, &err) < 0)
        note(acting, entry->target, err.text);
    return false;
}

static int undo_owner(struct acting *acting, const char *owner, struct error *err)
{
    size_t mark = store_mark(acting->store);
    for (size_t i = 0; i < acting->entries.count; i++) {
        struct entry *entry = &acting->entries.at[i];
        bool failed;
        if (!entry->id || strcmp(entry->owner, owner) != 0)
            continue;
        settle(acting, entry, true, &failed);
        if (!failed && forget(acting, entry, err) < 0) {
            store_rollback(acting->store, mark);
            return -1;
        }
    }
    return flush(acting, err);
}

int tune_undo(const struct tune_machine *machine, struct store *store, const char *owner,
              struct tune_result *ret_result, struct error *err)
{
    struct acting acting;
    *ret_result = (struct tune_result){0};
    if (!tune_has(store, owner))
        return 0;
    acting_begin(&acting, machine, store, ret_result);
    int r = undo_owner(&acting, owner, err);
    entries_finish(&acting.entries);
    return r;
}

int tune_undo_one(const struct tune_machine *machine, struct store *store, int64_t id, struct tune_result *ret_result,
                  struct error *err)
{
    struct acting acting;
    *ret_result = (struct tune_result){0};
    acting_begin(&acting, machine, store, ret_result);
    store_mark(store);
    bool found = false;
    int r = 0;
    for (size_t i = 0; i < acting.entries.count && r == 0; i++) {
        struct entry *entry = &acting.entries.at[i];
        bool failed = false;
        if (entry->id != id)
            continue;
        found = true;
        settle(&acting, entry, true, &failed);
        if (!failed)
            r = forget(&acting, entry, err);
    }
    if (r == 0 && !found)
        r = fail(err, ERROR_CONFLICT, "it is no change of tuning's: it is undone when its VM stops");
    if (r == 0)
        r = flush(&acting, err);
    entries_finish(&acting.entries);
    return r;
}

static void read_boot_id(const struct tune_machine *machine, struct text *ret_id)
{
    struct error err;
    auto_text text = {0};
    if (file_read(machine->root, "/proc/sys/kernel/random/boot_id", LIMIT_SYSFILE_BYTES, &text, &err) == 0)
        text_append_n(ret_id, text_cstr(&text), strcspn(text_cstr(&text), "\n"));
}

static int journal_plan(struct acting *acting, const struct tune_plan *plan, const char *owner, struct error *err)
{
    auto_text boot_id = {0};
    read_boot_id(acting->machine, &boot_id);
    size_t mark = store_mark(acting->store);
    for (size_t i = 0; i < plan->count; i++) {
        const struct store_host_change change = {.path = plan->change[i].target,
                                                 .old_value = plan->change[i].before,
                                                 .new_value = plan->change[i].wanted,
                                                 .owner = owner,
                                                 .boot_id = text_cstr(&boot_id),
                                                 .made_s = now_wall_s()};
        if (store_journal_add(acting->store, &change, NULL, err) < 0) {
            store_rollback(acting->store, mark);
            return -1;
        }
    }
    return flush(acting, err);
}

/* The newest entries, as many as were just journaled. */
static int make_changes(struct acting *acting, size_t count, struct error *err)
{
    store_mark(acting->store);
    for (size_t i = count; i-- > 0;) {
        struct entry *entry = &acting->entries.at[i];
        bool failed;
        if (!settle(acting, entry, false, &failed) && forget(acting, entry, err) < 0)
            return -1;
    }
    return flush(acting, err);
}

int tune_carry_out(const struct tune_machine *machine, struct store *store, const char *owner,
                   const struct tune_plan *plan, struct tune_result *result, struct error *err)
{
    struct acting acting;
    acting_begin(&acting, machine, store, result);
    note_all(&acting, text_cstr(&plan->notes));
    int r = plan->count ? journal_plan(&acting, plan, owner, err) : 0;
    if (r == 0 && plan->count) {
        entries_read(&acting);
        r = make_changes(&acting, plan->count, err);
    }
    entries_finish(&acting.entries);
    return r;
}

int tune_apply(const struct tune_machine *machine, struct store *store, const char *owner, const struct cpuset *cpus,
               enum tune_level level, struct tune_result *ret_result, struct error *err)
{
    struct tune_plan plan;
    if (tune_undo(machine, store, owner, ret_result, err) < 0 || level == TUNE_NONE)
        return level == TUNE_NONE ? 0 : -1;
    text_finish(&ret_result->notes);
    *ret_result = (struct tune_result){0};
    tune_plan(machine, store, cpus, level, &plan);
    int r = tune_carry_out(machine, store, owner, &plan, ret_result, err);
    tune_plan_finish(&plan);
    return r;
}

/* Once per owner: what could not be undone stays an entry. */
static bool is_first_of_owner(const struct entries *entries, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (entries->at[i].id && strcmp(entries->at[i].owner, entries->at[index].owner) == 0)
            return false;
    return true;
}

int tune_recover(const struct tune_machine *machine, struct store *store, bool (*lives)(const char *owner, void *arg),
                 void *arg, struct tune_result *ret_result, struct error *err)
{
    struct acting acting;
    *ret_result = (struct tune_result){0};
    acting_begin(&acting, machine, store, ret_result);
    auto_text boot_id = {0};
    read_boot_id(machine, &boot_id);
    store_mark(store);
    int r = 0;
    for (size_t i = 0; i < acting.entries.count && r == 0; i++)
        if (strcmp(acting.entries.at[i].boot_id, text_cstr(&boot_id)) != 0)
            r = forget(&acting, &acting.entries.at[i], err);
    if (r == 0)
        r = flush(&acting, err);
    for (size_t i = 0; i < acting.entries.count && r == 0; i++)
        if (acting.entries.at[i].id && is_first_of_owner(&acting.entries, i) && !lives(acting.entries.at[i].owner, arg))
            r = undo_owner(&acting, acting.entries.at[i].owner, err);
    entries_finish(&acting.entries);
    return r;
}

struct search {
    const char *owner;
    bool found;
};

static void match(const struct store_host_change *change, void *arg)
{
    struct search *search = arg;
    search->found |= strcmp(change->owner, search->owner) == 0;
}

bool tune_has(struct store *store, const char *owner)
{
    struct search search = {.owner = owner};
    store_journal_each(store, match, &search);
    return search.found;
}
