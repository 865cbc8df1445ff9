#include "api/wire/fieldset.h"

#include <string.h>

/* Two lists have elements of their own; their place is known by key alone, everywhere in an object. */
static bool is_set_list(const char *key)
{
    return strcmp(key, "finalizers") == 0;
}

static bool is_keyed_list(const char *key)
{
    return strcmp(key, "ownerReferences") == 0;
}

/* The trie key of a list element: v:"text" or k:{"uid":"…"}. */
static char *element_key(const char *list, const json_t *element)
{
    if (is_set_list(list)) {
        auto_free char *value = json_to_text(element);
        return must_format("v:%s", value);
    }
    auto_json *key = json_pack("{s:s}", "uid", json_text_at(element, "uid", ""));
    auto_free char *value = json_to_text(key);
    return must_format("k:%s", value);
}

static json_t *element_find(const json_t *list, const char *name, const char *wanted)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        auto_free char *key = element_key(name, json_array_get(list, i));
        if (strcmp(key, wanted) == 0)
            return json_array_get(list, i);
    }
    return NULL;
}

static bool is_element_list(const char *key, const json_t *value)
{
    return json_is_array(value) && (is_set_list(key) || is_keyed_list(key));
}

/* ---- from values */

/* Leaves of `value` for which keep() says yes; other is what stands at the same place in the object compared with. */
typedef bool keeper(const json_t *value, const json_t *other);

static json_t *leaves(const json_t *value, const json_t *other, keeper *keep);

static void add_node(json_t *set, const char *prefix, const char *key, json_t *node)
{
    auto_json *owned = node;
    if (!node)
        return;
    auto_free char *name = must_format("%s%s", prefix, key);
    json_object_set(set, name, owned);
}

static json_t *element_leaves(const char *list, const json_t *value, const json_t *other, keeper *keep)
{
    json_t *set = json_object();
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *element = json_array_get(value, i);
        auto_free char *key = element_key(list, element);
        const json_t *same = element_find(other, list, key);
        if (keep(element, same))
            json_object_set_new(set, key, json_object());
    }
    if (json_object_size(set) > 0)
        return set;
    json_decref(set);
    return NULL;
}

/* NULL when no leaf is kept. */
static json_t *leaves(const json_t *value, const json_t *other, keeper *keep)
{
    if (!json_is_object(value) || json_object_size(value) == 0)
        return keep(value, other) ? json_object() : NULL;
    json_t *set = json_object();
    const char *key;
    json_t *child;
    json_object_foreach((json_t *)value, key, child)
    {
        const json_t *same = json_object_get(other, key);
        if (is_element_list(key, child))
            add_node(set, "f:", key, element_leaves(key, child, same, keep));
        else
            add_node(set, "f:", key, leaves(child, same, keep));
    }
    if (json_object_size(set) > 0)
        return set;
    json_decref(set);
    return NULL;
}

static bool keep_all(const json_t *value, const json_t *other)
{
    (void)value;
    (void)other;
    return true;
}

static bool keep_different(const json_t *value, const json_t *other)
{
    return !other || !json_equal(value, other);
}

static bool keep_missing(const json_t *value, const json_t *other)
{
    (void)value;
    return !other;
}

static json_t *without_servers(json_t *set)
{
    static const char *const OWNED[] = {"f:name",
                                        "f:namespace",
                                        "f:uid",
                                        "f:resourceVersion",
                                        "f:generation",
                                        "f:creationTimestamp",
                                        "f:selfLink",
                                        "f:deletionTimestamp",
                                        "f:generateName",
                                        "f:managedFields",
                                        "f:deletionGracePeriodSeconds"};
    if (!set)
        return json_object();
    json_object_del(set, "f:kind");
    json_object_del(set, "f:apiVersion");
    json_t *metadata = json_object_get(set, "f:metadata");
    bool had_leaves = json_object_size(metadata) > 0;
    for (size_t i = 0; i < ARRAY_SIZE(OWNED); i++)
        json_object_del(metadata, OWNED[i]);
    if (had_leaves && json_object_size(metadata) == 0)
        json_object_del(set, "f:metadata");
    return set;
}

json_t *fieldset_of(const json_t *object)
{
    return without_servers(leaves(object, NULL, keep_all));
}

json_t *fieldset_changed(const json_t *before, const json_t *after)
{
    return without_servers(leaves(after, before, keep_different));
}

json_t *fieldset_removed(const json_t *before, const json_t *after)
{
    return without_servers(leaves(before, after, keep_missing));
}

/* ---- sets */

static bool is_leaf(const json_t *node)
{
    return json_object_size(node) == 0;
}

bool fieldset_is_empty(const json_t *set)
{
    const char *key;
    json_t *node;
    json_object_foreach((json_t *)set, key,
                        node) if (strcmp(key, ".") != 0 && (is_leaf(node) || !fieldset_is_empty(node))) return false;
    return true;
}

json_t *fieldset_union(const json_t *a, const json_t *b)
{
    json_t *sum = json_deep_copy(a);
    const char *key;
    json_t *node;
    json_object_foreach((json_t *)b, key, node)
    {
        const json_t *mine = json_object_get(a, key);
        json_object_set_new(sum, key,
                            mine && !is_leaf(mine) && !is_leaf(node) ? fieldset_union(mine, node)
                            : mine && is_leaf(node)                  ? json_deep_copy(mine)
                                                                     : json_deep_copy(node));
    }
    return sum;
}

static const json_t *value_at(const json_t *object, const char *key)
{
    return text_starts_with(key, "f:") ? json_object_get(object, key + 2) : NULL;
}

/* What b has for a's key. A leaf covers everything below it: an atomic value that became an object, or the other way
 * round. Only an object that was empty when it became a leaf says nothing of what is put into it. */
static const json_t *covering(const json_t *node, const json_t *b, const char *key, const json_t *values)
{
    const json_t *other = json_object_get(b, key);
    bool is_empty_object = other && is_leaf(other) && !is_leaf(node) && json_is_object(value_at(values, key));
    return is_empty_object ? NULL : other;
}

json_t *fieldset_minus(const json_t *a, const json_t *b, const json_t *values)
{
    json_t *rest = json_object();
    const char *key;
    json_t *node;
    json_object_foreach((json_t *)a, key, node)
    {
        const json_t *gone = covering(node, b, key, values);
        if (strcmp(key, ".") == 0 || (gone && (is_leaf(gone) || is_leaf(node))))
            continue;
        json_t *below = gone ? fieldset_minus(node, gone, value_at(values, key)) : json_deep_copy(node);
        if (!gone || !fieldset_is_empty(below))
            json_object_set(rest, key, below);
        json_decref(below);
    }
    return rest;
}

json_t *fieldset_and(const json_t *a, const json_t *b, const json_t *values)
{
    json_t *both = json_object();
    const char *key;
    json_t *node;
    json_object_foreach((json_t *)a, key, node)
    {
        const json_t *other = covering(node, b, key, values);
        if (strcmp(key, ".") == 0 || !other)
            continue;
        bool leaf = is_leaf(node) || is_leaf(other);
        json_t *below = leaf ? json_object() : fieldset_and(node, other, value_at(values, key));
        if (leaf || !fieldset_is_empty(below))
            json_object_set(both, key, below);
        json_decref(below);
    }
    return both;
}

static size_t list_below(const json_t *set, const char *at, size_t limit, json_t *list)
{
    size_t count = 0;
    const char *key;
    json_t *node;
    json_object_foreach((json_t *)set, key, node)
    {
        if (strcmp(key, ".") == 0)
            continue;
        bool named = text_starts_with(key, "f:");
        auto_free char *path = named ? must_format("%s.%s", at, key + 2) : must_format("%s[%s]", at, key + 2);
        if (!is_leaf(node))
            count += list_below(node, path, limit > count ? limit - count : 0, list);
        else if (count++ < limit)
            json_array_append_new(list, json_string(path));
    }
    return count;
}

size_t fieldset_list(const json_t *set, size_t limit, json_t *list)
{
    return list_below(set, "", limit, list);
}

/* ---- values by sets */

static void merge_elements(const char *name, json_t *into, const json_t *from)
{
    for (size_t i = 0; i < json_array_size(from); i++) {
        json_t *element = json_array_get(from, i);
        auto_free char *key = element_key(name, element);
        json_t *mine = element_find(into, name, key);
        if (!mine)
            json_array_append_new(into, json_deep_copy(element));
        else if (json_is_object(mine))
            fieldset_merge(mine, element);
    }
}

void fieldset_merge(json_t *into, const json_t *from)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)from, key, value)
    {
        json_t *mine = json_object_get(into, key);
        if (is_element_list(key, value) && json_is_array(mine))
            merge_elements(key, mine, value);
        else if (json_is_object(value) && json_is_object(mine))
            fieldset_merge(mine, value);
        else if (!json_is_null(value) || !json_is_object(mine))
            json_object_set_new(into, key, json_deep_copy(value));
    }
}

static void take_out_elements(json_t *list, const char *name, const json_t *set)
{
    for (size_t i = json_array_size(list); i-- > 0;) {
        auto_free char *key = element_key(name, json_array_get(list, i));
        if (json_object_get(set, key))
            json_array_remove(list, i);
    }
}

void fieldset_take_out(json_t *object, const json_t *set)
{
    const char *key;
    json_t *node;
    json_object_foreach((json_t *)set, key, node)
    {
        const char *name = key + 2;
        json_t *value = text_starts_with(key, "f:") ? json_object_get(object, name) : NULL;
        if (!value)
            continue;
        if (is_leaf(node)) {
            json_object_del(object, name);
            continue;
        }
        if (is_element_list(name, value))
            take_out_elements(value, name, node);
        else
            fieldset_take_out(value, node);
        if (json_is_array(value) ? json_array_size(value) == 0 : json_object_size(value) == 0)
            json_object_del(object, name);
    }
}
