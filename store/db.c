#include "store/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "rtvmd/base/file.h"

/* One database file, one process, one connection. WAL with synchronous=FULL: a commit is one fsync of the log, and it
 * is on disk when COMMIT returns. The log is copied into the database after a commit that made it longer than
 * WAL_PAGES, when those who waited for the commit have their answers; there is no timer, so a daemon with nothing to do
 * writes nothing. */

enum { WAL_PAGES = 1000, LOCK_TRY_MS = 20 };

static const char *const SQL[] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_ROLLBACK] = "ROLLBACK",
    [STATEMENT_VERSION_PUT] = "UPDATE meta SET version = ?1",
    [STATEMENT_OBJECT_PUT] = "INSERT OR REPLACE INTO object (kind, namespace, name, json) VALUES (?1, ?2, ?3, ?4)",
    [STATEMENT_OBJECT_DROP] = "DELETE FROM object WHERE kind = ?1 AND namespace = ?2 AND name = ?3",
    [STATEMENT_CLAIM_PUT] = "INSERT INTO claim (uid, owner, memory_bytes, placement) VALUES (?1, ?2, ?3, ?4)",
    [STATEMENT_CLAIM_DROP] = "DELETE FROM claim WHERE uid = ?1",
    [STATEMENT_CLAIM_CPU_PUT] = "INSERT INTO claim_cpu (cpu, uid) VALUES (?1, ?2)",
    [STATEMENT_CLAIM_CPUS_DROP] = "DELETE FROM claim_cpu WHERE uid = ?1",
    [STATEMENT_CLAIM_PAGES_PUT] = "INSERT INTO claim_pages (uid, node, page_bytes, pages) VALUES (?1, ?2, ?3, ?4)",
    [STATEMENT_CLAIM_PAGES_DROP] = "DELETE FROM claim_pages WHERE uid = ?1",
    [STATEMENT_PLACEMENT_PUT] = "INSERT OR REPLACE INTO last_placement (owner, placement) VALUES (?1, ?2)",
    [STATEMENT_PLACEMENT_DROP] = "DELETE FROM last_placement WHERE owner = ?1",
    [STATEMENT_JOURNAL_PUT] = "INSERT OR REPLACE INTO host_change VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [STATEMENT_JOURNAL_DROP] = "DELETE FROM host_change WHERE id = ?1",
    [STATEMENT_VALUE_PUT] = "INSERT OR REPLACE INTO value (key, value) VALUES (?1, ?2)",
    [STATEMENT_VALUE_DROP] = "DELETE FROM value WHERE key = ?1",
};
_Static_assert(ARRAY_SIZE(SQL) == STATEMENT_COUNT, "every statement has its text");

int db_fail(struct store *store, const char *what, struct error *err)
{
    int code = sqlite3_errcode(store->db);
    const char *remedy = "";
    if (code == SQLITE_FULL)
        remedy = "; free space on its file system";
    else if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
        remedy = "; restore a backup with `rtvmd restore`";
    return fail(err, ERROR_INTERNAL, "store: cannot %s (%s/rtvmd.db): %s%s", what, store->dir,
                sqlite3_errmsg(store->db), remedy);
}

const char *db_column(sqlite3_stmt *statement, int column)
{
    const unsigned char *text = sqlite3_column_text(statement, column);
    return text ? (const char *)text : "";
}

int db_column_json(sqlite3_stmt *statement, int column, const char *what, json_t **ret_value, struct error *err)
{
    const char *text = db_column(statement, column);
    *ret_value = json_from_text(text, (size_t)sqlite3_column_bytes(statement, column), err);
    if (!*ret_value)
        err->kind = ERROR_INTERNAL; /* nobody's request is bad */
    if (!*ret_value)
        return error_prefix(err, "store: %s is damaged, restore a backup with `rtvmd restore`", what);
    return 0;
}

int db_run(struct store *store, enum statement which, struct error *err, const char *types, ...)
{
    sqlite3_stmt *statement = store->statement[which];
    va_list args;
    va_start(args, types);
    for (int i = 0; types[i]; i++) {
        if (types[i] == 'i')
            sqlite3_bind_int64(statement, i + 1, va_arg(args, int64_t));
        else
            sqlite3_bind_text(statement, i + 1, va_arg(args, const char *), -1, SQLITE_STATIC);
    }
    va_end(args);
    int r = sqlite3_step(statement);
    if (r != SQLITE_DONE)
        db_fail(store, "write", err);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return r == SQLITE_DONE ? 0 : -1;
}

int db_each(struct store *store, const char *sql, const char *text_argument,
            int (*row)(struct store *store, sqlite3_stmt *statement, void *arg, struct error *err), void *arg,
            struct error *err)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK)
        return db_fail(store, "read", err);
    if (text_argument)
        sqlite3_bind_text(statement, 1, text_argument, -1, SQLITE_STATIC);
    int failed = 0;
    int r;
    while (!failed && (r = sqlite3_step(statement)) == SQLITE_ROW)
        failed = row(store, statement, arg, err);
    if (!failed && r != SQLITE_DONE)
        failed = db_fail(store, "read", err);
    sqlite3_finalize(statement);
    return failed;
}

/* The lock file outlives its owner on purpose: removing it would let two later processes lock two different files.
 * What is left of an owner that was killed may have it for a moment: a thread in the middle of an fsync, a child that
 * has not become another program yet. */
int db_lock(const char *dir, int *ret_fd, struct error *err)
{
    auto_free char *path = must_format("%s/rtvmd.lock", dir);
    *ret_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*ret_fd < 0)
        return fail_errno(err, "%s", path);
    int r = flock(*ret_fd, LOCK_EX | LOCK_NB);
    for (unsigned waited_ms = 0; r < 0 && errno == EWOULDBLOCK && waited_ms < LIMIT_LOCK_MS; waited_ms += LOCK_TRY_MS) {
        usleep(LOCK_TRY_MS * 1000);
        r = flock(*ret_fd, LOCK_EX | LOCK_NB);
    }
    if (r == 0) {
        if (ftruncate(*ret_fd, 0) == 0)
            dprintf(*ret_fd, "%ld\n", (long)getpid());
        return 0;
    }
    if (errno != EWOULDBLOCK)
        return fail_errno(err, "%s: lock", path);
    char owner[32] = "";
    ssize_t n = read(*ret_fd, owner, sizeof owner - 1);
    owner[n > 0 ? strcspn(owner, "\n") : 0] = '\0';
    return fail(err, ERROR_CONFLICT, "%s is in use by process %s; stop it, or choose another --state-dir", dir,
                owner[0] ? owner : "of another rtvmd");
}

static int count_pages(void *arg, sqlite3 *db, const char *name, int pages)
{
    (void)db;
    (void)name;
    ((struct store *)arg)->wal_pages = pages;
    return SQLITE_OK;
}

static int connect_database(struct store *store, struct error *err)
{
    auto_free char *path = must_format("%s/rtvmd.db", store->dir);
    /* Made here so that it, and the log SQLite makes beside it, are private: objects hold secrets. */
    auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_errno(err, "%s", path);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    if (sqlite3_open_v2(path, &store->db, flags, NULL) != SQLITE_OK)
        return store->db ? db_fail(store, "open", err) : fail(err, ERROR_INTERNAL, "%s: out of memory", path);
    sqlite3_extended_result_codes(store->db, 0);
    static const char SETUP[] =
        /* Exclusive first: then WAL needs no shared memory file. */
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
        "PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 0;"
        "PRAGMA journal_size_limit = 8388608; PRAGMA temp_store = MEMORY;"
        "PRAGMA cache_size = -1024;";
    if (sqlite3_exec(store->db, SETUP, NULL, NULL, NULL) != SQLITE_OK)
        return db_fail(store, "open", err);
    sqlite3_wal_hook(store->db, count_pages, store);
    return 0;
}

bool db_checkpoint_is_due(const struct store *store)
{
    return store->wal_pages > WAL_PAGES;
}

void db_checkpoint(struct store *store)
{
    if (sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) == SQLITE_OK)
        store->wal_pages = 0;
}

static int prepare(struct store *store, struct error *err)
{
    for (size_t i = 0; i < STATEMENT_COUNT; i++)
        if (sqlite3_prepare_v3(store->db, SQL[i], -1, SQLITE_PREPARE_PERSISTENT, &store->statement[i], NULL) !=
            SQLITE_OK)
            return db_fail(store, "prepare", err);
    return 0;
}

static int load_version(struct store *store, sqlite3_stmt *statement, void *arg, struct error *err)
{
    (void)arg;
    (void)err;
    store->version = (uint64_t)sqlite3_column_int64(statement, 0);
    store->log_since = store->version;
    return 0;
}

static int load(struct store *store, struct error *err)
{
    return db_each(store, "SELECT version FROM meta", NULL, load_version, NULL, err) || objects_load(store, err) ||
                   claims_load(store, err) || journal_load(store, err) || values_load(store, err)
               ? -1
               : 0;
}

static void on_round_end(void *arg)
{
    commit_round(arg);
}

struct store *store_open(const char *dir, struct loop *loop, struct error *err)
{
    if (file_make_folders(dir, 0700, err))
        return NULL;
    struct store *store = must_calloc(1, sizeof *store);
    store->dir = must_strdup(dir);
    store->lock_fd = -1;
    store->log = must_calloc(LIMIT_CHANGE_LOG, sizeof *store->log);
    store->claims.rule = &CLAIM_RULE;
    store->placements.rule = &PLACEMENT_RULE;
    store->journal.rule = &JOURNAL_RULE;
    store->values.rule = &VALUE_RULE;
    if (loop) {
        store->loop = loop;
        store->timer = loop_timer(loop, on_round_end, store);
    }
    if (db_lock(dir, &store->lock_fd, err) || connect_database(store, err) || db_migrate(store, err) ||
        prepare(store, err) || load(store, err)) {
        store_close(store);
        return NULL;
    }
    return store;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    commit_finish(store);
    changes_finish(store);
    for (size_t i = 0; i < store->kind_count; i++) {
        table_finish(store->kind[i]);
        free(store->kind[i]);
    }
    free(store->kind);
    table_finish(&store->claims);
    table_finish(&store->placements);
    table_finish(&store->journal);
    table_finish(&store->values);
    for (size_t i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(store->statement[i]);
    sqlite3_close(store->db);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    loop_watch_free(store->timer);
    free(store->dir);
    free(store);
}

const char *store_dir(const struct store *store)
{
    return store->dir;
}
