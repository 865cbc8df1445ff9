#include "store/inside.h"

#include <stdlib.h>
#include <string.h>

/* Group commit. Whatever is written in one round of the loop becomes one transaction and one fsync at the end of it.
 * SQLite sees nothing before that, so taking back (a rollback to a mark, or all of it when the disk says no) is putting
 * the old values back into memory, newest first. */

void record_finish(struct record *record)
{
    if (record->before)
        record->table->rule->release(record->before);
    if (record->after)
        record->table->rule->release(record->after);
    json_decref(record->last);
    free(record->key);
}

static void undo_to(struct store *store, size_t count)
{
    while (store->record_count > count) {
        struct record *record = &store->record[--store->record_count];
        void *now = table_set(record->table, record->key, take(record->before));
        if (now)
            record->table->rule->release(now);
        record_finish(record);
    }
}

static int write_records(struct store *store, struct error *err)
{
    for (size_t i = 0; i < store->record_count; i++) {
        struct record *r = &store->record[i];
        bool is_replaced = table_get(r->table, r->key) != NULL;
        if (r->table->rule->erase(store, r->table, r->key, is_replaced, err))
            return -1;
    }
    for (size_t i = 0; i < store->record_count; i++) {
        struct record *r = &store->record[i];
        /* A key written twice in the round is inserted once: with its last value. */
        if (r->after && table_get(r->table, r->key) == r->after &&
            r->table->rule->insert(store, r->table, r->key, r->after, err))
            return -1;
    }
    return db_run(store, STATEMENT_VERSION_PUT, err, "i", (int64_t)store->version);
}

static int transaction(struct store *store, struct error *err)
{
    uint64_t begun_ns = now_monotonic_ns();
    if (db_run(store, STATEMENT_BEGIN, err, "") == 0 && write_records(store, err) == 0 &&
        db_run(store, STATEMENT_COMMIT, err, "") == 0) {
        buckets_add(&store->statistics.commits, now_monotonic_ns() - begun_ns);
        store->statistics.writes += store->record_count;
        return 0;
    }
    store->statistics.failures++;
    struct error second;
    if (!sqlite3_get_autocommit(store->db))
        db_run(store, STATEMENT_ROLLBACK, &second, "");
    return -1;
}

int store_flush(struct store *store, struct error *err)
{
    /* Taken first: watches may write and commit again, and those who wait for this commit wait for no other. */
    size_t waiting = store->callback_count;
    auto_free struct commit_callback *callback = take(store->callback);
    store->callback_count = store->callback_capacity = 0;
    store->held = store->is_due = store->is_waiting = false;
    if (store->timer)
        loop_timer_disarm(store->timer);
    store->records_done += store->record_count;
    int r = 0;
    if (store->record_count > 0 && (r = transaction(store, err)) == 0) {
        size_t count = store->record_count;
        struct record *records = take(store->record);
        store->record_count = store->record_capacity = 0;
        changes_publish(store, records, count);
    } else {
        undo_to(store, 0);
    }
    for (size_t i = 0; i < waiting; i++)
        callback[i].callback(r ? err : NULL, callback[i].arg);
    return r;
}

static void arm(struct store *store, bool is_patient)
{
    if (!store->timer || store->is_due || (is_patient && store->is_waiting))
        return;
    loop_timer_arm(store->timer, is_patient ? LIMIT_COMMIT_PATIENCE_MS : 0);
    store->is_waiting = is_patient;
    store->is_due = !is_patient;
}

int commit_write(struct store *store, struct table *table, const char *key, void *value, json_t *last, uint64_t version,
                 struct error *err)
{
    if (store->record_count == store->record_capacity) {
        store->record_capacity = store->record_capacity ? 2 * store->record_capacity : 16;
        store->record = must_realloc(store->record, store->record_capacity, sizeof *store->record);
    }
    struct record *record = &store->record[store->record_count++];
    *record = (struct record){
        .table = table,
        .key = must_strdup(key),
        .after = value ? table->rule->retain(value) : NULL,
        .last = last,
        .version = version,
        .is_object = table->rule == &OBJECT_RULE,
    };
    record->before = table_set(table, key, value);
    if (store->loop || store->held) {
        arm(store, store->is_patient);
        return 0;
    }
    return store_flush(store, err);
}

const struct store_statistics *store_statistics(const struct store *store)
{
    return &store->statistics;
}

size_t store_mark(struct store *store)
{
    store->held = !store->loop;
    return store->records_done + store->record_count;
}

void store_rollback(struct store *store, size_t mark)
{
    undo_to(store, mark > store->records_done ? mark - store->records_done : 0);
}

static void add_callback(struct store *store, void (*callback)(const struct error *failure, void *arg), void *arg)
{
    if (store->callback_count == store->callback_capacity) {
        store->callback_capacity = store->callback_capacity ? 2 * store->callback_capacity : 16;
        store->callback = must_realloc(store->callback, store->callback_capacity, sizeof *store->callback);
    }
    store->callback[store->callback_count++] = (struct commit_callback){callback, arg};
}

void store_after_commit(struct store *store, void (*callback)(const struct error *failure, void *arg), void *arg)
{
    if (!store->loop && store->record_count == 0) {
        callback(NULL, arg);
        return;
    }
    add_callback(store, callback, arg);
    arm(store, false);
}

bool store_notice_commit(struct store *store, void (*callback)(const struct error *failure, void *arg), void *arg)
{
    if (store->record_count == 0)
        return false;
    add_callback(store, callback, arg);
    return true;
}

void commit_finish(struct store *store)
{
    struct error err;
    if (store->db && (store->record_count || store->callback_count))
        store_flush(store, &err);
    undo_to(store, 0);
    free(store->record);
    free(store->callback);
}
