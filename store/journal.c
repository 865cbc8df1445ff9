#include "store/inside.h"

#include <stdlib.h>
#include <string.h>

/* Host changes we owe the machine: kept until they are undone. Keys are ids of equal width, so order is age. */

struct journal_row {
    size_t references;
    struct store_host_change public;
    char *text[5];
};

static void *row_retain(void *value)
{
    ((struct journal_row *)value)->references++;
    return value;
}

static void row_release(void *value)
{
    struct journal_row *row = value;
    if (--row->references > 0)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(row->text); i++)
        free(row->text[i]);
    free(row);
}

static struct journal_row *row_new(const struct store_host_change *change, int64_t id)
{
    struct journal_row *row = must_calloc(1, sizeof *row);
    row->references = 1;
    row->public = *change;
    row->public.id = id;
    const char **field[] = {&row->public.path, &row->public.old_value, &row->public.new_value, &row->public.owner,
                            &row->public.boot_id};
    for (size_t i = 0; i < ARRAY_SIZE(field); i++)
        *field[i] = row->text[i] = must_strdup(*field[i] ? *field[i] : "");
    return row;
}

static char *row_key(int64_t id)
{
    return must_format("%020lld", (long long)id);
}

static int row_erase(struct store *store, const struct table *table, const char *key, bool is_replaced,
                     struct error *err)
{
    (void)table;
    return is_replaced ? 0 : db_run(store, STATEMENT_JOURNAL_DROP, err, "i", (int64_t)strtoll(key, NULL, 10));
}

static int row_insert(struct store *store, const struct table *table, const char *key, const void *value,
                      const char *text, struct error *err)
{
    (void)table;
    (void)key;
    (void)text;
    const struct store_host_change *c = &((const struct journal_row *)value)->public;
    return db_run(store, STATEMENT_JOURNAL_PUT, err, "ittttti", c->id, c->path, c->old_value, c->new_value, c->owner,
                  c->boot_id, c->made_s);
}

const struct table_rule JOURNAL_RULE = {row_retain, row_release, NULL, row_erase, row_insert};

static int load_row(struct store *store, sqlite3_stmt *statement, void *arg, struct error *err)
{
    (void)arg;
    (void)err;
    int64_t id = sqlite3_column_int64(statement, 0);
    struct store_host_change change = {
        .path = db_column(statement, 1),
        .old_value = db_column(statement, 2),
        .new_value = db_column(statement, 3),
        .owner = db_column(statement, 4),
        .boot_id = db_column(statement, 5),
        .made_s = sqlite3_column_int64(statement, 6),
    };
    auto_free char *key = row_key(id);
    table_set(&store->journal, key, row_new(&change, id));
    store->journal_next_id = id;
    return 0;
}

int journal_load(struct store *store, struct error *err)
{
    return db_each(store, "SELECT id, path, old_value, new_value, owner, boot_id, made_s FROM host_change ORDER BY id",
                   NULL, load_row, NULL, err);
}

int store_journal_add(struct store *store, const struct store_host_change *change, int64_t *ret_id, struct error *err)
{
    if (store->journal.count >= LIMIT_HOST_CHANGES)
        return fail(err, ERROR_TOO_LARGE,
                    "%s: %zu host changes wait to be undone already; undo them with "
                    "`rtvmd tune undo --all`",
                    change->path, store->journal.count);
    int64_t id = ++store->journal_next_id;
    auto_free char *key = row_key(id);
    if (commit_write(store, &store->journal, key, row_new(change, id), NULL, 0, err))
        return -1;
    if (ret_id)
        *ret_id = id;
    return 0;
}

int store_journal_drop(struct store *store, int64_t id, struct error *err)
{
    auto_free char *key = row_key(id);
    if (!table_get(&store->journal, key))
        return 0;
    return commit_write(store, &store->journal, key, NULL, NULL, 0, err);
}

void store_journal_each(struct store *store, void (*callback)(const struct store_host_change *change, void *arg),
                        void *arg)
{
    /* From a copy, newest first: the callback may drop what it is given. */
    size_t count = store->journal.count;
    auto_free struct journal_row **row = must_calloc(count + 1, sizeof(struct journal_row *));
    for (size_t i = 0; i < count; i++)
        row[i] = row_retain(store->journal.entry[count - 1 - i].value);
    for (size_t i = 0; i < count; i++) {
        callback(&row[i]->public, arg);
        row_release(row[i]);
    }
}
