#include "api/watch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "api/read.h"
#include "api/source.h"

/* A watcher remembers the version it has told everything up to; a change that is not newer is not for it. That makes
 * the begin seamless: replay what the log has since the version asked for (or tell the whole list), then follow.
 *
 * Node, Placement and HostChange are not stored but made from what runs; their watchers keep what they told last and
 * compare whenever a VMI changes, and with every bookmark. */

struct watcher {
    struct watches *watches;
    struct watcher *next;
    struct watcher **at; /* what points to us */
    struct http_stream *stream;
    struct call call; /* a copy that outlives the request: resource, version, namespace, form; its http is gone */
    struct read_filter filter;
    enum table_include include;
    uint64_t version;
    bool wants_bookmarks;
    bool columns_sent;
    bool is_listing;        /* tells the list it begins with */
    bool is_over;           /* cut off or failed: only waits for its end */
    json_t *told;           /* of made resources: "namespace/name" to object */
    struct loop_watch *end; /* timeoutSeconds */
};

struct watches {
    struct api *api;
    struct store_watch *changes;
    struct watcher *first;
    size_t count;
    uint64_t published;
    struct loop_watch *bookmarks;
    /* The line last told of a change, for the next watcher that wants the same. */
    struct shared_text *line;
    const struct resource *line_resource;
    char line_version[32];
    uint64_t line_change;
    const char *line_type;
};

static void watcher_free(struct watcher *watcher)
{
    *watcher->at = watcher->next;
    if (watcher->next)
        watcher->next->at = watcher->at;
    watcher->watches->count--;
    loop_watch_free(watcher->end);
    read_filter_finish(&watcher->filter);
    json_decref(watcher->told);
    free(watcher);
}

static void client_left(void *arg)
{
    watcher_free(arg);
}

static void watcher_end(void *arg)
{
    struct watcher *watcher = arg;
    http_stream_end(watcher->stream);
    watcher_free(watcher);
}

/* ---- telling */

static struct shared_text *line_new(const char *type, const char *object)
{
    return shared_text_new(must_format("{\"type\":\"%s\",\"object\":%s}\n", type, object));
}

static void send_line(struct watcher *watcher, struct shared_text *line)
{
    if (watcher->is_listing)
        http_stream_allow(watcher->stream, line->length + 16);
    if (!watcher->is_over && !http_stream_write_shared(watcher->stream, line))
        watcher->is_over = true;
}

static void send_json(struct watcher *watcher, const char *type, json_t *value)
{
    struct shared_text *object = store_text(watcher->watches->api->store, value);
    struct shared_text *line = line_new(type, object->data);
    send_line(watcher, line);
    shared_text_release(line);
    shared_text_release(object);
    json_decref(value);
}

/* The object in the form the client asked for; steals nothing. */
static json_t *in_form(struct watcher *watcher, json_t *object)
{
    if (watcher->call.form == FORM_METADATA)
        return table_metadata_of(object);
    if (watcher->call.form != FORM_TABLE)
        return json_incref(object);
    auto_json *one = json_array();
    json_array_append(one, object);
    auto_json *meta = json_pack("{s:s}", "resourceVersion", json_text_at(object, "metadata.resourceVersion", ""));
    json_t *table = table_render(watcher->call.target.resource, one, meta, watcher->include, !watcher->columns_sent);
    watcher->columns_sent = true;
    return table;
}

static void tell(struct watcher *watcher, const char *type, json_t *stored)
{
    const struct target *t = &watcher->call.target;
    auto_json *view = source_view(t->resource, t->version, stored);
    send_json(watcher, type, in_form(watcher, view));
}

static bool has_line(const struct watches *w, const struct target *t, const char *type, uint64_t change)
{
    return w->line && w->line_change == change && w->line_resource == t->resource &&
           strcmp(w->line_version, t->version) == 0 && strcmp(w->line_type, type) == 0;
}

/* Many watchers want the same words: they are made once. */
static void tell_shared(struct watcher *watcher, const char *type, const struct store_change *change)
{
    struct watches *w = watcher->watches;
    const struct target *t = &watcher->call.target;
    if (watcher->call.form != FORM_OBJECT) {
        tell(watcher, type, change->object);
        return;
    }
    if (!has_line(w, t, type, change->version)) {
        auto_json *view = source_view(t->resource, t->version, change->object);
        struct shared_text *object = store_text(w->api->store, view);
        shared_text_release(w->line);
        w->line = line_new(type, object->data);
        shared_text_release(object);
        w->line_change = change->version;
        w->line_resource = t->resource;
        w->line_type = type;
        snprintf(w->line_version, sizeof w->line_version, "%s", t->version);
    }
    send_line(watcher, w->line);
}

static bool is_for(const struct watcher *watcher, json_t *object)
{
    const struct target *t = &watcher->call.target;
    if (!object)
        return false;
    if (t->has_namespace && strcmp(json_text_at(object, "metadata.namespace", ""), t->namespace_) != 0)
        return false;
    if (t->has_name && strcmp(json_text_at(object, "metadata.name", ""), t->name) != 0)
        return false;
    auto_json *view = source_view(t->resource, t->version, object);
    return read_filter_matches(&watcher->filter, view);
}

/* A change as this watcher sees it: an object that begins to match is ADDED, one that matches no more is DELETED. */
static void tell_change(struct watcher *watcher, const struct store_change *change)
{
    if (strcmp(change->kind, watcher->call.target.resource->kind) != 0 || change->version <= watcher->version)
        return;
    watcher->version = change->version;
    bool was = change->type != STORE_ADDED && is_for(watcher, change->before ? change->before : change->object);
    bool is = change->type != STORE_DELETED && is_for(watcher, change->object);
    if (is || was)
        tell_shared(watcher, !is ? "DELETED" : was ? "MODIFIED" : "ADDED", change);
}

static bool is_made(const struct watcher *watcher)
{
    return source_is_made(watcher->call.target.resource);
}

static json_t *by_key(json_t *list)
{
    json_t *map = json_object();
    size_t i;
    json_t *object;
    json_array_foreach(list, i, object)
    {
        auto_free char *key = must_format("%s/%s", json_text_at(object, "metadata.namespace", ""),
                                          json_text_at(object, "metadata.name", ""));
        json_object_set(map, key, object);
    }
    return map;
}

static json_t *matching(struct watcher *watcher, uint64_t *ret_version)
{
    const struct target *t = &watcher->call.target;
    auto_json *all = source_list(watcher->watches->api, t->resource, t->version,
                                 t->has_namespace ? t->namespace_ : NULL, ret_version);
    json_t *found = json_array();
    size_t i;
    json_t *object;
    json_array_foreach(all, i,
                       object) if ((!t->has_name || strcmp(json_text_at(object, "metadata.name", ""), t->name) == 0) &&
                                   read_filter_matches(&watcher->filter, object)) json_array_append(found, object);
    return found;
}

static void tell_made(struct watcher *watcher)
{
    auto_json *list = matching(watcher, &watcher->version);
    auto_json *now = by_key(list);
    auto_json *before = take(watcher->told);
    const char *key;
    json_t *object;
    json_object_foreach(now, key, object)
    {
        const json_t *old = json_object_get(before, key);
        if (!old || !json_equal(old, object))
            send_json(watcher, old ? "MODIFIED" : "ADDED", in_form(watcher, object));
    }
    json_object_foreach(before, key, object) if (!json_object_get(now, key))
        send_json(watcher, "DELETED", in_form(watcher, object));
    watcher->told = take(now);
}

static void changed(const struct store_change *change, void *arg)
{
    struct watches *watches = arg;
    watches->published = change->version;
    for (struct watcher *w = watches->first; w; w = w->next) {
        if (!is_made(w))
            tell_change(w, change);
        else if (strcmp(change->kind, "VirtualMachineInstance") == 0)
            tell_made(w);
    }
}

/* ---- bookmarks */

static void send_bookmark(struct watcher *watcher, bool ends_list)
{
    const struct target *t = &watcher->call.target;
    auto_free char *api_version = resource_api_version(t->resource, t->version);
    uint64_t version = watcher->version > watcher->watches->published ? watcher->version : watcher->watches->published;
    auto_json *object = json_pack("{s:s, s:s, s:{s:o}}", "kind", t->resource->kind, "apiVersion", api_version,
                                  "metadata", "resourceVersion", json_sprintf("%llu", (unsigned long long)version));
    if (ends_list)
        json_object_set_new(json_object_get(object, "metadata"), "annotations",
                            json_pack("{s:s}", "k8s.io/initial-events-end", "true"));
    send_json(watcher, "BOOKMARK", in_form(watcher, object));
}

static void bookmarks_due(void *arg)
{
    struct watches *watches = arg;
    bool again = false;
    for (struct watcher *w = watches->first; w; w = w->next) {
        if (!w->wants_bookmarks)
            continue;
        again = true;
        if (is_made(w))
            tell_made(w);
        send_bookmark(w, false);
    }
    if (again)
        loop_timer_arm(watches->bookmarks, LIMIT_WATCH_BOOKMARK_S * 1000ULL);
}

struct watches *watches_new(struct api *api)
{
    struct watches *watches = must_calloc(1, sizeof *watches);
    watches->api = api;
    watches->published = store_version(api->store);
    watches->changes = store_watch(api->store, changed, watches);
    watches->bookmarks = loop_timer(api->loop, bookmarks_due, watches);
    return watches;
}

void watches_free(struct watches *watches)
{
    if (!watches)
        return;
    store_unwatch(watches->changes);
    for (struct watcher *w = watches->first, *next; w; w = next) {
        next = w->next;
        watcher_end(w);
    }
    loop_watch_free(watches->bookmarks);
    shared_text_release(watches->line);
    free(watches);
}

void watches_end_of_token(struct watches *watches, const char *token)
{
    struct error failure;
    fail(&failure, ERROR_UNAUTHORIZED, "Unauthorized: the token was revoked");
    for (struct watcher *w = watches->first; w; w = w->next) {
        if (!token[0] || w->is_over || strcmp(w->call.who.token, token) != 0)
            continue;
        send_json(w, "ERROR", status_failure(&failure, NULL, NULL));
        w->is_over = true;
        loop_timer_arm(w->end, 0);
    }
}

size_t watches_count(const struct watches *watches)
{
    return watches->count;
}

/* ---- beginning */

static void replayed(const struct store_change *change, void *arg)
{
    tell_change(arg, change);
}

/* A made resource has no log. What is newer than the client's list is told; what went meanwhile is what VMIs went. */
static void tell_gone(const struct store_change *change, void *arg)
{
    struct watcher *watcher = arg;
    const struct target *t = &watcher->call.target;
    if (change->type != STORE_DELETED || strcmp(change->kind, "VirtualMachineInstance") != 0 ||
        t->resource->source != SOURCE_PLACEMENT || !is_for(watcher, change->object))
        return;
    const char *name = json_text_at(change->object, "metadata.name", "");
    auto_free char *key = must_format("%s/%s", change->namespace_, name);
    auto_free char *api_version = resource_api_version(t->resource, t->version);
    if (json_object_get(watcher->told, key))
        return;
    auto_json *gone = json_pack("{s:s, s:s, s:{s:s, s:s, s:o}}", "apiVersion", api_version, "kind", t->resource->kind,
                                "metadata", "name", name, "namespace", change->namespace_, "resourceVersion",
                                json_sprintf("%llu", (unsigned long long)change->version));
    send_json(watcher, "DELETED", in_form(watcher, gone));
}

static int tell_made_since(struct watcher *watcher, uint64_t since, struct error *err)
{
    auto_json *list = matching(watcher, &watcher->version);
    watcher->told = by_key(list);
    if (since == watcher->version)
        return 0;
    size_t i;
    json_t *object;
    json_array_foreach(list, i, object)
    {
        uint64_t version;
        if (text_to_u64(json_text_at(object, "metadata.resourceVersion", ""), &version) && version > since)
            send_json(watcher, "MODIFIED", in_form(watcher, object));
    }
    return store_replay(watcher->watches->api->store, since, tell_gone, watcher, err);
}

static void tell_list(struct watcher *watcher, bool mark_end)
{
    auto_json *list = matching(watcher, &watcher->version);
    if (is_made(watcher))
        watcher->told = by_key(list);
    size_t i;
    json_t *object;
    json_array_foreach(list, i, object) send_json(watcher, "ADDED", in_form(watcher, object));
    if (mark_end)
        send_bookmark(watcher, true);
}

struct wish {
    uint64_t version; /* 0: from the list */
    bool initial_events;
    uint64_t timeout_s;
    bool bookmarks;
    enum table_include include;
};

static int wish_init(struct wish *wish, const struct call *call, struct error *err)
{
    *wish = (struct wish){.bookmarks = call_flag(call, "allowWatchBookmarks"),
                          .initial_events = call_flag(call, "sendInitialEvents")};
    if (read_check_options(call, true, err) < 0 ||
        call_number(call, "resourceVersion", UINT64_MAX, &wish->version, err) < 0 ||
        call_number(call, "timeoutSeconds", LIMIT_WATCH_S, &wish->timeout_s, err) < 0 ||
        table_include_from_text(http_query(call->http, "includeObject"), &wish->include, err) < 0)
        return -1;
    uint64_t now = store_version(call->api->store);
    if (wish->version > now)
        return fail(err, ERROR_TIMEOUT, "Too large resource version: %llu, current: %llu",
                    (unsigned long long)wish->version, (unsigned long long)now);
    if (call->api->watches->count >= LIMIT_WATCHES)
        return fail(err, ERROR_TOO_MANY_REQUESTS, "%u watches are open already; close one or try again later",
                    LIMIT_WATCHES);
    if (wish->timeout_s == 0) { /* spread, so that they do not all come back at once */
        uint16_t random = 0;
        if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
            random = 0;
        wish->timeout_s = 1800 + random % 1800;
    }
    int64_t expires_s = call->who.expires_s, now_s = now_wall_s();
    if (expires_s != 0 && (uint64_t)(expires_s - now_s) < wish->timeout_s) /* no longer than the token may look */
        wish->timeout_s = (uint64_t)(expires_s - now_s);
    return 0;
}

static void watcher_link(struct watcher *watcher)
{
    struct watches *watches = watcher->watches;
    struct watcher **end = &watches->first;
    while (*end)
        end = &(*end)->next;
    *end = watcher;
    watcher->at = end;
    if (watches->count++ == 0 || watcher->wants_bookmarks)
        loop_timer_arm(watches->bookmarks, LIMIT_WATCH_BOOKMARK_S * 1000ULL);
}

static void tell_begin(struct watcher *watcher, const struct wish *wish)
{
    struct error failure;
    int replay = 0;
    watcher->version = wish->version;
    watcher->is_listing = true;
    if (wish->version == 0 || wish->initial_events)
        tell_list(watcher, wish->initial_events && wish->bookmarks);
    else if (is_made(watcher))
        replay = tell_made_since(watcher, wish->version, &failure);
    else
        replay = store_replay(watcher->watches->api->store, wish->version, replayed, watcher, &failure);
    watcher->is_listing = false;
    if (replay == 0)
        return;
    send_json(watcher, "ERROR", status_failure(&failure, NULL, NULL));
    watcher->is_over = true;
    loop_timer_arm(watcher->end, 0);
}

int watch_begin(struct call *call, struct error *err)
{
    struct wish wish;
    struct read_filter filter;
    if (wish_init(&wish, call, err) < 0 || read_filter_init(&filter, call, err) < 0)
        return -1;
    struct watcher *watcher = must_calloc(1, sizeof *watcher);
    watcher->watches = call->api->watches;
    watcher->call = *call;
    watcher->call.http = NULL;
    watcher->filter = filter;
    watcher->include = wish.include;
    watcher->wants_bookmarks = wish.bookmarks;
    watcher->end = loop_timer(call->api->loop, watcher_end, watcher);
    watcher_link(watcher);
    watcher->stream = http_stream_begin(call->http, 200, "application/json", client_left, watcher);
    call_end(call, 200);
    if (!watcher->stream) {
        watcher_free(watcher);
        return 0;
    }
    loop_timer_arm(watcher->end, wish.timeout_s * 1000);
    tell_begin(watcher, &wish);
    return 0;
}
