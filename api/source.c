#include "api/source.h"

#include <stdlib.h>
#include <string.h>

/* Objects are stored in the preferred version of their kind; kubevirt.io/v1alpha3 differs from v1 in nothing but the
 * word. Events are stored as core Events and shown in the shape of events.k8s.io on demand. */

static void move(json_t *from, const char *key, json_t *to, const char *name)
{
    json_t *value = json_object_get(from, key);
    if (value)
        json_object_set(to, name, value);
}

static json_t *event_view(json_t *event)
{
    static const char *const SAME[] = {"metadata", "reason", "type", "related", "action", "eventTime", "series"};
    static const char *const RENAMED[][2] = {
        {"involvedObject", "regarding"},
        {"message", "note"},
        {"reportingComponent", "reportingController"},
        {"reportingInstance", "reportingInstance"},
        {"source", "deprecatedSource"},
        {"firstTimestamp", "deprecatedFirstTimestamp"},
        {"lastTimestamp", "deprecatedLastTimestamp"},
        {"count", "deprecatedCount"},
    };
    json_t *view = json_pack("{s:s, s:s}", "kind", "Event", "apiVersion", "events.k8s.io/v1");
    for (size_t i = 0; i < ARRAY_SIZE(SAME); i++)
        move(event, SAME[i], view, SAME[i]);
    for (size_t i = 0; i < ARRAY_SIZE(RENAMED); i++)
        move(event, RENAMED[i][0], view, RENAMED[i][1]);
    if (!json_object_get(view, "eventTime"))
        json_object_set_new(view, "eventTime", json_null());
    return view;
}

json_t *source_view(const struct resource *resource, const char *version, json_t *stored)
{
    if (resource->source == SOURCE_EVENTS)
        return event_view(stored);
    if (resource->source != SOURCE_STORE || strcmp(version, resource->version[0]) == 0)
        return json_incref(stored);
    json_t *view = json_copy(stored);
    auto_free char *api_version = resource_api_version(resource, version);
    json_object_set_new(view, "apiVersion", json_string(api_version));
    return view;
}

bool source_is_made(const struct resource *resource)
{
    return resource->source == SOURCE_NODE || resource->source == SOURCE_PLACEMENT ||
           resource->source == SOURCE_HOST_CHANGE;
}

static json_t *made_list(struct api *api, const struct resource *resource, const char *namespace_)
{
    json_t *list = json_array();
    if (resource->source == SOURCE_NOTHING)
        return list;
    auto_json *made = resource->source == SOURCE_NODE          ? runtime_node(api->runtime)
                      : resource->source == SOURCE_HOST_CHANGE ? runtime_host_change(api->runtime, NULL)
                                                               : runtime_placement(api->runtime, NULL, NULL);
    if (json_is_object(made))
        json_array_append(list, made);
    size_t i;
    json_t *object;
    if (json_is_array(made))
        json_array_foreach(made, i,
                           object) if (!namespace_ || text_equal(json_text_at(object, "metadata.namespace", NULL),
                                                                 namespace_)) json_array_append(list, object);
    return list;
}

json_t *source_get(struct api *api, const struct resource *resource, const char *version, const char *namespace_,
                   const char *name)
{
    if (resource->source == SOURCE_NODE) {
        auto_json *node = runtime_node(api->runtime);
        return text_equal(json_text_at(node, "metadata.name", NULL), name) ? take(node) : NULL;
    }
    if (resource->source == SOURCE_PLACEMENT)
        return runtime_placement(api->runtime, namespace_, name);
    if (resource->source == SOURCE_HOST_CHANGE)
        return runtime_host_change(api->runtime, name);
    if (resource->source == SOURCE_NOTHING)
        return NULL;
    auto_json *stored = store_get(api->store, resource->kind, namespace_, name);
    return stored ? source_view(resource, version, stored) : NULL;
}

json_t *source_list(struct api *api, const struct resource *resource, const char *version, const char *namespace_,
                    uint64_t *ret_version)
{
    *ret_version = store_version(api->store);
    if (source_is_made(resource) || resource->source == SOURCE_NOTHING)
        return made_list(api, resource, namespace_);
    json_t *list = store_list(api->store, resource->kind, namespace_, ret_version);
    if (resource->source == SOURCE_STORE && strcmp(version, resource->version[0]) == 0)
        return list;
    for (size_t i = 0; i < json_array_size(list); i++)
        json_array_set_new(list, i, source_view(resource, version, json_array_get(list, i)));
    return list;
}
