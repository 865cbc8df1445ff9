#include "store/inside.h"

#include <stdlib.h>
#include <string.h>

/* Announces durable changes, in order, each to every watch. A callback may write, commit, watch and unwatch: what it
 * commits is queued behind what is being announced, and watches are only unlinked when nobody walks the list. The log
 * is a ring, bounded by count and by the size of what it keeps alive; whoever asks for older changes must list again.
 */

static size_t weight(const json_t *value)
{
    size_t sum = 64; /* what jansson needs per value, about */
    const char *key;
    json_t *child;
    size_t i;
    if (json_is_object(value))
        json_object_foreach((json_t *)value, key, child) sum += 64 + strlen(key) + weight(child);
    else if (json_is_array(value))
        json_array_foreach(value, i, child) sum += weight(child);
    else if (json_is_string(value))
        sum += json_string_length(value);
    return sum;
}

static void log_drop_first(struct store *store)
{
    struct change_log_entry *first = &store->log[store->log_first];
    store->log_since = first->version;
    store->log_bytes -= first->bytes;
    json_decref(first->object);
    json_decref(first->before);
    store->log_first = (store->log_first + 1) % LIMIT_CHANGE_LOG;
    store->log_count--;
}

static void log_add(struct store *store, const struct store_change *change, const char *kind)
{
    struct change_log_entry entry = {
        .type = change->type,
        .version = change->version,
        .kind = kind,
        .object = json_incref(change->object),
        .before = json_incref(change->before),
        .bytes = weight(change->object),
        .came_ms = now_monotonic_ms(),
    };
    while (store->log_count &&
           (store->log_count == LIMIT_CHANGE_LOG || store->log_bytes + entry.bytes > LIMIT_CHANGE_LOG_BYTES))
        log_drop_first(store);
    store->log[(store->log_first + store->log_count++) % LIMIT_CHANGE_LOG] = entry;
    store->log_bytes += entry.bytes;
}

static void reap(struct store *store)
{
    for (struct store_watch **at = &store->watches; *at;) {
        struct store_watch *watch = *at;
        if (!watch->dead) {
            at = &watch->next;
            continue;
        }
        *at = watch->next;
        free(watch);
    }
}

static void announce(struct store *store, const struct record *record)
{
    json_t *before = record->before;
    struct store_change change = {
        .type = !record->after ? STORE_DELETED
                : before       ? STORE_MODIFIED
                               : STORE_ADDED,
        .version = record->version,
        .kind = record->table->name,
        .object = record->after ? record->after : record->last,
        .before = before,
    };
    change.namespace_ = json_text_at(change.object, "metadata.namespace", "");
    log_add(store, &change, record->table->name);
    for (struct store_watch *watch = store->watches; watch; watch = watch->next)
        if (!watch->dead)
            watch->callback(&change, watch->arg);
}

void changes_publish(struct store *store, struct record *record, size_t count)
{
    if (store->queue_count + count > store->queue_capacity) {
        store->queue_capacity = store->queue_count + count;
        store->queue = must_realloc(store->queue, store->queue_capacity, sizeof *store->queue);
    }
    memcpy(store->queue + store->queue_count, record, count * sizeof *record);
    store->queue_count += count;
    free(record);
    if (store->publishing)
        return;
    store->publishing = true;
    for (size_t i = 0; i < store->queue_count; i++) {
        struct record now = store->queue[i]; /* the queue may move under a callback */
        if (now.is_object)
            announce(store, &now);
        record_finish(&now);
    }
    store->queue_count = 0;
    store->publishing = false;
    reap(store);
}

void changes_finish(struct store *store)
{
    while (store->log_count)
        log_drop_first(store);
    for (struct store_watch *watch = store->watches; watch; watch = watch->next)
        watch->dead = true;
    reap(store);
    free(store->log);
    free(store->queue);
}

struct store_watch *store_watch(struct store *store, void (*callback)(const struct store_change *change, void *arg),
                                void *arg)
{
    struct store_watch *watch = must_calloc(1, sizeof *watch);
    *watch = (struct store_watch){.store = store, .callback = callback, .arg = arg};
    struct store_watch **end = &store->watches;
    while (*end)
        end = &(*end)->next;
    *end = watch;
    return watch;
}

void store_unwatch(struct store_watch *watch)
{
    if (!watch)
        return;
    watch->dead = true;
    if (!watch->store->publishing)
        reap(watch->store);
}

size_t store_forget_changes(struct store *store, uint64_t age_ms)
{
    uint64_t now_ms = now_monotonic_ms();
    while (store->log_count && now_ms - store->log[store->log_first].came_ms >= age_ms)
        log_drop_first(store);
    return store->log_count;
}

uint64_t store_replay_begin(const struct store *store)
{
    return store->log_since;
}

int store_replay(struct store *store, uint64_t since, void (*callback)(const struct store_change *change, void *arg),
                 void *arg, struct error *err)
{
    if (since < store->log_since)
        return fail(err, ERROR_EXPIRED, "too old resource version: %llu (%llu)", (unsigned long long)since,
                    (unsigned long long)store->log_since);
    for (size_t i = 0; i < store->log_count; i++) {
        const struct change_log_entry *entry = &store->log[(store->log_first + i) % LIMIT_CHANGE_LOG];
        if (entry->version <= since)
            continue;
        struct store_change change = {entry->type,   entry->version,
                                      entry->kind,   json_text_at(entry->object, "metadata.namespace", ""),
                                      entry->object, entry->before};
        callback(&change, arg);
    }
    return 0;
}
