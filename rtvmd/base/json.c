#include "rtvmd/base/json.h"

#include <stdlib.h>
#include <string.h>

void json_release_p(json_t **value)
{
    json_decref(*value);
}

json_t *json_from_text(const char *text, size_t length, struct error *err)
{
    json_error_t where;
    json_t *value = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
    if (!value)
        fail(err, ERROR_BAD_REQUEST, "JSON, line %d column %d: %s", where.line, where.column, where.text);
    return value;
}

json_t *json_clone(const json_t *value)
{
    const char *key;
    json_t *part;
    size_t i;
    if (!value)
        return NULL;
    switch (json_typeof(value)) {
    case JSON_OBJECT: {
        json_t *object = json_object();
        json_object_foreach((json_t *)value, key, part) json_object_set_new_nocheck(object, key, json_clone(part));
        return object;
    }
    case JSON_ARRAY: {
        json_t *array = json_array();
        json_array_foreach(value, i, part) json_array_append_new(array, json_clone(part));
        return array;
    }
    default:
        return json_deep_copy(value);
    }
}

char *json_to_text(const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!text)
        abort(); /* only for strings that are not UTF-8, which jansson never lets in */
    return text;
}

void json_write_pretty(const json_t *value, struct text *out)
{
    auto_free char *text = json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY);
    if (!text)
        abort();
    text_append(out, text);
    text_append(out, "\n");
}

static json_t *child(const json_t *value, const char *key, size_t length)
{
    if (json_is_array(value)) {
        char *end;
        unsigned long index = strtoul(key, &end, 10);
        return end == key + length ? json_array_get(value, index) : NULL;
    }
    return json_object_getn(value, key, length);
}

json_t *json_at(const json_t *value, const char *path)
{
    const json_t *at = value;
    while (at && *path) {
        size_t length = strcspn(path, ".");
        at = child(at, path, length);
        path += length + (path[length] == '.');
    }
    return (json_t *)at;
}

const char *json_text_at(const json_t *value, const char *path, const char *otherwise)
{
    const json_t *found = json_at(value, path);
    return json_is_string(found) ? json_string_value(found) : otherwise;
}

int64_t json_int_at(const json_t *value, const char *path, int64_t otherwise)
{
    const json_t *found = json_at(value, path);
    return json_is_integer(found) ? json_integer_value(found) : otherwise;
}

bool json_bool_at(const json_t *value, const char *path, bool otherwise)
{
    const json_t *found = json_at(value, path);
    return json_is_boolean(found) ? json_is_true(found) : otherwise;
}

void json_put_at(json_t *object, const char *path, json_t *value)
{
    for (;;) {
        size_t length = strcspn(path, ".");
        if (path[length] == '\0') {
            json_object_setn_new(object, path, length, value);
            return;
        }
        json_t *next = json_object_getn(object, path, length);
        if (!json_is_object(next)) {
            next = json_object();
            json_object_setn_new(object, path, length, next);
        }
        object = next;
        path += length + 1;
    }
}

void json_drop_at(json_t *object, const char *path)
{
    const char *dot = strrchr(path, '.');
    if (!dot) {
        json_object_del(object, path);
        return;
    }
    auto_free char *parent = must_strndup(path, (size_t)(dot - path));
    json_object_del(json_at(object, parent), dot + 1);
}
