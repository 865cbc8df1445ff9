/* runtime/spec: what a manifest says. KubeVirt's field table, YAML and JSON, defaults, validation, decoding.
 * It knows no host, no libvirt and no store; everything here is a pure function over text and JSON values. */
#pragma once

#include "runtime/spec/vm_spec.h"

/* One complaint about one field, as in metav1.StatusCause. */
struct cause {
    const char *reason; /* "FieldValueInvalid", "FieldValueRequired", … : static text */
    char *field;
    char *message;
};
/* Everything found wrong with one object, and warnings (unknown, misplaced, ignored fields) that do not refuse it. */
struct findings {
    size_t cause_count;
    struct cause *cause;
    size_t warning_count;
    char **warning;
    size_t unknown_count; /* the subset of the warnings about unknown fields, for fieldValidation=Strict: paths */
    char **unknown;
};
/* "FIELD: MESSAGE", the field named once: many of KubeVirt's messages begin with it. The caller frees. */
char *cause_text(const struct cause *cause);
#define auto_findings __attribute__((cleanup(findings_finish))) struct findings
void findings_finish(struct findings *findings);
void findings_cause(struct findings *findings, const char *reason, const char *field, const char *format, ...)
    PRINTF_LIKE(4, 5);
void findings_warn(struct findings *findings, const char *format, ...) PRINTF_LIKE(2, 3);
/* Takes out the unknown fields, and the warnings of them, that `known` has too. */
void findings_forget_unknowns(struct findings *findings, const struct findings *known);

/* Splits YAML or JSON text into objects: several documents and `kind: List` are flattened, empty documents skipped.
 * A new JSON array. Aliases, anchors, tags, duplicate keys and everything over the limits are refused with line and
 * column (ERROR_BAD_REQUEST, ERROR_TOO_LARGE). */
json_t *manifest_parse(const char *text, size_t length, struct error *err);

/* What a VirtualMachine or VirtualMachineInstance goes through on its way in, in place:
 *  1. schema: types, unknown, misplaced (moved where they belong, with a warning) and unsupported fields;
 *  2. defaults, as KubeVirt writes them on create (facts 1.5);
 *  3. validation; all causes at once.
 * kind, apiVersion and metadata are checked too. With causes the object must not be used. Returns 0, or -1 with
 * ERROR_BAD_REQUEST when the object is malformed (KubeVirt: cannot be decoded at all). */
int spec_admit(json_t *object, struct findings *findings, struct error *err);

/* The VMI a VM asks for: name, labels, annotations and spec of the template; VMI-only defaults are applied. New
 * reference. */
json_t *spec_vmi_from_vm(const json_t *vm);

/* Decodes an admitted VMI (or the template of an admitted VM). Total for admitted objects; ERROR_INVALID else. */
int spec_decode(const json_t *object, struct vm_spec *ret_spec, struct error *err);
void spec_finish(struct vm_spec *spec);
#define auto_spec __attribute__((cleanup(spec_finish))) struct vm_spec

enum vm_run_strategy { VM_RUN_ALWAYS, VM_RUN_HALTED, VM_RUN_MANUAL, VM_RUN_RERUN_ON_FAILURE, VM_RUN_ONCE };
/* spec.running and spec.runStrategy of an admitted VM. */
enum vm_run_strategy spec_run_strategy(const json_t *vm);
const char *vm_run_strategy_text(enum vm_run_strategy strategy);
