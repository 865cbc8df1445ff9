/* The fields of each interface: name, model, addresses, ports, DHCP options. */
#include <inttypes.h>
#include <string.h>

#include "runtime/spec/address.h"
#include "runtime/spec/names.h"
#include "runtime/spec/validate.h"

static const char INTERFACES[] = "domain.devices.interfaces";

struct interface_check {
    struct admission *a;
    const json_t *interface;
    const char *field;      /* …interfaces[i] */
    const char *name_field; /* …interfaces[i].name */
};

static void name_form(const struct interface_check *c)
{
    const char *name = rule_text(c->interface, "name");
    size_t fits = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
    if (fits == 0 || name[fits] != '\0')
        findings_cause(c->a->findings, CAUSE_INVALID, c->name_field,
                       "Network interface name can only contain alphabetical characters, numbers, dashes (-) or "
                       "underscores (_)");
}

static void model(const struct interface_check *c)
{
    static const char *const MODELS[] = {"", "e1000", "e1000e", "igb", "ne2k_pci", "pcnet", "rtl8139", "virtio"};
    const char *text = rule_text(c->interface, "model");
    auto_free char *field = must_format("%s.model", c->field);
    if (!rule_is_one_of(text, MODELS, ARRAY_SIZE(MODELS)))
        findings_cause(c->a->findings, CAUSE_NOT_SUPPORTED, field, "interface %s uses model %s that is not supported.",
                       c->name_field, text);
}

static void mac_address(const struct interface_check *c)
{
    const char *mac = rule_text(c->interface, "macAddress");
    auto_free char *field = must_format("%s.macAddress", c->field);
    size_t length = address_mac_length(mac);
    if (*mac && length != 6)
        findings_cause(c->a->findings, CAUSE_INVALID, field, "interface %s has %s MAC address (%s).", c->name_field,
                       length ? "too long" : "malformed", mac);
}

static void pci_address(const struct interface_check *c)
{
    const char *address = rule_text(c->interface, "pciAddress");
    auto_free char *field = must_format("%s.pciAddress", c->field);
    if (*address && !address_is_pci(address))
        findings_cause(c->a->findings, CAUSE_INVALID, field, "interface %s has malformed PCI address (%s).",
                       c->name_field, address);
}

static void port_name(const struct interface_check *c, const json_t *ports, size_t index)
{
    const char *name = rule_text(json_array_get(ports, index), "name");
    auto_free char *field = must_format("%s.ports[%zu].name", c->field, index);
    for (size_t i = 0; *name && i < index; i++) {
        if (strcmp(rule_text(json_array_get(ports, i), "name"), name) != 0)
            continue;
        findings_cause(c->a->findings, CAUSE_DUPLICATE, field, "Duplicate name of the port: %s", name);
        break;
    }
    if (*name && !name_is_valid(NAME_PORT, name))
        findings_cause(c->a->findings, CAUSE_INVALID, field, "Invalid name of the port: %s", name);
}

static void port_number(const struct interface_check *c, const json_t *port, size_t index)
{
    static const char *const PROTOCOLS[] = {"", "TCP", "UDP"};
    int64_t number = json_int_at(port, "port", 0);
    auto_free char *field = must_format("%s.ports[%zu].port", c->field, index);
    auto_free char *protocol_field = must_format("%s.ports[%zu].protocol", c->field, index);
    if (number == 0)
        findings_cause(c->a->findings, CAUSE_REQUIRED, field, "Port field is mandatory.");
    if (number < 0 || number >= 65536)
        findings_cause(c->a->findings, CAUSE_INVALID, field, "Port field must be in range 0 < x < 65536.");
    if (!rule_is_one_of(rule_text(port, "protocol"), PROTOCOLS, ARRAY_SIZE(PROTOCOLS)))
        findings_cause(c->a->findings, CAUSE_INVALID, protocol_field, "Unknown protocol, only TCP or UDP allowed");
}

/* Ports mean something on the pod network only. */
static void ports(const struct interface_check *c)
{
    const json_t *list = json_object_get(c->interface, "ports");
    if (!json_object_get(rule_network(c->a, rule_text(c->interface, "name")), "pod"))
        return;
    for (size_t i = 0; i < json_array_size(list); i++)
        port_name(c, list, i);
    for (size_t i = 0; i < json_array_size(list); i++)
        port_number(c, json_array_get(list, i), i);
}

static void port_ranges(const struct interface_check *c)
{
    if (json_object_get(c->interface, "portRanges"))
        findings_cause(c->a->findings, CAUSE_INVALID, c->name_field,
                       "portRanges is specified on interface but the PortRangesSpec feature gate is not enabled");
}

static bool has_duplicate_options(const json_t *options)
{
    for (size_t i = 0; i < json_array_size(options); i++)
        for (size_t k = 0; k < i; k++)
            if (json_int_at(json_array_get(options, i), "option", 0) ==
                json_int_at(json_array_get(options, k), "option", 0))
                return true;
    return false;
}

/* KubeVirt reports options on the spec as a whole. */
static void dhcp_options(const struct interface_check *c)
{
    const json_t *options = json_at(c->interface, "dhcpOptions.privateOptions");
    const json_t *servers = json_at(c->interface, "dhcpOptions.ntpServers");
    if (has_duplicate_options(options))
        findings_cause(c->a->findings, CAUSE_INVALID, c->a->at,
                       "Found Duplicates: you have provided duplicate DHCPPrivateOptions");
    for (size_t i = 0; i < json_array_size(options); i++) {
        int64_t option = json_int_at(json_array_get(options, i), "option", 0);
        if (option < 224 || option > 254)
            findings_cause(c->a->findings, CAUSE_INVALID, c->a->at,
                           "provided DHCPPrivateOptions are out of range, must be in range 224 to 254");
    }
    for (size_t i = 0; i < json_array_size(servers); i++) {
        auto_free char *field = must_format("%s.dhcpOptions.ntpServers[%zu]", c->field, i);
        if (!address_is_ipv4(json_string_value(json_array_get(servers, i))))
            findings_cause(c->a->findings, CAUSE_INVALID, field, "NTP servers must be a list of valid IPv4 addresses.");
    }
}

static void each_interface(struct admission *a)
{
    static void (*const CHECKS[])(const struct interface_check *) = {name_form, model,       mac_address, pci_address,
                                                                     ports,     port_ranges, dhcp_options};
    for (size_t i = 0; i < rule_count(a, INTERFACES); i++) {
        auto_free char *field = rule_path(a, "%s[%zu]", INTERFACES, i);
        auto_free char *name_field = must_format("%s.name", field);
        struct interface_check c = {a, rule_item(a, INTERFACES, i), field, name_field};
        for (size_t k = 0; k < ARRAY_SIZE(CHECKS); k++)
            CHECKS[k](&c);
    }
}

static rule *const RULES[] = {each_interface};
const struct rules RULES_INTERFACES = {RULES, ARRAY_SIZE(RULES)};
