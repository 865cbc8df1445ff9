#include "store/inside.h"

#include <stdlib.h>
#include <string.h>

/* Small values of the program itself, as JSON strings. */

static void *value_retain(void *value)
{
    return json_incref(value);
}

static void value_release(void *value)
{
    json_decref(value);
}

static int value_erase(struct store *store, const struct table *table, const char *key, bool is_replaced,
                       struct error *err)
{
    (void)table;
    return is_replaced ? 0 : db_run(store, STATEMENT_VALUE_DROP, err, "t", key);
}

static int value_insert(struct store *store, const struct table *table, const char *key, const void *value,
                        const char *text, struct error *err)
{
    (void)table;
    (void)text;
    return db_run(store, STATEMENT_VALUE_PUT, err, "tt", key, json_string_value(value));
}

const struct table_rule VALUE_RULE = {value_retain, value_release, NULL, value_erase, value_insert};

static int load_row(struct store *store, sqlite3_stmt *statement, void *arg, struct error *err)
{
    (void)arg;
    json_t *value = json_string(db_column(statement, 1));
    if (!value)
        return fail(err, ERROR_INTERNAL, "store: value %s is damaged, restore a backup with `rtvmd restore`",
                    db_column(statement, 0));
    table_set(&store->values, db_column(statement, 0), value);
    return 0;
}

int values_load(struct store *store, struct error *err)
{
    return db_each(store, "SELECT key, value FROM value ORDER BY key", NULL, load_row, NULL, err);
}

int store_value_put(struct store *store, const char *key, const char *value, struct error *err)
{
    json_t *held = value ? json_string(value) : NULL;
    if (value && !held)
        return fail(err, ERROR_INVALID, "value %s is not UTF-8", key);
    const json_t *now = table_get(&store->values, key);
    if (now ? held && json_equal(now, held) : !held) {
        json_decref(held);
        return 0;
    }
    return commit_write(store, &store->values, key, held, NULL, 0, err);
}

char *store_value_get(struct store *store, const char *key)
{
    const json_t *value = table_get(&store->values, key);
    return value ? must_strdup(json_string_value(value)) : NULL;
}
