#include "store/inside.h"

/* Latency runs: large, rare and read by people. They stay on disk; a write is a transaction of its own, durable when
 * the function returns. */

static int write_run(struct store *store, enum statement statement, const char *name, const char *json,
                     struct error *err)
{
    if (store_flush(store, err) || db_run(store, STATEMENT_BEGIN, err, ""))
        return -1;
    if (db_run(store, statement, err, json ? "tt" : "t", name, json) == 0 &&
        db_run(store, STATEMENT_RUN_TRIM, err, "i", (int64_t)LIMIT_LATENCY_RUNS) == 0 &&
        db_run(store, STATEMENT_COMMIT, err, "") == 0)
        return 0;
    struct error second;
    if (!sqlite3_get_autocommit(store->db))
        db_run(store, STATEMENT_ROLLBACK, &second, "");
    return -1;
}

int store_run_add(struct store *store, const char *name, const json_t *run, struct error *err)
{
    auto_free char *json = json_to_text(run);
    return write_run(store, STATEMENT_RUN_PUT, name, json, err);
}

int store_run_drop(struct store *store, const char *name, struct error *err)
{
    return write_run(store, STATEMENT_RUN_DROP, name, NULL, err);
}

static int collect(struct store *store, sqlite3_stmt *statement, void *arg, struct error *err)
{
    (void)store;
    json_t *run;
    if (db_column_json(statement, 1, db_column(statement, 0), &run, err))
        return -1;
    json_array_append_new(arg, run);
    return 0;
}

json_t *store_run_get(struct store *store, const char *name)
{
    struct error err;
    auto_json *found = json_array();
    if (db_each(store, "SELECT name, json FROM latency_run WHERE name = ?1", name, collect, found, &err))
        return NULL;
    return json_incref(json_array_get(found, 0));
}

json_t *store_run_list(struct store *store)
{
    struct error err;
    json_t *list = json_array();
    db_each(store, "SELECT name, json FROM latency_run ORDER BY number", NULL, collect, list, &err);
    return list;
}
