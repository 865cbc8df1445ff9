/* Deciding: what is to be done next, and what the journal says meanwhile. All rows of one task are journaled with one
 * commit before any of its changes is made; a crash anywhere leaves rows whose change may not have been made, which
 * undoing recognizes: nothing is to be written then. Rows are dropped only after their change is undone. */
#include "runtime/tune/tune.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rtvmd/base/file.h"
#include "runtime/tune/irqbalance.h"
#include "runtime/tune/tunable.h"

static void read_boot_id(const char *root, struct text *ret_id)
{
    struct error err;
    auto_text text = {0};
    if (file_read(root, "/proc/sys/kernel/random/boot_id", LIMIT_SYSFILE_BYTES, &text, &err) == 0)
        text_append_n(ret_id, text_cstr(&text), strcspn(text_cstr(&text), "\n"));
}

/* ---- orders */
static json_t *order_new(const struct tune_task *task, struct store *store, const char *stage)
{
    struct tune_journal journal;
    tune_journal_read(store, &journal);
    json_t *order =
        json_pack("{s:s, s:s, s:o}", "stage", stage, "owner", task->owner, "journal", tune_journal_to_json(&journal));
    tune_journal_finish(&journal);
    if (task->memory)
        json_object_set_new(order, "memory", irqbalance_memory_to_json(task->memory));
    return order;
}

static json_t *plan_order(const struct tune_task *task, struct store *store)
{
    struct cpuset_text text;
    json_t *order = order_new(task, store, "plan");
    json_object_set_new(order, "cpus", json_string(cpuset_format(&task->cpus, &text)));
    json_object_set_new(order, "level", json_integer(task->knob ? TUNE_FULL : task->level));
    if (task->knob)
        json_object_set_new(order, "knob", json_string(task->knob));
    if (task->kind != TUNE_TASK_ISOLATE)
        return order;
    json_t *vcpus = json_array();
    for (size_t i = 0; i < task->vcpu_count; i++)
        json_array_append_new(vcpus, json_string(cpuset_format(&task->vcpus[i], &text)));
    json_object_set_new(order, "vcpus", vcpus);
    json_object_set_new(order, "pid", json_integer(task->pid));
    return order;
}

/* Which rows are to be undone now, newest first. NULL: none. */
static json_t *undo_order(struct tune_task *task, struct store *store)
{
    struct tune_journal journal;
    json_t *ids = json_array();
    tune_journal_read(store, &journal);
    for (size_t i = 0; i < journal.count; i++) {
        const struct tune_row *row = &journal.at[i];
        bool is_wanted = task->kind == TUNE_TASK_RECOVER    ? !task->lives(row->owner, task->lives_arg)
                         : task->kind == TUNE_TASK_UNDO_ONE ? row->id == task->id
                                                            : strcmp(row->owner, task->owner) == 0;
        if (is_wanted)
            json_array_append_new(ids, json_integer((json_int_t)row->id));
    }
    tune_journal_finish(&journal);
    json_t *order = json_array_size(ids) ? order_new(task, store, "undo") : NULL;
    if (order)
        json_object_set(order, "ids", ids);
    json_decref(ids);
    return order;
}

/* ---- the journal */
static int drop_rows(struct tune_task *task, struct store *store, struct error *err)
{
    size_t i;
    json_t *id;
    json_array_foreach(task->drops, i, id)
    {
        if (store_journal_drop(store, json_integer_value(id), err) < 0)
            return -1;
    }
    json_array_clear(task->drops);
    return 0;
}

static int forget_earlier_boots(struct store *store, const char *root, struct error *err)
{
    struct tune_journal journal;
    auto_text boot_id = {0};
    read_boot_id(root, &boot_id);
    tune_journal_read(store, &journal);
    int r = 0;
    for (size_t i = 0; i < journal.count && r == 0; i++)
        if (strcmp(journal.at[i].boot_id, text_cstr(&boot_id)) != 0)
            r = store_journal_drop(store, journal.at[i].id, err);
    tune_journal_finish(&journal);
    return r;
}

/* Journals what was planned. *ret_order: to make it; NULL: there is nothing. */
static int journal_plan(struct tune_task *task, struct store *store, const char *root, json_t **ret_order,
                        struct error *err)
{
    auto_text boot_id = {0};
    auto_json *ids = json_array();
    size_t i;
    json_t *planned;
    read_boot_id(root, &boot_id);
    json_array_foreach(task->planned, i, planned)
    {
        int64_t id = json_int_at(planned, "row", 0);
        const struct store_host_change change = {.path = json_text_at(planned, "change.target", ""),
                                                 .old_value = json_text_at(planned, "change.before", ""),
                                                 .new_value = json_text_at(planned, "change.wish", ""),
                                                 .owner = task->owner,
                                                 .boot_id = text_cstr(&boot_id),
                                                 .made_s = now_wall_s()};
        if (id == 0 && store_journal_add(store, &change, &id, err) < 0)
            return -1;
        json_array_append_new(ids, json_integer((json_int_t)id));
    }
    if (task->kind == TUNE_TASK_KNOB && task->id && json_array_size(ids) &&
        store_journal_drop(store, task->id, err) < 0)
        return -1;
    *ret_order = json_array_size(ids) ? order_new(task, store, "make") : NULL;
    if (*ret_order)
        json_object_set(*ret_order, "ids", ids);
    return 0;
}

/* ---- tasks */
enum step { STEP_UNDO, STEP_PLAN, STEP_MAKE, STEP_END };

static bool only_undoes(const struct tune_task *task)
{
    return task->kind == TUNE_TASK_UNDO || task->kind == TUNE_TASK_UNDO_ONE || task->kind == TUNE_TASK_RECOVER ||
           (task->kind == TUNE_TASK_APPLY && task->level == TUNE_NONE);
}

static int take_step(struct tune_task *task, struct store *store, const char *root, struct error *err)
{
    switch ((enum step)task->step++) {
    case STEP_UNDO:
        if (task->kind == TUNE_TASK_RECOVER && forget_earlier_boots(store, root, err) < 0)
            return -1;
        task->order = task->kind == TUNE_TASK_KNOB || task->kind == TUNE_TASK_ISOLATE ? NULL : undo_order(task, store);
        return 0;
    case STEP_PLAN:
        if (only_undoes(task)) {
            task->step = STEP_END;
            return 0;
        }
        text_finish(&task->result.notes); /* what was undone is done again */
        task->result = (struct tune_result){0};
        task->order = plan_order(task, store);
        return 0;
    case STEP_MAKE:
        return journal_plan(task, store, root, &task->order, err);
    case STEP_END:
        break;
    }
    task->step = STEP_END;
    return 0;
}

int tune_task_next(struct tune_task *task, struct store *store, const char *root, json_t **ret_order, struct error *err)
{
    if (!task->drops) {
        task->drops = json_array();
        task->planned = json_array();
        if (!task->owner)
            task->owner = must_strdup("");
    }
    json_decref(take(task->order));
    size_t mark = store_mark(store);
    int r = drop_rows(task, store, err);
    while (r == 0 && !task->order && task->step < STEP_END && !task->is_blocked)
        r = take_step(task, store, root, err);
    if (r < 0)
        store_rollback(store, mark);
    *ret_order = task->order;
    return r < 0 ? -1 : task->order != NULL;
}

void tune_task_take(struct tune_task *task, const json_t *line, json_t *seen)
{
    const char *at = json_text_at(line, "at", NULL);
    const char *note = json_text_at(line, "note", NULL);
    if (at) {
        free(task->at);
        task->at = must_strdup(at);
    }
    if (note) {
        task->result.left++;
        text_printf(&task->result.notes, "%s\n", note);
    }
    task->result.done += (unsigned)json_int_at(line, "done", 0);
    if (json_object_get(line, "drop"))
        json_array_append(task->drops, json_object_get(line, "drop"));
    if (json_object_get(line, "change"))
        json_array_append(task->planned, (json_t *)line);
    if (json_object_get(line, "memory") && task->memory)
        irqbalance_memory_from_json(json_object_get(line, "memory"), task->memory);
    if (seen)
        tune_seen_take(seen, line);
}

void tune_task_give_up(struct tune_task *task)
{
    task->is_blocked = true;
}

void tune_task_finish(struct tune_task *task)
{
    free(task->owner);
    free(task->vcpus);
    free(task->at);
    text_finish(&task->result.notes);
    json_decref(task->order);
    json_decref(task->planned);
    json_decref(task->drops);
    *task = (struct tune_task){0};
}

/* ---- all at once */
static void take_line(const json_t *line, void *arg)
{
    tune_task_take(arg, line, NULL);
}

static int flush(const struct tune_machine *machine, struct store *store, struct error *err)
{
    if (machine->step)
        machine->step(machine->arg);
    int r = store_flush(store, err);
    if (machine->step)
        machine->step(machine->arg);
    return r;
}

static int run(const struct tune_machine *machine, struct store *store, struct tune_task *task,
               struct tune_result *ret_result, struct error *err)
{
    json_t *order;
    int turn = machine->root[0] ? -1 : tune_take_turn(store_dir(store), err);
    int r = machine->root[0] || turn >= 0 ? 1 : -1;
    task->memory = machine->memory;
    while (r > 0) {
        r = tune_task_next(task, store, machine->root, &order, err);
        if (r >= 0 && flush(machine, store, err) < 0)
            r = -1;
        if (r > 0)
            tune_order_run(machine, order, take_line, task);
    }
    *ret_result = task->result;
    task->result.notes = (struct text){0};
    tune_task_finish(task);
    if (turn >= 0)
        close(turn);
    return r;
}

int tune_apply(const struct tune_machine *machine, struct store *store, const char *owner, const struct cpuset *cpus,
               enum tune_level level, struct tune_result *ret_result, struct error *err)
{
    struct tune_task task = {.kind = TUNE_TASK_APPLY, .owner = must_strdup(owner), .cpus = *cpus, .level = level};
    return run(machine, store, &task, ret_result, err);
}

int tune_apply_knob(const struct tune_machine *machine, struct store *store, const char *owner,
                    const struct cpuset *cpus, const char *knob, struct tune_result *ret_result, struct error *err)
{
    *ret_result = (struct tune_result){0};
    if (tune_check_knob(knob, err) < 0)
        return -1;
    struct tune_task task = {.kind = TUNE_TASK_KNOB, .owner = must_strdup(owner), .cpus = *cpus, .knob = knob};
    return run(machine, store, &task, ret_result, err);
}

int tune_isolate(const struct tune_machine *machine, struct store *store, const char *owner, int pid,
                 const struct cpuset *cpus, size_t count, struct tune_result *ret_result, struct error *err)
{
    struct tune_task task = {.kind = TUNE_TASK_ISOLATE,
                             .owner = must_strdup(owner),
                             .pid = pid,
                             .vcpus = must_calloc(count + 1, sizeof *cpus),
                             .vcpu_count = count};
    memcpy(task.vcpus, cpus, count * sizeof *cpus);
    return run(machine, store, &task, ret_result, err);
}

int tune_undo(const struct tune_machine *machine, struct store *store, const char *owner,
              struct tune_result *ret_result, struct error *err)
{
    struct tune_task task = {.kind = TUNE_TASK_UNDO, .owner = must_strdup(owner)};
    return run(machine, store, &task, ret_result, err);
}

int tune_undo_one(const struct tune_machine *machine, struct store *store, int64_t id, struct tune_result *ret_result,
                  struct error *err)
{
    struct tune_task task = {.kind = TUNE_TASK_UNDO_ONE, .id = id};
    *ret_result = (struct tune_result){0};
    if (!tune_is_ours(store, id))
        return fail(err, ERROR_CONFLICT, "it is no change of tuning's: it is undone when its VM stops");
    return run(machine, store, &task, ret_result, err);
}

int tune_recover(const struct tune_machine *machine, struct store *store, bool (*lives)(const char *owner, void *arg),
                 void *arg, struct tune_result *ret_result, struct error *err)
{
    struct tune_task task = {.kind = TUNE_TASK_RECOVER, .lives = lives, .lives_arg = arg};
    return run(machine, store, &task, ret_result, err);
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

bool tune_is_ours(struct store *store, int64_t id)
{
    struct tune_journal journal;
    bool found = false;
    tune_journal_read(store, &journal);
    for (size_t i = 0; i < journal.count; i++)
        found |= journal.at[i].id == id;
    tune_journal_finish(&journal);
    return found;
}
