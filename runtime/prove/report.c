#include <stdio.h>

#include "runtime/prove/reading.h"

/* The proof as data, and as a table a person reads. The table is made from the data, so a client that got the data from
 * the daemon prints the same. */

static json_t *set_to_json(const struct cpuset *set)
{
    struct cpuset_text text;
    return json_string(cpuset_format(set, &text));
}

static json_t *thread_to_json(const struct prove_thread *thread)
{
    json_t *object = json_object();
    json_object_set_new(object, "name", json_string(thread->name));
    json_object_set_new(object, "tid", json_integer(thread->tid));
    json_object_set_new(object, "role", json_string(prove_role_text(thread->role)));
    json_object_set_new(object, "index", json_integer(thread->index));
    json_object_set_new(object, "cpus", set_to_json(&thread->cpus));
    json_object_set_new(object, "wantedCpus", set_to_json(&thread->wanted_cpus));
    json_object_set_new(object, "lastCpu", json_integer(thread->last_cpu));
    json_object_set_new(object, "policy", json_string(wish_policy_text(thread->policy)));
    json_object_set_new(object, "priority", json_integer(thread->priority));
    json_object_set_new(object, "wantedPolicy", json_string(wish_policy_text(thread->wanted_policy)));
    json_object_set_new(object, "wantedPriority", json_integer(thread->wanted_priority));
    json_object_set_new(object, "ok", json_boolean(thread->ok));
    json_object_set_new(object, "because", json_string(thread->because));
    return object;
}

static json_t *huge_to_json(const struct prove_memory *memory)
{
    json_t *rows = json_array();
    for (unsigned i = 0; i < memory->huge_count; i++)
        json_array_append_new(rows, json_pack("{s:i,s:I,s:I,s:I}", "node", memory->huge[i].node, "pageBytes",
                                              (json_int_t)memory->huge[i].page_bytes, "bytes",
                                              (json_int_t)memory->huge[i].bytes, "wantedBytes",
                                              (json_int_t)memory->huge[i].wanted_bytes));
    return rows;
}

static json_t *memory_to_json(const struct prove_memory *memory)
{
    json_t *object = json_object();
    json_object_set_new(object, "lockedBytes", json_integer((json_int_t)memory->locked_bytes));
    json_object_set_new(object, "wantedLockedBytes", json_integer((json_int_t)memory->wanted_locked_bytes));
    json_object_set_new(object, "hugepageBytes", json_integer((json_int_t)memory->hugepage_bytes));
    json_object_set_new(object, "wantedHugepageBytes", json_integer((json_int_t)memory->wanted_hugepage_bytes));
    json_object_set_new(object, "hugepages", huge_to_json(memory));
    json_object_set_new(object, "nodes", set_to_json(&memory->nodes));
    json_object_set_new(object, "wantedNodes", set_to_json(&memory->wanted_nodes));
    json_object_set_new(object, "ok", json_boolean(memory->ok));
    json_object_set_new(object, "because", json_string(memory->because));
    return object;
}

json_t *proof_to_json(const struct proof *proof)
{
    json_t *threads = json_array();
    for (size_t i = 0; i < proof->thread_count; i++)
        json_array_append_new(threads, thread_to_json(&proof->thread[i]));
    json_t *object = json_object();
    json_object_set_new(object, "ok", json_boolean(proof->ok));
    json_object_set_new(object, "pid", json_integer(proof->pid));
    json_object_set_new(object, "driftCount", json_integer(proof->drift_count));
    json_object_set_new(object, "threads", threads);
    json_object_set_new(object, "memory", memory_to_json(&proof->memory));
    return object;
}

static const char *or_any(const char *set)
{
    return *set ? set : "any";
}

static void policy_cell(struct text_table *table, const json_t *thread, const char *policy, const char *priority)
{
    const char *word = json_text_at(thread, policy, "");
    int64_t number = json_int_at(thread, priority, 0);
    if (number > 0)
        text_table_cell(table, "%s %lld", word, (long long)number);
    else
        text_table_cell(table, "%s", word);
}

static void result_cell(struct text_table *table, const json_t *object)
{
    if (json_bool_at(object, "ok", false))
        text_table_cell(table, "ok");
    else
        text_table_cell(table, "DRIFT: %s", json_text_at(object, "because", ""));
}

static void write_threads(const json_t *threads, struct text *out)
{
    static const char *const HEAD[] = {"THREAD", "TID", "ROLE", "CPUS", "PLANNED", "ON", "POLICY", "PLANNED", "RESULT"};
    struct text_table table = {.columns = ARRAY_SIZE(HEAD)};
    for (size_t i = 0; i < ARRAY_SIZE(HEAD); i++)
        text_table_cell(&table, "%s", HEAD[i]);
    size_t i;
    json_t *thread;
    json_array_foreach(threads, i, thread)
    {
        int64_t index = json_int_at(thread, "index", -1);
        text_table_cell(&table, "%s", json_text_at(thread, "name", ""));
        text_table_cell(&table, "%lld", (long long)json_int_at(thread, "tid", 0));
        text_table_cell(&table, index >= 0 ? "%s %lld" : "%s", json_text_at(thread, "role", ""), (long long)index);
        text_table_cell(&table, "%s", json_text_at(thread, "cpus", ""));
        text_table_cell(&table, "%s", or_any(json_text_at(thread, "wantedCpus", "")));
        text_table_cell(&table, "%lld", (long long)json_int_at(thread, "lastCpu", -1));
        policy_cell(&table, thread, "policy", "priority");
        policy_cell(&table, thread, "wantedPolicy", "wantedPriority");
        result_cell(&table, thread);
    }
    text_table_write(&table, out);
}

static void bytes_cell(struct text_table *table, const char *before, int64_t bytes)
{
    if (bytes == 0)
        text_table_cell(table, "-");
    else
        text_table_cell(table, "%s%.1f MiB", before, (double)bytes / (1 << 20));
}

static void write_memory(const json_t *memory, struct text *out)
{
    struct text_table table = {.columns = 3};
    text_table_cell(&table, "MEMORY");
    text_table_cell(&table, "FOUND");
    text_table_cell(&table, "PLANNED");
    text_table_cell(&table, "locked");
    bytes_cell(&table, "", json_int_at(memory, "lockedBytes", 0));
    bytes_cell(&table, ">= ", json_int_at(memory, "wantedLockedBytes", 0));
    text_table_cell(&table, "in huge pages");
    bytes_cell(&table, "", json_int_at(memory, "hugepageBytes", 0));
    bytes_cell(&table, "", json_int_at(memory, "wantedHugepageBytes", 0));
    size_t i;
    json_t *row;
    json_array_foreach(json_at(memory, "hugepages"), i, row)
    {
        text_table_cell(&table, "  of %lld MiB on node %lld", (long long)json_int_at(row, "pageBytes", 0) >> 20,
                        (long long)json_int_at(row, "node", 0));
        bytes_cell(&table, "", json_int_at(row, "bytes", 0));
        bytes_cell(&table, "", json_int_at(row, "wantedBytes", 0));
    }
    const char *wanted_nodes = json_text_at(memory, "wantedNodes", "");
    if (*wanted_nodes) {
        text_table_cell(&table, "on node");
        text_table_cell(&table, "%s", json_text_at(memory, "nodes", ""));
        text_table_cell(&table, "%s", wanted_nodes);
    }
    text_table_write(&table, out);
    if (!json_bool_at(memory, "ok", false))
        text_printf(out, "DRIFT: %s\n", json_text_at(memory, "because", ""));
}

void proof_write_table(const json_t *proof, struct text *out)
{
    write_threads(json_at(proof, "threads"), out);
    text_append(out, "\n");
    write_memory(json_at(proof, "memory"), out);
    int64_t drift = json_int_at(proof, "driftCount", 0);
    if (drift == 0)
        text_append(out, "\nproven: every thread and all memory as planned\n");
    else
        text_printf(out, "\ndrift: %lld of the facts above are not as planned\n", (long long)drift);
}
