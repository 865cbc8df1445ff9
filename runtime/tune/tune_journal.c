/* The journal's rows about tuning, as plain values and as JSON. */
#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/file.h"
#include "runtime/tune/tunable.h"

static void add(struct tune_journal *journal, int64_t id, const char *target, const char *before, const char *wish,
                const char *owner, const char *boot_id)
{
    struct tunable ours;
    if (!tunable_parse(target, &ours))
        return; /* somebody else's kind of change, who undoes it */
    journal->at = must_realloc(journal->at, journal->count + 1, sizeof *journal->at);
    journal->at[journal->count++] = (struct tune_row){.id = id,
                                                      .target = must_strdup(target),
                                                      .before = must_strdup(before),
                                                      .wish = must_strdup(wish),
                                                      .owner = must_strdup(owner),
                                                      .boot_id = must_strdup(boot_id)};
}

static void collect(const struct store_host_change *change, void *arg)
{
    add(arg, change->id, change->path, change->old_value, change->new_value, change->owner, change->boot_id);
}

void tune_journal_read(struct store *store, struct tune_journal *ret_journal)
{
    *ret_journal = (struct tune_journal){0};
    store_journal_each(store, collect, ret_journal);
}

json_t *tune_journal_to_json(const struct tune_journal *journal)
{
    json_t *list = json_array();
    for (size_t i = 0; i < journal->count; i++) {
        const struct tune_row *row = &journal->at[i];
        json_array_append_new(list,
                              json_pack("{s:I, s:s, s:s, s:s, s:s}", "id", (json_int_t)row->id, "target", row->target,
                                        "before", row->before, "wish", row->wish, "owner", row->owner));
    }
    return list;
}

void tune_journal_from_json(const json_t *list, struct tune_journal *ret_journal)
{
    size_t i;
    json_t *row;
    *ret_journal = (struct tune_journal){0};
    json_array_foreach(list, i, row)
    {
        add(ret_journal, json_int_at(row, "id", 0), json_text_at(row, "target", ""), json_text_at(row, "before", ""),
            json_text_at(row, "wish", ""), json_text_at(row, "owner", ""), "");
    }
}

void tune_journal_finish(struct tune_journal *journal)
{
    for (size_t i = 0; i < journal->count; i++) {
        const struct tune_row *row = &journal->at[i];
        free(row->target);
        free(row->before);
        free(row->wish);
        free(row->owner);
        free(row->boot_id);
    }
    free(journal->at);
    *journal = (struct tune_journal){0};
}

size_t tune_journal_wishes(const struct tune_journal *journal, const char *target, const struct tune_row *but,
                           const char **wish)
{
    size_t count = 0;
    for (size_t i = journal->count; i-- > 0;) {
        const struct tune_row *row = &journal->at[i];
        if (row != but && row->id && strcmp(row->target, target) == 0)
            wish[count++] = row->wish;
    }
    return count;
}

static bool runs(const char *root, int pid)
{
    auto_text name = {0};
    struct error err;
    auto_free char *path = must_format("/proc/%d/comm", pid);
    return file_read(root, path, LIMIT_SYSFILE_BYTES, &name, &err) == 0 &&
           strcmp(text_cstr(&name), "irqbalance\n") == 0;
}

bool tune_lost_irqbalance(struct store *store, const char *root, struct tune_lost *ret_lost)
{
    struct tune_journal journal;
    bool found = false;
    tune_journal_read(store, &journal);
    for (size_t i = 0; i < journal.count && !found; i++) {
        const struct tune_row *row = &journal.at[i];
        struct tunable target;
        struct error err;
        const char *cpus = strchr(row->wish, ' ');
        found = tunable_parse(row->target, &target) && target.kind == TUNABLE_IRQBALANCE && !runs(root, target.tid) &&
                cpus && cpuset_parse(cpus + 1, &ret_lost->cpus, &err) == 0;
        if (!found)
            continue;
        ret_lost->id = row->id;
        ret_lost->owner = must_strdup(row->owner);
    }
    tune_journal_finish(&journal);
    return found;
}
