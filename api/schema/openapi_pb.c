#include "api/schema/openapi_pb.h"

#include <string.h>

/* A message is written by a table: for each JSON key its field number and how the value is written. Keys that begin
 * with "x-" are vendor extensions: named values in YAML, of which JSON is a part. */

struct message;

enum shape {
    TEXT,
    TEXTS,   /* repeated string */
    MESSAGE, /* one message */
    NAMED,   /* a map: a message whose field `inner` repeats {name = 1, value = 2} */
    WRAPPED, /* the value as field 1 of a message: TypeItem, ItemsItem, AdditionalPropertiesItem */
    PARAMETER_LIST,
};

struct member {
    const char *key;
    unsigned number;
    enum shape shape;
    const struct message *message;
    unsigned inner;
};

struct message {
    unsigned extension; /* field number of vendor extensions; 0: none */
    size_t count;
    const struct member *member;
};

#define MESSAGE_OF(name, extension_number) \
    static const struct message name = {extension_number, ARRAY_SIZE(name##_MEMBERS), name##_MEMBERS}

static const struct message SCHEMA_MESSAGE;

static const struct member INFO_MEMBERS[] = {{"title", 1, TEXT, NULL, 0}, {"version", 2, TEXT, NULL, 0}};
MESSAGE_OF(INFO, 0);

static const struct member SCHEMA_MEMBERS[] = {
    {"$ref", 1, TEXT, NULL, 0},
    {"format", 2, TEXT, NULL, 0},
    {"description", 4, TEXT, NULL, 0},
    {"required", 19, TEXTS, NULL, 0},
    {"additionalProperties", 21, WRAPPED, &SCHEMA_MESSAGE, 0},
    {"type", 22, WRAPPED, NULL, 0},
    {"items", 23, WRAPPED, &SCHEMA_MESSAGE, 0},
    {"properties", 25, NAMED, &SCHEMA_MESSAGE, 1},
};
static const struct message SCHEMA_MESSAGE = {31, ARRAY_SIZE(SCHEMA_MEMBERS), SCHEMA_MEMBERS};

static const struct member RESPONSE_MEMBERS[] = {{"description", 1, TEXT, NULL, 0}};
MESSAGE_OF(RESPONSE, 0);
static const struct member RESPONSE_VALUE_MEMBERS[] = {{"response", 1, MESSAGE, &RESPONSE, 0}};
MESSAGE_OF(RESPONSE_VALUE, 0);

static const struct member OPERATION_MEMBERS[] = {
    {"description", 3, TEXT, NULL, 0},
    {"operationId", 5, TEXT, NULL, 0},
    {"parameters", 8, PARAMETER_LIST, NULL, 0},
    {"responses", 9, NAMED, &RESPONSE_VALUE, 1},
};
MESSAGE_OF(OPERATION, 13);

static const struct member PATH_MEMBERS[] = {
    {"get", 2, MESSAGE, &OPERATION, 0},    {"put", 3, MESSAGE, &OPERATION, 0},   {"post", 4, MESSAGE, &OPERATION, 0},
    {"delete", 5, MESSAGE, &OPERATION, 0}, {"patch", 8, MESSAGE, &OPERATION, 0},
};
MESSAGE_OF(PATH, 0);

static const struct member DOCUMENT_MEMBERS[] = {
    {"swagger", 1, TEXT, NULL, 0},
    {"info", 2, MESSAGE, &INFO, 0},
    {"paths", 8, NAMED, &PATH, 2},
    {"definitions", 9, NAMED, &SCHEMA_MESSAGE, 1},
};
MESSAGE_OF(DOCUMENT, 0);

/* ---- the wire */

static void write_varint(uint64_t value, struct text *out)
{
    do {
        unsigned char byte = (unsigned char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        text_append_n(out, &byte, 1);
        value >>= 7;
    } while (value > 0);
}

static void write_bytes(unsigned number, const void *bytes, size_t length, struct text *out)
{
    write_varint((uint64_t)number << 3 | 2, out);
    write_varint(length, out);
    text_append_n(out, bytes, length);
}

static void write_text(unsigned number, const char *text, struct text *out)
{
    write_bytes(number, text, strlen(text), out);
}

static void write_message(const struct message *message, const json_t *value, struct text *out);

static void write_sub(unsigned number, const struct message *message, const json_t *value, struct text *out)
{
    auto_text inside = {0};
    write_message(message, value, &inside);
    write_bytes(number, text_cstr(&inside), inside.length, out);
}

/* {name = 1, value = 2} */
static void write_named(unsigned number, const char *name, const struct message *message, const json_t *value,
                        struct text *out)
{
    auto_text pair = {0};
    write_text(1, name, &pair);
    write_sub(2, message, value, &pair);
    write_bytes(number, text_cstr(&pair), pair.length, out);
}

/* NamedAny {name = 1, value = Any {yaml = 2}} */
static void write_extension(unsigned number, const char *name, const json_t *value, struct text *out)
{
    auto_text any = {0};
    auto_text pair = {0};
    auto_free char *yaml = json_to_text(value);
    write_text(2, yaml, &any);
    write_text(1, name, &pair);
    write_bytes(2, text_cstr(&any), any.length, &pair);
    write_bytes(number, text_cstr(&pair), pair.length, out);
}

/* ParametersItem {parameter = 1 {non_body_parameter = 2 {query = 3 | path = 4}}} */
static void write_parameter(unsigned number, const json_t *parameter, struct text *out)
{
    bool in_path = strcmp(json_text_at(parameter, "in", ""), "path") == 0;
    auto_text sub = {0}, non_body = {0}, one = {0}, item = {0};
    if (in_path) { /* required = 1 */
        write_varint(1 << 3, &sub);
        write_varint(1, &sub);
    }
    write_text(2, json_text_at(parameter, "in", ""), &sub);
    write_text(3, json_text_at(parameter, "description", ""), &sub);
    write_text(4, json_text_at(parameter, "name", ""), &sub);
    write_text(in_path ? 5 : 6, json_text_at(parameter, "type", ""), &sub);
    write_bytes(in_path ? 4 : 3, text_cstr(&sub), sub.length, &non_body);
    write_bytes(2, text_cstr(&non_body), non_body.length, &one);
    write_bytes(1, text_cstr(&one), one.length, &item);
    write_bytes(number, text_cstr(&item), item.length, out);
}

static void write_map(const struct member *m, const json_t *map, struct text *out)
{
    auto_text inside = {0};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)map, key, value)
    {
        if (m->message != &RESPONSE_VALUE) {
            write_named(m->inner, key, m->message, value, &inside);
            continue;
        }
        auto_json *wrapped = json_pack("{s:O}", "response", value);
        write_named(m->inner, key, m->message, wrapped, &inside);
    }
    write_bytes(m->number, text_cstr(&inside), inside.length, out);
}

static void write_member(const struct member *m, const json_t *value, struct text *out)
{
    auto_text inside = {0};
    size_t i;
    json_t *element;
    switch (m->shape) {
    case TEXT:
        write_text(m->number, json_string_value(value), out);
        return;
    case TEXTS:
        json_array_foreach((json_t *)value, i, element) write_text(m->number, json_string_value(element), out);
        return;
    case MESSAGE:
        write_sub(m->number, m->message, value, out);
        return;
    case NAMED:
        write_map(m, value, out);
        return;
    case WRAPPED:
        if (m->message)
            write_sub(1, m->message, value, &inside);
        else
            write_text(1, json_string_value(value), &inside);
        write_bytes(m->number, text_cstr(&inside), inside.length, out);
        return;
    case PARAMETER_LIST:
        json_array_foreach((json_t *)value, i, element) write_parameter(m->number, element, out);
        return;
    }
}

static void write_message(const struct message *message, const json_t *value, struct text *out)
{
    for (size_t i = 0; i < message->count; i++) {
        const json_t *member = json_object_get(value, message->member[i].key);
        if (member)
            write_member(&message->member[i], member, out);
    }
    const char *key;
    json_t *extension;
    json_object_foreach((json_t *)value, key, extension) if (message->extension && text_starts_with(key, "x-"))
        write_extension(message->extension, key, extension, out);
}

void openapi_pb_write(const json_t *document, struct text *out)
{
    write_message(&DOCUMENT, document, out);
}
