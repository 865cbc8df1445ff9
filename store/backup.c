#include "store/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rtvmd/base/file.h"

/* Copies of the database, out and in.
 *
 * Out is SQLite's own backup: page by page into a neighbor that takes the name when it is complete. In goes through a
 * folder of its own, DIR/restoring: there the copy is opened as a store, which checks and migrates all of it, and only
 * then renamed over the old database. The old one's log must be gone by then: SQLite would play it into the new one. */

enum { VERSION_JUMP = 1000000 }; /* above what clients have seen of a store that can no longer be read */

static int copy_failed(const char *file, sqlite3 *db, int code, struct error *err)
{
    return fail(err, ERROR_INTERNAL, "copy to %s: %s", file, db ? sqlite3_errmsg(db) : sqlite3_errstr(code));
}

static int copy_pages(sqlite3 *from, const char *part, const char *file, struct error *err)
{
    sqlite3 *copy = NULL;
    int r = sqlite3_open_v2(part, &copy, SQLITE_OPEN_READWRITE, NULL);
    sqlite3_backup *backup = r == SQLITE_OK ? sqlite3_backup_init(copy, "main", from, "main") : NULL;
    if (backup) {
        sqlite3_backup_step(backup, -1);
        r = sqlite3_backup_finish(backup);
    }
    /* The copy is a single file: without WAL nothing of it is elsewhere. */
    if (backup && r == SQLITE_OK)
        r = sqlite3_exec(copy, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    bool failed = !backup || r != SQLITE_OK;
    if (failed)
        copy_failed(file, copy, r, err);
    sqlite3_close(copy);
    return failed ? -1 : 0;
}

int db_copy(sqlite3 *from, const char *file, struct error *err)
{
    auto_free char *part = must_format("%s.part", file);
    unlink(part);
    int fd = open(part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_errno(err, "%s", part);
    close(fd);
    if (copy_pages(from, part, file, err) == 0) {
        if (rename(part, file) == 0)
            return 0;
        fail_errno(err, "copy to %s", file);
    }
    unlink(part);
    return -1;
}

int store_backup(struct store *store, const char *file, struct error *err)
{
    return store_flush(store, err) < 0 ? -1 : db_copy(store->db, file, err);
}

/* ---- restore */

/* One number or word; false when the query fails or gives nothing. */
static bool ask(sqlite3 *db, const char *sql, int64_t *ret_number, char word[16])
{
    sqlite3_stmt *statement = NULL;
    bool found =
        sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW;
    if (found && ret_number)
        *ret_number = sqlite3_column_int64(statement, 0);
    if (found && word)
        snprintf(word, 16, "%s", db_column(statement, 0));
    sqlite3_finalize(statement);
    return found;
}

/* Is it a store of ours, and whole? Nothing in it may act by itself: no triggers, no views. */
static int check_file(sqlite3 *db, const char *file, struct error *err)
{
    int64_t version = 0, application = 0, active = 0;
    char verdict[16] = "";
    if (!ask(db, "PRAGMA application_id", &application, NULL) || !ask(db, "PRAGMA user_version", &version, NULL))
        return fail(err, ERROR_INVALID, "%s is no backup of rtvmd: %s", file, sqlite3_errmsg(db));
    if (db_check_schema(version, application, file, err) < 0)
        return -1;
    if (!ask(db, "PRAGMA quick_check(1)", NULL, verdict) || strcmp(verdict, "ok") != 0)
        return fail(err, ERROR_INVALID, "%s is damaged; take another backup", file);
    if (!ask(db, "SELECT count(*) FROM sqlite_master WHERE type IN ('trigger', 'view')", &active, NULL) || active)
        return fail(err, ERROR_INVALID, "%s holds triggers or views: rtvmd did not write it", file);
    return 0;
}

/* The checked copy as FOLDER/rtvmd.db. */
static int take_in(const char *file, const char *folder, struct error *err)
{
    auto_close int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(err, "%s", file);
    auto_free char *inside = must_format("%s/rtvmd.db", folder);
    sqlite3 *db = NULL;
    int r = sqlite3_open_v2(file, &db, SQLITE_OPEN_READONLY, NULL);
    if (r == SQLITE_OK)
        sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    int result = r == SQLITE_OK ? check_file(db, file, err) : copy_failed(inside, db, r, err);
    if (result == 0)
        result = db_copy(db, inside, err);
    sqlite3_close(db);
    return result;
}

/* Opening it as a store reads every row of it. */
static int open_once(const char *folder, const char *file, size_t *ret_objects, struct error *err)
{
    struct store *store = store_open(folder, NULL, err);
    if (!store) {
        err->kind = ERROR_INVALID;
        return error_prefix(err, "%s cannot be used", file);
    }
    *ret_objects = 0;
    for (size_t i = 0; i < store->kind_count; i++)
        *ret_objects += store->kind[i]->count;
    store_close(store);
    return 0;
}

static bool attach(sqlite3 *db, const char *path)
{
    sqlite3_stmt *statement = NULL;
    bool done = sqlite3_prepare_v2(db, "ATTACH ?1 AS old", -1, &statement, NULL) == SQLITE_OK &&
                sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC) == SQLITE_OK &&
                sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_finalize(statement);
    return done;
}

/* What the old store knows better. In SQL, so that a store with a newer schema can still be asked. */
static int keep_from_old(const char *folder, const char *old, struct store_restored *restored, struct error *err)
{
    auto_free char *inside = must_format("%s/rtvmd.db", folder);
    auto_free char *jump = must_format("UPDATE meta SET version = version + %d", VERSION_JUMP);
    sqlite3 *db = NULL;
    int r = sqlite3_open_v2(inside, &db, SQLITE_OPEN_READWRITE, NULL);
    restored->journal_kept = access(old, F_OK) < 0;
    if (r == SQLITE_OK && !restored->journal_kept && attach(db, old)) {
        static const char KEEP[] =
            "BEGIN;"
            "DELETE FROM host_change;"
            "INSERT INTO host_change (id, path, old_value, new_value, owner, boot_id, made_s)"
            " SELECT id, path, old_value, new_value, owner, boot_id, made_s FROM old.host_change;"
            "UPDATE meta SET version = max(version, (SELECT version FROM old.meta));"
            "COMMIT";
        restored->journal_kept = sqlite3_exec(db, KEEP, NULL, NULL, NULL) == SQLITE_OK;
        if (!restored->journal_kept)
            sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
        sqlite3_exec(db, "DETACH old", NULL, NULL, NULL);
    }
    if (r == SQLITE_OK)
        r = sqlite3_exec(db, jump, NULL, NULL, NULL);
    if (r == SQLITE_OK)
        r = sqlite3_exec(db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL); /* nothing of it is in a log */
    int result = r == SQLITE_OK ? 0 : copy_failed(inside, db, r, err);
    sqlite3_close(db);
    return result;
}

/* The old database under another name as well, with what its log could not be made to give up. */
static int set_aside(const char *old, const char *aside, struct error *err)
{
    auto_free char *log = must_format("%s-wal", old);
    auto_free char *log_aside = must_format("%s-wal", aside);
    auto_free char *shared = must_format("%s-shm", old);
    unlink(aside);
    unlink(log_aside);
    if (link(old, aside) < 0)
        return fail_errno(err, "keep %s as %s", old, aside);
    if (rename(log, log_aside) < 0 && errno != ENOENT)
        return fail_errno(err, "keep %s as %s", log, log_aside);
    unlink(shared);
    return 0;
}

static void sync_folder(const char *dir)
{
    auto_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        fsync(fd);
}

/* root restores what another user's daemon will open */
static int give_to_owner(const char *dir, const char *inside, int lock_fd, struct error *err)
{
    struct stat status;
    if (stat(dir, &status) < 0)
        return fail_errno(err, "%s", dir);
    if (geteuid() != 0)
        return 0;
    return chown(inside, status.st_uid, status.st_gid) == 0 && fchown(lock_fd, status.st_uid, status.st_gid) == 0
               ? 0
               : fail_errno(err, "give %s to the owner of %s", inside, dir);
}

static int restore_locked(const char *dir, const char *file, int lock_fd, struct store_restored *restored,
                          struct error *err)
{
    auto_free char *folder = must_format("%s/restoring", dir);
    auto_free char *inside = must_format("%s/rtvmd.db", folder);
    auto_free char *old = must_format("%s/rtvmd.db", dir);
    auto_free char *aside = must_format("%s/rtvmd.db.replaced", dir);
    if (file_remove_tree(folder, err) < 0 || file_make_folders(folder, 0700, err) < 0 ||
        take_in(file, folder, err) < 0 || open_once(folder, file, &restored->objects, err) < 0 ||
        keep_from_old(folder, old, restored, err) < 0 || give_to_owner(dir, inside, lock_fd, err) < 0)
        return -1;
    bool was_there = access(old, F_OK) == 0;
    if (was_there && set_aside(old, aside, err) < 0)
        return -1;
    if (rename(inside, old) < 0)
        return fail_errno(err, "restore %s", old);
    sync_folder(dir);
    restored->replaced = was_there ? take(aside) : NULL;
    return 0;
}

int store_restore(const char *dir, const char *file, struct store_restored *ret_restored, struct error *err)
{
    *ret_restored = (struct store_restored){0};
    auto_close int lock_fd = -1;
    if (file_make_folders(dir, 0711, err) < 0 || db_lock(dir, &lock_fd, err) < 0)
        return -1;
    int result = restore_locked(dir, file, lock_fd, ret_restored, err);
    auto_free char *folder = must_format("%s/restoring", dir);
    struct error ignored; /* the next one begins by removing it */
    file_remove_tree(folder, &ignored);
    return result;
}
