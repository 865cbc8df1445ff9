/* The field table against a document. */
#pragma once

#include "runtime/spec/spec.h"

struct schema_result {
    /* What no decoder could read: wrong types, numbers out of range, quantities that are none. Reason, path and
     * Kubernetes' sentence. */
    struct findings unreadable;
    /* Required fields that are missing, unsupported ones that are there, values outside a fixed set: to be added to
     * the causes of validation, except where that already complains about the same field. */
    struct findings late;
};

/* Walks the object by the rows of its kind and changes it: nulls go, whole-number reals become integers, fields at a
 * place where others commonly put them are moved (misplaced.c). Warnings about unknown, misplaced and ignored fields
 * go to findings. */
void schema_check(json_t *object, const char *kind, struct findings *findings, struct schema_result *ret_result);
void schema_result_finish(struct schema_result *result);

/* misplaced.c: moves what is known to be written at a wrong place, by a table. spec is the VMI's, at its path. */
void misplaced_move(json_t *spec, const char *at, struct findings *findings);
