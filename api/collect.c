#include "api/collect.h"

#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/log.h"

/* Deletions are seen after they are durable; what follows from them is written in a later round of the loop. If the
 * daemon dies in between, the start finds the same work: owners that are not there, namespaces that are marked. */

static bool is_collected(const struct resource *resource)
{
    return resource->source == SOURCE_STORE && resource->namespaced;
}

static bool is_there(struct api *api, const json_t *owner, const char *namespace_)
{
    const char *kind = json_text_at(owner, "kind", "");
    const struct resource *resource = resource_by_kind(json_text_at(owner, "apiVersion", ""), kind);
    if (!resource || resource->source != SOURCE_STORE)
        return true; /* nothing we can know about */
    auto_json *found =
        store_get(api->store, kind, resource->namespaced ? namespace_ : "", json_text_at(owner, "name", ""));
    return found && strcmp(json_text_at(found, "metadata.uid", ""), json_text_at(owner, "uid", "")) == 0;
}

static bool has_an_owner_left(struct api *api, const json_t *object)
{
    const json_t *owners = json_at(object, "metadata.ownerReferences");
    if (json_array_size(owners) == 0)
        return true; /* never had one */
    for (size_t i = 0; i < json_array_size(owners); i++)
        if (is_there(api, json_array_get(owners, i), json_text_at(object, "metadata.namespace", "")))
            return true;
    return false;
}

static void remove_object(struct api *api, const struct resource *resource, const json_t *object)
{
    struct error err;
    const char *namespace_ = json_text_at(object, "metadata.namespace", "");
    const char *name = json_text_at(object, "metadata.name", "");
    int result;
    if (resource->has_spec)
        result = json_at(object, "metadata.deletionTimestamp")
                     ? 0
                     : runtime_delete(api->runtime, resource->kind, namespace_, name, -1, false, NULL, &err);
    else if (json_array_size(json_at(object, "metadata.finalizers")) > 0)
        result = 0; /* whoever put the finalizer on sees the owner gone */
    else
        result = store_delete(api->store, resource->kind, namespace_, name, NULL, &err);
    if (result < 0)
        log_warn("collecting %s %s/%s: %s", resource->singular, namespace_, name, err.text);
}

/* Everything whose owners are all gone; uid limits it to what that one owned ("" is everything). */
static void collect_owned(struct api *api, const char *uid)
{
    for (const struct resource *r = RESOURCES; r < RESOURCES + RESOURCE_COUNT; r++) {
        if (!is_collected(r))
            continue;
        auto_json *all = store_list(api->store, r->kind, NULL, NULL);
        size_t i;
        json_t *object;
        json_array_foreach(all, i, object)
        {
            const json_t *owners = json_at(object, "metadata.ownerReferences");
            bool concerned = uid[0] == '\0' && json_array_size(owners) > 0;
            for (size_t k = 0; k < json_array_size(owners); k++)
                concerned = concerned || strcmp(json_text_at(json_array_get(owners, k), "uid", ""), uid) == 0;
            if (concerned && !has_an_owner_left(api, object))
                remove_object(api, r, object);
        }
    }
}

void collect_orphans(struct api *api, const char *uid)
{
    for (const struct resource *r = RESOURCES; r < RESOURCES + RESOURCE_COUNT; r++) {
        if (!is_collected(r))
            continue;
        auto_json *all = store_list(api->store, r->kind, NULL, NULL);
        size_t i;
        json_t *object;
        json_array_foreach(all, i, object)
        {
            auto_json *changed = json_deep_copy(object);
            json_t *owners = json_at(changed, "metadata.ownerReferences");
            for (size_t k = json_array_size(owners); k-- > 0;)
                if (strcmp(json_text_at(json_array_get(owners, k), "uid", ""), uid) == 0)
                    json_array_remove(owners, k);
            struct error err;
            if (!json_equal(changed, object) && store_update(api->store, take(changed), false, NULL, &err) < 0)
                log_warn("orphaning: %s", err.text);
        }
    }
}

static bool is_empty(struct api *api, const char *namespace_)
{
    for (const struct resource *r = RESOURCES; r < RESOURCES + RESOURCE_COUNT; r++) {
        if (!is_collected(r))
            continue;
        auto_json *all = store_list(api->store, r->kind, namespace_, NULL);
        if (json_array_size(all) > 0)
            return false;
    }
    return true;
}

void collect_namespace(struct api *api, const char *namespace_)
{
    for (const struct resource *r = RESOURCES; r < RESOURCES + RESOURCE_COUNT; r++) {
        if (!is_collected(r))
            continue;
        auto_json *all = store_list(api->store, r->kind, namespace_, NULL);
        size_t i;
        json_t *object;
        json_array_foreach(all, i, object) remove_object(api, r, object);
    }
    struct error err;
    auto_json *marked = store_get(api->store, "Namespace", "", namespace_);
    if (marked && json_array_size(json_at(marked, "metadata.finalizers")) == 0 && is_empty(api, namespace_) &&
        store_delete(api->store, "Namespace", "", namespace_, NULL, &err) < 0)
        log_warn("namespace %s: %s", namespace_, err.text);
}

static void changed(const struct store_change *change, void *arg)
{
    struct api *api = arg;
    if (change->type != STORE_DELETED || strcmp(change->kind, "Event") == 0)
        return;
    collect_owned(api, json_text_at(change->object, "metadata.uid", "-"));
    auto_json *namespace_ = store_get(api->store, "Namespace", "", change->namespace_);
    if (json_at(namespace_, "metadata.deletionTimestamp"))
        collect_namespace(api, change->namespace_);
}

void collect_start(struct api *api)
{
    api->collector = store_watch(api->store, changed, api);
    collect_owned(api, "");
    auto_json *all = store_list(api->store, "Namespace", NULL, NULL);
    size_t i;
    json_t *namespace_;
    json_array_foreach(all, i, namespace_) if (json_at(namespace_, "metadata.deletionTimestamp"))
        collect_namespace(api, json_text_at(namespace_, "metadata.name", ""));
}

void collect_stop(struct api *api)
{
    store_unwatch(api->collector);
    api->collector = NULL;
}
