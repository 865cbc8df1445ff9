/* api/schema: OpenAPI schemas of the kinds we serve, made from the field table (VMs) and a small table of the other
 * kinds' fields (schema_kinds.c). Pure. */
#pragma once

#include "api/resource.h"
#include "runtime/spec/fields.h"

/* A field of a kind that is not in the field table; children follow their parent. */
struct schema_row {
    const char *path; /* dotted; elements of arrays have no part of their own */
    enum field_type type;
    const char *doc;
};
struct schema_kind {
    const char *group;
    const char *kind;
    const char *doc;
    bool open; /* more fields than the rows tell */
    size_t row_count;
    const struct schema_row *row;
};
extern const struct schema_kind SCHEMA_KINDS[];
extern const size_t SCHEMA_KIND_COUNT;
/* What is written into the status of VMs (schema_status.c). */
extern const struct schema_kind SCHEMA_STATUS[];
extern const size_t SCHEMA_STATUS_COUNT;

/* "io.kubevirt.v1.VirtualMachine", as an API server names definitions. The caller frees. */
char *schema_name(const struct resource *resource, const char *version);
/* The name of the definition of metadata, which every kind refers to. */
#define SCHEMA_METADATA "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

/* A new schema of one kind. ref_prefix: where definitions are ("#/definitions/", "#/components/schemas/"). */
json_t *schema_of(const struct resource *resource, const char *version, const char *ref_prefix);
json_t *schema_of_metadata(void);
