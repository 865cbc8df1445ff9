#include "api/schema/schema.h"

#include <stdlib.h>
#include <string.h>

char *schema_name(const struct resource *resource, const char *version)
{
    if (resource->group[0] == '\0')
        return must_format("io.k8s.api.core.%s.%s", version, resource->kind);
    /* the group's words in reverse: kubevirt.io -> io.kubevirt */
    auto_text name = {0};
    const char *end = resource->group + strlen(resource->group);
    while (end > resource->group) {
        const char *begin = end;
        while (begin > resource->group && begin[-1] != '.')
            begin--;
        text_append_n(&name, begin, (size_t)(end - begin));
        text_append(&name, ".");
        end = begin > resource->group ? begin - 1 : begin;
    }
    text_printf(&name, "%s.%s", version, resource->kind);
    return text_take(&name);
}

/* A value of the type, without its children. */
static json_t *schema_of_type(enum field_type type)
{
    json_t *schema = json_object();
    if (type == FIELD_ANY || type == FIELD_INT_OR_STRING)
        json_object_set_new(schema,
                            type == FIELD_ANY ? "x-kubernetes-preserve-unknown-fields" : "x-kubernetes-int-or-string",
                            json_true());
    if (type != FIELD_INT_OR_STRING)
        json_object_set_new(schema, "type", json_string(field_type_openapi(type)));
    if (type == FIELD_OBJECTS)
        json_object_set_new(schema, "items", json_pack("{s:s}", "type", "object"));
    if (type == FIELD_STRINGS)
        json_object_set_new(schema, "items", json_pack("{s:s}", "type", "string"));
    if (type == FIELD_STRING_MAP || type == FIELD_QUANTITY_MAP)
        json_object_set_new(schema, "additionalProperties", json_pack("{s:s}", "type", "string"));
    if (type == FIELD_TIME)
        json_object_set_new(schema, "format", json_string("date-time"));
    if (type == FIELD_INT32 || type == FIELD_INT64)
        json_object_set_new(schema, "format", json_string(type == FIELD_INT32 ? "int32" : "int64"));
    return schema;
}

/* The object whose properties are the children: the schema itself, or the element of an array. */
static json_t *holder(json_t *schema)
{
    json_t *items = json_object_get(schema, "items");
    return items ? items : schema;
}

static void add_property(json_t *schema, const char *name, json_t *property)
{
    json_t *object = holder(schema);
    json_t *properties = json_object_get(object, "properties");
    if (!properties)
        json_object_set_new(object, "properties", properties = json_object());
    json_object_set_new(properties, name, property);
}

static void describe(json_t *schema, const char *doc)
{
    size_t length = strlen(doc);
    json_object_set_new(schema, "description",
                        json_sprintf("%s%s", doc, length > 0 && doc[length - 1] != '.' ? "." : ""));
}

/* ---- the field table */

static void describe_field(json_t *schema, const struct field_node *node)
{
    const struct field *f = node->field;
    auto_text doc = {0};
    text_printf(&doc, "%s.", f->doc);
    if (f->values)
        text_printf(&doc, " One of: %s.", f->values);
    if (f->def || f->otherwise)
        text_printf(&doc, " Default: %s.", f->def ? f->def : f->otherwise);
    if (node->unused)
        text_printf(&doc, " %s: %s.", node->unused->support == FIELD_REFUSED ? "Refused" : "Ignored",
                    node->unused->because);
    json_object_set_new(schema, "description", json_string(text_cstr(&doc)));
}

static json_t *schema_of_node(const struct field_node *node)
{
    bool is_list = strcmp(node->name, "managedFields") == 0; /* of anything: the table has no word for that */
    json_t *schema = schema_of_type(is_list ? FIELD_OBJECTS : node->field->type);
    describe_field(schema, node);
    json_t *required = json_array();
    for (size_t i = 0; i < node->child_count; i++) {
        add_property(schema, node->child[i]->name, schema_of_node(node->child[i]));
        if (node->child[i]->field->required == FIELD_NEEDED)
            json_array_append_new(required, json_string(node->child[i]->name));
    }
    if (json_array_size(required) > 0)
        json_object_set(holder(schema), "required", required);
    json_decref(required);
    return schema;
}

static json_t *schema_of_fields(const char *kind)
{
    static const char *const DOCS[][2] = {
        {"VirtualMachine", "A virtual machine that is kept: started, stopped and restarted."},
        {"VirtualMachineInstance", "One run of a virtual machine."}};
    const struct field_node *root = fields_root(kind);
    json_t *schema = json_pack("{s:s}", "type", "object");
    for (size_t i = 0; i < ARRAY_SIZE(DOCS); i++)
        if (strcmp(DOCS[i][0], kind) == 0)
            describe(schema, DOCS[i][1]);
    for (size_t i = 0; i < root->child_count; i++)
        add_property(schema, root->child[i]->name, schema_of_node(root->child[i]));
    json_object_set_new(schema, "required", json_pack("[s]", "spec"));
    return schema;
}

json_t *schema_of_metadata(void)
{
    json_t *schema = schema_of_node(fields_find("VirtualMachineInstance", "metadata"));
    /* how strategic merge patches treat the two lists */
    static const struct {
        const char *name, *strategy, *key;
    } LISTS[] = {{"finalizers", "merge", NULL}, {"ownerReferences", "merge", "uid"}};
    for (size_t i = 0; i < ARRAY_SIZE(LISTS); i++) {
        json_t *list = json_object_get(json_object_get(schema, "properties"), LISTS[i].name);
        json_object_set_new(list, "x-kubernetes-patch-strategy", json_string(LISTS[i].strategy));
        if (LISTS[i].key)
            json_object_set_new(list, "x-kubernetes-patch-merge-key", json_string(LISTS[i].key));
    }
    return schema;
}

/* ---- the other kinds */

static json_t *property_at(json_t *schema, const char *path, size_t length)
{
    while (length > 0) {
        size_t part = 0;
        while (part < length && path[part] != '.')
            part++;
        schema = json_object_getn(json_object_get(holder(schema), "properties"), path, part);
        if (!schema)
            return NULL;
        part += part < length;
        path += part;
        length -= part;
    }
    return schema;
}

static void add_row(json_t *schema, const struct schema_row *row)
{
    const char *dot = strrchr(row->path, '.');
    json_t *parent = dot ? property_at(schema, row->path, (size_t)(dot - row->path)) : schema;
    json_t *property = schema_of_type(row->type);
    describe(property, row->doc);
    add_property(parent, dot ? dot + 1 : row->path, property);
}

/* Kinds that are always empty have no row. */
static const struct schema_kind NOTHING = {"",   "", "There are none: rtvmd runs virtual machines and nothing else",
                                           true, 0,  NULL};

static json_t *schema_of_rows(const struct schema_kind *kind)
{
    json_t *schema = json_pack("{s:s}", "type", "object");
    describe(schema, kind->doc);
    static const struct schema_row FIRST[] = {{"apiVersion", FIELD_STRING, "Group and version of the object"},
                                              {"kind", FIELD_STRING, "What the object is"},
                                              {"metadata", FIELD_OBJECT, "Who the object is"}};
    for (size_t i = 0; i < ARRAY_SIZE(FIRST); i++)
        add_row(schema, &FIRST[i]);
    for (size_t i = 0; i < kind->row_count; i++)
        add_row(schema, &kind->row[i]);
    if (kind->open)
        json_object_set_new(schema, "x-kubernetes-preserve-unknown-fields", json_true());
    return schema;
}

/* Old clients check what they send by the swagger document, status and all: there it stays open. */
static void add_status(json_t *schema, const struct resource *resource)
{
    for (size_t i = 0; i < SCHEMA_STATUS_COUNT; i++)
        for (size_t k = 0; strcmp(SCHEMA_STATUS[i].kind, resource->kind) == 0 && k < SCHEMA_STATUS[i].row_count; k++)
            add_row(schema, &SCHEMA_STATUS[i].row[k]);
}

static json_t *schema_of_kind(const struct resource *resource)
{
    for (size_t i = 0; i < SCHEMA_KIND_COUNT; i++)
        if (strcmp(SCHEMA_KINDS[i].kind, resource->kind) == 0 && strcmp(SCHEMA_KINDS[i].group, resource->group) == 0)
            return schema_of_rows(&SCHEMA_KINDS[i]);
    return schema_of_rows(&NOTHING);
}

json_t *schema_of(const struct resource *resource, const char *version, const char *ref_prefix)
{
    json_t *schema = fields_root(resource->kind) ? schema_of_fields(resource->kind) : schema_of_kind(resource);
    auto_free char *ref = must_format("%s%s", ref_prefix, SCHEMA_METADATA);
    json_t *metadata = json_pack("{s:s, s:[{s:s}]}", "description", "Who the object is.", "allOf", "$ref", ref);
    if (text_starts_with(ref_prefix, "#/definitions")) { /* swagger 2.0 refers directly */
        json_decref(metadata);
        metadata = json_pack("{s:s}", "$ref", ref);
    } else {
        add_status(schema, resource);
    }
    add_property(schema, "metadata", metadata);
    json_object_set_new(
        schema, "x-kubernetes-group-version-kind",
        json_pack("[{s:s, s:s, s:s}]", "group", resource->group, "version", version, "kind", resource->kind));
    return schema;
}
