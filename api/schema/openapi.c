#include "api/schema/openapi.h"

#include <stdlib.h>
#include <string.h>

#include "api/schema/openapi_pb.h"
#include "api/schema/schema.h"
#include "api/wire/digest.h"
#include "rtvmd/version.h"

/* ---- operations: enough for a client to find kinds by path, and to see that the server validates fields itself */

static const struct {
    const char *method;
    bool on_name;
    unsigned verb;
    const char *action; /* x-kubernetes-action */
    const char *summary;
} OPERATIONS[] = {
    {"get", false, VERB_LIST, "list", "list objects"},
    {"post", false, VERB_CREATE, "post", "create an object"},
    {"delete", false, VERB_DELETECOLLECTION, "deletecollection", "delete objects"},
    {"get", true, VERB_GET, "get", "read an object"},
    {"put", true, VERB_UPDATE, "put", "replace an object"},
    {"patch", true, VERB_PATCH, "patch", "change an object"},
    {"delete", true, VERB_DELETE, "delete", "delete an object"},
};

static const struct {
    const char *name;
    unsigned verbs; /* of the operations that take it */
    const char *type;
    const char *doc;
} PARAMETERS[] = {
    {"dryRun", VERB_CREATE | VERB_UPDATE | VERB_PATCH | VERB_DELETE | VERB_DELETECOLLECTION, "string",
     "All: do everything but keep it."},
    {"fieldManager", VERB_CREATE | VERB_UPDATE | VERB_PATCH, "string", "Who owns what is written."},
    {"fieldValidation", VERB_CREATE | VERB_UPDATE | VERB_PATCH, "string",
     "Ignore, Warn or Strict: what becomes of unknown fields."},
    {"force", VERB_PATCH, "boolean", "Server-side apply takes fields from their owners."},
    {"labelSelector", VERB_LIST | VERB_DELETECOLLECTION, "string", "Only objects with these labels."},
    {"fieldSelector", VERB_LIST | VERB_DELETECOLLECTION, "string", "Only objects with these fields."},
    {"limit", VERB_LIST, "integer", "At most this many objects per answer."},
    {"continue", VERB_LIST, "string", "The next objects after an earlier answer."},
    {"resourceVersion", VERB_LIST, "string", "At least this state."},
    {"watch", VERB_LIST, "boolean", "Changes as they happen."},
    {"timeoutSeconds", VERB_LIST, "integer", "When a watch ends."},
    {"gracePeriodSeconds", VERB_DELETE, "integer", "How long the guest may take to shut down."},
    {"propagationPolicy", VERB_DELETE, "string", "Orphan, Background or Foreground."},
};

static json_t *parameter(const char *name, const char *in, const char *type, const char *doc, bool v2)
{
    json_t *p = json_pack("{s:s, s:s, s:s}", "name", name, "in", in, "description", doc);
    if (strcmp(in, "path") == 0)
        json_object_set_new(p, "required", json_true());
    if (v2)
        json_object_set_new(p, "type", json_string(type));
    else
        json_object_set_new(p, "schema", json_pack("{s:s}", "type", type));
    return p;
}

static json_t *parameters(const struct resource *r, unsigned verb, bool on_name, bool v2)
{
    json_t *list = json_array();
    if (r->namespaced)
        json_array_append_new(list, parameter("namespace", "path", "string", "Namespace of the object.", v2));
    if (on_name)
        json_array_append_new(list, parameter("name", "path", "string", "Name of the object.", v2));
    for (size_t i = 0; i < ARRAY_SIZE(PARAMETERS); i++)
        if (PARAMETERS[i].verbs & verb)
            json_array_append_new(list,
                                  parameter(PARAMETERS[i].name, "query", PARAMETERS[i].type, PARAMETERS[i].doc, v2));
    return list;
}

static json_t *operation(const struct resource *r, const char *version, size_t index, bool v2)
{
    json_t *gvk = json_pack("{s:s, s:s, s:s}", "group", r->group, "version", version, "kind", r->kind);
    json_t *o = json_pack("{s:o, s:o, s:s, s:o, s:{s:{s:s}}}", "description",
                          json_sprintf("%s (%s)", OPERATIONS[index].summary, r->kind), "operationId",
                          json_sprintf("%s%s%s%s", OPERATIONS[index].action, r->group, version, r->kind),
                          "x-kubernetes-action", OPERATIONS[index].action, "x-kubernetes-group-version-kind", gvk,
                          "responses", "200", "description", "OK");
    json_object_set_new(o, "parameters", parameters(r, OPERATIONS[index].verb, OPERATIONS[index].on_name, v2));
    return o;
}

static void add_paths(json_t *paths, const struct resource *r, const char *version, bool v2)
{
    auto_free char *api_version = resource_api_version(r, version);
    for (int on_name = 0; on_name < 2; on_name++) {
        auto_free char *path =
            must_format("/%s/%s/%s%s%s", r->group[0] ? "apis" : "api", api_version,
                        r->namespaced ? "namespaces/{namespace}/" : "", r->plural, on_name ? "/{name}" : "");
        json_t *item = json_object();
        for (size_t i = 0; i < ARRAY_SIZE(OPERATIONS); i++)
            if (OPERATIONS[i].on_name == (on_name == 1) && (OPERATIONS[i].verb & r->verbs))
                json_object_set_new(item, OPERATIONS[i].method, operation(r, version, i, v2));
        json_object_set_new(paths, path, item);
    }
}

static json_t *info(void)
{
    return json_pack("{s:s, s:s}", "title", "rtvmd", "version", "v" RTVMD_VERSION);
}

/* ---- version 3: an index, and a document per group and version */

static bool is_in(const struct resource *r, const char *version, const char *key)
{
    auto_free char *api_version = resource_api_version(r, version);
    auto_free char *wanted = must_format("%s/%s", r->group[0] ? "apis" : "api", api_version);
    return strcmp(wanted, key) == 0;
}

/* The document of "apis/GROUP/VERSION"; NULL when there is no such thing. */
static json_t *group_document(const char *key)
{
    json_t *paths = json_object();
    json_t *schemas = json_object();
    for (const struct resource *r = RESOURCES; r < RESOURCES + RESOURCE_COUNT; r++) {
        for (size_t i = 0; i < ARRAY_SIZE(r->version) && r->version[i]; i++) {
            if (!is_in(r, r->version[i], key))
                continue;
            auto_free char *name = schema_name(r, r->version[i]);
            json_object_set_new(schemas, name, schema_of(r, r->version[i], "#/components/schemas/"));
            add_paths(paths, r, r->version[i], false);
        }
    }
    bool found = json_object_size(schemas) > 0;
    json_object_set_new(schemas, SCHEMA_METADATA, schema_of_metadata());
    json_t *document = json_pack("{s:s, s:o, s:o, s:{s:o}}", "openapi", "3.0.0", "info", info(), "paths", paths,
                                 "components", "schemas", schemas);
    if (found)
        return document;
    json_decref(document);
    return NULL;
}

/* Steals the document. */
static json_t *hash_of(json_t *document)
{
    auto_json *owned = document;
    auto_free char *text = json_to_text(document);
    char hash[DIGEST_TEXT_MAX];
    digest_text(text, strlen(text), hash);
    return json_string(hash);
}

/* Names what is answered by its hash. True: the client has it already, and was told so. */
static bool answer_known(struct call *call, const char *hash, const char *form, const char *cache_control)
{
    auto_free char *tag = must_format("\"%s%s\"", hash, form);
    http_add_header(call->http, "ETag", tag);
    http_add_header(call->http, "Vary", "Accept");
    http_add_header(call->http, "Cache-Control", cache_control);
    bool is_known = text_equal(http_header(call->http, "If-None-Match"), tag);
    if (is_known)
        call_answer_empty(call, 304);
    return is_known;
}

/* Documents are large and never change while the daemon runs: kubectl, which asks with every apply, keeps what it has
 * under a name with the right hash. */
static const json_t *hashes(struct api *api)
{
    if (api->openapi_hashes)
        return api->openapi_hashes;
    api->openapi_hashes = json_object();
    for (const struct resource *r = RESOURCES; r < RESOURCES + RESOURCE_COUNT; r++) {
        for (size_t i = 0; i < ARRAY_SIZE(r->version) && r->version[i]; i++) {
            auto_free char *api_version = resource_api_version(r, r->version[i]);
            auto_free char *key = must_format("%s/%s", r->group[0] ? "apis" : "api", api_version);
            if (json_object_get(api->openapi_hashes, key))
                continue;
            json_object_set_new(api->openapi_hashes, key, hash_of(group_document(key)));
        }
    }
    return api->openapi_hashes;
}

int openapi_v3_index(struct call *call, struct error *err)
{
    (void)err;
    json_t *paths = json_object();
    const char *key;
    json_t *hash;
    json_object_foreach((json_t *)hashes(call->api), key, hash) json_object_set_new(
        paths, key,
        json_pack("{s:o}", "serverRelativeURL", json_sprintf("/openapi/v3/%s?hash=%s", key, json_string_value(hash))));
    call_answer(call, 200, json_pack("{s:o}", "paths", paths));
    return 0;
}

int openapi_v3_group(struct call *call, struct error *err)
{
    auto_free char *key = must_strdup(http_path(call->http) + strlen("/openapi/v3/"));
    key[strlen(key) - (key[0] && key[strlen(key) - 1] == '/')] = '\0';
    const char *hash = json_string_value(json_object_get(hashes(call->api), key));
    if (!hash)
        return fail(err, ERROR_NOT_FOUND, "the server could not find the requested resource");
    bool is_named = text_equal(http_query(call->http, "hash"), hash);
    if (!answer_known(call, hash, "", is_named ? "public, immutable, max-age=31536000" : "no-cache"))
        call_answer(call, 200, group_document(key));
    return 0;
}

/* ---- version 2: one document for everything */

json_t *openapi_v2_document(void)
{
    json_t *paths = json_object();
    json_t *definitions = json_object();
    for (const struct resource *r = RESOURCES; r < RESOURCES + RESOURCE_COUNT; r++) {
        for (size_t i = 0; i < ARRAY_SIZE(r->version) && r->version[i]; i++) {
            auto_free char *name = schema_name(r, r->version[i]);
            json_object_set_new(definitions, name, schema_of(r, r->version[i], "#/definitions/"));
            add_paths(paths, r, r->version[i], true);
        }
    }
    json_object_set_new(definitions, SCHEMA_METADATA, schema_of_metadata());
    return json_pack("{s:s, s:o, s:o, s:o}", "swagger", "2.0", "info", info(), "paths", paths, "definitions",
                     definitions);
}

int openapi_v2(struct call *call, struct error *err)
{
    (void)err;
    const char *accept = http_header(call->http, "Accept");
    bool wants_json = !accept || !strstr(accept, OPENAPI_PB_WISH);
    if (!call->api->openapi_v2_hash)
        call->api->openapi_v2_hash = hash_of(openapi_v2_document());
    if (answer_known(call, json_string_value(call->api->openapi_v2_hash), wants_json ? "" : "-pb", "no-cache"))
        return 0;
    auto_json *document = openapi_v2_document();
    if (wants_json) {
        call_answer(call, 200, take(document));
        return 0;
    }
    auto_text bytes = {0};
    openapi_pb_write(document, &bytes);
    http_reply(call->http, 200, OPENAPI_PB_TYPE, text_cstr(&bytes), bytes.length);
    call_end(call, 200);
    return 0;
}
