/* Types, unknown fields and support, from the table. One walk over document and table side by side; what it finds is
 * sorted into "cannot be read" (no decoder of the API could either), "late" causes and warnings. */
#include "runtime/spec/schema.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "rtvmd/base/quantity.h"
#include "runtime/spec/fields.h"
#include "runtime/spec/findings.h"
#include "runtime/spec/similar.h"
#include "runtime/spec/validate.h"

struct walk {
    const char *kind;
    struct findings *findings;
    struct schema_result *result;
    struct text path;
    bool quiet; /* below an ignored or refused field */
};

static const char *type_name(const json_t *value)
{
    static const char *const NAMES[] = {
        [JSON_OBJECT] = "object", [JSON_ARRAY] = "array",  [JSON_STRING] = "string", [JSON_INTEGER] = "integer",
        [JSON_REAL] = "number",   [JSON_TRUE] = "boolean", [JSON_FALSE] = "boolean", [JSON_NULL] = "null",
    };
    return NAMES[json_typeof(value)];
}

static void unreadable(struct walk *w, const char *sentence)
{
    findings_cause(&w->result->unreadable, CAUSE_TYPE, text_cstr(&w->path), "%s %s", text_cstr(&w->path), sentence);
}

static void wrong_type(struct walk *w, const json_t *value, const char *wanted)
{
    bool quote = strcmp(wanted, "string") == 0 && !json_is_object(value) && !json_is_array(value);
    auto_free char *sentence = must_format("in body must be of type %s: \"%s\"%s", wanted, type_name(value),
                                           quote ? " (put it in quotes)" : "");
    unreadable(w, sentence);
}

static size_t push(struct walk *w, const char *name, size_t index)
{
    size_t length = w->path.length;
    if (name)
        text_printf(&w->path, "%s%s", length ? "." : "", name);
    else
        text_printf(&w->path, "[%zu]", index);
    return length;
}

static void pop(struct walk *w, size_t length)
{
    w->path.length = length;
    w->path.data[length] = '\0';
}

/* ---- unknown fields */

static void find_elsewhere(const struct field_node *node, const char *name, const char **found, unsigned *count)
{
    for (size_t i = 0; i < node->child_count; i++) {
        const struct field_node *child = node->child[i];
        if (strcmp(child->name, name) == 0) {
            *found = child->field->path;
            (*count)++;
        }
        find_elsewhere(child, name, found, count);
    }
}

static void unknown_field(struct walk *w, const struct field_node *node, const char *name)
{
    struct similar similar = similar_to(name);
    for (size_t i = 0; i < node->child_count; i++)
        similar_consider(&similar, node->child[i]->name);
    const char *elsewhere = NULL;
    unsigned count = 0;
    find_elsewhere(fields_root("VirtualMachineInstance"), name, &elsewhere, &count);
    const char *path = text_cstr(&w->path);
    findings_unknown(w->findings, path);
    if (count == 1)
        findings_warn(w->findings, "unknown field \"%s\"; it belongs at %s of a VirtualMachineInstance", path,
                      elsewhere);
    else if (similar.best)
        findings_warn(w->findings, "unknown field \"%s\"; did you mean \"%s\"?", path, similar.best);
    else
        findings_warn(w->findings, "unknown field \"%s\"; it is not used (rtvmd explain lists the fields)", path);
}

/* ---- values */

static void check_integer(struct walk *w, json_t *parent, const struct field_node *node, const json_t *value)
{
    int64_t min;
    int64_t max;
    field_type_range(node->field->type, &min, &max);
    if (json_is_real(value)) {
        double real = json_real_value(value);
        if (real != floor(real) || fabs(real) > 9e15) {
            wrong_type(w, value, "integer");
            return;
        }
        json_object_set_new(parent, node->name, json_integer((json_int_t)real));
        value = json_object_get(parent, node->name);
    }
    if (!json_is_integer(value)) {
        wrong_type(w, value, "integer");
        return;
    }
    int64_t number = json_integer_value(value);
    if (number >= min && number <= max)
        return;
    auto_free char *sentence = must_format("in body should be %s than or equal to %" PRId64 ": %" PRId64,
                                           number < min ? "greater" : "less", number < min ? min : max, number);
    unreadable(w, sentence);
}

static void check_quantity(struct walk *w, const json_t *value)
{
    struct quantity q;
    struct error err;
    if (quantity_from_json(value, &q, &err) == 0)
        return;
    auto_free char *shown = json_to_text(value);
    auto_free char *sentence =
        must_format("in body must be a quantity such as 1Gi or 500m: %.100s: %s", shown, err.text);
    unreadable(w, sentence);
}

static bool is_listed(const char *values, const char *text)
{
    size_t length = strlen(text);
    for (const char *at = values; *at; at += strcspn(at, "|"), at += *at == '|')
        if (strncmp(at, text, length) == 0 && (at[length] == '|' || at[length] == '\0'))
            return true;
    return false;
}

static void check_string(struct walk *w, const struct field *field, const json_t *value)
{
    if (!json_is_string(value)) {
        wrong_type(w, value, "string");
        return;
    }
    const char *text = json_string_value(value);
    if (!field->values || field->ruled || !*text || w->quiet || is_listed(field->values, text))
        return;
    findings_cause(&w->result->late, CAUSE_NOT_SUPPORTED, text_cstr(&w->path), "%s: '%s' is not one of %s",
                   text_cstr(&w->path), text, field->values);
}

static void check_map(struct walk *w, json_t *map, enum field_type type)
{
    if (!json_is_object(map)) {
        wrong_type(w, map, "object");
        return;
    }
    void *tmp;
    const char *key;
    json_t *value;
    json_object_foreach_safe(map, tmp, key, value)
    {
        size_t mark = push(w, key, 0);
        if (json_is_null(value))
            json_object_del(map, key);
        else if (type == FIELD_QUANTITY_MAP)
            check_quantity(w, value);
        else if (!json_is_string(value))
            wrong_type(w, value, "string");
        pop(w, mark);
    }
}

static void check_strings(struct walk *w, const json_t *array)
{
    if (!json_is_array(array)) {
        wrong_type(w, array, "array");
        return;
    }
    for (size_t i = 0; i < json_array_size(array); i++) {
        size_t mark = push(w, NULL, i);
        if (!json_is_string(json_array_get(array, i)))
            wrong_type(w, json_array_get(array, i), "string");
        pop(w, mark);
    }
}

static void check_object(struct walk *w, json_t *object, const struct field_node *node);

static void check_objects(struct walk *w, json_t *array, const struct field_node *node)
{
    if (!json_is_array(array)) {
        wrong_type(w, array, "array");
        return;
    }
    for (size_t i = 0; i < json_array_size(array); i++) {
        size_t mark = push(w, NULL, i);
        check_object(w, json_array_get(array, i), node);
        pop(w, mark);
    }
}

static void check_value(struct walk *w, json_t *parent, const struct field_node *node, json_t *value)
{
    enum field_type type = node->field->type;
    switch (type) {
    case FIELD_OBJECT:
    case FIELD_VMI_SPEC:
        check_object(w, value, node);
        break;
    case FIELD_OBJECTS:
        check_objects(w, value, node);
        break;
    case FIELD_STRING:
    case FIELD_TIME:
        check_string(w, node->field, value);
        break;
    case FIELD_STRINGS:
        check_strings(w, value);
        break;
    case FIELD_STRING_MAP:
    case FIELD_QUANTITY_MAP:
        check_map(w, value, type);
        break;
    case FIELD_BOOL:
        if (!json_is_boolean(value))
            wrong_type(w, value, "boolean");
        break;
    case FIELD_INT32:
    case FIELD_INT64:
    case FIELD_UINT32:
    case FIELD_UINT:
        check_integer(w, parent, node, value);
        break;
    case FIELD_QUANTITY:
        check_quantity(w, value);
        break;
    case FIELD_INT_OR_STRING:
        if (!json_is_string(value) && !json_is_integer(value))
            wrong_type(w, value, "integer or string");
        break;
    case FIELD_ANY:
    case FIELD_TYPE_COUNT:
        break;
    }
}

/* ---- support and presence */

static bool asks_for_nothing(const json_t *value)
{
    return json_is_false(value) || (json_is_object(value) && json_object_size(value) == 0) ||
           (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_string(value) && json_string_length(value) == 0);
}

/* True when the field below is not to be talked about any more. An empty object asks for nothing where the field is
 * a list of settings, but presence is the wish where refusal is concerned. */
static bool report_support(struct walk *w, const struct field *field, const json_t *value)
{
    const char *path = text_cstr(&w->path);
    if (field->support == FIELD_DONE || w->quiet)
        return w->quiet;
    if (field->support == FIELD_REFUSED && !(json_is_array(value) && json_array_size(value) == 0))
        findings_cause(&w->result->late, CAUSE_NOT_SUPPORTED, path, "%s is not supported: %s", path, field->because);
    else if (field->support == FIELD_IGNORED && !asks_for_nothing(value))
        findings_warn(w->findings, "%s is ignored: %s", path, field->because);
    return true;
}

static void check_presence(struct walk *w, const json_t *object, const struct field_node *child)
{
    const json_t *value = json_object_get(object, child->name);
    bool empty = json_is_string(value) && json_string_length(value) == 0;
    if (child->field->required == FIELD_OPTIONAL || child->field->ruled || w->quiet || (value && !empty))
        return;
    size_t mark = push(w, child->name, 0);
    if (child->field->required == FIELD_NEEDED)
        findings_cause(&w->result->late, CAUSE_REQUIRED, text_cstr(&w->path), "%s is required: %s", text_cstr(&w->path),
                       child->field->doc);
    else if (!value)
        findings_warn(w->findings, "%s is not given; KubeVirt requires it, rtvmd does not", text_cstr(&w->path));
    pop(w, mark);
}

static void check_field(struct walk *w, json_t *object, const struct field_node *node, const char *key, json_t *value)
{
    const struct field_node *child = fields_child(node, key, strlen(key));
    size_t mark = push(w, key, 0);
    if (!child) {
        unknown_field(w, node, key);
    } else {
        bool quiet = w->quiet;
        w->quiet = report_support(w, child->field, value);
        check_value(w, object, child, value);
        w->quiet = quiet;
    }
    pop(w, mark);
}

static void check_object(struct walk *w, json_t *object, const struct field_node *node)
{
    if (!json_is_object(object)) {
        wrong_type(w, object, "object");
        return;
    }
    if (node->field && node->field->type == FIELD_OBJECT && strcmp(node->field->path, "spec") == 0 &&
        strcmp(w->kind, "VirtualMachineInstance") == 0)
        misplaced_move(object, text_cstr(&w->path), w->findings);
    if (node->field && node->field->type == FIELD_VMI_SPEC)
        misplaced_move(object, text_cstr(&w->path), w->findings);
    void *tmp;
    const char *key;
    json_t *value;
    json_object_foreach_safe(object, tmp, key, value)
    {
        if (json_is_null(value))
            json_object_del(object, key);
        else
            check_field(w, object, node, key, value);
    }
    for (size_t i = 0; i < node->child_count; i++)
        check_presence(w, object, node->child[i]);
}

void schema_check(json_t *object, const char *kind, struct findings *findings, struct schema_result *ret_result)
{
    *ret_result = (struct schema_result){0};
    struct walk w = {.kind = kind, .findings = findings, .result = ret_result};
    text_append(&w.path, "");
    check_object(&w, object, fields_root(kind));
    text_finish(&w.path);
}

void schema_result_finish(struct schema_result *result)
{
    findings_finish(&result->unreadable);
    findings_finish(&result->late);
}
