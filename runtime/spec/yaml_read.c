/* YAML in. libyaml hands out a flat row of events; a stack of open containers turns it into JSON. The text is never
 * trusted: libyaml itself would accept anchors and aliases (a few lines can expand to gigabytes), tags and duplicate
 * keys, so each is refused the moment its event appears, and every scalar and container counts against the limits. */
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "rtvmd/base/limits.h"
#include "runtime/spec/yaml.h"

struct level {
    json_t *container;
    json_t *key; /* of an object: the key whose value comes next, or NULL */
};

struct reader {
    yaml_parser_t parser;
    json_t *documents;
    struct level level[LIMIT_MANIFEST_DEPTH];
    unsigned depth;
    unsigned nodes;
    unsigned document_count;
    struct error *err;
};

/* Line and column count from 1 for people. */
static int refuse(struct reader *r, enum error_kind kind, yaml_mark_t mark, const char *what)
{
    return fail(r->err, kind, "YAML, line %zu column %zu: %s", mark.line + 1, mark.column + 1, what);
}

static int bad(struct reader *r, const yaml_event_t *event, const char *what)
{
    return refuse(r, ERROR_BAD_REQUEST, event->start_mark, what);
}

/* Takes the value into the innermost open container; a null document is dropped. */
static int put(struct reader *r, const yaml_event_t *event, json_t *value)
{
    if (!value)
        return bad(r, event, "this is not UTF-8 text");
    if (r->depth == 0) {
        if (json_is_null(value)) {
            json_decref(value);
            return 0;
        }
        return json_array_append_new(r->documents, value);
    }
    struct level *top = &r->level[r->depth - 1];
    if (json_is_array(top->container))
        return json_array_append_new(top->container, value);
    json_object_setn_new(top->container, json_string_value(top->key), json_string_length(top->key), value);
    json_decref(take(top->key));
    return 0;
}

static bool wants_key(const struct reader *r)
{
    return r->depth > 0 && json_is_object(r->level[r->depth - 1].container) && !r->level[r->depth - 1].key;
}

static int put_key(struct reader *r, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    struct level *top = &r->level[r->depth - 1];
    if (length == 2 && memcmp(text, "<<", 2) == 0 && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        return bad(r, event, "merge keys (<<) are not supported; write the fields out");
    if (json_object_getn(top->container, text, length)) {
        auto_free char *what =
            must_format("key \"%.*s\" is there twice; keep one", length > 200 ? 200 : (int)length, text);
        return bad(r, event, what);
    }
    top->key = json_stringn(text, length);
    return top->key ? 0 : bad(r, event, "this key is not UTF-8 text");
}

static int on_scalar(struct reader *r, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    if (event->data.scalar.anchor)
        return bad(r, event, "anchors are not supported; write the value out");
    if (event->data.scalar.tag)
        return bad(r, event, "tags are not supported; leave the tag out, quote the value to make it a string");
    if (memchr(text, '\0', length))
        return bad(r, event, "a string may not hold NUL characters");
    if (wants_key(r))
        return put_key(r, event);
    if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return put(r, event, json_stringn(text, length));
    json_t *value = yaml_plain_value(text, length);
    if (!value)
        return bad(r, event, "this number has no JSON form (infinite, not a number, or past 64 bits); quote it");
    return put(r, event, value);
}

static int open_container(struct reader *r, const yaml_event_t *event, json_t *container, const void *anchor,
                          const void *tag)
{
    auto_json *owned = container;
    if (anchor)
        return bad(r, event, "anchors are not supported; write the value out");
    if (tag)
        return bad(r, event, "tags are not supported; leave the tag out");
    if (wants_key(r))
        return bad(r, event, "a key must be a plain string");
    if (r->depth == LIMIT_MANIFEST_DEPTH) {
        auto_free char *what = must_format("nested deeper than %u levels", LIMIT_MANIFEST_DEPTH);
        return refuse(r, ERROR_TOO_LARGE, event->start_mark, what);
    }
    if (put(r, event, json_incref(container)) < 0)
        return -1;
    r->level[r->depth++] = (struct level){container, NULL}; /* borrowed: its parent holds it */
    return 0;
}

static int on_document(struct reader *r, const yaml_event_t *event)
{
    if (event->data.document_start.tag_directives.start != event->data.document_start.tag_directives.end)
        return bad(r, event, "%TAG is not supported; leave it out");
    if (++r->document_count <= LIMIT_MANIFEST_DOCUMENTS)
        return 0;
    auto_free char *what = must_format("more than %u documents; split the file", LIMIT_MANIFEST_DOCUMENTS);
    return refuse(r, ERROR_TOO_LARGE, event->start_mark, what);
}

static int on_event(struct reader *r, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return on_document(r, event);
    case YAML_ALIAS_EVENT:
        return bad(r, event, "aliases are not supported; write the value out");
    case YAML_SCALAR_EVENT:
        break;
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        r->depth--;
        return 0;
    default:
        return 0;
    }
    if (++r->nodes > LIMIT_MANIFEST_NODES) {
        auto_free char *what = must_format("more than %u values; split the file", LIMIT_MANIFEST_NODES);
        return refuse(r, ERROR_TOO_LARGE, event->start_mark, what);
    }
    if (event->type == YAML_SCALAR_EVENT)
        return on_scalar(r, event);
    if (event->type == YAML_SEQUENCE_START_EVENT)
        return open_container(r, event, json_array(), event->data.sequence_start.anchor,
                              event->data.sequence_start.tag);
    return open_container(r, event, json_object(), event->data.mapping_start.anchor, event->data.mapping_start.tag);
}

static int parser_failed(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    const char *problem = p->problem ? p->problem : "out of memory";
    if (p->error == YAML_READER_ERROR)
        return fail(r->err, ERROR_BAD_REQUEST, "YAML, byte %zu: %s; the text must be UTF-8", p->problem_offset,
                    problem);
    yaml_mark_t mark = p->problem_mark;
    if (p->context)
        return fail(r->err, ERROR_BAD_REQUEST, "YAML, line %zu column %zu: %s %s", mark.line + 1, mark.column + 1,
                    problem, p->context);
    return refuse(r, ERROR_BAD_REQUEST, mark, problem);
}

static int read_events(struct reader *r)
{
    for (;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&r->parser, &event))
            return parser_failed(r);
        bool end = event.type == YAML_STREAM_END_EVENT;
        int result = on_event(r, &event);
        yaml_event_delete(&event);
        if (result < 0 || end)
            return result;
    }
}

int yaml_read(const char *text, size_t length, json_t *documents, struct error *err)
{
    if (length > LIMIT_MANIFEST_BYTES)
        return fail(err, ERROR_TOO_LARGE, "YAML: %zu bytes are more than %u; split the file", length,
                    LIMIT_MANIFEST_BYTES);
    struct reader r = {.documents = documents, .err = err};
    if (!yaml_parser_initialize(&r.parser))
        return fail(err, ERROR_INTERNAL, "YAML: the parser could not be set up");
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, length);
    int result = read_events(&r);
    for (unsigned i = 0; i < LIMIT_MANIFEST_DEPTH; i++)
        json_decref(r.level[i].key);
    yaml_parser_delete(&r.parser);
    return result;
}
