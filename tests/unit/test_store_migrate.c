#include "store/db_migrate.c"

#include <unistd.h>

#include "rtvmd/base/file.h"
#include "tests/test.h"

static struct error err;

/* A file as an older version left it: the first `steps` steps done, one object inside. */
static void make_old(const char *folder, size_t steps, int user_version)
{
    auto_free char *file = must_format("%s/rtvmd.db", folder);
    sqlite3 *db;
    sqlite3_open(file, &db);
    for (size_t i = 0; i < steps; i++)
        CHECK_INT(sqlite3_exec(db, STEPS[i], NULL, NULL, NULL), SQLITE_OK);
    sqlite3_exec(db,
                 "INSERT INTO object VALUES ('Secret', 'd', 's', '{\"kind\":\"Secret\",\"metadata\":{\"namespace\":"
                 "\"d\",\"name\":\"s\"}}'); UPDATE meta SET version = 41",
                 NULL, NULL, NULL);
    auto_free char *stamp =
        must_format("PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID, user_version);
    CHECK_INT(sqlite3_exec(db, stamp, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* Beside the new one, with the old schema and what was in it; none where nothing was changed. */
static void keeps_the_old_file(const char *folder, size_t steps)
{
    auto_free char *file = must_format("%s/rtvmd.db.schema-%zu", folder, steps);
    sqlite3 *db = NULL;
    if (steps == ARRAY_SIZE(STEPS)) {
        CHECK(access(file, F_OK) < 0);
        return;
    }
    CHECK_INT(sqlite3_open_v2(file, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    sqlite3_stmt *statement = NULL;
    CHECK_INT(sqlite3_prepare_v2(db, "SELECT name, (SELECT user_version FROM pragma_user_version) FROM object", -1,
                                 &statement, NULL),
              SQLITE_OK);
    CHECK_INT(sqlite3_step(statement), SQLITE_ROW);
    CHECK_TEXT(db_column(statement, 0), "s");
    CHECK_INT(sqlite3_column_int64(statement, 1), steps);
    sqlite3_finalize(statement);
    sqlite3_close(db);
}

static int count_row(struct store *store, sqlite3_stmt *statement, void *arg, struct error *ret_err)
{
    (void)store;
    (void)statement;
    (void)ret_err;
    ++*(int *)arg;
    return 0;
}

static bool has_table(struct store *store, const char *name)
{
    int rows = 0;
    static const char SQL[] = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    CHECK_INT(db_each(store, SQL, name, count_row, &rows, &err), 0);
    return rows == 1;
}

static void brings_every_older_schema_up_to_date(void)
{
    for (size_t steps = 1; steps <= ARRAY_SIZE(STEPS); steps++) {
        char folder[] = "/tmp/rtvmd-store-XXXXXX";
        CHECK(mkdtemp(folder) != NULL);
        make_old(folder, steps, (int)steps);
        struct store *store = store_open(folder, NULL, &err);
        CHECK(store != NULL);
        CHECK_INT(store_version(store), 41);
        auto_json *secret = store_get(store, "Secret", "d", "s");
        CHECK(secret != NULL);
        CHECK_INT(store_value_put(store, "k", "v", &err), 0);
        CHECK(!has_table(store, "latency_run"));
        CHECK(has_table(store, "object"));
        store_close(store);
        keeps_the_old_file(folder, steps);
        file_remove_tree(folder, &err);
    }
}

static void refuses_a_newer_schema(void)
{
    char folder[] = "/tmp/rtvmd-store-XXXXXX";
    CHECK(mkdtemp(folder) != NULL);
    make_old(folder, ARRAY_SIZE(STEPS), (int)ARRAY_SIZE(STEPS) + 1);
    CHECK(store_open(folder, NULL, &err) == NULL);
    CHECK_INT(err.kind, ERROR_CONFLICT);
    CHECK(strstr(err.text, "run the newer rtvmd") != NULL);
    file_remove_tree(folder, &err);
}

static void refuses_a_foreign_database(void)
{
    char folder[] = "/tmp/rtvmd-store-XXXXXX";
    CHECK(mkdtemp(folder) != NULL);
    auto_free char *file = must_format("%s/rtvmd.db", folder);
    sqlite3 *db;
    sqlite3_open(file, &db);
    sqlite3_exec(db, "CREATE TABLE theirs (x); PRAGMA user_version = 1", NULL, NULL, NULL);
    sqlite3_close(db);
    CHECK(store_open(folder, NULL, &err) == NULL);
    CHECK_INT(err.kind, ERROR_CONFLICT);
    CHECK(strstr(err.text, "another program") != NULL);
    file_remove_tree(folder, &err);
}

int main(void)
{
    RUN(brings_every_older_schema_up_to_date);
    RUN(refuses_a_newer_schema);
    RUN(refuses_a_foreign_database);
    return test_end();
}
