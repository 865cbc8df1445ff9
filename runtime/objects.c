#include <string.h>

#include "runtime/inside.h"

/* Small facts about stored objects, and small changes to copies of them. */

bool object_is_deleting(const json_t *object)
{
    return json_text_at(object, "metadata.deletionTimestamp", NULL) != NULL;
}

json_t *object_vmi_spec(const json_t *object)
{
    bool is_vm = strcmp(json_text_at(object, "kind", ""), "VirtualMachine") == 0;
    return json_at(object, is_vm ? "spec.template.spec" : "spec");
}

int64_t vmi_grace_s(const json_t *vmi)
{
    enum { DEFAULT_GRACE_S = 30 };
    int64_t grace_s = json_int_at(object_vmi_spec(vmi), "terminationGracePeriodSeconds", DEFAULT_GRACE_S);
    return grace_s < 0 ? DEFAULT_GRACE_S : grace_s;
}

/* As Kubernetes: the timestamp is when patience ends. A second deletion may only shorten it. */
void object_mark_deleted(json_t *object, int64_t grace_s, int64_t now_s)
{
    if (grace_s < 0) { /* at once, and whatever it owns as its spec says */
        if (!object_is_deleting(object))
            object_mark_deleted(object, 0, now_s);
        json_drop_at(object, "metadata.deletionGracePeriodSeconds");
        return;
    }
    int64_t before_s = timestamp_parse(json_text_at(object, "metadata.deletionTimestamp", NULL));
    if (before_s && before_s <= now_s + grace_s)
        return;
    char text[TIMESTAMP_TEXT_MAX];
    json_put_at(object, "metadata.deletionTimestamp", json_string(timestamp_format(now_s + grace_s, text)));
    json_put_at(object, "metadata.deletionGracePeriodSeconds", json_integer(grace_s));
}

static size_t find_finalizer(const json_t *object, const char *finalizer)
{
    json_t *list = json_at(object, "metadata.finalizers");
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry)
    {
        if (text_equal(json_string_value(entry), finalizer))
            return i;
    }
    return SIZE_MAX;
}

bool object_has_finalizer(const json_t *object, const char *finalizer)
{
    return find_finalizer(object, finalizer) != SIZE_MAX;
}

void object_add_finalizer(json_t *object, const char *finalizer)
{
    if (object_has_finalizer(object, finalizer))
        return;
    if (!json_is_array(json_at(object, "metadata.finalizers")))
        json_put_at(object, "metadata.finalizers", json_array());
    json_array_append_new(json_at(object, "metadata.finalizers"), json_string(finalizer));
}

void object_drop_finalizer(json_t *object, const char *finalizer)
{
    size_t i = find_finalizer(object, finalizer);
    if (i == SIZE_MAX)
        return;
    json_t *list = json_at(object, "metadata.finalizers");
    json_array_remove(list, i);
    if (json_array_size(list) == 0)
        json_drop_at(object, "metadata.finalizers");
}

const char *object_controller(const json_t *object)
{
    size_t i;
    json_t *owner;
    json_array_foreach(json_at(object, "metadata.ownerReferences"), i, owner)
    {
        if (json_bool_at(owner, "controller", false))
            return json_text_at(owner, "uid", "");
    }
    return NULL;
}

void object_set_controller(json_t *object, const json_t *owner)
{
    json_t *reference =
        json_pack("{s:s, s:s, s:s, s:s, s:b, s:b}", "apiVersion", json_text_at(owner, "apiVersion", "kubevirt.io/v1"),
                  "kind", json_text_at(owner, "kind", ""), "name", json_text_at(owner, "metadata.name", ""), "uid",
                  json_text_at(owner, "metadata.uid", ""), "controller", 1, "blockOwnerDeletion", 1);
    json_put_at(object, "metadata.ownerReferences", json_pack("[o]", reference));
}

const char *object_annotation(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(json_at(object, "metadata.annotations"), key));
}

static void put_below(json_t *object, const char *path, const char *key, const char *value)
{
    if (!json_is_object(json_at(object, path)))
        json_put_at(object, path, json_object());
    json_object_set_new(json_at(object, path), key, json_string(value));
}

void object_set_annotation(json_t *object, const char *key, const char *value)
{
    put_below(object, "metadata.annotations", key, value);
}

void object_set_label(json_t *object, const char *key, const char *value)
{
    put_below(object, "metadata.labels", key, value);
}
