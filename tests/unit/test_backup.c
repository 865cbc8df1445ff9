#include "store/backup.c"

#include <sys/wait.h>

#include "tests/test.h"

static struct error err;
static char folder[64];
static char file[96];
static char state[96];

static void fresh(void)
{
    snprintf(folder, sizeof folder, "/tmp/rtvmd-backup-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    snprintf(file, sizeof file, "%s/file", folder);
    snprintf(state, sizeof state, "%s/state", folder);
    err = (struct error){0};
}

static void drop(void)
{
    file_remove_tree(folder, &err);
}

static void put(struct store *store, const char *name)
{
    json_t *object = json_pack("{s:s, s:{s:s, s:s}}", "kind", "Secret", "metadata", "namespace", "d", "name", name);
    CHECK_INT(store_create(store, object, NULL, &err), 0);
}

static bool has(struct store *store, const char *name)
{
    auto_json *object = store_get(store, "Secret", "d", name);
    return object != NULL;
}

static void tune(struct store *store, const char *path)
{
    struct store_host_change change = {
        .path = path, .old_value = "0", .new_value = "1", .owner = "", .boot_id = "b", .made_s = 1};
    int64_t id;
    CHECK_INT(store_journal_add(store, &change, &id, &err), 0);
}

static void count(const struct store_host_change *change, void *arg)
{
    if (strcmp(change->path, "/sys/later") == 0)
        ++*(size_t *)arg;
}

static struct store *open_state(void)
{
    struct store *store = store_open(state, NULL, &err);
    CHECK(store != NULL);
    return store;
}

/* A store with one object, backed up; then a second object and a change to the host. */
static void make_backup(void)
{
    struct store *store = open_state();
    put(store, "first");
    CHECK_INT(store_backup(store, file, &err), 0);
    put(store, "second");
    tune(store, "/sys/later");
    store_close(store);
}

static bool exists(const char *name)
{
    auto_free char *path = must_format("%s/%s", state, name);
    return access(path, F_OK) == 0;
}

static void puts_back_what_was_and_keeps_what_this_host_knows(void)
{
    fresh();
    make_backup();
    struct store *before = open_state();
    uint64_t version = store_version(before);
    store_close(before);
    struct store_restored restored;
    CHECK_INT(store_restore(state, file, &restored, &err), 0);
    CHECK_INT(restored.objects, 1);
    CHECK(restored.journal_kept);
    CHECK(restored.replaced && access(restored.replaced, F_OK) == 0);
    CHECK(!exists("restoring") && !exists("rtvmd.db-wal"));
    struct store *store = open_state();
    CHECK(has(store, "first") && !has(store, "second"));
    CHECK(store_version(store) > version); /* a watch that saw "second" must start anew */
    size_t changes = 0;
    store_journal_each(store, count, &changes);
    CHECK_INT(changes, 1);
    store_close(store);
    free(restored.replaced);
    drop();
}

static void restores_into_an_empty_folder(void)
{
    fresh();
    make_backup();
    file_remove_tree(state, &err);
    struct store_restored restored;
    CHECK_INT(store_restore(state, file, &restored, &err), 0);
    CHECK(restored.journal_kept && !restored.replaced);
    struct store *store = open_state();
    CHECK(has(store, "first"));
    store_close(store);
    drop();
}

/* The case a backup is for: the store can no longer be read, and its log must not be played into the new one. */
static void replaces_a_damaged_store_and_its_log(void)
{
    fresh();
    make_backup();
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) { /* ends as in a power cut: what it wrote is in the log */
        put(open_state(), "third");
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    CHECK(exists("rtvmd.db-wal"));
    auto_free char *db = must_format("%s/rtvmd.db", state);
    char noise[8192];
    memset(noise, 'x', sizeof noise);
    CHECK_INT(file_write_atomic(db, noise, sizeof noise, 0600, &err), 0);
    struct store_restored restored;
    CHECK_INT(store_restore(state, file, &restored, &err), 0);
    CHECK(!restored.journal_kept && restored.replaced);
    CHECK(exists("rtvmd.db.replaced") && !exists("rtvmd.db-wal"));
    struct store *store = open_state();
    CHECK(has(store, "first") && !has(store, "third"));
    store_close(store);
    free(restored.replaced);
    drop();
}

/* SQLite plays a log it can read and takes it away; one it leaves must not stand beside the new database. */
static void a_log_that_is_left_goes_aside(void)
{
    fresh();
    CHECK_INT(mkdir(state, 0700), 0);
    auto_free char *db = must_format("%s/rtvmd.db", state);
    auto_free char *log = must_format("%s/rtvmd.db-wal", state);
    auto_free char *aside = must_format("%s/rtvmd.db.replaced", state);
    for (int again = 0; again < 2; again++) {
        CHECK_INT(file_write_atomic(db, "db", 2, 0600, &err), 0);
        CHECK_INT(file_write_atomic(log, "log", 3, 0600, &err), 0);
        CHECK_INT(set_aside(db, aside, &err), 0);
        CHECK(exists("rtvmd.db") && exists("rtvmd.db.replaced") && exists("rtvmd.db.replaced-wal"));
        CHECK(!exists("rtvmd.db-wal"));
    }
    drop();
}

static void nobody_may_have_it_open(void)
{
    fresh();
    make_backup();
    struct store *store = open_state();
    struct store_restored restored;
    CHECK_INT(store_restore(state, file, &restored, &err), -1);
    CHECK_INT(err.kind, ERROR_CONFLICT);
    CHECK(strstr(err.text, "is in use by process") != NULL);
    CHECK(has(store, "second"));
    store_close(store);
    drop();
}

static void run_on(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void spoil(const char *sql)
{
    run_on(file, sql);
}

static void cut_off(const char *unused)
{
    (void)unused;
    CHECK_INT(truncate(file, 5000), 0);
}

static void overwrite(const char *text)
{
    CHECK_INT(file_write_atomic(file, text, strlen(text), 0600, &err), 0);
}

static void remove_it(const char *unused)
{
    (void)unused;
    unlink(file);
}

static void a_bad_file_changes_nothing(void)
{
    static const struct {
        void (*harm)(const char *argument);
        const char *argument;
        enum error_kind kind;
        const char *part;
    } CASES[] = {
        {spoil, "PRAGMA user_version = 1000", ERROR_CONFLICT, "has schema 1000"},
        {spoil, "PRAGMA application_id = 7", ERROR_CONFLICT, "another program"},
        {spoil, "CREATE TRIGGER t AFTER INSERT ON object BEGIN DELETE FROM claim; END", ERROR_INVALID, "triggers"},
        {spoil, "UPDATE object SET json = '{'", ERROR_INVALID, "damaged"},
        {spoil, "DROP TABLE claim_cpu", ERROR_INVALID, "no such table"},
        {cut_off, NULL, ERROR_INVALID, ""},
        {overwrite, "a text, and no database", ERROR_INVALID, "no backup of rtvmd"},
        {overwrite, "", ERROR_CONFLICT, "another program"},
        {remove_it, NULL, ERROR_NOT_FOUND, "file"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        fresh();
        make_backup();
        CASES[i].harm(CASES[i].argument);
        struct store_restored restored;
        CHECK_INT(store_restore(state, file, &restored, &err), -1);
        CHECK_INT(err.kind, CASES[i].kind);
        if (!strstr(err.text, CASES[i].part))
            CHECK_TEXT(err.text, CASES[i].part);
        CHECK(!exists("restoring") && !exists("rtvmd.db.replaced"));
        struct store *store = open_state();
        CHECK(has(store, "first") && has(store, "second"));
        store_close(store);
        drop();
    }
}

/* Going back to an older rtvmd: the store is too new to be opened, and is still asked for the journal. */
static void asks_a_newer_store_for_its_journal(void)
{
    fresh();
    make_backup();
    auto_free char *db = must_format("%s/rtvmd.db", state);
    run_on(db, "PRAGMA user_version = 1000");
    CHECK(store_open(state, NULL, &err) == NULL);
    struct store_restored restored;
    CHECK_INT(store_restore(state, file, &restored, &err), 0);
    CHECK(restored.journal_kept);
    struct store *store = open_state();
    size_t changes = 0;
    store_journal_each(store, count, &changes);
    CHECK_INT(changes, 1);
    store_close(store);
    free(restored.replaced);
    drop();
}

static void a_backup_is_private_and_whole_or_not_there(void)
{
    fresh();
    make_backup();
    struct stat status;
    CHECK_INT(stat(file, &status), 0);
    CHECK_INT(status.st_mode & 0777, 0600);
    struct store *store = open_state();
    auto_free char *nowhere = must_format("%s/no/such", folder);
    CHECK_INT(store_backup(store, nowhere, &err), -1);
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    CHECK_INT(store_backup(store, folder, &err), -1); /* a folder */
    auto_free char *part = must_format("%s.part", folder);
    CHECK(access(part, F_OK) < 0);
    store_close(store);
    drop();
}

int main(void)
{
    RUN(puts_back_what_was_and_keeps_what_this_host_knows);
    RUN(restores_into_an_empty_folder);
    RUN(replaces_a_damaged_store_and_its_log);
    RUN(a_log_that_is_left_goes_aside);
    RUN(nobody_may_have_it_open);
    RUN(a_bad_file_changes_nothing);
    RUN(asks_a_newer_store_for_its_journal);
    RUN(a_backup_is_private_and_whole_or_not_there);
    return test_end();
}
