#include "store/inside.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "rtvmd/base/timestamp.h"

/* Objects by kind, ordered by namespace and name. Stored objects are never changed in place: every write makes a new
 * JSON value, so that readers, the change log and the undo log may share the old one. */

static void *json_retain(void *value)
{
    return json_incref(value);
}

static void json_release(void *value)
{
    json_decref(value);
}

/* The key of an object in its table: on the stack, but for names longer than Kubernetes allows. Between namespace and
 * name stands "\1", which sorts before everything a name may hold, so that keys sort by namespace first. */
struct key {
    char *text;
    char room[2 * LIMIT_NAME_BYTES + 2];
};

static void key_finish(struct key *key)
{
    if (key->text != key->room)
        free(key->text);
}
#define auto_key __attribute__((cleanup(key_finish))) struct key

static const char *key_init(struct key *key, const char *namespace_, const char *name)
{
    size_t before = namespace_ ? strlen(namespace_) : 0, behind = strlen(name);
    key->text = before + behind + 2 <= sizeof key->room ? key->room : must_calloc(before + behind + 2, 1);
    memcpy(key->text, namespace_ ? namespace_ : "", before);
    key->text[before] = '\1';
    memcpy(key->text + before + 1, name, behind + 1);
    return key->text;
}

static const char *key_of(struct key *key, const json_t *object)
{
    return key_init(key, json_text_at(object, "metadata.namespace", ""), json_text_at(object, "metadata.name", ""));
}

static int object_erase(struct store *store, const struct table *table, const char *key, bool is_replaced,
                        struct error *err)
{
    if (is_replaced)
        return 0; /* INSERT OR REPLACE does both */
    const char *name = strchr(key, '\1') + 1;
    auto_free char *namespace_ = must_strndup(key, (size_t)(name - 1 - key));
    return db_run(store, STATEMENT_OBJECT_DROP, err, "ttt", table->name, namespace_, name);
}

static struct shared_text *object_text(struct store *store, void *value)
{
    return store_text(store, value);
}

static int object_insert(struct store *store, const struct table *table, const char *key, const void *value,
                         const char *text, struct error *err)
{
    (void)value;
    const char *name = strchr(key, '\1') + 1;
    auto_free char *namespace_ = must_strndup(key, (size_t)(name - 1 - key));
    return db_run(store, STATEMENT_OBJECT_PUT, err, "tttt", table->name, namespace_, name, text);
}

const struct table_rule OBJECT_RULE = {json_retain, json_release, object_text, object_erase, object_insert};

static struct table *kind_find(struct store *store, const char *kind)
{
    for (size_t i = 0; i < store->kind_count; i++)
        if (strcmp(store->kind[i]->name, kind) == 0)
            return store->kind[i];
    return NULL;
}

static struct table *kind_get(struct store *store, const char *kind)
{
    struct table *table = kind_find(store, kind);
    if (table)
        return table;
    table = must_calloc(1, sizeof *table);
    table->rule = &OBJECT_RULE;
    table->name = must_strdup(kind);
    store->kind = must_realloc(store->kind, store->kind_count + 1, sizeof(struct table *));
    store->kind[store->kind_count++] = table;
    return table;
}

static int load_row(struct store *store, sqlite3_stmt *statement, void *arg, struct error *err)
{
    (void)arg;
    auto_key key;
    key_init(&key, db_column(statement, 1), db_column(statement, 2));
    json_t *object;
    if (db_column_json(statement, 3, db_column(statement, 2), &object, err))
        return -1;
    json_decref(table_set(kind_get(store, db_column(statement, 0)), key.text, object));
    return 0;
}

int objects_load(struct store *store, struct error *err)
{
    return db_each(store, "SELECT kind, namespace, name, json FROM object ORDER BY kind, namespace, name", NULL,
                   load_row, NULL, err);
}

/* ---- names of things in messages: "virtualmachines.kubevirt.io" */
static char *resource_name(const json_t *object)
{
    const char *group = json_text_at(object, "apiVersion", "");
    const char *slash = strchr(group, '/');
    char *name = must_format("%ss%s%.*s", json_text_at(object, "kind", ""), slash ? "." : "",
                             slash ? (int)(slash - group) : 0, group);
    for (char *p = name; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return name;
}

static char *uuid_new(void)
{
    unsigned char b[16];
    if (getrandom(b, sizeof b, 0) != sizeof b)
        abort(); /* cannot happen for 16 bytes once the kernel's pool is ready */
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    return must_format("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3],
                       b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

static void set_version(json_t *object, uint64_t version)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)version);
    json_put_at(object, "metadata.resourceVersion", json_string(text));
}

/* An object that cannot be put anywhere is a mistake of ours, not of a user: api/ and spec/ have checked it. */
static struct table *locate(struct store *store, const json_t *object, struct key *ret_key, struct error *err)
{
    key_of(ret_key, object);
    const char *kind = json_text_at(object, "kind", "");
    const char *name = json_text_at(object, "metadata.name", "");
    if (!kind[0] || !name[0]) {
        fail(err, ERROR_INVALID, "metadata.name: an object needs kind and metadata.name; add them");
        return NULL;
    }
    return kind_get(store, kind);
}

int store_create(struct store *store, json_t *object, json_t **ret_stored, struct error *err)
{
    auto_json *owned = object;
    auto_key key;
    struct table *table = locate(store, object, &key, err);
    if (!table)
        return -1;
    if (table_get(table, key.text)) {
        auto_free char *resource = resource_name(object);
        return fail(err, ERROR_ALREADY_EXISTS, "%s \"%s\" already exists", resource,
                    json_text_at(object, "metadata.name", ""));
    }
    auto_free char *uid = uuid_new();
    char created[TIMESTAMP_TEXT_MAX];
    json_put_at(object, "metadata.uid", json_string(uid));
    json_put_at(object, "metadata.creationTimestamp", json_string(timestamp_format(now_wall_s(), created)));
    json_put_at(object, "metadata.generation", json_integer(1));
    set_version(object, ++store->version);
    if (commit_write(store, table, key.text, json_incref(object), NULL, store->version, err))
        return -1;
    if (ret_stored)
        *ret_stored = take(owned);
    return 0;
}

static int check_preconditions(const json_t *object, const json_t *stored, struct error *err)
{
    const char *version = json_text_at(object, "metadata.resourceVersion", "");
    const char *uid = json_text_at(object, "metadata.uid", "");
    const char *have_uid = json_text_at(stored, "metadata.uid", "");
    auto_free char *resource = resource_name(stored);
    const char *name = json_text_at(stored, "metadata.name", "");
    if (uid[0] && strcmp(uid, have_uid) != 0)
        return fail(err, ERROR_CONFLICT,
                    "Operation cannot be fulfilled on %s \"%s\": Precondition failed: UID in precondition: %s, UID in "
                    "object meta: %s",
                    resource, name, uid, have_uid);
    if (version[0] && strcmp(version, json_text_at(stored, "metadata.resourceVersion", "")) != 0)
        return fail(err, ERROR_CONFLICT,
                    "Operation cannot be fulfilled on %s \"%s\": the object has been modified; please apply your "
                    "changes to the latest version and try again",
                    resource, name);
    return 0;
}

int store_update(struct store *store, json_t *object, bool bump_generation, json_t **ret_stored, struct error *err)
{
    static const char *const OWNED[] = {"metadata.uid", "metadata.creationTimestamp", "metadata.generation",
                                        "metadata.resourceVersion"};
    auto_json *owned = object;
    auto_key key;
    struct table *table = locate(store, object, &key, err);
    if (!table)
        return -1;
    json_t *stored = table_get(table, key.text);
    if (!stored) {
        auto_free char *resource = resource_name(object);
        return fail(err, ERROR_NOT_FOUND, "%s \"%s\" not found", resource, json_text_at(object, "metadata.name", ""));
    }
    if (check_preconditions(object, stored, err))
        return -1;
    for (size_t i = 0; i < ARRAY_SIZE(OWNED); i++)
        json_put_at(object, OWNED[i], json_deep_copy(json_at(stored, OWNED[i])));
    if (json_equal(object, stored)) {
        if (ret_stored)
            *ret_stored = json_incref(stored);
        return 0;
    }
    if (bump_generation)
        json_put_at(object, "metadata.generation", json_integer(json_int_at(stored, "metadata.generation", 1) + 1));
    set_version(object, ++store->version);
    if (commit_write(store, table, key.text, json_incref(object), NULL, store->version, err))
        return -1;
    if (ret_stored)
        *ret_stored = take(owned);
    return 0;
}

int store_update_patiently(struct store *store, json_t *object, struct error *err)
{
    store->is_patient = true;
    int r = store_update(store, object, false, NULL, err);
    store->is_patient = false;
    return r;
}

int store_delete(struct store *store, const char *kind, const char *namespace_, const char *name, json_t **ret_last,
                 struct error *err)
{
    struct table *table = kind_find(store, kind);
    auto_key key;
    key_init(&key, namespace_, name);
    const json_t *stored = table ? table_get(table, key.text) : NULL;
    if (!stored)
        return fail(err, ERROR_NOT_FOUND, "%s \"%s\" not found", kind, name);
    auto_json *last = json_copy((json_t *)stored);
    json_object_set_new(last, "metadata", json_deep_copy(json_object_get(stored, "metadata")));
    set_version(last, ++store->version);
    if (commit_write(store, table, key.text, NULL, json_incref(last), store->version, err))
        return -1;
    if (ret_last)
        *ret_last = take(last);
    return 0;
}

json_t *store_get(struct store *store, const char *kind, const char *namespace_, const char *name)
{
    const struct table *table = kind_find(store, kind);
    if (!table)
        return NULL;
    auto_key key;
    key_init(&key, namespace_, name);
    return json_incref(table_get(table, key.text));
}

json_t *store_list(struct store *store, const char *kind, const char *namespace_, uint64_t *ret_version)
{
    json_t *list = json_array();
    if (ret_version)
        *ret_version = store->version;
    const struct table *table = kind_find(store, kind);
    if (!table)
        return list;
    auto_key key;
    key_init(&key, namespace_, "");
    const char *prefix = namespace_ ? key.text : "";
    for (size_t i = table_lower(table, prefix); i < table->count && text_starts_with(table->entry[i].key, prefix); i++)
        json_array_append(list, table->entry[i].value);
    return list;
}

struct shared_text *store_text(struct store *store, const json_t *object)
{
    struct table *table = kind_find(store, json_text_at(object, "kind", ""));
    if (!table)
        return shared_text_new(json_to_text(object));
    auto_key key;
    return texts_get(table, key_of(&key, object), object);
}

uint64_t store_version(const struct store *store)
{
    return store->version;
}
