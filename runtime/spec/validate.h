/* KubeVirt's validation rules (facts 2.2-2.5): small functions in tables, run in KubeVirt's order over a defaulted
 * spec, so that all causes come out at once, in its order and its words. Wording and paths are those of KubeVirt's main
 * branch (August 2026), its slips in the paths included.
 *
 * To add a rule: one small function, one row in the table of its file. Included by validate*.c and admit.c only. */
#pragma once

#include "rtvmd/base/quantity.h"
#include "runtime/spec/spec.h"

#define CAUSE_INVALID "FieldValueInvalid"
#define CAUSE_REQUIRED "FieldValueRequired"
#define CAUSE_NOT_SUPPORTED "FieldValueNotSupported"
#define CAUSE_DUPLICATE "FieldValueDuplicate"
#define CAUSE_NOT_FOUND "FieldValueNotFound"
#define CAUSE_TYPE "FieldValueTypeInvalid"

struct admission {
    const json_t *vm;   /* the whole VM, or NULL for a VMI */
    const json_t *spec; /* of the VMI, defaulted */
    const char *at;     /* path of that spec: "spec" or "spec.template.spec" */
    const json_t *metadata;
    const char *metadata_at;
    struct findings *findings;
};
typedef void rule(struct admission *a);
struct rules {
    rule *const *rule;
    size_t count;
};

/* Steps of KubeVirt's check of a VMI spec, in order; the tables of the files below. */
extern const struct rules RULES_NAMES;
extern const struct rules RULES_MEMORY;
extern const struct rules RULES_MACHINE;
extern const struct rules RULES_CPU;
extern const struct rules RULES_AFFINITY;
extern const struct rules RULES_NETWORKS;
extern const struct rules RULES_INTERFACES;
extern const struct rules RULES_ATTACHMENT;
extern const struct rules RULES_PROBES;
extern const struct rules RULES_DISKS;
extern const struct rules RULES_FIRMWARE;
extern const struct rules RULES_VOLUMES;
extern const struct rules RULES_ACCESS;
extern const struct rules RULES_DEVICES;
extern const struct rules RULES_METADATA;
extern const struct rules RULES_VM;
extern const struct rules RULES_VMI;
/* What only we ask for. */
extern const struct rules RULES_OURS;

/* Everything about a VMI, or about a VM with its template. */
void validate(struct admission *a);

/* ---- for the rules */

/* "AT.REST"; the caller frees. */
char *rule_path(const struct admission *a, const char *format, ...) PRINTF_LIKE(2, 3);
/* Items of an array below the spec; 0 and NULL when it is not there. */
size_t rule_count(const struct admission *a, const char *path);
json_t *rule_item(const struct admission *a, const char *path, size_t index);
/* A path inside an image: absolute, without relative parts, not the root; "" is fine. */
void rule_image_path(struct admission *a, const char *field, const char *path);
/* The network of that name, or NULL. */
const json_t *rule_network(const struct admission *a, const char *name);
/* Strings: "" when missing. */
const char *rule_text(const json_t *object, const char *path);
bool rule_is_one_of(const char *text, const char *const words[], size_t count);

/* A quantity as the rules see it: missing counts as zero, as in Go. */
struct amount {
    bool given;
    struct quantity q;
    int64_t value; /* rounded up */
    struct quantity_text text;
};
struct amount rule_amount(const json_t *object, const char *path);
/* Product of the parts of the topology that are set; 0 when none is (KubeVirt's GetNumberOfVCPUs). */
int64_t rule_vcpus(const struct admission *a);
