#include "api/schema/discovery.h"

#include <stdlib.h>
#include <string.h>

#include "api/subresource.h"
#include "rtvmd/version.h"

/* Groups in the order clients try them. Their versions come from the resource table; the subresource API of KubeVirt
 * has no resources of its own. */
static const char *const GROUPS[] = {"",
                                     "kubevirt.io",
                                     SUBRESOURCE_GROUP,
                                     "rtvmd.io",
                                     "events.k8s.io",
                                     "authentication.k8s.io",
                                     "authorization.k8s.io",
                                     "apps",
                                     "batch",
                                     "networking.k8s.io",
                                     "apiextensions.k8s.io"};

static const struct {
    unsigned verb;
    const char *name;
} VERBS[] = {
    {VERB_CREATE, "create"}, {VERB_DELETE, "delete"}, {VERB_DELETECOLLECTION, "deletecollection"},
    {VERB_GET, "get"},       {VERB_LIST, "list"},     {VERB_PATCH, "patch"},
    {VERB_UPDATE, "update"}, {VERB_WATCH, "watch"},
};

static const char *resources_of(const char *group)
{
    return strcmp(group, SUBRESOURCE_GROUP) == 0 ? "kubevirt.io" : group;
}

/* The index-th version of a group, NULL behind the last. */
static const char *group_version(const char *group, size_t index)
{
    for (const struct resource *r = RESOURCES; r < RESOURCES + RESOURCE_COUNT; r++)
        if (strcmp(r->group, resources_of(group)) == 0)
            return index < ARRAY_SIZE(r->version) ? r->version[index] : NULL;
    return NULL;
}

static json_t *verbs_of(unsigned mask)
{
    json_t *verbs = json_array();
    for (size_t i = 0; i < ARRAY_SIZE(VERBS); i++)
        if (mask & VERBS[i].verb)
            json_array_append_new(verbs, json_string(VERBS[i].name));
    return verbs;
}

static json_t *short_names(const struct resource *r)
{
    json_t *names = json_array();
    for (size_t i = 0; i < ARRAY_SIZE(r->short_name) && r->short_name[i]; i++)
        json_array_append_new(names, json_string(r->short_name[i]));
    return names;
}

static void add_names(json_t *entry, const struct resource *r)
{
    auto_json *names = short_names(r);
    if (json_array_size(names) > 0)
        json_object_set(entry, "shortNames", names);
    if (r->in_all)
        json_object_set_new(entry, "categories", json_pack("[s]", "all"));
}

/* ---- the old form */

static json_t *group_entry(const char *group)
{
    json_t *versions = json_array();
    const char *version;
    for (size_t i = 0; (version = group_version(group, i)); i++)
        json_array_append_new(versions, json_pack("{s:o, s:s}", "groupVersion", json_sprintf("%s/%s", group, version),
                                                  "version", version));
    return json_pack("{s:s, s:o, s:O}", "name", group, "versions", versions, "preferredVersion",
                     json_array_get(versions, 0));
}

static json_t *resource_entry(const struct resource *r)
{
    json_t *entry = json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", r->plural, "singularName", r->singular, "namespaced",
                              r->namespaced, "kind", r->kind, "verbs", verbs_of(r->verbs));
    add_names(entry, r);
    return entry;
}

static json_t *list_resources(const char *group, const char *version)
{
    json_t *list = json_array();
    if (strcmp(group, SUBRESOURCE_GROUP) == 0) {
        for (const struct subresource *s = SUBRESOURCES; s < SUBRESOURCES + SUBRESOURCE_COUNT; s++)
            if (strcmp(s->group, group) == 0 && !s->why)
                json_array_append_new(list, json_pack("{s:o, s:s, s:b, s:s, s:[]}", "name",
                                                      json_sprintf("%s/%s", s->plural, s->name), "singularName", "",
                                                      "namespaced", 1, "kind", "", "verbs"));
        return list;
    }
    for (const struct resource *r = RESOURCES; r < RESOURCES + RESOURCE_COUNT; r++) {
        if (strcmp(r->group, group) != 0 || !resource_has_version(r, version))
            continue;
        json_array_append_new(list, resource_entry(r));
        if (r->has_status)
            json_array_append_new(list,
                                  json_pack("{s:o, s:s, s:b, s:s, s:o}", "name", json_sprintf("%s/status", r->plural),
                                            "singularName", "", "namespaced", r->namespaced, "kind", r->kind, "verbs",
                                            verbs_of(VERB_GET | VERB_PATCH | VERB_UPDATE)));
    }
    return list;
}

/* ---- the aggregated form */

static json_t *kind_of(const char *group, const char *version, const char *kind)
{
    return json_pack("{s:s, s:s, s:s}", "group", group, "version", version, "kind", kind);
}

static json_t *aggregated_resource(const struct resource *r, const char *version)
{
    json_t *entry = json_pack("{s:s, s:o, s:s, s:s, s:o}", "resource", r->plural, "responseKind",
                              kind_of(r->group, version, r->kind), "scope", r->namespaced ? "Namespaced" : "Cluster",
                              "singularResource", r->singular, "verbs", verbs_of(r->verbs));
    add_names(entry, r);
    if (r->has_status)
        json_object_set_new(entry, "subresources",
                            json_pack("[{s:s, s:o, s:o}]", "subresource", "status", "responseKind",
                                      kind_of(r->group, version, r->kind), "verbs",
                                      verbs_of(VERB_GET | VERB_PATCH | VERB_UPDATE)));
    return entry;
}

/* The subresources of one plural; kubectl wants each below its resource. */
static json_t *aggregated_subresources(const char *version)
{
    json_t *list = json_array();
    const char *plural = "";
    json_t *under = NULL;
    for (const struct subresource *s = SUBRESOURCES; s < SUBRESOURCES + SUBRESOURCE_COUNT; s++) {
        if (strcmp(s->group, SUBRESOURCE_GROUP) != 0 || s->why)
            continue;
        if (strcmp(plural, s->plural) != 0) {
            const struct resource *r = resource_find("kubevirt.io", version, s->plural);
            plural = s->plural;
            under = json_array();
            json_array_append_new(list, json_pack("{s:s, s:o, s:s, s:s, s:[], s:o}", "resource", plural, "responseKind",
                                                  kind_of(SUBRESOURCE_GROUP, version, r ? r->kind : ""), "scope",
                                                  "Namespaced", "singularResource", r ? r->singular : "", "verbs",
                                                  "subresources", under));
        }
        json_array_append_new(under, json_pack("{s:s, s:o, s:[s]}", "subresource", s->name, "responseKind",
                                               kind_of(SUBRESOURCE_GROUP, version, ""), "verbs",
                                               s->methods == HTTP_GET ? "get" : "update"));
    }
    return list;
}

static json_t *aggregated_version(const char *group, const char *version)
{
    json_t *list = strcmp(group, SUBRESOURCE_GROUP) == 0 ? aggregated_subresources(version) : json_array();
    for (const struct resource *r = RESOURCES; r < RESOURCES + RESOURCE_COUNT; r++)
        if (strcmp(r->group, group) == 0 && resource_has_version(r, version))
            json_array_append_new(list, aggregated_resource(r, version));
    return json_pack("{s:s, s:o, s:s}", "version", version, "resources", list, "freshness", "Current");
}

static json_t *aggregated_group(const char *group)
{
    json_t *versions = json_array();
    const char *version;
    for (size_t i = 0; (version = group_version(group, i)); i++)
        json_array_append_new(versions, aggregated_version(group, version));
    json_t *metadata = group[0] ? json_pack("{s:s}", "name", group) : json_object();
    return json_pack("{s:o, s:o}", "metadata", metadata, "versions", versions);
}

static int answer_aggregated(struct call *call, bool core)
{
    bool old = call->form == FORM_DISCOVERY_OLD;
    json_t *items = json_array();
    for (size_t i = 0; i < ARRAY_SIZE(GROUPS); i++)
        if ((GROUPS[i][0] == '\0') == core)
            json_array_append_new(items, aggregated_group(GROUPS[i]));
    auto_free char *type =
        must_format("application/json;g=apidiscovery.k8s.io;v=%s;as=APIGroupDiscoveryList", old ? "v2beta1" : "v2");
    auto_json *list =
        json_pack("{s:s, s:s, s:{}, s:o}", "kind", "APIGroupDiscoveryList", "apiVersion",
                  old ? "apidiscovery.k8s.io/v2beta1" : "apidiscovery.k8s.io/v2", "metadata", "items", items);
    http_reply_take(call->http, 200, type, json_to_text(list));
    call_end(call, 200);
    return 0;
}

/* ---- pages */

static int choose_form(struct call *call, struct error *err)
{
    return media_choose(http_header(call->http, "Accept"),
                        1u << FORM_OBJECT | 1u << FORM_DISCOVERY | 1u << FORM_DISCOVERY_OLD, &call->form, err);
}

int discovery_api(struct call *call, struct error *err)
{
    if (choose_form(call, err) < 0)
        return -1;
    if (call->form != FORM_OBJECT)
        return answer_aggregated(call, true);
    call_answer(call, 200,
                json_pack("{s:s, s:[s], s:[{s:s, s:s}]}", "kind", "APIVersions", "versions", "v1",
                          "serverAddressByClientCIDRs", "clientCIDR", "0.0.0.0/0", "serverAddress", ""));
    return 0;
}

int discovery_apis(struct call *call, struct error *err)
{
    if (choose_form(call, err) < 0)
        return -1;
    if (call->form != FORM_OBJECT)
        return answer_aggregated(call, false);
    json_t *groups = json_array();
    for (size_t i = 1; i < ARRAY_SIZE(GROUPS); i++)
        json_array_append_new(groups, group_entry(GROUPS[i]));
    call_answer(call, 200, json_pack("{s:s, s:s, s:o}", "kind", "APIGroupList", "apiVersion", "v1", "groups", groups));
    return 0;
}

static const char *group_in(const char *path, char *buffer, size_t size)
{
    const char *group = path + strlen("/apis/");
    snprintf(buffer, size, "%.*s", (int)strcspn(group, "/"), group);
    return buffer;
}

int discovery_group(struct call *call, struct error *err)
{
    char group[128];
    group_in(http_path(call->http), group, sizeof group);
    if (!group_version(group, 0))
        return fail(err, ERROR_NOT_FOUND, "the server could not find the requested resource");
    json_t *entry = group_entry(group);
    json_object_set_new(entry, "kind", json_string("APIGroup"));
    json_object_set_new(entry, "apiVersion", json_string("v1"));
    call_answer(call, 200, entry);
    return 0;
}

int discovery_resources(struct call *call, struct error *err)
{
    char group[128] = "";
    const char *path = http_path(call->http);
    const char *version = "v1";
    if (text_starts_with(path, "/apis/")) {
        group_in(path, group, sizeof group);
        version = path + strlen("/apis/") + strlen(group) + 1;
    }
    bool known = false;
    const char *have;
    for (size_t i = 0; (have = group_version(group, i)); i++)
        known = known || strcmp(have, version) == 0;
    if (!known)
        return fail(err, ERROR_NOT_FOUND, "the server could not find the requested resource");
    call_answer(call, 200,
                json_pack("{s:s, s:s, s:o, s:o}", "kind", "APIResourceList", "apiVersion", "v1", "groupVersion",
                          group[0] ? json_sprintf("%s/%s", group, version) : json_string(version), "resources",
                          list_resources(group, version)));
    return 0;
}

#ifdef __aarch64__
#define PLATFORM "linux/arm64"
#else
#define PLATFORM "linux/amd64"
#endif

static json_t *version_info(const char *version)
{
    /* all of it is required; builds are reproducible and have no date, as Kubernetes' own say it */
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "gitVersion", version, "gitCommit", "rtvmd-" RTVMD_VERSION,
                     "gitTreeState", "clean", "buildDate", "1970-01-01T00:00:00Z", "goVersion", "none", "compiler",
                     "cc", "platform", PLATFORM);
}

int discovery_version(struct call *call, struct error *err)
{
    (void)err;
    json_t *info = version_info("v" RTVMD_KUBERNETES_MAJOR "." RTVMD_KUBERNETES_MINOR ".0");
    json_object_set_new(info, "major", json_string(RTVMD_KUBERNETES_MAJOR));
    json_object_set_new(info, "minor", json_string(RTVMD_KUBERNETES_MINOR));
    call_answer(call, 200, info);
    return 0;
}

int discovery_kubevirt(struct call *call, struct error *err)
{
    (void)err;
    call_answer(call, 200, version_info(RTVMD_KUBEVIRT_VERSION));
    return 0;
}
