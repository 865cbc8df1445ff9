/* api/table: the meta.k8s.io/v1 Table kubectl prints from. */
#pragma once

#include "api/resource.h"

/* How much of each object goes along with its row (query parameter includeObject). */
enum table_include { TABLE_METADATA, TABLE_OBJECT, TABLE_NOTHING };
int table_include_from_text(const char *text, enum table_include *ret_include, struct error *err);

/* A new Table of the array's objects. list_meta (may be NULL) becomes its metadata; columns are left out when
 * with_columns is false (every row of a watch but the first). */
json_t *table_render(const struct resource *resource, const json_t *objects, const json_t *list_meta,
                     enum table_include include, bool with_columns);
/* One cell as text; the caller frees. Missing values are "". */
char *table_cell(const struct resource_column *column, const json_t *object);
/* Name and age, for resources without columns of their own. */
const struct resource_column *table_columns(const struct resource *resource, size_t *ret_count);
/* {kind: PartialObjectMetadata, apiVersion, metadata} of one object. */
json_t *table_metadata_of(const json_t *object);
