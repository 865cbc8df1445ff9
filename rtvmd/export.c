#include "rtvmd/export.h"

#include <string.h>

#include "api/wire/fieldset.h"

/* Fields that some client set; controllers of the daemon write through subresources, and do not count. */
static json_t *said_by_clients(const json_t *object)
{
    json_t *all = json_object();
    size_t i;
    json_t *entry;
    json_array_foreach(json_at(object, "metadata.managedFields"), i, entry)
    {
        if (json_text_at(entry, "subresource", "")[0])
            continue;
        json_t *both = fieldset_union(all, json_object_get(entry, "fieldsV1"));
        json_decref(all);
        all = both;
    }
    return all;
}

/* The fields of the set, in the order of the object. A list is one field here, as the server sees it. */
static json_t *pick(const json_t *value, const json_t *set)
{
    if (!json_is_object(value))
        return json_deep_copy(value);
    json_t *picked = json_object();
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)value, key, member)
    {
        auto_free char *field = must_format("f:%s", key);
        const json_t *below = json_object_get(set, field);
        if (below)
            json_object_set_new(picked, key, pick(member, below));
    }
    return picked;
}

static json_t *export_metadata(const json_t *metadata, const json_t *set)
{
    static const char *const DROPPED[] = {"finalizers",
                                          "ownerReferences",
                                          "managedFields",
                                          "uid",
                                          "resourceVersion",
                                          "generation",
                                          "creationTimestamp",
                                          "deletionTimestamp",
                                          "deletionGracePeriodSeconds"};
    json_t *exported = json_object();
    const char *namespace_ = json_text_at(metadata, "namespace", "default");
    json_object_set(exported, "name", json_object_get(metadata, "name"));
    if (strcmp(namespace_, "default") != 0)
        json_object_set_new(exported, "namespace", json_string(namespace_));
    auto_json *rest = pick(metadata, set);
    for (size_t i = 0; i < ARRAY_SIZE(DROPPED); i++)
        json_object_del(rest, DROPPED[i]);
    json_t *annotations = json_object_get(rest, "annotations");
    json_object_del(annotations, "kubectl.kubernetes.io/last-applied-configuration");
    if (annotations && json_object_size(annotations) == 0)
        json_object_del(rest, "annotations");
    json_object_update_missing(exported, rest);
    return exported;
}

json_t *export_object(const json_t *object)
{
    auto_json *set = said_by_clients(object);
    if (fieldset_is_empty(set)) {
        json_decref(set);
        set = fieldset_of(object);
    }
    json_t *exported = json_object();
    json_object_set(exported, "apiVersion", json_object_get(object, "apiVersion"));
    json_object_set(exported, "kind", json_object_get(object, "kind"));
    json_object_set_new(exported, "metadata",
                        export_metadata(json_object_get(object, "metadata"), json_object_get(set, "f:metadata")));
    auto_json *rest = pick(object, set);
    json_object_del(rest, "status");
    json_object_update_missing(exported, rest);
    return exported;
}

bool export_is_wanted(const json_t *object)
{
    return !json_at(object, "metadata.deletionTimestamp") && !json_at(object, "metadata.ownerReferences.0");
}
