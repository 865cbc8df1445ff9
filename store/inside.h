/* What the files of the store share; nobody else includes it.
 *
 * Everything that is read often is held in memory as sorted tables of key → value, where a value is immutable and
 * counted (objects are json_t). A write replaces a value in memory and appends a record (table, key, before, after).
 * The records of one loop round are the transaction to come, the undo log, and the changes to announce, all at once:
 * commit.c writes the present value of every touched key to SQLite, or puts `before` back. */
#pragma once

#include <sqlite3.h>

#include "rtvmd/base/limits.h"
#include "rtvmd/base/text.h"
#include "rtvmd/base/worker.h"
#include "store/store.h"

/* ---- tables in memory (table.c) */
struct table;
struct table_rule {
    void *(*retain)(void *value);
    void (*release)(void *value);
    /* Inside the transaction: take the row(s) of a key away (only needed to be complete when another key may want
     * what they hold), and write the new ones. All erasing of a transaction comes before all inserting. */
    /* The JSON text that is written for a value, made on the loop thread; NULL: insert needs none. Erase and insert may
     * run beside the loop: they look at nothing but what they are given. */
    struct shared_text *(*text)(struct store *store, void *value);
    int (*erase)(struct store *store, const struct table *table, const char *key, bool is_replaced, struct error *err);
    int (*insert)(struct store *store, const struct table *table, const char *key, const void *value, const char *text,
                  struct error *err);
};
struct table_entry {
    char *key;
    void *value;
    struct shared_text *text; /* of an object, when somebody wanted it: see texts.c */
};
struct table {
    const struct table_rule *rule;
    char *name; /* the kind, for tables of objects */
    struct table_entry *entry;
    size_t count;
    size_t capacity;
    size_t text_bytes; /* in the entries' texts */
};
void table_finish(struct table *table);
/* Index of the first entry whose key is not less. */
size_t table_lower(const struct table *table, const char *key);
void *table_get(const struct table *table, const char *key); /* borrowed */
/* Steals value (NULL removes) and returns what was there; the caller releases it. */
void *table_set(struct table *table, const char *key, void *value);

/* ---- objects as text (texts.c) */
struct shared_text *texts_get(struct table *table, const char *key, const json_t *object); /* the caller releases */
void texts_forget(struct table *table, struct table_entry *entry);

extern const struct table_rule OBJECT_RULE, CLAIM_RULE, PLACEMENT_RULE, JOURNAL_RULE, VALUE_RULE;

/* ---- the database (db.c): prepared statements, one row each. */
enum statement {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_VERSION_PUT,
    STATEMENT_OBJECT_PUT,
    STATEMENT_OBJECT_DROP,
    STATEMENT_CLAIM_PUT,
    STATEMENT_CLAIM_DROP,
    STATEMENT_CLAIM_CPU_PUT,
    STATEMENT_CLAIM_CPUS_DROP,
    STATEMENT_CLAIM_PAGES_PUT,
    STATEMENT_CLAIM_PAGES_DROP,
    STATEMENT_PLACEMENT_PUT,
    STATEMENT_PLACEMENT_DROP,
    STATEMENT_JOURNAL_PUT,
    STATEMENT_JOURNAL_DROP,
    STATEMENT_VALUE_PUT,
    STATEMENT_VALUE_DROP,
    STATEMENT_COUNT,
};
/* Binds the arguments as `types` says ('t' const char *, may be NULL; 'i' int64_t), runs to the end, resets. */
int db_run(struct store *store, enum statement statement, struct error *err, const char *types, ...);
/* Runs one ad hoc query and hands over each row. */
int db_each(struct store *store, const char *sql, const char *text_argument,
            int (*row)(struct store *store, sqlite3_stmt *statement, void *arg, struct error *err), void *arg,
            struct error *err);
int db_fail(struct store *store, const char *what, struct error *err);
const char *db_column(sqlite3_stmt *statement, int column); /* "" for NULL */
int db_column_json(sqlite3_stmt *statement, int column, const char *what, json_t **ret_value, struct error *err);
/* Takes the lock of a folder; the descriptor is the caller's also when it fails. */
int db_lock(const char *dir, int *ret_fd, struct error *err);
/* In db_migrate.c: brings the schema to the newest version; an older file is kept beside it as rtvmd.db.schema-N. */
int db_migrate(struct store *store, struct error *err);
/* ERROR_CONFLICT for a database of another program, or of a newer rtvmd; name is what the message calls it. */
int db_check_schema(int64_t version, int64_t application, const char *name, struct error *err);
/* The log has grown enough to be copied into the database; do it. A checkpoint that fails is made after the next
 * commit. */
bool db_checkpoint_is_due(const struct store *store);
void db_checkpoint(struct store *store);
/* In backup.c: a consistent copy into a single private file that takes its name only when it is complete. */
int db_copy(sqlite3 *from, const char *file, struct error *err);

/* ---- commit.c */
struct record {
    struct table *table;
    char *key;
    void *before;
    void *after;
    json_t *last; /* of a removed object: as it is announced */
    uint64_t version;
    bool is_object;
    bool is_replaced, is_last; /* as the commit that takes it finds the key: there, and with this value */
    struct shared_text *text;
};
/* Steals value and last (what a removed object is announced as). The write itself never fails; without a loop it
 * commits, and that may. */
int commit_write(struct store *store, struct table *table, const char *key, void *value, json_t *last, uint64_t version,
                 struct error *err);
void record_finish(struct record *record);
void commit_round(struct store *store); /* what is open, beside the loop where it may */
void commit_finish(struct store *store);

/* ---- changes.c: announces what became durable, and remembers the last of it. */
void changes_publish(struct store *store, struct record *record, size_t count); /* steals the array and its parts */
void changes_finish(struct store *store);

/* ---- loading, at open */
int objects_load(struct store *store, struct error *err);
int claims_load(struct store *store, struct error *err);
int journal_load(struct store *store, struct error *err);
int values_load(struct store *store, struct error *err);

struct change_log_entry {
    enum store_change_type type;
    uint64_t version;
    const char *kind; /* of the table: lives as long as the store */
    json_t *object;
    json_t *before;
    size_t bytes;
    uint64_t came_ms; /* monotonic */
};
struct store_watch {
    struct store *store;
    void (*callback)(const struct store_change *change, void *arg);
    void *arg;
    bool dead;
    struct store_watch *next;
};
struct commit_callback {
    void (*callback)(const struct error *failure, void *arg);
    void *arg;
};

struct store {
    char *dir;
    int lock_fd;
    sqlite3 *db;
    sqlite3_stmt *statement[STATEMENT_COUNT];
    struct loop *loop;
    struct loop_watch *timer; /* commits at the end of the round */
    bool is_due;              /* it is armed for that */
    bool is_waiting;          /* it is armed, for later: nobody waits */
    bool is_patient;          /* the write in hand is one nobody waits for */
    struct worker_pool *pool; /* one thread, for commits beside the loop; NULL: they are made on it */
    bool is_committing;       /* it has one */
    bool is_overdue;          /* the next one waits for that */
    int wal_pages;            /* in the log, as of the last commit */
    struct error failure;     /* of the last commit that failed */

    uint64_t version;
    size_t kind_count;
    struct table **kind;
    struct table claims;
    struct table placements;
    struct table journal;
    struct table values;
    int64_t journal_next_id;

    size_t record_count, record_capacity;
    struct record *record;
    size_t records_done; /* ever committed or undone: marks count from there */
    struct store_statistics statistics;
    bool held; /* without a loop: a mark was set, writes wait for store_flush() */
    size_t callback_count, callback_capacity;
    struct commit_callback *callback;

    struct change_log_entry *log; /* ring of LIMIT_CHANGE_LOG */
    size_t log_first, log_count, log_bytes;
    uint64_t log_since; /* all changes after this version are in the log */
    struct store_watch *watches;
    bool publishing;
    size_t queue_count, queue_capacity; /* records waiting to be announced */
    struct record *queue;
};
