#include "store/inside.h"

#include <stdlib.h>
#include <string.h>

/* Claims are promises: a CPU is promised once. Checked here for a message that names both sides, and once more by the
 * primary key of claim_cpu, should the code be wrong. */

struct claim {
    size_t references;
    struct store_claim public;
    char *uid;
    char *owner;
    struct store_pages *pages;
};

static void *claim_retain(void *value)
{
    ((struct claim *)value)->references++;
    return value;
}

static void claim_release(void *value)
{
    struct claim *claim = value;
    if (--claim->references > 0)
        return;
    free(claim->uid);
    free(claim->owner);
    free(claim->pages);
    json_decref(claim->public.placement);
    free(claim);
}

static struct claim *claim_new(const struct store_claim *given)
{
    struct claim *claim = must_calloc(1, sizeof *claim);
    claim->references = 1;
    claim->uid = must_strdup(given->uid);
    claim->owner = must_strdup(given->owner);
    claim->pages = must_calloc(given->page_count + 1, sizeof *claim->pages);
    if (given->page_count)
        memcpy(claim->pages, given->pages, given->page_count * sizeof *claim->pages);
    claim->public = *given;
    claim->public.uid = claim->uid;
    claim->public.owner = claim->owner;
    claim->public.pages = claim->pages;
    claim->public.placement = given->placement ? json_deep_copy(given->placement) : json_object();
    return claim;
}

static int claim_erase(struct store *store, const struct table *table, const char *key, bool is_replaced,
                       struct error *err)
{
    (void)table;
    (void)is_replaced; /* its CPUs must be free before another claim is written */
    return db_run(store, STATEMENT_CLAIM_CPUS_DROP, err, "t", key) ||
                   db_run(store, STATEMENT_CLAIM_PAGES_DROP, err, "t", key) ||
                   db_run(store, STATEMENT_CLAIM_DROP, err, "t", key)
               ? -1
               : 0;
}

static struct shared_text *claim_text(struct store *store, void *value)
{
    (void)store;
    return shared_text_new(json_to_text(((struct claim *)value)->public.placement));
}

static int claim_insert(struct store *store, const struct table *table, const char *key, const void *value,
                        const char *text, struct error *err)
{
    (void)table;
    const struct store_claim *claim = &((const struct claim *)value)->public;
    if (db_run(store, STATEMENT_CLAIM_PUT, err, "ttit", key, claim->owner, (int64_t)claim->memory_bytes, text))
        return -1;
    cpuset_foreach(cpu,
                   &claim->cpus) if (db_run(store, STATEMENT_CLAIM_CPU_PUT, err, "it", (int64_t)cpu, key)) return -1;
    for (size_t i = 0; i < claim->page_count; i++) {
        const struct store_pages *pages = &claim->pages[i];
        if (db_run(store, STATEMENT_CLAIM_PAGES_PUT, err, "tiii", key, (int64_t)pages->node, (int64_t)pages->page_bytes,
                   (int64_t)pages->pages))
            return -1;
    }
    return 0;
}

const struct table_rule CLAIM_RULE = {claim_retain, claim_release, claim_text, claim_erase, claim_insert};

static void *placement_retain(void *value)
{
    return json_incref(value);
}

static void placement_release(void *value)
{
    json_decref(value);
}

static int placement_erase(struct store *store, const struct table *table, const char *key, bool is_replaced,
                           struct error *err)
{
    (void)table;
    return is_replaced ? 0 : db_run(store, STATEMENT_PLACEMENT_DROP, err, "t", key);
}

static struct shared_text *placement_text(struct store *store, void *value)
{
    (void)store;
    return shared_text_new(json_to_text(value));
}

static int placement_insert(struct store *store, const struct table *table, const char *key, const void *value,
                            const char *text, struct error *err)
{
    (void)table;
    (void)value;
    return db_run(store, STATEMENT_PLACEMENT_PUT, err, "tt", key, text);
}

const struct table_rule PLACEMENT_RULE = {placement_retain, placement_release, placement_text, placement_erase,
                                          placement_insert};

/* ---- loading */
static int load_cpu(struct store *store, sqlite3_stmt *statement, void *arg, struct error *err)
{
    (void)store;
    (void)err;
    cpuset_add(&((struct claim *)arg)->public.cpus, (unsigned)sqlite3_column_int(statement, 0));
    return 0;
}

static int load_pages(struct store *store, sqlite3_stmt *statement, void *arg, struct error *err)
{
    (void)store;
    (void)err;
    struct claim *claim = arg;
    claim->pages = must_realloc(claim->pages, claim->public.page_count + 1, sizeof *claim->pages);
    claim->pages[claim->public.page_count++] = (struct store_pages){
        .node = sqlite3_column_int(statement, 0),
        .page_bytes = (uint64_t)sqlite3_column_int64(statement, 1),
        .pages = (uint64_t)sqlite3_column_int64(statement, 2),
    };
    claim->public.pages = claim->pages;
    return 0;
}

static int load_claim(struct store *store, sqlite3_stmt *statement, void *arg, struct error *err)
{
    (void)arg;
    auto_json *placement = NULL;
    if (db_column_json(statement, 3, db_column(statement, 1), &placement, err))
        return -1;
    struct store_claim bare = {
        .uid = db_column(statement, 0),
        .owner = db_column(statement, 1),
        .memory_bytes = (uint64_t)sqlite3_column_int64(statement, 2),
        .placement = placement,
    };
    struct claim *claim = claim_new(&bare);
    table_set(&store->claims, claim->uid, claim);
    return db_each(store, "SELECT cpu FROM claim_cpu WHERE uid = ?1", claim->uid, load_cpu, claim, err) ||
                   db_each(store, "SELECT node, page_bytes, pages FROM claim_pages WHERE uid = ?1", claim->uid,
                           load_pages, claim, err)
               ? -1
               : 0;
}

static int load_placement(struct store *store, sqlite3_stmt *statement, void *arg, struct error *err)
{
    (void)arg;
    json_t *placement;
    if (db_column_json(statement, 1, db_column(statement, 0), &placement, err))
        return -1;
    table_set(&store->placements, db_column(statement, 0), placement);
    return 0;
}

int claims_load(struct store *store, struct error *err)
{
    return db_each(store, "SELECT uid, owner, memory_bytes, placement FROM claim ORDER BY uid", NULL, load_claim, NULL,
                   err) ||
                   db_each(store, "SELECT owner, placement FROM last_placement ORDER BY owner", NULL, load_placement,
                           NULL, err)
               ? -1
               : 0;
}

/* ---- the front door's part */
int store_claim_put(struct store *store, const struct store_claim *claim, struct error *err)
{
    for (size_t i = 0; i < store->claims.count; i++) {
        const struct store_claim *other = &((struct claim *)store->claims.entry[i].value)->public;
        if (!cpuset_intersects(&other->cpus, &claim->cpus) || strcmp(other->uid, claim->uid) == 0)
            continue;
        struct cpuset both = cpuset_and(&other->cpus, &claim->cpus);
        struct cpuset_text text;
        return fail(err, ERROR_CONFLICT, "CPU %s wanted by %s is claimed by %s", cpuset_format(&both, &text),
                    claim->owner, other->owner);
    }
    bool held = store->held;
    store->held = true; /* both rows in one commit */
    struct claim *kept = claim_new(claim);
    commit_write(store, &store->placements, kept->owner, json_incref(kept->public.placement), NULL, 0, err);
    commit_write(store, &store->claims, kept->uid, kept, NULL, 0, err);
    store->held = held;
    return store->loop || held ? 0 : store_flush(store, err);
}

int store_claim_drop(struct store *store, const char *uid, struct error *err)
{
    if (!table_get(&store->claims, uid))
        return 0;
    return commit_write(store, &store->claims, uid, NULL, NULL, 0, err);
}

void store_claim_each(struct store *store, void (*callback)(const struct store_claim *claim, void *arg), void *arg)
{
    for (size_t i = 0; i < store->claims.count; i++)
        callback(&((struct claim *)store->claims.entry[i].value)->public, arg);
}

const struct store_claim *store_claim_find(struct store *store, const char *uid)
{
    const struct claim *claim = table_get(&store->claims, uid);
    return claim ? &claim->public : NULL;
}

json_t *store_claim_placement(struct store *store, const char *uid)
{
    const struct claim *claim = table_get(&store->claims, uid);
    return claim ? json_incref(claim->public.placement) : NULL;
}

json_t *store_last_placement(struct store *store, const char *owner)
{
    return json_incref(table_get(&store->placements, owner));
}

int store_last_placement_forget(struct store *store, const char *owner, struct error *err)
{
    if (!table_get(&store->placements, owner))
        return 0;
    return commit_write(store, &store->placements, owner, NULL, NULL, 0, err);
}
