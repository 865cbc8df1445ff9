/* Networks and what each interface may be bound to; the fields of an interface are in validate_interfaces.c. */
#include <string.h>

#include "runtime/spec/validate.h"

static const char INTERFACES[] = "domain.devices.interfaces";

const json_t *rule_network(const struct admission *a, const char *name)
{
    for (size_t i = rule_count(a, "networks"); i-- > 0;)
        if (strcmp(rule_text(rule_item(a, "networks", i), "name"), name) == 0)
            return rule_item(a, "networks", i);
    return NULL;
}

static void discontinued_bindings(struct admission *a)
{
    static const struct {
        const char *key;
        const char *sentence;
    } GONE[] = {
        {"slirp", "Slirp interface support has been discontinued since v1.3"},
        {"passt", "Passt network binding has been discontinued since v1.3"},
        {"macvtap", "Macvtap network binding has been discontinued since v1.3"},
    };
    for (size_t i = 0; i < rule_count(a, INTERFACES); i++) {
        for (size_t k = 0; k < ARRAY_SIZE(GONE); k++) {
            if (!json_object_get(rule_item(a, INTERFACES, i), GONE[k].key))
                continue;
            auto_free char *field = rule_path(a, "%s[%zu].%s", INTERFACES, i, GONE[k].key);
            findings_cause(a->findings, CAUSE_INVALID, field, "%s", GONE[k].sentence);
        }
    }
}

static void default_networks(struct admission *a)
{
    size_t pods = 0;
    size_t defaults = 0;
    for (size_t i = 0; i < rule_count(a, "networks"); i++) {
        const json_t *network = rule_item(a, "networks", i);
        pods += json_object_get(network, "pod") != NULL;
        defaults += json_bool_at(network, "multus.default", false);
    }
    auto_free char *interfaces = rule_path(a, "interfaces");
    auto_free char *networks = rule_path(a, "networks");
    if (pods > 1)
        findings_cause(a->findings, CAUSE_DUPLICATE, interfaces,
                       "more than one interface is connected to a pod network in %s", interfaces);
    if (defaults > 1)
        findings_cause(a->findings, CAUSE_INVALID, networks, "Multus CNI should only have one default network");
    if (pods > 0 && defaults > 0)
        findings_cause(a->findings, CAUSE_INVALID, networks,
                       "Pod network cannot be defined when Multus default network is defined");
}

static void network_sources(struct admission *a)
{
    for (size_t i = 0; i < rule_count(a, "networks"); i++) {
        const json_t *network = rule_item(a, "networks", i);
        const json_t *multus = json_object_get(network, "multus");
        int count = !!json_object_get(network, "pod") + !!multus + !!json_object_get(network, "resourceClaim");
        auto_free char *field = rule_path(a, "networks[%zu]", i);
        if (count == 0)
            findings_cause(a->findings, CAUSE_REQUIRED, field, "should have a network type");
        else if (count > 1)
            findings_cause(a->findings, CAUSE_REQUIRED, field, "should have only one network type");
        if (multus && !*rule_text(multus, "networkName"))
            findings_cause(a->findings, CAUSE_REQUIRED, field, "CNI delegating plugin must have a networkName");
    }
}

static bool is_default_network(const json_t *network)
{
    return network && (json_object_get(network, "pod") || json_bool_at(network, "multus.default", false));
}

static void interface_state(struct admission *a, size_t i, const json_t *interface)
{
    static const char *const STATES[] = {"", "up", "down", "absent"};
    const char *state = rule_text(interface, "state");
    const char *name = rule_text(interface, "name");
    bool absent = strcmp(state, "absent") == 0;
    auto_free char *field = rule_path(a, "%s[%zu].state", INTERFACES, i);
    if (!rule_is_one_of(state, STATES, ARRAY_SIZE(STATES)))
        findings_cause(a->findings, CAUSE_INVALID, field, "logical %s interface state value is unsupported: %s", name,
                       state);
    if (json_object_get(interface, "sriov") && (strcmp(state, "up") == 0 || strcmp(state, "down") == 0))
        findings_cause(a->findings, CAUSE_INVALID, field,
                       "\"%s\" interface's state \"%s\" is not supported for SR-IOV NICs", name, state);
    if (absent && !json_object_get(interface, "bridge"))
        findings_cause(a->findings, CAUSE_INVALID, field,
                       "\"%s\" interface's state \"%s\" is supported only for bridge binding", name, state);
    if (absent && is_default_network(rule_network(a, name)))
        findings_cause(a->findings, CAUSE_INVALID, field,
                       "\"%s\" interface's state \"%s\" is not supported on default networks", name, state);
}

static void interface_states(struct admission *a)
{
    for (size_t i = 0; i < rule_count(a, INTERFACES); i++)
        interface_state(a, i, rule_item(a, INTERFACES, i));
}

static void one_binding(struct admission *a, size_t i, const json_t *interface)
{
    static const char *const BINDINGS[] = {"bridge", "masquerade", "sriov", "passtBinding", "binding"};
    int count = 0;
    for (size_t k = 0; k < ARRAY_SIZE(BINDINGS); k++)
        count += json_object_get(interface, BINDINGS[k]) != NULL;
    if (count == 1)
        return;
    auto_free char *field = rule_path(a, "%s[%zu]", INTERFACES, i);
    findings_cause(a->findings, CAUSE_INVALID, field,
                   "logical %s interface must have exactly one binding method or binding plugin",
                   rule_text(interface, "name"));
}

static void binding_fits_network(struct admission *a, size_t i, const json_t *interface)
{
    bool pod = json_object_get(rule_network(a, rule_text(interface, "name")), "pod") != NULL;
    auto_free char *name_field = rule_path(a, "%s[%zu].name", INTERFACES, i);
    auto_free char *mac_field = rule_path(a, "%s[%zu].macAddress", INTERFACES, i);
    if (json_object_get(interface, "masquerade") && !pod)
        findings_cause(a->findings, CAUSE_INVALID, name_field,
                       "Masquerade interface only implemented with pod network");
    if (json_object_get(interface, "masquerade") &&
        strcmp(rule_text(interface, "macAddress"), "02:00:00:00:00:00") == 0)
        findings_cause(a->findings, CAUSE_INVALID, mac_field,
                       "The requested MAC address is reserved for the in-pod bridge. Please choose another one.");
    if (json_object_get(interface, "passtBinding") && !pod)
        findings_cause(a->findings, CAUSE_INVALID, name_field,
                       "PasstBinding interface only implemented with pod network");
}

static void bindings(struct admission *a)
{
    for (size_t i = 0; i < rule_count(a, INTERFACES); i++) {
        one_binding(a, i, rule_item(a, INTERFACES, i));
        binding_fits_network(a, i, rule_item(a, INTERFACES, i));
    }
}

static bool name_came_before(const struct admission *a, const char *path, size_t index)
{
    const char *name = rule_text(rule_item(a, path, index), "name");
    for (size_t i = 0; i < index; i++)
        if (strcmp(rule_text(rule_item(a, path, i), "name"), name) == 0)
            return true;
    return false;
}

static void network_names_unique(struct admission *a)
{
    for (size_t i = 0; i < rule_count(a, "networks"); i++) {
        if (!name_came_before(a, "networks", i))
            continue;
        auto_free char *field = rule_path(a, "networks[%zu].name", i);
        findings_cause(a->findings, CAUSE_DUPLICATE, field,
                       "Network with name \"%s\" already exists, every network must have a unique name",
                       rule_text(rule_item(a, "networks", i), "name"));
    }
}

static const json_t *interface_named(const struct admission *a, const char *name)
{
    for (size_t i = 0; i < rule_count(a, INTERFACES); i++)
        if (strcmp(rule_text(rule_item(a, INTERFACES, i), "name"), name) == 0)
            return rule_item(a, INTERFACES, i);
    return NULL;
}

static void networks_used(struct admission *a)
{
    for (size_t i = 0; i < rule_count(a, "networks"); i++) {
        const char *name = rule_text(rule_item(a, "networks", i), "name");
        if (interface_named(a, name))
            continue;
        auto_free char *field = rule_path(a, "networks[%zu].name", i);
        findings_cause(a->findings, CAUSE_REQUIRED, field, "%s '%s' not found.", field, name);
    }
}

static void interface_names(struct admission *a)
{
    for (size_t i = 0; i < rule_count(a, INTERFACES); i++) {
        if (!name_came_before(a, INTERFACES, i))
            continue;
        auto_free char *field = rule_path(a, "%s[%zu].name", INTERFACES, i);
        findings_cause(a->findings, CAUSE_DUPLICATE, field,
                       "Only one interface can be connected to one specific network");
    }
}

static void interfaces_connected(struct admission *a)
{
    for (size_t i = 0; i < rule_count(a, INTERFACES); i++) {
        const char *name = rule_text(rule_item(a, INTERFACES, i), "name");
        if (rule_network(a, name))
            continue;
        auto_free char *field = rule_path(a, "%s[%zu].name", INTERFACES, i);
        findings_cause(a->findings, CAUSE_INVALID, field, "%s '%s' not found.", field, name);
    }
}

static rule *const NETWORKS[] = {
    discontinued_bindings, default_networks, network_sources, interface_states,     bindings,
    network_names_unique,  networks_used,    interface_names, interfaces_connected,
};
const struct rules RULES_NETWORKS = {NETWORKS, ARRAY_SIZE(NETWORKS)};
