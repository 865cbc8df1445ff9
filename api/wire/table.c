#include "api/wire/table.h"

#include <ctype.h>
#include <string.h>

#include "api/wire/columns.h"
#include "api/wire/jsonpath.h"

static const struct resource_column PLAIN[] = {
    {"Name", ".metadata.name", NULL, "string", 0, "Name, unique within its namespace."},
    {"Age", ".metadata.creationTimestamp", NULL, "date", 0, "Time since the object was created."},
};

const struct resource_column *table_columns(const struct resource *resource, size_t *ret_count)
{
    *ret_count = resource->column ? resource->column_count : ARRAY_SIZE(PLAIN);
    return resource->column ? resource->column : PLAIN;
}

int table_include_from_text(const char *text, enum table_include *ret_include, struct error *err)
{
    static const char *const NAMES[] = {"Metadata", "Object", "None"};
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++) {
        if (!text || !text[0] || strcmp(text, NAMES[i]) == 0) {
            *ret_include = (enum table_include)i;
            return 0;
        }
    }
    return fail(err, ERROR_BAD_REQUEST, "includeObject \"%s\": must be Metadata, Object or None", text);
}

char *table_cell(const struct resource_column *column, const json_t *object)
{
    if (column->text)
        return column->text(object);
    const json_t *value = jsonpath_first(object, column->path);
    if (!value || json_is_null(value))
        return must_strdup("");
    if (strcmp(column->type, "date") == 0)
        return age_text(json_string_value(value), now_wall_s());
    return json_is_string(value) ? must_strdup(json_string_value(value)) : json_to_text(value);
}

static json_t *column_definitions(const struct resource *resource)
{
    size_t count;
    const struct resource_column *columns = table_columns(resource, &count);
    json_t *definitions = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(definitions, json_pack("{s:s, s:s, s:s, s:s, s:i}", "name", columns[i].name, "type",
                                                     columns[i].type, "format", i == 0 ? "name" : "", "description",
                                                     columns[i].because, "priority", columns[i].wide));
    return definitions;
}

json_t *table_metadata_of(const json_t *object)
{
    return json_pack("{s:s, s:s, s:O}", "kind", "PartialObjectMetadata", "apiVersion", "meta.k8s.io/v1", "metadata",
                     json_object_get(object, "metadata"));
}

static json_t *row(const struct resource *resource, json_t *object, enum table_include include)
{
    size_t count;
    const struct resource_column *columns = table_columns(resource, &count);
    json_t *cells = json_array();
    for (size_t i = 0; i < count; i++) {
        auto_free char *cell = table_cell(&columns[i], object);
        json_array_append_new(cells, json_string(cell));
    }
    json_t *made = json_pack("{s:o}", "cells", cells);
    if (include == TABLE_OBJECT)
        json_object_set(made, "object", object);
    else if (include == TABLE_METADATA)
        json_object_set_new(made, "object", table_metadata_of(object));
    return made;
}

json_t *table_render(const struct resource *resource, const json_t *objects, const json_t *list_meta,
                     enum table_include include, bool with_columns)
{
    json_t *table = json_pack("{s:s, s:s}", "kind", "Table", "apiVersion", "meta.k8s.io/v1");
    if (list_meta)
        json_object_set(table, "metadata", (json_t *)list_meta);
    else
        json_object_set_new(table, "metadata", json_object());
    json_object_set_new(table, "columnDefinitions", with_columns ? column_definitions(resource) : json_array());
    json_t *rows = json_array();
    size_t i;
    json_t *object;
    json_array_foreach((json_t *)objects, i, object) json_array_append_new(rows, row(resource, object, include));
    json_object_set_new(table, "rows", rows);
    return table;
}
