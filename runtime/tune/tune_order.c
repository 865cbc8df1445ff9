/* Carrying an order out: the half of tuning that touches the machine. It knows the journal only as rows in the order,
 * and what it finds out goes out line by line, so that as much as was done is known wherever it ends:
 *
 *   {"at": TARGET}               about to be looked at or written: when nothing follows, this is what hangs
 *   {"change": {…}, "row": ID}   planned; row 0: to be journaled, else journaled already and to be made again
 *   {"drop": ID}                 the row is not needed any more: undone, gone, refused, or somebody else's
 *   {"done": 1}                  one change made or undone
 *   {"note": "TARGET: why"}      left as it is
 *   {"id": ID, "found": TEXT}    as it is now; without found: gone
 *   {"online": LIST}             beside those
 *   {"memory": {…}}              what irqbalance was told */
#include <stdlib.h>
#include <string.h>

#include "hostprobe/files.h"
#include "runtime/tune/irqbalance.h"
#include "runtime/tune/page_pool.h"
#include "runtime/tune/tunable.h"

struct acting {
    struct tune_machine machine;
    struct irqbalance_memory memory;
    struct cpuset online;
    struct tune_journal journal;
    void (*report)(const json_t *line, void *arg);
    void *arg;
};

static void say(const struct acting *acting, json_t *line)
{
    if (!line)
        return; /* a name that is no text */
    acting->report(line, acting->arg);
    json_decref(line);
}

static void say_at(const char *target, void *arg)
{
    say(arg, json_pack("{s:s}", "at", target));
}

static void note(const struct acting *acting, const char *target, const char *what)
{
    say(acting, json_pack("{s:o}", "note", json_sprintf("%s: %s", target, what)));
}

static void step(const struct acting *acting)
{
    if (acting->machine.step)
        acting->machine.step(acting->machine.arg);
}

static void say_found(const struct acting *acting, int64_t id, const char *found)
{
    json_t *line = json_pack("{s:I}", "id", (json_int_t)id);
    if (found)
        json_object_set_new(line, "found", json_string(found));
    say(acting, line);
}

static int write_target(struct acting *acting, const struct tunable *target, const char *value, struct error *err)
{
    int r = tunable_write(&acting->machine, target, value, err);
    const struct irqbalance_memory *memory = acting->machine.memory;
    if (r == 0 && memory && tunable_is_late(target))
        say(acting, json_pack("{s:o}", "memory", irqbalance_memory_to_json(memory)));
    return r;
}

/* The kernel took it, and made something else of it: not ours to keep. */
static void put_back(struct acting *acting, const struct tune_row *row, const struct tunable *target,
                     const char *present, const char *wanted, const char *found)
{
    struct error err;
    auto_free char *what = must_format("wrote \"%s\", found \"%s\"; put back", wanted, found ? found : "nothing");
    note(acting, row->target, what);
    if (write_target(acting, target, present, &err) < 0)
        note(acting, row->target, err.text);
}

static bool write_and_check(struct acting *acting, const struct tune_row *row, const struct tunable *target, bool undo,
                            const char *present, const char *wanted, bool *ret_failed)
{
    struct error err;
    step(acting);
    if (write_target(acting, target, wanted, &err) < 0) {
        note(acting, row->target, err.text);
        *ret_failed = true;
        return false;
    }
    step(acting);
    auto_free char *found = tunable_is_late(target) ? NULL : tunable_read(&acting->machine, target, &err);
    bool is_kept = undo || tunable_is_late(target) || text_equal(found, wanted);
    if (is_kept)
        say(acting, json_pack("{s:i}", "done", 1));
    else
        put_back(acting, row, target, present, wanted, found);
    if (is_kept && !undo && found)
        say_found(acting, row->id, found);
    return is_kept;
}

/* Brings the target of a row to what the wishes want, with this row's or, when undoing, without. True: it is so now.
 * False: it is as it was, and why is noted; *ret_failed: it should be tried again. */
static bool settle(struct acting *acting, const struct tune_row *row, bool undo, bool *ret_failed)
{
    struct tunable target;
    struct error err = {.kind = ERROR_NOT_FOUND}; /* a target nobody knows any more is gone as well */
    *ret_failed = false;
    say_at(row->target, acting);
    auto_free char *present =
        tunable_parse(row->target, &target) ? tunable_read(&acting->machine, &target, &err) : NULL;
    if (!present && undo && err.kind != ERROR_NOT_FOUND) { /* an irqbalance that does not answer now, say */
        note(acting, row->target, err.text);
        *ret_failed = true;
        return false;
    }
    if (!present) {
        if (!undo)
            note(acting, row->target, "gone");
        return undo; /* what is gone needs no undoing */
    }
    const struct tune_journal *journal = &acting->journal;
    auto_free const char **wish = must_calloc(journal->count + 1, sizeof *wish);
    size_t all = tune_journal_wishes(journal, row->target, NULL, wish);
    bool is_ours = tunable_is_ours(&target, present, row->before, wish, all, &acting->online);
    size_t count = tune_journal_wishes(journal, row->target, undo ? row : NULL, wish);
    auto_free char *wanted = tunable_value(&target, row->before, wish, count, &acting->online);
    bool is_late = tunable_is_late(&target);
    if (strcmp(present, wanted) == 0 && !is_late) {
        if (!undo)
            say_found(acting, row->id, present);
        return true;
    }
    if (!is_ours && !is_late) {
        auto_free char *what = must_format("somebody else changed it to \"%s\"; left as it is", present);
        note(acting, row->target, what);
        return false;
    }
    return write_and_check(acting, row, &target, undo, present, wanted, ret_failed);
}

static void drop(const struct acting *acting, struct tune_row *row)
{
    say(acting, json_pack("{s:I}", "drop", (json_int_t)row->id));
    row->id = 0;
}

static struct tune_row *find(const struct tune_journal *journal, int64_t id)
{
    for (size_t i = 0; i < journal->count; i++)
        if (journal->at[i].id == id)
            return &journal->at[i];
    return NULL;
}

static void settle_all(struct acting *acting, const json_t *ids, bool undo)
{
    size_t i;
    json_t *id;
    json_array_foreach(ids, i, id)
    {
        struct tune_row *row = find(&acting->journal, json_integer_value(id));
        bool failed;
        if (!row)
            continue;
        bool is_so = settle(acting, row, undo, &failed);
        if (undo ? !failed : !is_so)
            drop(acting, row);
    }
}

static void set_at(const json_t *order, const char *key, struct cpuset *ret_set)
{
    struct error err;
    if (cpuset_parse(json_text_at(order, key, ""), ret_set, &err) < 0)
        *ret_set = (struct cpuset){0};
}

static void plan_vcpus(struct acting *acting, const json_t *order, struct tune_plan *plan)
{
    const json_t *list = json_object_get(order, "vcpus");
    size_t count = json_array_size(list);
    auto_free struct cpuset *cpus = must_calloc(count + 1, sizeof *cpus);
    struct error err;
    for (size_t i = 0; i < count; i++)
        if (cpuset_parse(json_string_value(json_array_get(list, i)), &cpus[i], &err) < 0)
            cpus[i] = (struct cpuset){0};
    tune_plan_partitions(&acting->machine, &acting->journal, json_text_at(order, "owner", ""),
                         (int)json_int_at(order, "pid", 0), cpus, count, plan);
}

static void plan(struct acting *acting, const json_t *order)
{
    struct tune_plan plan = {0};
    struct cpuset cpus;
    const char *knob = json_text_at(order, "knob", NULL);
    set_at(order, "cpus", &cpus);
    acting->machine.at = say_at;
    acting->machine.at_arg = acting;
    say_at("the threads of this host", acting);
    if (json_object_get(order, "vcpus"))
        plan_vcpus(acting, order, &plan);
    else
        tune_plan(&acting->machine, &acting->journal, &cpus, (enum tune_level)json_int_at(order, "level", 0), &plan);
    if (knob)
        tune_plan_keep_knob(&plan, knob);
    for (const char *line = text_cstr(&plan.notes); *line; line += strcspn(line, "\n") + 1)
        say(acting, json_pack("{s:s%}", "note", line, strcspn(line, "\n")));
    for (size_t i = 0; i < plan.count; i++) {
        const struct tune_change *c = &plan.change[i];
        say(acting, json_pack("{s:{s:s, s:s, s:s}, s:I}", "change", "target", c->target, "before", c->before, "wish",
                              c->wanted, "row", (json_int_t)c->row));
    }
    tune_plan_finish(&plan);
}

/* Huge pages are in the same journal, and are looked at, too. */
static char *look_at(struct acting *acting, const char *path)
{
    struct tunable target;
    struct error err;
    uint64_t pages;
    if (text_starts_with(path, PAGE_POOL_TARGET))
        return page_pool_total(acting->machine.root, strchr(path, ':') + 1, &pages, &err) < 0
                   ? NULL
                   : must_format("%llu", (unsigned long long)pages);
    return tunable_parse(path, &target) ? tunable_read(&acting->machine, &target, &err) : NULL;
}

static void look(struct acting *acting, const json_t *order)
{
    struct cpuset_text online;
    size_t i;
    json_t *row;
    say(acting, json_pack("{s:s}", "online", cpuset_format(&acting->online, &online)));
    json_array_foreach(json_object_get(order, "look"), i, row)
    {
        auto_free char *found = look_at(acting, json_text_at(row, "target", ""));
        say_found(acting, json_int_at(row, "id", 0), found);
    }
}

static void remember(struct acting *acting, const json_t *memory)
{
    if (!memory)
        return;
    irqbalance_memory_from_json(memory, &acting->memory);
    acting->machine.memory = &acting->memory;
}

void tune_order_run(const struct tune_machine *machine, const json_t *order,
                    void (*report)(const json_t *line, void *arg), void *arg)
{
    struct acting acting = {.machine = *machine, .report = report, .arg = arg};
    const struct files files = {machine->root};
    files_set(&files, &acting.online, "/sys/devices/system/cpu/online");
    tune_journal_from_json(json_object_get(order, "journal"), &acting.journal);
    remember(&acting, json_object_get(order, "memory"));
    const char *stage = json_text_at(order, "stage", "");
    if (strcmp(stage, "plan") == 0)
        plan(&acting, order);
    else if (strcmp(stage, "make") == 0 || strcmp(stage, "undo") == 0)
        settle_all(&acting, json_object_get(order, "ids"), stage[0] == 'u');
    else if (strcmp(stage, "look") == 0)
        look(&acting, order);
    tune_journal_finish(&acting.journal);
}
