#include "store/inside.h"

#include <stdlib.h>
#include <string.h>

/* Group commit. Whatever is written in one round of the loop becomes one transaction and one fsync at the end of it.
 * SQLite sees nothing before that, so taking back (a rollback to a mark, or all of it when the disk says no) is putting
 * the old values back into memory, newest first.
 *
 * With a thread of its own (store_commit_beside()) the loop goes on while that waits for the disk: reads are answered,
 * and what is written meanwhile is the next transaction. There is one at a time; when it fails, what was written on
 * top of it is undone with it. The connection is the thread's while anything of the pool is unfinished, the loop
 * thread's otherwise: all who use it drain the pool first. */

struct commit {
    struct worker_job job;
    struct store *store;
    size_t record_count;
    struct record *record;
    size_t callback_count;
    struct commit_callback *callback;
    uint64_t version;
    uint64_t took_ns;
    int result;
    struct error err;
};

void record_finish(struct record *record)
{
    if (record->before)
        record->table->rule->release(record->before);
    if (record->after)
        record->table->rule->release(record->after);
    json_decref(record->last);
    shared_text_release(record->text);
    free(record->key);
}

static void undo(struct record *record)
{
    void *now = table_set(record->table, record->key, take(record->before));
    if (now)
        record->table->rule->release(now);
    record_finish(record);
}

static void undo_to(struct store *store, size_t count)
{
    while (store->record_count > count)
        undo(&store->record[--store->record_count]);
}

/* Moves what is open into a commit, with all that the thread needs and may not look up. */
static void begin(struct store *store, struct commit *commit)
{
    *commit = (struct commit){
        .store = store,
        .record_count = store->record_count,
        .record = take(store->record),
        .callback_count = store->callback_count,
        .callback = take(store->callback),
        .version = store->version,
    };
    store->records_done += store->record_count;
    store->record_count = store->record_capacity = store->callback_count = store->callback_capacity = 0;
    store->held = store->is_due = store->is_waiting = false;
    if (store->timer)
        loop_timer_disarm(store->timer);
    for (size_t i = 0; i < commit->record_count; i++) {
        struct record *r = &commit->record[i];
        void *now = table_get(r->table, r->key);
        r->is_replaced = now != NULL;
        /* A key written twice in the round is inserted once: with its last value. */
        r->is_last = r->after && now == r->after;
        if (r->is_last && r->table->rule->text)
            r->text = r->table->rule->text(store, r->after);
    }
}

static int write_records(const struct commit *commit, struct error *err)
{
    struct store *store = commit->store;
    for (size_t i = 0; i < commit->record_count; i++) {
        const struct record *r = &commit->record[i];
        if (r->table->rule->erase(store, r->table, r->key, r->is_replaced, err))
            return -1;
    }
    for (size_t i = 0; i < commit->record_count; i++) {
        const struct record *r = &commit->record[i];
        if (r->is_last &&
            r->table->rule->insert(store, r->table, r->key, r->after, r->text ? r->text->data : NULL, err))
            return -1;
    }
    return db_run(store, STATEMENT_VERSION_PUT, err, "i", (int64_t)commit->version);
}

/* On the thread that has the connection. */
static void run(struct commit *commit)
{
    struct store *store = commit->store;
    if (commit->record_count == 0)
        return;
    uint64_t begun_ns = now_monotonic_ns();
    if (db_run(store, STATEMENT_BEGIN, &commit->err, "") == 0 && write_records(commit, &commit->err) == 0 &&
        db_run(store, STATEMENT_COMMIT, &commit->err, "") == 0) {
        commit->took_ns = now_monotonic_ns() - begun_ns;
        return;
    }
    commit->result = -1;
    struct error second;
    if (!sqlite3_get_autocommit(store->db))
        db_run(store, STATEMENT_ROLLBACK, &second, "");
}

static void call_back(struct commit_callback *callback, size_t count, const struct error *failure)
{
    for (size_t i = 0; i < count; i++)
        callback[i].callback(failure, callback[i].arg);
    free(callback);
}

static void succeed(struct commit *commit)
{
    struct store *store = commit->store;
    if (commit->record_count > 0) {
        buckets_add(&store->statistics.commits, commit->took_ns);
        store->statistics.writes += commit->record_count;
        changes_publish(store, commit->record, commit->record_count);
    } else {
        free(commit->record);
    }
    call_back(commit->callback, commit->callback_count, NULL);
}

/* What is open rests on what failed. */
static void fail_all(struct commit *commit)
{
    struct store *store = commit->store;
    store->statistics.failures++;
    store->failure = commit->err;
    store->records_done += store->record_count;
    undo_to(store, 0);
    while (commit->record_count > 0)
        undo(&commit->record[--commit->record_count]);
    free(commit->record);
    /* Taken first: those who are told may write and commit again. */
    struct commit_callback *later = take(store->callback);
    size_t later_count = store->callback_count;
    store->callback_count = store->callback_capacity = 0;
    call_back(commit->callback, commit->callback_count, &commit->err);
    call_back(later, later_count, &commit->err);
}

static void end(struct commit *commit)
{
    if (commit->result)
        fail_all(commit);
    else
        succeed(commit);
}

/* ---- beside the loop */

struct checkpoint {
    struct worker_job job;
    struct store *store;
};

static void run_checkpoint(struct worker_job *job)
{
    db_checkpoint(((struct checkpoint *)job)->store);
}

static void checkpointed(struct worker_job *job, bool canceled)
{
    (void)canceled;
    free(job);
}

static void run_beside(struct worker_job *job)
{
    run((struct commit *)job);
}

static void ran_beside(struct worker_job *job, bool canceled)
{
    (void)canceled; /* cannot be: store_close() drains */
    struct commit *commit = (struct commit *)job;
    struct store *store = commit->store;
    store->is_committing = false;
    if (db_checkpoint_is_due(store)) { /* after the answers: nobody waits for it but who writes meanwhile */
        struct checkpoint *after = must_calloc(1, sizeof *after);
        *after = (struct checkpoint){.job = {.run = run_checkpoint, .done = checkpointed}, .store = store};
        worker_submit(store->pool, &after->job);
    }
    end(commit);
    free(commit);
    if (store->is_overdue || (store->record_count == 0 && store->callback_count > 0))
        commit_round(store);
}

void store_commit_beside(struct store *store, const struct cpuset *cpus)
{
    store->pool = worker_pool_new(store->loop, 1, cpus);
}

static void checkpoint_here(struct store *store)
{
    if (db_checkpoint_is_due(store))
        db_checkpoint(store);
}

static int commit_here(struct store *store, struct error *err)
{
    struct commit commit;
    begin(store, &commit);
    run(&commit);
    int r = commit.result;
    if (r)
        *err = commit.err;
    end(&commit);
    return r;
}

void commit_round(struct store *store)
{
    struct error ignored; /* whoever waits is told through store_after_commit() */
    store->is_overdue = store->is_committing;
    if (store->is_committing)
        return;
    if (!store->pool || store->record_count == 0) {
        if (commit_here(store, &ignored) == 0 && !store->pool)
            checkpoint_here(store);
        return;
    }
    struct commit *commit = must_calloc(1, sizeof *commit);
    begin(store, commit);
    commit->job = (struct worker_job){.run = run_beside, .done = ran_beside};
    store->is_committing = true;
    worker_submit(store->pool, &commit->job);
}

int store_flush(struct store *store, struct error *err)
{
    uint64_t failures = store->statistics.failures;
    if (store->pool) {
        do
            worker_drain(store->pool);
        while (store->is_committing); /* the one that was over began the next */
    }
    if (store->statistics.failures > failures) {
        *err = store->failure;
        return -1;
    }
    int r = commit_here(store, err);
    checkpoint_here(store);
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
    if (store->record_count == 0 && !store->is_committing)
        return false;
    add_callback(store, callback, arg);
    return true;
}

void commit_finish(struct store *store)
{
    struct error err;
    if (store->db && (store->pool || store->record_count || store->callback_count))
        store_flush(store, &err);
    worker_pool_free(store->pool);
    undo_to(store, 0);
    free(store->record);
    free(store->callback);
}
