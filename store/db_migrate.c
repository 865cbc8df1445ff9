#include "store/inside.h"

/* The schema is a list of steps; user_version counts the steps a file has been through. A step is never changed once it
 * was released: a new need is a new step. Claims are normalized so that SQLite itself refuses to promise a CPU twice.
 */
static const char *const STEPS[] = {
    /* 1: objects, and the version all of them share */
    "CREATE TABLE meta (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL);"
    "INSERT INTO meta VALUES (1, 0);"
    "CREATE TABLE object (kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, json TEXT NOT NULL,"
    " PRIMARY KEY (kind, namespace, name)) WITHOUT ROWID;",

    /* 2: claims */
    "CREATE TABLE claim (uid TEXT PRIMARY KEY, owner TEXT NOT NULL, memory_bytes INTEGER NOT NULL,"
    " placement TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE claim_cpu (cpu INTEGER PRIMARY KEY, uid TEXT NOT NULL REFERENCES claim);"
    "CREATE TABLE claim_pages (uid TEXT NOT NULL REFERENCES claim, node INTEGER NOT NULL, page_bytes INTEGER NOT NULL,"
    " pages INTEGER NOT NULL, PRIMARY KEY (uid, node, page_bytes)) WITHOUT ROWID;"
    "CREATE TABLE last_placement (owner TEXT PRIMARY KEY, placement TEXT NOT NULL) WITHOUT ROWID;",

    /* 3: what was changed on the host, latency runs, small values */
    "CREATE TABLE host_change (id INTEGER PRIMARY KEY, path TEXT NOT NULL, old_value TEXT NOT NULL,"
    " new_value TEXT NOT NULL, owner TEXT NOT NULL, boot_id TEXT NOT NULL, made_s INTEGER NOT NULL);"
    "CREATE TABLE latency_run (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, json TEXT NOT NULL);"
    "CREATE TABLE value (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;",

    /* 4: latency runs are files (runtime/latency/run_files.h); nobody ever put one here */
    "DROP TABLE latency_run;",
};

enum { APPLICATION_ID = 0x7274766d }; /* "rtvm" */

static int read_number(struct store *store, sqlite3_stmt *statement, void *arg, struct error *err)
{
    (void)store;
    (void)err;
    *(int64_t *)arg = sqlite3_column_int64(statement, 0);
    return 0;
}

static int run_step(struct store *store, size_t step, struct error *err)
{
    auto_free char *sql =
        must_format("BEGIN IMMEDIATE; %s PRAGMA application_id = %d; PRAGMA user_version = %zu; COMMIT;", STEPS[step],
                    APPLICATION_ID, step + 1);
    if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return 0;
    db_fail(store, "bring the schema up to date", err);
    sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return -1;
}

int db_check_schema(int64_t version, int64_t application, const char *name, struct error *err)
{
    if (application != APPLICATION_ID)
        return fail(err, ERROR_CONFLICT, "%s is a database of another program", name);
    if (version > (int64_t)ARRAY_SIZE(STEPS))
        return fail(err, ERROR_CONFLICT,
                    "%s has schema %lld, this rtvmd knows %zu; run the newer rtvmd that wrote it, or restore a backup "
                    "made before the upgrade",
                    name, (long long)version, ARRAY_SIZE(STEPS));
    return 0;
}

/* The way back from an upgrade: the older program reads this file. */
static int keep_old(struct store *store, int64_t version, struct error *err)
{
    auto_free char *file = must_format("%s/rtvmd.db.schema-%lld", store->dir, (long long)version);
    return db_copy(store->db, file, err) < 0 ? error_prefix(err, "before the schema is brought up to date") : 0;
}

int db_migrate(struct store *store, struct error *err)
{
    int64_t version = 0, application = 0;
    auto_free char *name = must_format("%s/rtvmd.db", store->dir);
    if (db_each(store, "PRAGMA user_version", NULL, read_number, &version, err) ||
        db_each(store, "PRAGMA application_id", NULL, read_number, &application, err) ||
        (version != 0 && db_check_schema(version, application, name, err)) ||
        (version != 0 && version < (int64_t)ARRAY_SIZE(STEPS) && keep_old(store, version, err)))
        return -1;
    for (size_t step = (size_t)version; step < ARRAY_SIZE(STEPS); step++)
        if (run_step(store, step, err))
            return -1;
    return 0;
}
