/* Affinity and spreading mean nothing on one host, but a manifest must stay good for a cluster: Kubernetes' rules about
 * their form (facts 2.2). */
#include <inttypes.h>
#include <string.h>

#include "runtime/spec/validate.h"

#define REQUIRED "requiredDuringSchedulingIgnoredDuringExecution"
#define PREFERRED "preferredDuringSchedulingIgnoredDuringExecution"

static void complain(struct admission *a, const char *at, const char *member, const char *type, const char *message)
{
    auto_free char *field = must_format("%s.%s", at, member);
    findings_cause(a->findings, type, field, "%s: %s", field, message);
}

/* Of node terms and of label selectors alike; only nodes compare numbers. */
static void expression(struct admission *a, const char *at, const json_t *expression, bool is_of_node)
{
    const char *how = rule_text(expression, "operator");
    size_t values = json_array_size(json_object_get(expression, "values"));
    if (strcmp(how, "In") == 0 || strcmp(how, "NotIn") == 0) {
        if (values == 0)
            complain(a, at, "values", CAUSE_REQUIRED,
                     "Required value: must be specified when `operator` is 'In' or 'NotIn'");
    } else if (strcmp(how, "Exists") == 0 || strcmp(how, "DoesNotExist") == 0) {
        if (values > 0)
            complain(a, at, "values", "FieldValueForbidden",
                     "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
    } else if (is_of_node && (strcmp(how, "Gt") == 0 || strcmp(how, "Lt") == 0)) {
        if (values != 1)
            complain(a, at, "values", CAUSE_REQUIRED,
                     "Required value: must be specified single value when `operator` is 'Lt' or 'Gt'");
    } else {
        auto_free char *message = must_format("Invalid value: \"%s\": not a valid selector operator", how);
        complain(a, at, "operator", CAUSE_INVALID, message);
    }
}

static void expressions(struct admission *a, const char *at, const char *list, const json_t *of, bool is_of_node)
{
    const json_t *items = json_object_get(of, list);
    for (size_t i = 0; i < json_array_size(items); i++) {
        auto_free char *here = must_format("%s.%s[%zu]", at, list, i);
        expression(a, here, json_array_get(items, i), is_of_node);
    }
}

static void node_term(struct admission *a, const char *at, const json_t *term)
{
    expressions(a, at, "matchExpressions", term, true);
    expressions(a, at, "matchFields", term, true);
}

static void pod_term(struct admission *a, const char *at, const json_t *term)
{
    static const char *const SELECTORS[] = {"labelSelector", "namespaceSelector"};
    for (size_t i = 0; i < ARRAY_SIZE(SELECTORS); i++) {
        auto_free char *here = must_format("%s.%s", at, SELECTORS[i]);
        expressions(a, here, "matchExpressions", json_object_get(term, SELECTORS[i]), false);
    }
    if (!*rule_text(term, "topologyKey"))
        complain(a, at, "topologyKey", CAUSE_REQUIRED, "Required value: can not be empty");
}

typedef void term(struct admission *a, const char *at, const json_t *term);

/* Wishes: each a weight and what is wished. */
static void wishes(struct admission *a, const char *at, const json_t *of, const char *wish, term *check)
{
    const json_t *items = json_object_get(of, PREFERRED);
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        int64_t weight = json_int_at(item, "weight", 0);
        auto_free char *here = must_format("%s." PREFERRED "[%zu]", at, i);
        auto_free char *there = must_format("%s.%s", here, wish);
        if (weight < 1 || weight > 100) {
            auto_free char *message = must_format("Invalid value: %" PRId64 ": must be in the range 1-100", weight);
            complain(a, here, "weight", CAUSE_INVALID, message);
        }
        check(a, there, json_object_get(item, wish));
    }
}

static void terms(struct admission *a, const char *at, const json_t *items, term *check)
{
    for (size_t i = 0; i < json_array_size(items); i++) {
        auto_free char *here = must_format("%s[%zu]", at, i);
        check(a, here, json_array_get(items, i));
    }
}

static void node_affinity(struct admission *a)
{
    const json_t *affinity = json_at(a->spec, "affinity.nodeAffinity");
    const json_t *required = json_object_get(affinity, REQUIRED);
    const json_t *items = json_object_get(required, "nodeSelectorTerms");
    auto_free char *at = rule_path(a, "affinity.nodeAffinity");
    auto_free char *there = must_format("%s." REQUIRED ".nodeSelectorTerms", at);
    if (required && json_array_size(items) == 0)
        findings_cause(a->findings, CAUSE_REQUIRED, there,
                       "%s: Required value: must have at least one node selector term", there);
    terms(a, there, items, node_term);
    wishes(a, at, affinity, "preference", node_term);
}

static void pod_affinity(struct admission *a)
{
    static const char *const KINDS[] = {"affinity.podAffinity", "affinity.podAntiAffinity"};
    for (size_t i = 0; i < ARRAY_SIZE(KINDS); i++) {
        const json_t *affinity = json_at(a->spec, KINDS[i]);
        auto_free char *at = rule_path(a, "%s", KINDS[i]);
        auto_free char *there = must_format("%s." REQUIRED, at);
        terms(a, there, json_object_get(affinity, REQUIRED), pod_term);
        wishes(a, at, affinity, "podAffinityTerm", pod_term);
    }
}

static void spreading(struct admission *a)
{
    static const char *const WAYS[] = {"DoNotSchedule", "ScheduleAnyway"};
    for (size_t i = 0; i < rule_count(a, "topologySpreadConstraints"); i++) {
        const json_t *constraint = rule_item(a, "topologySpreadConstraints", i);
        auto_free char *at = rule_path(a, "topologySpreadConstraints[%zu]", i);
        int64_t skew = json_int_at(constraint, "maxSkew", 0);
        const char *way = rule_text(constraint, "whenUnsatisfiable");
        if (skew <= 0) {
            auto_free char *message = must_format("Invalid value: %" PRId64 ": must be greater than zero", skew);
            complain(a, at, "maxSkew", CAUSE_INVALID, message);
        }
        if (!*rule_text(constraint, "topologyKey"))
            complain(a, at, "topologyKey", CAUSE_REQUIRED, "Required value: can not be empty");
        if (!rule_is_one_of(way, WAYS, ARRAY_SIZE(WAYS))) {
            auto_free char *message =
                must_format("Unsupported value: \"%s\": supported values: \"DoNotSchedule\", \"ScheduleAnyway\"", way);
            complain(a, at, "whenUnsatisfiable", CAUSE_NOT_SUPPORTED, message);
        }
    }
}

static rule *const AFFINITY[] = {node_affinity, pod_affinity, spreading};
const struct rules RULES_AFFINITY = {AFFINITY, ARRAY_SIZE(AFFINITY)};
