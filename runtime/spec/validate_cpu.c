/* CPU: amounts, the group of rules for dedicated CPUs, NUMA, emulator thread, features, real time. */
#include <inttypes.h>
#include <string.h>

#include "runtime/spec/validate.h"

static const char REQUEST[] = "domain.resources.requests.cpu";
static const char LIMIT[] = "domain.resources.limits.cpu";
static const char DEDICATED[] = "domain.cpu.dedicatedCpuPlacement";
static const char PASSTHROUGH[] = "domain.cpu.numa.guestMappingPassthrough";

static bool is_dedicated(const struct admission *a)
{
    return json_bool_at(a->spec, DEDICATED, false);
}

static void amounts_not_negative(struct admission *a)
{
    const char *const paths[] = {REQUEST, LIMIT};
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        struct amount amount = rule_amount(a->spec, paths[i]);
        if (amount.q.nano >= 0)
            continue;
        auto_free char *field = rule_path(a, "%s", paths[i]);
        findings_cause(a->findings, CAUSE_INVALID, field, "%s '%s': must be greater than or equal to 0.", field,
                       amount.text.text);
    }
}

static void request_not_above_limit(struct admission *a)
{
    struct amount request = rule_amount(a->spec, REQUEST);
    struct amount limit = rule_amount(a->spec, LIMIT);
    if (limit.q.nano <= 0 || quantity_milli(&request.q) <= quantity_milli(&limit.q))
        return;
    auto_free char *field = rule_path(a, "%s", REQUEST);
    auto_free char *other = rule_path(a, "%s", LIMIT);
    findings_cause(a->findings, CAUSE_INVALID, field, "%s '%s' is greater than %s '%s'", field, request.text.text,
                   other, limit.text.text);
}

static void dedicated_memory_given(struct admission *a)
{
    if (!is_dedicated(a) || rule_amount(a->spec, "domain.resources.requests.memory").q.nano != 0 ||
        rule_amount(a->spec, "domain.resources.limits.memory").q.nano != 0 ||
        rule_amount(a->spec, "domain.memory.guest").q.nano != 0 || json_at(a->spec, "domain.memory.hugepages"))
        return;
    auto_free char *request = rule_path(a, "domain.resources.requests.memory");
    auto_free char *limit = rule_path(a, "domain.resources.limits.memory");
    auto_free char *hugepages = rule_path(a, "domain.memory.hugepages");
    auto_free char *guest = rule_path(a, "domain.memory.guest");
    findings_cause(a->findings, CAUSE_INVALID, limit, "%s, %s, %s or %s should be provided", request, limit, hugepages,
                   guest);
}

static void dedicated_whole_cpus(struct admission *a)
{
    static const struct {
        const char *path;
        const char *word;
    } AMOUNTS[] = {{REQUEST, "requests"}, {LIMIT, "limits"}};
    for (size_t i = 0; is_dedicated(a) && i < ARRAY_SIZE(AMOUNTS); i++) {
        struct amount amount = rule_amount(a->spec, AMOUNTS[i].path);
        if (amount.value <= 0 || quantity_milli(&amount.q) % 1000 == 0)
            continue;
        auto_free char *field = rule_path(a, "%s", AMOUNTS[i].path);
        findings_cause(a->findings, CAUSE_INVALID, field, "provided resources CPU %s must be an interger",
                       AMOUNTS[i].word);
    }
}

static void dedicated_memory_equal(struct admission *a)
{
    struct amount request = rule_amount(a->spec, "domain.resources.requests.memory");
    struct amount limit = rule_amount(a->spec, "domain.resources.limits.memory");
    if (!is_dedicated(a) || request.value <= 0 || limit.value <= 0 || request.value == limit.value)
        return;
    auto_free char *field = rule_path(a, "domain.resources.requests.memory");
    auto_free char *other = rule_path(a, "domain.resources.limits.memory");
    findings_cause(a->findings, CAUSE_INVALID, field, "%s must be equal to %s", field, other);
}

/* The sentences end in a blank, as KubeVirt's do. */
static void dedicated_cpus_agree(struct admission *a)
{
    if (!is_dedicated(a))
        return;
    int64_t request = rule_amount(a->spec, REQUEST).value;
    int64_t limit = rule_amount(a->spec, LIMIT).value;
    int64_t vcpus = rule_vcpus(a);
    auto_free char *field = rule_path(a, "%s", DEDICATED);
    auto_free char *request_field = rule_path(a, "%s", REQUEST);
    auto_free char *limit_field = rule_path(a, "%s", LIMIT);
    auto_free char *cores_field = rule_path(a, "domain.cpu.cores");
    if (request == 0 && limit == 0 && vcpus == 0)
        findings_cause(a->findings, CAUSE_INVALID, field,
                       "either %s or %s or %s must be provided when DedicatedCPUPlacement is true ", request_field,
                       limit_field, cores_field);
    if (request > 0 && limit > 0 && request != limit)
        findings_cause(a->findings, CAUSE_INVALID, field, "%s or %s must be equal when DedicatedCPUPlacement is true ",
                       request_field, limit_field);
    if ((request > 0 || limit > 0) && vcpus > 0 && request != vcpus && limit != vcpus)
        findings_cause(a->findings, CAUSE_INVALID, field,
                       "%s or %s must not be provided at the same time with %s when DedicatedCPUPlacement is true ",
                       request_field, limit_field, cores_field);
}

static void dedicated_threads(struct admission *a)
{
    int64_t threads = json_int_at(a->spec, "domain.cpu.threads", 0);
    auto_free char *field = rule_path(a, "%s", DEDICATED);
    auto_free char *threads_field = rule_path(a, "domain.cpu.threads");
    auto_free char *architecture = rule_path(a, "architecture");
    if (is_dedicated(a) && threads > 1 && strcmp(rule_text(a->spec, "architecture"), "arm64") == 0)
        findings_cause(a->findings, CAUSE_INVALID, architecture,
                       "threads must not be greater than 1 at %s (got %" PRId64 ") when %s is arm64", threads_field,
                       threads, architecture);
    if (!is_dedicated(a) || threads <= 2)
        return;
    findings_cause(a->findings, CAUSE_INVALID, field,
                   "Not more than two threads must be provided at %s (got %" PRId64
                   ") when DedicatedCPUPlacement is true",
                   threads_field, threads);
}

static void numa(struct admission *a)
{
    if (!json_at(a->spec, PASSTHROUGH))
        return;
    auto_free char *field = rule_path(a, "%s", PASSTHROUGH);
    auto_free char *dedicated = rule_path(a, "%s", DEDICATED);
    auto_free char *hugepages = rule_path(a, "domain.memory.hugepages");
    if (!is_dedicated(a))
        findings_cause(a->findings, CAUSE_INVALID, field,
                       "%s must be set to true when NUMA topology strategy is set in %s", dedicated, field);
    if (!json_at(a->spec, "domain.memory.hugepages"))
        findings_cause(a->findings, CAUSE_INVALID, field,
                       "%s must be requested when NUMA topology strategy is set in %s", hugepages, field);
}

static void isolated_emulator(struct admission *a)
{
    if (!json_bool_at(a->spec, "domain.cpu.isolateEmulatorThread", false) || is_dedicated(a))
        return;
    auto_free char *field = rule_path(a, "domain.cpu.isolateEmulatorThread");
    findings_cause(a->findings, CAUSE_INVALID, field,
                   "IsolateEmulatorThread should be only set in combination with DedicatedCPUPlacement");
}

static void feature_policies(struct admission *a)
{
    static const char *const POLICIES[] = {"", "force", "require", "optional", "disable", "forbid"};
    for (size_t i = 0; i < rule_count(a, "domain.cpu.features"); i++) {
        const json_t *feature = rule_item(a, "domain.cpu.features", i);
        const char *policy = rule_text(feature, "policy");
        if (rule_is_one_of(policy, POLICIES, ARRAY_SIZE(POLICIES)))
            continue;
        auto_free char *field = rule_path(a, "domain.cpu.features[%zu].policy", i);
        findings_cause(a->findings, CAUSE_NOT_SUPPORTED, field, "CPU feature %s uses policy %s that is not supported.",
                       rule_text(feature, "name"), policy);
    }
}

static void sockets_within_max(struct admission *a)
{
    int64_t max = json_int_at(a->spec, "domain.cpu.maxSockets", 0);
    if (max == 0 || json_int_at(a->spec, "domain.cpu.sockets", 0) <= max)
        return;
    auto_free char *field = rule_path(a, "domain.cpu.sockets");
    findings_cause(a->findings, CAUSE_INVALID, field,
                   "Number of sockets in CPU topology is greater than the maximum sockets allowed");
}

static void start_strategy(struct admission *a)
{
    const json_t *strategy = json_object_get(a->spec, "startStrategy");
    auto_free char *field = rule_path(a, "startStrategy");
    auto_free char *probe = rule_path(a, "livenessProbe");
    if (!strategy)
        return;
    if (!text_equal(json_string_value(strategy), "Paused"))
        findings_cause(a->findings, CAUSE_INVALID, field, "%s is set with an unrecognized option: %s", field,
                       json_string_value(strategy));
    else if (json_object_get(a->spec, "livenessProbe"))
        findings_cause(a->findings, CAUSE_INVALID, field,
                       "either %s or %s should be provided.Pausing VMI with LivenessProbe is not supported", field,
                       probe);
}

static void realtime(struct admission *a)
{
    if (!json_at(a->spec, "domain.cpu.realtime"))
        return;
    auto_free char *field = rule_path(a, "domain.cpu.realtime");
    auto_free char *dedicated = rule_path(a, "%s", DEDICATED);
    auto_free char *passthrough = rule_path(a, "%s", PASSTHROUGH);
    if (!is_dedicated(a))
        findings_cause(a->findings, CAUSE_REQUIRED, dedicated, "%s must be set to true when %s is used", dedicated,
                       field);
    if (!json_at(a->spec, PASSTHROUGH))
        findings_cause(a->findings, CAUSE_REQUIRED, passthrough, "%s must be defined when %s is used", passthrough,
                       field);
}

static rule *const CPU[] = {
    amounts_not_negative,
    request_not_above_limit,
    dedicated_memory_given,
    dedicated_whole_cpus,
    dedicated_memory_equal,
    dedicated_cpus_agree,
    dedicated_threads,
    numa,
    isolated_emulator,
    feature_policies,
    sockets_within_max,
    start_strategy,
    realtime,
};
const struct rules RULES_CPU = {CPU, ARRAY_SIZE(CPU)};
