#include "runtime/spec/hyperv.h"

#include <string.h>

/* Leaves first: what one row switches on, a later row may need. */
static const struct need {
    const char *feature;
    const char *needs;
} NEEDS[] = {
    {"evmcs", "vapic"}, {"ipi", "vpindex"}, {"tlbflush", "vpindex"}, {"synictimer", "synic"}, {"synic", "vpindex"},
};

static bool is_on(const json_t *hyperv, const char *feature)
{
    const json_t *state = json_object_get(hyperv, feature);
    return state && json_bool_at(state, "enabled", false);
}

static bool is_off(const json_t *hyperv, const char *feature)
{
    const json_t *state = json_object_get(hyperv, feature);
    return state && !json_bool_at(state, "enabled", true);
}

static void require_vmx(json_t *spec)
{
    json_t *cpu = json_at(spec, "domain.cpu");
    json_t *features = json_object_get(cpu, "features");
    for (size_t i = 0; i < json_array_size(features); i++) {
        json_t *feature = json_array_get(features, i);
        if (strcmp(json_text_at(feature, "name", ""), "vmx") == 0) {
            json_object_set_new(feature, "policy", json_string("require"));
            return;
        }
    }
    if (!json_is_array(features)) {
        features = json_array();
        json_object_set_new(cpu, "features", features);
    }
    json_array_append_new(features, json_pack("{s:s, s:s}", "name", "vmx", "policy", "require"));
}

void hyperv_complete(json_t *spec)
{
    json_t *hyperv = json_at(spec, "domain.features.hyperv");
    if (!json_is_object(hyperv))
        return;
    json_t *spinlocks = json_object_get(hyperv, "spinlocks");
    if (is_on(hyperv, "spinlocks") && !json_object_get(spinlocks, "spinlocks"))
        json_object_set_new(spinlocks, "spinlocks", json_integer(4096));
    for (size_t i = 0; i < ARRAY_SIZE(NEEDS); i++) {
        if (!is_on(hyperv, NEEDS[i].feature))
            continue;
        if (is_off(hyperv, NEEDS[i].needs))
            return; /* KubeVirt gives up here; hyperv_check complains */
        json_object_set_new(hyperv, NEEDS[i].needs, json_pack("{s:b}", "enabled", 1));
    }
    if (is_on(hyperv, "evmcs"))
        require_vmx(spec);
}

static void check_vmx(struct admission *a)
{
    auto_free char *field = rule_path(a, "domain.cpu.features");
    if (rule_count(a, "domain.cpu.features") == 0)
        findings_cause(a->findings, CAUSE_REQUIRED, field, "vmx cpu feature is required when evmcs is set");
    for (size_t i = 0; i < rule_count(a, "domain.cpu.features"); i++) {
        const json_t *feature = rule_item(a, "domain.cpu.features", i);
        auto_free char *policy = must_format("%s[%zu].policy", field, i);
        if (strcmp(rule_text(feature, "name"), "vmx") == 0 && strcmp(rule_text(feature, "policy"), "require") != 0)
            findings_cause(a->findings, CAUSE_INVALID, policy, "vmx cpu feature has to be set to require policy");
    }
}

void hyperv_check(struct admission *a)
{
    const json_t *hyperv = json_at(a->spec, "domain.features.hyperv");
    auto_free char *base = rule_path(a, "domain.features.hyperv");
    for (size_t i = 0; hyperv && i < ARRAY_SIZE(NEEDS); i++) {
        if (!is_on(hyperv, NEEDS[i].feature) || !is_off(hyperv, NEEDS[i].needs))
            continue;
        auto_free char *field = must_format("%s.%s", base, NEEDS[i].feature);
        findings_cause(a->findings, CAUSE_INVALID, field, "'%s' requires '%s.%s', which was disabled.", field, base,
                       NEEDS[i].needs);
    }
    if (is_on(hyperv, "evmcs"))
        check_vmx(a);
    if (hyperv && json_at(a->spec, "domain.features.hypervPassthrough"))
        findings_cause(a->findings, CAUSE_INVALID, base,
                       "Cannot explicitly set hyperV features if HypervPassthrough is being used. Please use either "
                       "HyperV or HypervPassthrough.");
}
