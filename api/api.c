/* Requests find their handler here: fixed pages by the table of routes, everything else by what its path names. */
#include "api/api.h"

#include <stdlib.h>
#include <string.h>

#include "api/backup.h"
#include "api/collect.h"
#include "api/identity/access.h"
#include "api/identity/tokens.h"
#include "api/metrics/meter.h"
#include "api/metrics/metrics.h"
#include "api/quiet.h"
#include "api/read.h"
#include "api/schema/discovery.h"
#include "api/schema/openapi.h"
#include "api/streams/tunnel.h"
#include "api/subresource.h"
#include "api/unserved.h"
#include "api/watch.h"
#include "api/write.h"
#include "rtvmd/base/log.h"

static int healthy(struct call *call, struct error *err)
{
    (void)err;
    call_answer_text(call, 200, "ok");
    return 0;
}

static int root(struct call *call, struct error *err);

/* A piece that is "*" stands for any one. */
static const struct route {
    unsigned methods;
    const char *path;
    call_handler *handle;
    bool anybody; /* answered without asking who it is */
} ROUTES[] = {
    {HTTP_GET, "/", root, false},
    {HTTP_GET, "/version", discovery_version, true},
    {HTTP_GET, "/healthz", healthy, true},
    {HTTP_GET, "/livez", healthy, true},
    {HTTP_GET, "/readyz", healthy, true},
    {HTTP_GET, "/metrics", metrics_page, false},
    {HTTP_GET, "/api", discovery_api, false},
    {HTTP_GET, "/api/v1", discovery_resources, false},
    {HTTP_GET, "/apis", discovery_apis, false},
    {HTTP_GET, "/openapi/v2", openapi_v2, false},
    {HTTP_GET, "/openapi/v3", openapi_v3_index, false},
    {HTTP_GET, "/openapi/v3/api/v1", openapi_v3_group, false},
    {HTTP_GET, "/openapi/v3/apis/*/*", openapi_v3_group, false},
    {HTTP_GET, "/apis/*", discovery_group, false},
    {HTTP_GET, "/apis/*/*", discovery_resources, false},
    {HTTP_GET, "/apis/" SUBRESOURCE_GROUP "/*/version", discovery_kubevirt, false},
    {HTTP_GET, "/apis/" SUBRESOURCE_GROUP "/*/healthz", healthy, false},
    {HTTP_GET, BACKUP_PATH, backup_get, false},
    {HTTP_GET | HTTP_POST, TOKENS_PATH, tokens_collection, false},
    {HTTP_DELETE, TOKENS_PATH "/*", tokens_one, false},
    {HTTP_PUT, "/apis/" SUBRESOURCE_GROUP "/*/namespaces/*/expand-vm-spec", subresource_expand, false},
};

static int root(struct call *call, struct error *err)
{
    (void)err;
    json_t *paths = json_array();
    for (size_t i = 1; i < ARRAY_SIZE(ROUTES); i++)
        if (!strchr(ROUTES[i].path, '*'))
            json_array_append_new(paths, json_string(ROUTES[i].path));
    call_answer(call, 200, json_pack("{s:o}", "paths", paths));
    return 0;
}

/* Every request comes by here for every route: nothing but a comparison. A final slash says nothing. */
static bool path_matches(const char *pattern, const char *path)
{
    for (; *pattern; pattern++) {
        if (*pattern == '*') {
            if (*path == '\0' || *path == '/')
                return false;
            path = strchrnul(path, '/');
        } else if (*pattern != *path++) {
            return false;
        }
    }
    return *path == '\0' || (*path == '/' && path[1] == '\0');
}

static const struct route *route_find(const char *path)
{
    for (size_t i = 0; i < ARRAY_SIZE(ROUTES); i++)
        if (path_matches(ROUTES[i].path, path))
            return &ROUTES[i];
    return NULL;
}

/* What a method does to a collection and to one object. */
static const struct action {
    enum http_method method;
    bool on_name;
    unsigned verb;
    const char *word;
    call_handler *handle;
} ACTIONS[] = {
    {HTTP_GET, true, VERB_GET, "get", read_get},
    {HTTP_GET, false, VERB_LIST, "list", read_list},
    {HTTP_POST, false, VERB_CREATE, "create", write_create},
    {HTTP_PUT, true, VERB_UPDATE, "update", write_replace},
    {HTTP_PATCH, true, VERB_PATCH, "patch", write_patch},
    {HTTP_DELETE, true, VERB_DELETE, "delete", write_delete},
    {HTTP_DELETE, false, VERB_DELETECOLLECTION, "deletecollection", write_delete_collection},
};

static int not_found(struct error *err)
{
    return fail(err, ERROR_NOT_FOUND, "the server could not find the requested resource");
}

/* Of one object only its status is a page of its own. */
static int check_sub(const struct target *t, enum http_method method, struct error *err)
{
    if (t->sub[0] == '\0')
        return 0;
    if (strcmp(t->sub, "status") != 0 || !t->resource->has_status || t->rest[0][0])
        return not_found(err);
    if (method != HTTP_GET && method != HTTP_PUT && method != HTTP_PATCH)
        return fail(err, ERROR_METHOD_NOT_ALLOWED, "the server does not allow this method on the requested resource");
    return 0;
}

static int handle_resource(struct call *call, struct error *err)
{
    struct target *t = &call->target;
    if (target_of_path(http_path(call->http), t, err) < 0) {
        unserved_explain(http_path(call->http), err);
        return -1;
    }
    if (t->subresources_group || subresource_is_own(t))
        return subresource_handle(call, err);
    enum http_method method = http_method(call->http) == HTTP_HEAD ? HTTP_GET : http_method(call->http);
    if (check_sub(t, method, err) < 0 ||
        media_choose(http_header(call->http, "Accept"), 1u << FORM_OBJECT | 1u << FORM_TABLE | 1u << FORM_METADATA,
                     &call->form, err) < 0)
        return -1;
    if (strcmp(t->version, t->resource->version[0]) != 0) {
        auto_free char *warning = must_format("%s/%s is now deprecated and will be removed in a future release.",
                                              t->resource->group, t->version);
        call_warn(call, warning);
    }
    if (method == HTTP_GET && call_flag(call, "watch") && (t->resource->verbs & VERB_WATCH))
        return access_check(call, "watch", err) < 0 ? -1 : watch_begin(call, err);
    for (size_t i = 0; i < ARRAY_SIZE(ACTIONS); i++) {
        if (ACTIONS[i].method != method || ACTIONS[i].on_name != t->has_name || !(ACTIONS[i].verb & t->resource->verbs))
            continue;
        if (t->resource->namespaced && !t->has_namespace && ACTIONS[i].verb != VERB_LIST)
            break; /* all namespaces at once are only looked at */
        if (access_check(call, ACTIONS[i].word, err) < 0)
            return -1;
        return t->resource->source == SOURCE_ANSWER ? access_review(call, err) : ACTIONS[i].handle(call, err);
    }
    if (t->resource->source == SOURCE_NOTHING)
        return fail(err, ERROR_METHOD_NOT_ALLOWED, "there are no %s here: rtvmd runs virtual machines and nothing else",
                    t->resource->plural);
    return fail(err, ERROR_METHOD_NOT_ALLOWED, "the server does not allow this method on the requested resource");
}

static int handle(struct call *call, struct error *err)
{
    const struct route *route = route_find(http_path(call->http));
    if (!(route && route->anybody) && access_identify(call, err) < 0)
        return -1;
    if (!route)
        return handle_resource(call, err);
    if (!route->anybody && call->who.role == AUTH_NONE) /* a certificate of a CA that signs others, too */
        return fail(err, ERROR_FORBIDDEN, "forbidden: User \"%s\" cannot %s path \"%s\": it has no role",
                    call->who.user, http_method(call->http) == HTTP_GET ? "get" : "use", route->path);
    unsigned method = http_method(call->http) == HTTP_HEAD ? HTTP_GET : http_method(call->http);
    if (!(route->methods & method))
        return fail(err, ERROR_METHOD_NOT_ALLOWED, "the server does not allow this method on the requested resource");
    return route->handle(call, err);
}

static void request_came(struct http_request *request, void *arg)
{
    struct call *call = must_calloc(1, sizeof *call);
    call->api = arg;
    call->http = request;
    call->began_ns = now_monotonic_ns();
    quiet_disturb(call->api->quiet);
    log_debug("request method=%s path=%s", http_method_text(request), http_path(request));
    struct error err;
    if (handle(call, &err) < 0)
        call_answer_error(call, &err);
}

/* What no handler has seen. */
static char *describe_refusal(int status, const char *sentence)
{
    struct error failure;
    fail(&failure, error_kind_from_http(status, NULL), "%s", sentence);
    auto_json *value = status_failure(&failure, NULL, NULL);
    json_object_set_new(value, "code", json_integer(status));
    return json_to_text(value);
}

static void make_default_namespace(struct store *store)
{
    auto_json *there = store_get(store, "Namespace", "", "default");
    if (there)
        return;
    struct error err;
    json_t *made =
        json_pack("{s:s, s:s, s:{s:s, s:{s:s}}, s:{s:s}}", "kind", "Namespace", "apiVersion", "v1", "metadata", "name",
                  "default", "labels", "kubernetes.io/metadata.name", "default", "status", "phase", "Active");
    if (store_create(store, made, NULL, &err) < 0)
        log_error("make the namespace \"default\": %s", err.text);
}

struct api *api_new(struct loop *loop, struct store *store, struct runtime *runtime)
{
    struct api *api = must_calloc(1, sizeof *api);
    api->loop = loop;
    api->store = store;
    api->runtime = runtime;
    make_default_namespace(store);
    api->http = http_server_new(loop, request_came, api);
    http_server_describe(api->http, describe_refusal);
    api->meter = meter_new();
    api->watches = watches_new(api);
    api->tunnels = tunnels_new(api);
    api->quiet = quiet_new(loop, store);
    collect_start(api);
    return api;
}

void api_free(struct api *api)
{
    if (!api)
        return;
    collect_stop(api);
    tunnels_free(api->tunnels);
    watches_free(api->watches);
    http_server_free(api->http);
    meter_free(api->meter);
    json_decref(api->openapi_hashes);
    json_decref(api->openapi_v2_hash);
    quiet_free(api->quiet);
    free(api);
}

struct http_server *api_http(struct api *api)
{
    return api->http;
}
