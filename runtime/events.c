#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/log.h"
#include "runtime/inside.h"

/* Events: what happened to an object, for people. The same event again only counts up (Kubernetes' aggregation), and
 * there are never more than LIMIT_EVENTS: the one not seen for longest goes. */

struct event_note {
    uint64_t hash; /* of object, type, reason and message */
    uint64_t version;
    char *namespace_;
    char *name;
};

static uint64_t hash_event(const char *uid, const char *type, const char *reason, const char *message)
{
    uint64_t hash = TEXT_HASH_BEGIN;
    hash = text_hash(hash, uid);
    hash = text_hash(hash, type);
    hash = text_hash(hash, reason);
    return text_hash(hash, message);
}

static void remember(struct runtime *runtime, uint64_t hash, const json_t *event)
{
    if (runtime->event_count == runtime->event_capacity) {
        runtime->event_capacity = runtime->event_capacity ? 2 * runtime->event_capacity : 64;
        runtime->event = must_realloc(runtime->event, runtime->event_capacity, sizeof *runtime->event);
    }
    runtime->event[runtime->event_count++] = (struct event_note){
        .hash = hash,
        .version = strtoull(json_text_at(event, "metadata.resourceVersion", "0"), NULL, 10),
        .namespace_ = must_strdup(json_text_at(event, "metadata.namespace", "")),
        .name = must_strdup(json_text_at(event, "metadata.name", "")),
    };
}

static void drop_note(struct runtime *runtime, size_t i)
{
    free(runtime->event[i].namespace_);
    free(runtime->event[i].name);
    runtime->event[i] = runtime->event[--runtime->event_count];
}

void events_load(struct runtime *runtime)
{
    auto_json *events = store_list(runtime->store, "Event", NULL, NULL);
    size_t i;
    json_t *event;
    json_array_foreach(events, i, event)
    {
        remember(runtime,
                 hash_event(json_text_at(event, "involvedObject.uid", ""), json_text_at(event, "type", ""),
                            json_text_at(event, "reason", ""), json_text_at(event, "message", "")),
                 event);
    }
}

void events_forget(struct runtime *runtime, const json_t *event)
{
    const char *name = json_text_at(event, "metadata.name", "");
    const char *namespace_ = json_text_at(event, "metadata.namespace", "");
    for (size_t i = 0; i < runtime->event_count; i++)
        if (strcmp(runtime->event[i].name, name) == 0 && strcmp(runtime->event[i].namespace_, namespace_) == 0) {
            drop_note(runtime, i);
            return;
        }
}

void events_free(struct runtime *runtime)
{
    while (runtime->event_count)
        drop_note(runtime, runtime->event_count - 1);
    free(runtime->event);
}

static void make_room(struct runtime *runtime)
{
    if (runtime->event_count < LIMIT_EVENTS)
        return;
    size_t oldest = 0;
    for (size_t i = 1; i < runtime->event_count; i++)
        if (runtime->event[i].version < runtime->event[oldest].version)
            oldest = i;
    struct error ignored; /* gone already is as good */
    store_delete(runtime->store, "Event", runtime->event[oldest].namespace_, runtime->event[oldest].name, NULL,
                 &ignored);
    drop_note(runtime, oldest);
}

/* The same event again: true when it was counted up. */
static bool count_up(struct runtime *runtime, uint64_t hash, const char *uid, const char *now)
{
    for (size_t i = 0; i < runtime->event_count; i++) {
        struct event_note *note = &runtime->event[i];
        if (note->hash != hash)
            continue;
        auto_json *stored = store_get(runtime->store, "Event", note->namespace_, note->name);
        if (!stored || strcmp(json_text_at(stored, "involvedObject.uid", ""), uid) != 0)
            continue;
        json_t *next = json_deep_copy(stored);
        json_object_set_new(next, "count", json_integer(json_int_at(stored, "count", 1) + 1));
        json_object_set_new(next, "lastTimestamp", json_string(now));
        auto_json *written = NULL;
        struct error err;
        if (store_update(runtime->store, next, false, &written, &err) == 0)
            note->version = strtoull(json_text_at(written, "metadata.resourceVersion", "0"), NULL, 10);
        return true;
    }
    return false;
}

static json_t *event_new(const struct runtime *runtime, const json_t *object, const char *type, const char *reason,
                         const char *message, const char *now)
{
    const char *kind = json_text_at(object, "kind", "");
    const char *component =
        strcmp(kind, "VirtualMachine") == 0 ? "virtualmachine-controller" : "virtualmachineinstance-controller";
    json_t *involved = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "apiVersion", json_text_at(object, "apiVersion", ""),
                                 "kind", kind, "name", json_text_at(object, "metadata.name", ""), "namespace",
                                 json_text_at(object, "metadata.namespace", ""), "resourceVersion",
                                 json_text_at(object, "metadata.resourceVersion", ""), "uid",
                                 json_text_at(object, "metadata.uid", ""));
    return json_pack("{s:s, s:s, s:{s:s}, s:o, s:s, s:s, s:s, s:{s:s, s:s}, s:s, s:s, s:i, s:n, s:s, s:s}",
                     "apiVersion", "v1", "kind", "Event", "metadata", "namespace",
                     json_text_at(object, "metadata.namespace", ""), "involvedObject", involved, "type", type, "reason",
                     reason, "message", message, "source", "component", component, "host", runtime->node_name,
                     "firstTimestamp", now, "lastTimestamp", now, "count", 1, "eventTime", "reportingComponent",
                     component, "reportingInstance", runtime->node_name);
}

void event_record(struct runtime *runtime, const json_t *object, const char *type, const char *reason,
                  const char *format, ...)
{
    auto_text message = {0};
    va_list args;
    va_start(args, format);
    char line[2048];
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    text_append(&message, line);

    char now[TIMESTAMP_TEXT_MAX];
    timestamp_format(runtime_now_s(runtime), now);
    const char *uid = json_text_at(object, "metadata.uid", "");
    uint64_t hash = hash_event(uid, type, reason, text_cstr(&message));
    if (count_up(runtime, hash, uid, now))
        return;
    make_room(runtime);
    json_t *event = event_new(runtime, object, type, reason, text_cstr(&message), now);
    /* Kubernetes' names: the object's, and a number nobody used yet. */
    auto_free char *name = must_format("%.200s.%016llx", json_text_at(object, "metadata.name", ""),
                                       (unsigned long long)store_version(runtime->store) + 1);
    json_put_at(event, "metadata.name", json_string(name));
    auto_json *written = NULL;
    struct error err;
    if (store_create(runtime->store, event, &written, &err)) {
        log_warn("event lost object=%s reason=%s: %s", json_text_at(object, "metadata.name", ""), reason, err.text);
        return;
    }
    remember(runtime, hash, written);
}
