/* A manifest file: what people and programs send. One or many objects, YAML or JSON, lists in lists. JSON is read by
 * the JSON parser (YAML's would trip over surrogate pairs), several JSON values may follow one another. */
#include <string.h>

#include "rtvmd/base/limits.h"
#include "runtime/spec/spec.h"
#include "runtime/spec/yaml.h"

/* Counts every value below; the parsers of text have limits of their own, JSON's are jansson's (2048 levels). */
static int check_limits(const json_t *value, unsigned depth, unsigned *nodes, struct error *err)
{
    if (depth > LIMIT_MANIFEST_DEPTH)
        return fail(err, ERROR_TOO_LARGE, "JSON: nested deeper than %u levels", LIMIT_MANIFEST_DEPTH);
    if (++*nodes > LIMIT_MANIFEST_NODES)
        return fail(err, ERROR_TOO_LARGE, "JSON: more than %u values; split the file", LIMIT_MANIFEST_NODES);
    size_t index;
    const char *key;
    json_t *item;
    json_array_foreach((json_t *)value, index, item)
    {
        if (check_limits(item, depth + 1, nodes, err) < 0)
            return -1;
    }
    json_object_foreach((json_t *)value, key, item)
    {
        if (check_limits(item, depth + 1, nodes, err) < 0)
            return -1;
    }
    return 0;
}

static size_t skip_blanks(const char *text, size_t length, size_t at)
{
    while (at < length) {
        if (text[at] && strchr(" \t\r\n", text[at]))
            at++;
        else if (length - at >= 3 && memcmp(text + at, "---", 3) == 0)
            at += 3;
        else
            break;
    }
    return at;
}

static int read_json(const char *text, size_t length, json_t *documents, struct error *err)
{
    unsigned nodes = 0;
    for (size_t at = skip_blanks(text, length, 0); at < length; at = skip_blanks(text, length, at)) {
        json_error_t where;
        json_t *value = json_loadb(text + at, length - at, JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, &where);
        if (!value) {
            size_t line = 1;
            for (size_t i = 0; i < at; i++)
                line += text[i] == '\n';
            return fail(err, ERROR_BAD_REQUEST, "JSON, line %zu column %d: %s", line + (size_t)where.line - 1,
                        where.column, where.text);
        }
        json_array_append_new(documents, value);
        if (check_limits(value, 1, &nodes, err) < 0)
            return -1;
        if (json_array_size(documents) > LIMIT_MANIFEST_DOCUMENTS)
            return fail(err, ERROR_TOO_LARGE, "JSON: more than %u documents; split the file", LIMIT_MANIFEST_DOCUMENTS);
        at += (size_t)where.position;
    }
    return 0;
}

static bool is_list(const json_t *document)
{
    return text_ends_with(json_text_at(document, "kind", ""), "List") && json_is_array(json_at(document, "items"));
}

static int flatten(json_t *document, json_t *objects, struct error *err)
{
    if (!json_is_object(document))
        return fail(err, ERROR_BAD_REQUEST,
                    "document %zu is not an object; a manifest has apiVersion, kind, metadata and spec",
                    json_array_size(objects) + 1);
    if (!is_list(document))
        return json_array_append(objects, document);
    size_t index;
    json_t *item;
    json_array_foreach(json_at(document, "items"), index, item)
    {
        if (flatten(item, objects, err) < 0)
            return -1;
    }
    return 0;
}

/* Text that starts like JSON may still be YAML in flow style. Then the JSON parser's complaint is forgotten; when
 * both fail it is the one that helps. */
static int read_documents(const char *text, size_t length, json_t *documents, struct error *err)
{
    size_t start = skip_blanks(text, length, 0);
    bool like_json = start < length && (text[start] == '{' || text[start] == '[');
    if (!like_json)
        return yaml_read(text, length, documents, err);
    struct error as_json;
    struct error as_yaml;
    if (read_json(text, length, documents, &as_json) == 0)
        return 0;
    json_array_clear(documents);
    if (as_json.kind != ERROR_TOO_LARGE && yaml_read(text, length, documents, &as_yaml) == 0)
        return 0;
    *err = as_json;
    return -1;
}

json_t *manifest_parse(const char *text, size_t length, struct error *err)
{
    if (length > LIMIT_MANIFEST_BYTES) {
        fail(err, ERROR_TOO_LARGE, "manifest: %zu bytes are more than %u; split the file", length,
             LIMIT_MANIFEST_BYTES);
        return NULL;
    }
    auto_json *documents = json_array();
    if (read_documents(text, length, documents, err) < 0)
        return NULL;
    auto_json *objects = json_array();
    size_t index;
    json_t *document;
    json_array_foreach(documents, index, document)
    {
        if (flatten(document, objects, err) < 0)
            return NULL;
    }
    return take(objects);
}
