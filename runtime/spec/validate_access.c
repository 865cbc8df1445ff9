/* Names the guest gets, credentials, DNS settings. */
#include <string.h>

#include "runtime/spec/address.h"
#include "runtime/spec/names.h"
#include "runtime/spec/validate.h"

static void name_conforms(struct admission *a, const char *key, enum name_kind kind, const char *rules)
{
    const char *name = rule_text(a->spec, key);
    auto_text complaints = {0};
    auto_free char *field = rule_path(a, "%s", key);
    if (*name && name_complaints(kind, name, &complaints))
        findings_cause(a->findings, CAUSE_INVALID, field, "%s does not conform to the kubernetes %s rules : %s", field,
                       rules, text_cstr(&complaints));
}

static void hostname(struct admission *a)
{
    name_conforms(a, "hostname", NAME_DNS_LABEL, "DNS_LABEL");
}

static void subdomain(struct admission *a)
{
    name_conforms(a, "subdomain", NAME_DNS_SUBDOMAIN, "DNS_SUBDOMAIN");
}

static rule *const NAMES[] = {hostname, subdomain};
const struct rules RULES_NAMES = {NAMES, ARRAY_SIZE(NAMES)};

static bool has_volume(const struct admission *a, const char *source)
{
    for (size_t i = 0; i < rule_count(a, "volumes"); i++)
        if (json_object_get(rule_item(a, "volumes", i), source))
            return true;
    return false;
}

static void needs_volume(struct admission *a, const json_t *key, const char *field, const char *method,
                         const char *source)
{
    if (!json_object_get(json_object_get(key, "propagationMethod"), method) || has_volume(a, source))
        return;
    auto_free char *method_field = must_format("%s.sshPublicKey.propagationMethod", field);
    findings_cause(a->findings, CAUSE_INVALID, method_field,
                   "%s requires a %s volume to exist when the %s propagationMethod is in use.", field, method, method);
}

static void one_source_one_method(struct admission *a, const json_t *credential, const char *field, const char *kind)
{
    const json_t *body = json_object_get(credential, kind);
    if (!body)
        return;
    auto_free char *source_field = must_format("%s.%s.source", field, kind);
    auto_free char *method_field = must_format("%s.%s.propagationMethod", field, kind);
    if (!json_at(body, "source.secret"))
        findings_cause(a->findings, CAUSE_INVALID, source_field, "%s must have exactly one source set", field);
    if (json_object_size(json_object_get(body, "propagationMethod")) != 1)
        findings_cause(a->findings, CAUSE_INVALID, method_field, "%s must have exactly one propagationMethod set",
                       field);
}

static void access_credentials(struct admission *a)
{
    for (size_t i = 0; i < rule_count(a, "accessCredentials"); i++) {
        const json_t *credential = rule_item(a, "accessCredentials", i);
        const json_t *key = json_object_get(credential, "sshPublicKey");
        const json_t *agent = json_at(key, "propagationMethod.qemuGuestAgent");
        auto_free char *field = rule_path(a, "accessCredentials[%zu]", i);
        auto_free char *users = must_format("%s.sshPublicKey.propagationMethod.qemuGuestAgent.users", field);
        needs_volume(a, key, field, "noCloud", "cloudInitNoCloud");
        needs_volume(a, key, field, "configDrive", "cloudInitConfigDrive");
        if (agent && json_array_size(json_object_get(agent, "users")) == 0)
            findings_cause(a->findings, CAUSE_INVALID, users,
                           "%s requires at least one user to be present in the users list", field);
        one_source_one_method(a, credential, field, "sshPublicKey");
        one_source_one_method(a, credential, field, "userPassword");
        if (!key == !json_object_get(credential, "userPassword"))
            findings_cause(a->findings, CAUSE_INVALID, field, "%s must have exactly one access credential type set",
                           field);
    }
}

static void dns_policy(struct admission *a)
{
    static const char *const POLICIES[] = {"", "ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"};
    const char *policy = rule_text(a->spec, "dnsPolicy");
    auto_free char *field = rule_path(a, "dnsPolicy");
    if (!rule_is_one_of(policy, POLICIES, ARRAY_SIZE(POLICIES)))
        findings_cause(a->findings, CAUSE_NOT_SUPPORTED, field,
                       "DNSPolicy: %s is not supported, valid values: [ClusterFirstWithHostNet ClusterFirst Default "
                       "None ]",
                       policy);
}

static void dns_servers(struct admission *a, const json_t *servers)
{
    auto_text list = {0};
    for (size_t i = 0; i < json_array_size(servers); i++)
        text_printf(&list, "%s%s", i ? " " : "", json_string_value(json_array_get(servers, i)));
    if (json_array_size(servers) > 3)
        findings_cause(a->findings, CAUSE_INVALID, "nameservers", "must not have more than 3 nameservers: [%s]",
                       text_cstr(&list));
    for (size_t i = 0; i < json_array_size(servers); i++) {
        const char *server = json_string_value(json_array_get(servers, i));
        if (!address_is_ip(server))
            findings_cause(a->findings, CAUSE_INVALID, "nameservers", "must be valid IP address: %s", server);
    }
}

static void dns_searches(struct admission *a, const json_t *searches)
{
    size_t characters = 0;
    if (json_array_size(searches) > 6)
        findings_cause(a->findings, CAUSE_INVALID, "searchDomains", "must not have more than 6 search paths");
    for (size_t i = 0; i < json_array_size(searches); i++)
        characters += json_string_length(json_array_get(searches, i)) + (i > 0);
    if (characters > 256)
        findings_cause(a->findings, CAUSE_INVALID, "searchDomains",
                       "must not have more than 256 characters (including spaces) in the search list");
    for (size_t i = 0; i < json_array_size(searches); i++) {
        auto_text complaints = {0};
        if (name_complaints(NAME_DNS_SUBDOMAIN, json_string_value(json_array_get(searches, i)), &complaints))
            findings_cause(a->findings, CAUSE_INVALID, "searchDomains", "%s", text_cstr(&complaints));
    }
}

static void dns_config(struct admission *a)
{
    const json_t *config = json_object_get(a->spec, "dnsConfig");
    bool none = strcmp(rule_text(a->spec, "dnsPolicy"), "None") == 0;
    auto_free char *field = rule_path(a, "dnsConfig");
    if (none && !config) {
        findings_cause(a->findings, CAUSE_REQUIRED, field, "must provide `dnsConfig` when `dnsPolicy` is None");
        return;
    }
    const json_t *servers = json_object_get(config, "nameservers");
    if (none && json_array_size(servers) == 0) {
        findings_cause(a->findings, CAUSE_REQUIRED, "nameservers",
                       "must provide at least one DNS nameserver when `dnsPolicy` is None");
        return;
    }
    dns_servers(a, servers);
    dns_searches(a, json_object_get(config, "searches"));
    const json_t *options = json_object_get(config, "options");
    for (size_t i = 0; i < json_array_size(options); i++)
        if (!*rule_text(json_array_get(options, i), "name"))
            findings_cause(a->findings, CAUSE_INVALID, "options", "Option.Name must not be empty");
}

static rule *const ACCESS[] = {access_credentials, dns_policy, dns_config};
const struct rules RULES_ACCESS = {ACCESS, ARRAY_SIZE(ACCESS)};
