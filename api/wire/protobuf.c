#include "api/wire/protobuf.h"

#include <string.h>
#include <time.h>

#include "api/wire/digest.h"
#include "rtvmd/base/limits.h"

/* A message is read by a table: for each field number its JSON name and what it holds; fields that are not in the table
 * are skipped. Strings that are empty, and messages nothing was said in, are left out, as their JSON would leave them
 * out. */

enum shape {
    STRING,
    STRINGS,
    BOOL,
    INT,
    MESSAGE,
    MESSAGES,
    MAP,          /* of strings */
    BYTES_MAP,    /* of bytes: base64 in JSON */
    QUANTITY_MAP, /* of messages whose first field is the text */
    TIME,
    JSON_TEXT, /* a message whose first field is JSON */
};

struct message;
struct row {
    unsigned number;
    const char *name;
    enum shape shape;
    const struct message *message;
};
struct message {
    size_t count;
    const struct row *row;
};

#define TABLE(name, ...)                                   \
    static const struct row name##_ROWS[] = {__VA_ARGS__}; \
    static const struct message name = {ARRAY_SIZE(name##_ROWS), name##_ROWS}

TABLE(OWNER, {5, "apiVersion", STRING, NULL}, {1, "kind", STRING, NULL}, {3, "name", STRING, NULL},
      {4, "uid", STRING, NULL}, {6, "controller", BOOL, NULL}, {7, "blockOwnerDeletion", BOOL, NULL});
TABLE(MANAGED, {1, "manager", STRING, NULL}, {2, "operation", STRING, NULL}, {3, "apiVersion", STRING, NULL},
      {4, "time", TIME, NULL}, {6, "fieldsType", STRING, NULL}, {7, "fieldsV1", JSON_TEXT, NULL},
      {8, "subresource", STRING, NULL});
TABLE(METADATA, {1, "name", STRING, NULL}, {2, "generateName", STRING, NULL}, {3, "namespace", STRING, NULL},
      {5, "uid", STRING, NULL}, {6, "resourceVersion", STRING, NULL}, {7, "generation", INT, NULL},
      {8, "creationTimestamp", TIME, NULL}, {9, "deletionTimestamp", TIME, NULL},
      {10, "deletionGracePeriodSeconds", INT, NULL}, {11, "labels", MAP, NULL}, {12, "annotations", MAP, NULL},
      {13, "ownerReferences", MESSAGES, &OWNER}, {14, "finalizers", STRINGS, NULL},
      {17, "managedFields", MESSAGES, &MANAGED});
TABLE(NAMESPACE_SPEC, {1, "finalizers", STRINGS, NULL});
TABLE(PHASE, {1, "phase", STRING, NULL});
TABLE(NAMESPACE, {1, "metadata", MESSAGE, &METADATA}, {2, "spec", MESSAGE, &NAMESPACE_SPEC},
      {3, "status", MESSAGE, &PHASE});
TABLE(SECRET, {1, "metadata", MESSAGE, &METADATA}, {2, "data", BYTES_MAP, NULL}, {3, "type", STRING, NULL},
      {4, "stringData", MAP, NULL}, {5, "immutable", BOOL, NULL});
TABLE(CONFIG_MAP, {1, "metadata", MESSAGE, &METADATA}, {2, "data", MAP, NULL}, {3, "binaryData", BYTES_MAP, NULL},
      {4, "immutable", BOOL, NULL});
TABLE(REFERENCE, {1, "kind", STRING, NULL}, {2, "namespace", STRING, NULL}, {3, "name", STRING, NULL},
      {4, "uid", STRING, NULL}, {5, "apiVersion", STRING, NULL}, {6, "resourceVersion", STRING, NULL},
      {7, "fieldPath", STRING, NULL});
TABLE(EVENT_SOURCE, {1, "component", STRING, NULL}, {2, "host", STRING, NULL});
TABLE(EVENT_SERIES, {1, "count", INT, NULL}, {2, "lastObservedTime", TIME, NULL});
TABLE(EVENT, {1, "metadata", MESSAGE, &METADATA}, {2, "involvedObject", MESSAGE, &REFERENCE},
      {3, "reason", STRING, NULL}, {4, "message", STRING, NULL}, {5, "source", MESSAGE, &EVENT_SOURCE},
      {6, "firstTimestamp", TIME, NULL}, {7, "lastTimestamp", TIME, NULL}, {8, "count", INT, NULL},
      {9, "type", STRING, NULL}, {10, "eventTime", TIME, NULL}, {11, "series", MESSAGE, &EVENT_SERIES},
      {12, "action", STRING, NULL}, {13, "related", MESSAGE, &REFERENCE}, {14, "reportingComponent", STRING, NULL},
      {15, "reportingInstance", STRING, NULL});
TABLE(CLAIM_RESOURCES, {1, "limits", QUANTITY_MAP, NULL}, {2, "requests", QUANTITY_MAP, NULL});
TABLE(CLAIM_SPEC, {1, "accessModes", STRINGS, NULL}, {2, "resources", MESSAGE, &CLAIM_RESOURCES},
      {3, "volumeName", STRING, NULL}, {5, "storageClassName", STRING, NULL}, {6, "volumeMode", STRING, NULL});
TABLE(CLAIM, {1, "metadata", MESSAGE, &METADATA}, {2, "spec", MESSAGE, &CLAIM_SPEC}, {3, "status", MESSAGE, &PHASE});
TABLE(RESOURCE_ASKED, {1, "namespace", STRING, NULL}, {2, "verb", STRING, NULL}, {3, "group", STRING, NULL},
      {4, "version", STRING, NULL}, {5, "resource", STRING, NULL}, {6, "subresource", STRING, NULL},
      {7, "name", STRING, NULL});
TABLE(PAGE_ASKED, {1, "path", STRING, NULL}, {2, "verb", STRING, NULL});
TABLE(ACCESS_ASKED, {1, "resourceAttributes", MESSAGE, &RESOURCE_ASKED},
      {2, "nonResourceAttributes", MESSAGE, &PAGE_ASKED});
TABLE(ACCESS_REVIEW, {1, "metadata", MESSAGE, &METADATA}, {2, "spec", MESSAGE, &ACCESS_ASKED});
TABLE(RULES_ASKED, {1, "namespace", STRING, NULL});
TABLE(RULES_REVIEW, {1, "metadata", MESSAGE, &METADATA}, {2, "spec", MESSAGE, &RULES_ASKED});
TABLE(SUBJECT_REVIEW, {1, "metadata", MESSAGE, &METADATA});
TABLE(PRECONDITIONS, {1, "uid", STRING, NULL}, {2, "resourceVersion", STRING, NULL});
TABLE(DELETE_OPTIONS, {1, "gracePeriodSeconds", INT, NULL}, {2, "preconditions", MESSAGE, &PRECONDITIONS},
      {3, "orphanDependents", BOOL, NULL}, {4, "propagationPolicy", STRING, NULL}, {5, "dryRun", STRINGS, NULL});
TABLE(TYPE, {1, "apiVersion", STRING, NULL}, {2, "kind", STRING, NULL});

static const struct {
    const char *kind;
    const struct message *message;
} KINDS[] = {
    {"Namespace", &NAMESPACE},
    {"Secret", &SECRET},
    {"ConfigMap", &CONFIG_MAP},
    {"Event", &EVENT},
    {"PersistentVolumeClaim", &CLAIM},
    {"SelfSubjectAccessReview", &ACCESS_REVIEW},
    {"SelfSubjectRulesReview", &RULES_REVIEW},
    {"SelfSubjectReview", &SUBJECT_REVIEW},
    {"DeleteOptions", &DELETE_OPTIONS},
};

/* ---- the wire: every read says whether the bytes were there */

struct span {
    const unsigned char *at;
    const unsigned char *end;
};

struct reader {
    size_t values; /* made so far; bounded as a manifest's */
};

enum wire { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

static bool read_varint(struct span *span, uint64_t *ret_value)
{
    *ret_value = 0;
    for (unsigned shift = 0; shift < 64 && span->at < span->end; shift += 7) {
        unsigned char byte = *span->at++;
        *ret_value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

struct item {
    uint64_t number;
    enum wire wire;
    uint64_t value;    /* VARINT */
    struct span bytes; /* BYTES */
};

static bool read_item(struct span *span, struct item *item)
{
    uint64_t tag;
    if (!read_varint(span, &tag))
        return false;
    item->number = tag >> 3;
    item->wire = (enum wire)(tag & 7);
    uint64_t size = item->wire == FIXED64 ? 8 : item->wire == FIXED32 ? 4 : 0;
    if (item->wire == VARINT)
        return read_varint(span, &item->value);
    if (item->wire == BYTES && !read_varint(span, &size))
        return false;
    if (size == 0 && item->wire != BYTES)
        return false;
    if (size > (uint64_t)(span->end - span->at))
        return false;
    item->bytes = (struct span){span->at, span->at + size};
    span->at += size;
    return true;
}

static json_t *text_of(struct span s)
{
    return json_stringn((const char *)s.at, (size_t)(s.end - s.at)); /* NULL when it is not UTF-8 */
}

static json_t *base64_of(struct span s)
{
    auto_text encoded = {0};
    base64_write(s.at, (size_t)(s.end - s.at), &encoded);
    return json_string(text_cstr(&encoded));
}

/* The first field of a message that holds only that. */
static json_t *first_text(struct span s)
{
    struct item item;
    while (s.at < s.end && read_item(&s, &item))
        if (item.number == 1 && item.wire == BYTES)
            return text_of(item.bytes);
    return json_string("");
}

static json_t *first_json(struct span s)
{
    struct error ignored;
    auto_json *text = first_text(s);
    json_t *value = text ? json_from_text(json_string_value(text), json_string_length(text), &ignored) : NULL;
    return value ? value : json_object();
}

/* Null for the zero time, which means that there is none. */
static json_t *time_of(struct span s)
{
    struct item item;
    int64_t seconds = 0;
    while (s.at < s.end && read_item(&s, &item))
        if (item.number == 1 && item.wire == VARINT)
            seconds = (int64_t)item.value;
    struct tm parts;
    char text[32];
    time_t when = (time_t)seconds;
    if (seconds <= 0 || !gmtime_r(&when, &parts) || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        return json_null();
    return json_string(text);
}

static int read_message(struct reader *reader, const struct message *message, struct span span, json_t *into);

static json_t *map_value(enum shape shape, struct span s)
{
    return shape == BYTES_MAP ? base64_of(s) : shape == QUANTITY_MAP ? first_text(s) : text_of(s);
}

static int read_pair(enum shape shape, struct span span, json_t *map)
{
    struct item item;
    struct span key = {span.at, span.at}, value = {span.at, span.at};
    while (span.at < span.end) {
        if (!read_item(&span, &item) || item.wire != BYTES)
            return -1;
        if (item.number == 1)
            key = item.bytes;
        else if (item.number == 2)
            value = item.bytes;
    }
    return json_object_setn_new(map, (const char *)key.at, (size_t)(key.end - key.at), map_value(shape, value));
}

/* The member as it is now, made when it is missing. */
static json_t *member(json_t *into, const char *name, json_t *(*make)(void))
{
    json_t *value = json_object_get(into, name);
    if (!value)
        json_object_set_new(into, name, value = make());
    return value;
}

static int read_bytes(struct reader *reader, const struct row *row, struct span s, json_t *into)
{
    json_t *value = NULL;
    switch (row->shape) {
    case STRING:
        return s.at == s.end ? 0 : json_object_set_new(into, row->name, text_of(s));
    case STRINGS:
        return json_array_append_new(member(into, row->name, json_array), text_of(s));
    case MESSAGE:
        value = json_object();
        if (read_message(reader, row->message, s, value) < 0) {
            json_decref(value);
            return -1;
        }
        if (json_object_size(value) > 0)
            return json_object_set_new(into, row->name, value);
        json_decref(value);
        return 0;
    case MESSAGES:
        value = json_object();
        json_array_append_new(member(into, row->name, json_array), value);
        return read_message(reader, row->message, s, value);
    case MAP:
    case BYTES_MAP:
    case QUANTITY_MAP:
        return read_pair(row->shape, s, member(into, row->name, json_object));
    case TIME:
        value = time_of(s);
        return json_is_null(value) ? 0 : json_object_set_new(into, row->name, value);
    case JSON_TEXT:
        return json_object_set_new(into, row->name, first_json(s));
    case BOOL:
    case INT:
        return -1;
    }
    return -1;
}

static int read_message(struct reader *reader, const struct message *message, struct span span, json_t *into)
{
    struct item item;
    while (span.at < span.end) {
        if (!read_item(&span, &item) || ++reader->values > LIMIT_MANIFEST_NODES)
            return -1;
        for (size_t i = 0; i < message->count; i++) {
            const struct row *row = &message->row[i];
            if (row->number != item.number)
                continue;
            int result = -1;
            if (item.wire == VARINT && row->shape == BOOL)
                result = json_object_set_new(into, row->name, json_boolean(item.value != 0));
            else if (item.wire == VARINT && row->shape == INT)
                result = json_object_set_new(into, row->name, json_integer((json_int_t)item.value));
            else if (item.wire == BYTES)
                result = read_bytes(reader, row, item.bytes, into);
            if (result < 0)
                return -1;
        }
    }
    return 0;
}

/* Unknown {typeMeta = 1, raw = 2} behind four magic bytes. */
static int read_envelope(const void *bytes, size_t length, json_t *into, struct span *ret_raw)
{
    static const unsigned char magic[] = {'k', '8', 's', 0};
    struct reader reader = {0};
    struct item item;
    if (length < sizeof magic || memcmp(bytes, magic, sizeof magic) != 0)
        return -1;
    struct span span = {(const unsigned char *)bytes + sizeof magic, (const unsigned char *)bytes + length};
    *ret_raw = (struct span){span.end, span.end};
    while (span.at < span.end) {
        if (!read_item(&span, &item))
            return -1;
        if (item.number == 1 && item.wire == BYTES && read_message(&reader, &TYPE, item.bytes, into) < 0)
            return -1;
        if (item.number == 2 && item.wire == BYTES)
            *ret_raw = item.bytes;
    }
    return 0;
}

json_t *protobuf_read(const void *bytes, size_t length, struct error *err)
{
    auto_json *object = json_object();
    struct reader reader = {0};
    struct span raw;
    if (read_envelope(bytes, length, object, &raw) < 0) {
        fail(err, ERROR_BAD_REQUEST, "the body is no object in protocol buffers; send JSON");
        return NULL;
    }
    const char *kind = json_text_at(object, "kind", "");
    for (size_t i = 0; i < ARRAY_SIZE(KINDS); i++) {
        if (strcmp(KINDS[i].kind, kind) != 0)
            continue;
        if (read_message(&reader, KINDS[i].message, raw, object) == 0)
            return take(object);
        fail(err, ERROR_BAD_REQUEST, "the %s in protocol buffers cannot be read; send JSON", kind);
        return NULL;
    }
    fail(err, ERROR_UNSUPPORTED_MEDIA, "kind \"%.100s\" is not read from protocol buffers; send it as application/json",
         kind);
    return NULL;
}
