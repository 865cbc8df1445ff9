/* Affinity and spreading mean nothing on one host, but a manifest must stay good for a cluster: Kubernetes' rules about
 * their form (facts 2.2). */
#include <inttypes.h>
#include <string.h>

#include "runtime/spec/names.h"
#include "runtime/spec/validate.h"

#define REQUIRED "requiredDuringSchedulingIgnoredDuringExecution"
#define PREFERRED "preferredDuringSchedulingIgnoredDuringExecution"

/* KubeVirt calls all of Kubernetes' complaints invalid, and leaves "affinity" out of their paths. */
static void complain(struct admission *a, const char *at, const char *member, const char *message)
{
    auto_free char *field = must_format("%s.%s", at, member);
    findings_cause(a->findings, CAUSE_INVALID, field, "%s: %s", field, message);
}

/* Of node terms and of label selectors alike; only nodes compare numbers. */
static void expression(struct admission *a, const char *at, const json_t *expression, bool is_of_node)
{
    const char *how = rule_text(expression, "operator");
    size_t values = json_array_size(json_object_get(expression, "values"));
    if (strcmp(how, "In") == 0 || strcmp(how, "NotIn") == 0) {
        if (values == 0)
            complain(a, at, "values", "Required value: must be specified when `operator` is 'In' or 'NotIn'");
    } else if (strcmp(how, "Exists") == 0 || strcmp(how, "DoesNotExist") == 0) {
        if (values > 0)
            complain(a, at, "values", "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
    } else if (is_of_node && (strcmp(how, "Gt") == 0 || strcmp(how, "Lt") == 0)) {
        if (values != 1)
            complain(a, at, "values", "Required value: must be specified single value when `operator` is 'Lt' or 'Gt'");
    } else {
        auto_free char *message = must_format("Invalid value: \"%s\": not a valid selector operator", how);
        complain(a, at, "operator", message);
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

static void bad_key(struct admission *a, const char *at, const char *key, const char *why)
{
    auto_free char *message = must_format("Invalid value: \"%s\": %s", key, why);
    complain(a, at, "topologyKey", message);
}

/* A missing key is missing, and no good name either: Kubernetes says all of it. */
static void topology_key(struct admission *a, const char *at, const char *key)
{
    static const char EMPTY[] = "name part must be non-empty";
    auto_text complaints = {0};
    if (!*key)
        complain(a, at, "topologyKey", "Required value: can not be empty");
    if (name_complaints(NAME_LABEL_KEY, key, &complaints) == 0)
        return;
    const char *rest = text_cstr(&complaints);
    if (text_starts_with(rest, EMPTY)) {
        bad_key(a, at, key, EMPTY);
        rest += strlen(EMPTY);
        rest += strspn(rest, ", ");
    }
    if (*rest)
        bad_key(a, at, key, rest);
}

static void pod_term(struct admission *a, const char *at, const json_t *term)
{
    static const char *const SELECTORS[] = {"labelSelector", "namespaceSelector"};
    for (size_t i = 0; i < ARRAY_SIZE(SELECTORS); i++) {
        auto_free char *here = must_format("%s.%s", at, SELECTORS[i]);
        expressions(a, here, "matchExpressions", json_object_get(term, SELECTORS[i]), false);
    }
    topology_key(a, at, rule_text(term, "topologyKey"));
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
            complain(a, here, "weight", message);
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
    auto_free char *at = rule_path(a, "nodeAffinity");
    auto_free char *there = must_format("%s." REQUIRED ".nodeSelectorTerms", at);
    if (required && json_array_size(items) == 0)
        findings_cause(a->findings, CAUSE_INVALID, there,
                       "%s: Required value: must have at least one node selector term", there);
    terms(a, there, items, node_term);
    wishes(a, at, affinity, "preference", node_term);
}

static void pod_affinity(struct admission *a)
{
    static const char *const KINDS[] = {"podAffinity", "podAntiAffinity"};
    for (size_t i = 0; i < ARRAY_SIZE(KINDS); i++) {
        const json_t *affinity = json_object_get(json_object_get(a->spec, "affinity"), KINDS[i]);
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
            complain(a, at, "maxSkew", message);
        }
        if (!*rule_text(constraint, "topologyKey"))
            complain(a, at, "topologyKey", "Required value: can not be empty");
        if (!rule_is_one_of(way, WAYS, ARRAY_SIZE(WAYS))) {
            auto_free char *message =
                must_format("Unsupported value: \"%s\": supported values: \"DoNotSchedule\", \"ScheduleAnyway\"", way);
            complain(a, at, "whenUnsatisfiable", message);
        }
    }
}

static rule *const AFFINITY[] = {node_affinity, pod_affinity, spreading};
const struct rules RULES_AFFINITY = {AFFINITY, ARRAY_SIZE(AFFINITY)};
