/* The field table: one row per field of a VirtualMachine or VirtualMachineInstance that KubeVirt knows (API of August
 * 2026), supported here or not. It drives type checks, unknown-field detection, constant defaults, `rtvmd explain`,
 * OpenAPI and the support matrix. To add a field: one row in the fields_*.c of its theme. */
#pragma once

#include "rtvmd/base/json.h"

enum field_type {
    FIELD_OBJECT,
    FIELD_OBJECTS, /* array of objects: the children of the row describe an element */
    FIELD_STRING,
    FIELD_STRINGS,      /* array of strings */
    FIELD_STRING_MAP,   /* free keys */
    FIELD_QUANTITY_MAP, /* free keys */
    FIELD_BOOL,
    FIELD_INT32,
    FIELD_INT64,
    FIELD_UINT32,
    FIELD_UINT, /* up to 2^63-1 */
    FIELD_QUANTITY,
    FIELD_INT_OR_STRING,
    FIELD_TIME,     /* RFC 3339 text */
    FIELD_ANY,      /* not looked into */
    FIELD_VMI_SPEC, /* spec.template.spec of a VM: the children are those of a VMI's spec */
    FIELD_TYPE_COUNT,
};
/* Word for people ("string", "array of objects") and for OpenAPI ("string", "array", "integer", …). */
const char *field_type_text(enum field_type type);
const char *field_type_openapi(enum field_type type);
/* Smallest and largest value of the integer types. */
void field_type_range(enum field_type type, int64_t *ret_min, int64_t *ret_max);

enum field_support { FIELD_DONE, FIELD_IGNORED, FIELD_REFUSED };
/* Optional; KubeVirt's schema requires it and so do we; KubeVirt's schema requires it, we only warn. */
enum field_required { FIELD_OPTIONAL, FIELD_NEEDED, FIELD_WANTED };

struct field {
    const char *path; /* "spec.domain.cpu.features.policy": elements of arrays have no part of their own */
    enum field_type type;
    const char *doc; /* one line, our words */
    enum field_required required;
    const char *values;    /* "a|b|c"; "" is always fine */
    const char *def;       /* constant default as JSON text, written into VMIs when the parent is there */
    const char *otherwise; /* default that is computed, in words */
    enum field_support support;
    const char *because; /* why ignored or refused */
    bool ruled; /* a rule of validate_*.c complains about absence and wrong words, with KubeVirt's sentence and path */
};

/* The rows as a tree. Children stand in table order. */
struct field_node {
    const char *name;           /* last part of the path */
    const struct field *field;  /* NULL: the root */
    const struct field *unused; /* this row or the one above it that is ignored or refused; NULL: the field is used */
    size_t child_count;
    const struct field_node *const *child;
};

/* "VirtualMachine" or "VirtualMachineInstance"; NULL for other kinds. The root's children are metadata, spec, …. */
const struct field_node *fields_root(const char *kind);
/* NULL when there is no such child. The name need not end in NUL. */
const struct field_node *fields_child(const struct field_node *node, const char *name, size_t length);
/* By dotted path from the root; "[3]" and "[]" after a part are skipped. NULL when there is no such field. */
const struct field_node *fields_find(const char *kind, const char *path);

/* Every row once, in table order: the rows of VirtualMachineInstance, then what only VirtualMachine has. */
const struct field *fields_row(size_t index, const char **ret_kind);
size_t fields_count(void);

/* Writes the constant defaults into a VMI. */
void fields_apply_defaults(json_t *vmi);
