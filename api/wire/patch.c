#include "api/wire/patch.h"

#include <string.h>

#include "rtvmd/base/limits.h"

/* What a patch makes must be within the limits a manifest has; copies could grow it without end. */
static bool within_limits(const json_t *value, unsigned depth, size_t *nodes)
{
    const char *key;
    json_t *element;
    size_t i;
    if (depth > LIMIT_MANIFEST_DEPTH || ++*nodes > LIMIT_MANIFEST_NODES)
        return false;
    json_array_foreach((json_t *)value, i, element) if (!within_limits(element, depth + 1, nodes)) return false;
    json_object_foreach((json_t *)value, key, element) if (!within_limits(element, depth + 1, nodes)) return false;
    return true;
}

static json_t *checked(json_t *value, struct error *err)
{
    size_t nodes = 0;
    if (within_limits(value, 0, &nodes))
        return value;
    json_decref(value);
    fail(err, ERROR_TOO_LARGE, "the patched object would be nested deeper than %u or hold more than %u values",
         LIMIT_MANIFEST_DEPTH, LIMIT_MANIFEST_NODES);
    return NULL;
}

/* ---- JSON pointers: "/spec/a~1b/0/-" */

/* The next reference token, decoded; advances *at. */
static char *next_token(const char **at)
{
    const char *begin = *at + 1;
    size_t length = strcspn(begin, "/");
    *at = begin + length;
    auto_text token = {0};
    for (size_t i = 0; i < length; i++) {
        bool escaped = begin[i] == '~' && (begin[i + 1] == '0' || begin[i + 1] == '1');
        text_append_n(&token, escaped ? (begin[i + 1] == '0' ? "~" : "/") : begin + i, 1);
        i += escaped;
    }
    return text_take(&token);
}

/* An array index: digits without a leading zero, or "-" for one past the end when that is allowed. */
static bool array_index(const json_t *array, const char *token, bool end_allowed, size_t *ret_index)
{
    uint64_t index;
    size_t size = json_array_size(array);
    if (end_allowed && strcmp(token, "-") == 0) {
        *ret_index = size;
        return true;
    }
    if (!text_to_u64(token, &index) || (token[0] == '0' && token[1]) || index > size || (index == size && !end_allowed))
        return false;
    *ret_index = index;
    return true;
}

static json_t *child(json_t *parent, const char *token)
{
    size_t index;
    if (json_is_object(parent))
        return json_object_get(parent, token);
    return json_is_array(parent) && array_index(parent, token, false, &index) ? json_array_get(parent, index) : NULL;
}

static json_t *resolve(json_t *value, const char *pointer)
{
    for (const char *at = pointer; value && *at;) {
        if (*at != '/')
            return NULL;
        auto_free char *token = next_token(&at);
        value = child(value, token);
    }
    return value;
}

/* The container a pointer's last token is in. */
static json_t *resolve_parent(json_t *value, const char *pointer, char **ret_token)
{
    const char *slash = strrchr(pointer, '/');
    if (!slash)
        return NULL;
    auto_free char *parent = must_strndup(pointer, (size_t)(slash - pointer));
    *ret_token = next_token(&slash);
    return resolve(value, parent);
}

static int missing(const char *operation, const char *pointer, struct error *err)
{
    return fail(err, ERROR_INVALID,
                "the server rejected our request due to an error in our request: %s operation does "
                "not apply: doc is missing path: %s",
                operation, pointer);
}

/* ---- operations; each gets the whole document by reference, since any may replace the root */

static int set_at(json_t **document, const char *pointer, json_t *value, bool insert, const char *operation,
                  struct error *err)
{
    auto_json *owned = value;
    if (*pointer == '\0') {
        json_decref(*document);
        *document = take(owned);
        return 0;
    }
    auto_free char *token = NULL;
    json_t *parent = resolve_parent(*document, pointer, &token);
    size_t index;
    if (json_is_object(parent) && (insert || json_object_get(parent, token)))
        return json_object_set_new(parent, token, take(owned));
    if (json_is_array(parent) && array_index(parent, token, insert, &index)) {
        if (insert)
            return json_array_insert_new(parent, index, take(owned));
        return json_array_set_new(parent, index, take(owned));
    }
    return missing(operation, pointer, err);
}

static int remove_at(json_t **document, const char *pointer, const char *operation, struct error *err)
{
    auto_free char *token = NULL;
    json_t *parent = resolve_parent(*document, pointer, &token);
    size_t index;
    if (json_is_object(parent) && json_object_get(parent, token))
        return json_object_del(parent, token);
    if (json_is_array(parent) && array_index(parent, token, false, &index))
        return json_array_remove(parent, index);
    return missing(operation, pointer, err);
}

static int apply_operation(json_t **document, const json_t *operation, size_t *copied, struct error *err)
{
    const char *op = json_text_at(operation, "op", "");
    const char *path = json_text_at(operation, "path", NULL);
    const char *from = json_text_at(operation, "from", NULL);
    json_t *value = json_object_get(operation, "value");
    if (!path || (*path && *path != '/'))
        return fail(err, ERROR_BAD_REQUEST, "JSON patch: an operation needs a path that is empty or begins with \"/\"");
    if (strcmp(op, "remove") == 0)
        return remove_at(document, path, op, err);
    if (strcmp(op, "move") == 0 || strcmp(op, "copy") == 0) {
        json_t *source = from ? resolve(*document, from) : NULL;
        if (!source)
            return missing(op, from ? from : "", err);
        size_t length = strlen(from);
        if (*op == 'm' && strncmp(path, from, length) == 0 && path[length] == '/')
            return fail(err, ERROR_INVALID, "JSON patch: %s cannot be moved into itself (%s)", from, path);
        if (!within_limits(source, 0, copied))
            return fail(err, ERROR_TOO_LARGE, "JSON patch: the copies hold more than %u values", LIMIT_MANIFEST_NODES);
        auto_json *copy = json_deep_copy(source);
        if (*op == 'm' && *from && remove_at(document, from, op, err) < 0)
            return -1;
        return set_at(document, path, take(copy), true, op, err);
    }
    if (!value)
        return fail(err, ERROR_BAD_REQUEST,
                    "JSON patch: operation \"%s\" on %s needs a value, or is none of add, "
                    "remove, replace, move, copy, test",
                    op, path);
    if (strcmp(op, "add") == 0 || strcmp(op, "replace") == 0)
        return set_at(document, path, json_deep_copy(value), *op == 'a', op, err);
    if (strcmp(op, "test") == 0)
        return json_equal(resolve(*document, path), value)
                   ? 0
                   : fail(err, ERROR_INVALID,
                          "the server rejected our request due to an error in our request: testing value %s failed",
                          path);
    return fail(err, ERROR_BAD_REQUEST, "JSON patch: unknown operation \"%s\"", op);
}

json_t *patch_json(const json_t *object, const json_t *patch, struct error *err)
{
    if (!json_is_array(patch)) {
        fail(err, ERROR_BAD_REQUEST, "JSON patch: the body must be an array of operations");
        return NULL;
    }
    if (json_array_size(patch) > LIMIT_PATCH_OPERATIONS) {
        fail(err, ERROR_TOO_LARGE, "JSON patch: %zu operations; the allowed maximum is %u", json_array_size(patch),
             LIMIT_PATCH_OPERATIONS);
        return NULL;
    }
    size_t copied = 0;
    auto_json *document = json_deep_copy(object);
    for (size_t i = 0; i < json_array_size(patch); i++)
        if (apply_operation(&document, json_array_get(patch, i), &copied, err) < 0)
            return NULL;
    return checked(take(document), err);
}

/* ---- merge patch */

static json_t *merge(const json_t *target, const json_t *patch)
{
    if (!json_is_object(patch))
        return json_deep_copy(patch);
    json_t *merged = json_is_object(target) ? json_deep_copy(target) : json_object();
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)patch, key, value)
    {
        if (json_is_null(value))
            json_object_del(merged, key);
        else
            json_object_set_new(merged, key, merge(json_object_get(merged, key), value));
    }
    return merged;
}

json_t *patch_merge(const json_t *object, const json_t *patch, struct error *err)
{
    if (!json_is_object(patch)) {
        fail(err, ERROR_BAD_REQUEST, "merge patch: the body must be an object");
        return NULL;
    }
    return checked(merge(object, patch), err);
}

/* ---- strategic merge patch. Of the lists in the kinds that take it (Namespace, Secret, ConfigMap, Event, …) only two
 * are merged element by element: finalizers are a set, ownerReferences are keyed by uid. Everything else is replaced.
 * "$setElementOrder/…" only orders what is merged: order has no meaning in these two. */

static json_t *merge_finalizers(const json_t *target, const json_t *patch)
{
    json_t *merged = json_is_array(target) ? json_deep_copy(target) : json_array();
    size_t i, j;
    json_t *value, *have;
    json_array_foreach((json_t *)patch, i, value)
    {
        bool found = false;
        json_array_foreach(merged, j, have) found = found || json_equal(have, value);
        if (!found)
            json_array_append(merged, value);
    }
    return merged;
}

static void delete_from_list(json_t *target, const char *key, const json_t *gone)
{
    json_t *list = json_object_get(target, key);
    size_t i;
    json_t *value;
    json_array_foreach((json_t *)gone, i, value) for (size_t j = json_array_size(list);
                                                      j-- > 0;) if (json_equal(json_array_get(list, j), value))
        json_array_remove(list, j);
}

static json_t *strategic(const json_t *target, const json_t *patch);

static json_t *merge_owners(const json_t *target, const json_t *patch)
{
    json_t *merged = json_is_array(target) ? json_deep_copy(target) : json_array();
    size_t i;
    json_t *value;
    json_array_foreach((json_t *)patch, i, value)
    {
        size_t at = 0;
        const char *uid = json_text_at(value, "uid", "");
        while (at < json_array_size(merged) && strcmp(json_text_at(json_array_get(merged, at), "uid", ""), uid) != 0)
            at++;
        bool is_there = at < json_array_size(merged);
        if (strcmp(json_text_at(value, "$patch", ""), "delete") == 0) {
            if (is_there)
                json_array_remove(merged, at);
        } else if (is_there) {
            json_array_set_new(merged, at, strategic(json_array_get(merged, at), value));
        } else {
            json_array_append_new(merged, strategic(NULL, value));
        }
    }
    return merged;
}

/* "$retainKeys": ["a"]: every other key goes. */
static void retain_keys(json_t *target, const json_t *kept)
{
    void *next;
    const char *key;
    json_t *value;
    json_object_foreach_safe(target, next, key, value)
    {
        bool is_kept = false;
        for (size_t i = 0; i < json_array_size(kept); i++)
            is_kept = is_kept || text_equal(json_string_value(json_array_get(kept, i)), key);
        if (!is_kept)
            json_object_del(target, key);
    }
}

static void strategic_key(json_t *merged, const char *key, json_t *value)
{
    static const char delete_list[] = "$deleteFromPrimitiveList/";
    if (text_starts_with(key, delete_list))
        delete_from_list(merged, key + sizeof delete_list - 1, value);
    else if (strcmp(key, "$retainKeys") == 0)
        retain_keys(merged, value);
    else if (key[0] == '$')
        return;
    else if (json_is_null(value))
        json_object_del(merged, key);
    else if (strcmp(key, "finalizers") == 0 && json_is_array(value))
        json_object_set_new(merged, key, merge_finalizers(json_object_get(merged, key), value));
    else if (strcmp(key, "ownerReferences") == 0 && json_is_array(value))
        json_object_set_new(merged, key, merge_owners(json_object_get(merged, key), value));
    else
        json_object_set_new(merged, key, strategic(json_object_get(merged, key), value));
}

static json_t *strategic(const json_t *target, const json_t *patch)
{
    if (!json_is_object(patch))
        return json_deep_copy(patch);
    const char *directive = json_text_at(patch, "$patch", "");
    bool starts_empty = strcmp(directive, "replace") == 0 || strcmp(directive, "delete") == 0;
    json_t *merged = json_is_object(target) && !starts_empty ? json_deep_copy(target) : json_object();
    if (strcmp(directive, "delete") == 0)
        return merged;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)patch, key, value) strategic_key(merged, key, value);
    return merged;
}

json_t *patch_strategic(const json_t *object, const json_t *patch, struct error *err)
{
    if (!json_is_object(patch)) {
        fail(err, ERROR_BAD_REQUEST, "strategic merge patch: the body must be an object");
        return NULL;
    }
    return checked(strategic(object, patch), err);
}
