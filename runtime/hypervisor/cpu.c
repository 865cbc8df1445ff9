#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "runtime/domain/xml.h"
#include "runtime/hypervisor/connection.h"

/* What libvirt says of guests' CPUs, as KubeVirt asks it (facts 3.1): models it can give and the host's own from the
 * domain capabilities; features from the baseline of the host's own model with everything it implies. */

/* Too old for anybody to want; KubeVirt leaves the same ones out. */
static bool is_obsolete(const char *model)
{
    static const char *const MODELS[] = {"486",    "pentium",  "pentium2", "pentium3",   "pentiumpro", "coreduo",
                                         "n270",   "core2duo", "Conroe",   "athlon",     "phenom",     "qemu64",
                                         "qemu32", "kvm64",    "kvm32",    "Opteron_G1", "Opteron_G2"};
    for (size_t i = 0; i < ARRAY_SIZE(MODELS); i++)
        if (strcmp(model, MODELS[i]) == 0)
            return true;
    return false;
}

static bool says(const struct xml_node *node, const char *attribute, const char *value)
{
    return text_equal(xml_attribute_of(node, attribute), value);
}

static const struct xml_node *find_mode(const struct xml_document *capabilities, const char *name)
{
    const struct xml_node *mode = xml_child(xml_root(capabilities), "cpu/mode");
    while (mode && !(says(mode, "name", name) && says(mode, "supported", "yes")))
        mode = xml_next(mode);
    return mode;
}

static json_t *required_features(const struct xml_node *parent)
{
    json_t *list = json_array();
    for (const struct xml_node *f = xml_child(parent, "feature"); f; f = xml_next(f))
        if (says(f, "policy", "require") && xml_attribute_of(f, "name"))
            json_array_append_new(list, json_string(xml_attribute_of(f, "name")));
    return list;
}

static json_t *usable_models(const struct xml_node *custom)
{
    json_t *list = json_array();
    for (const struct xml_node *m = xml_child(custom, "model"); m; m = xml_next(m))
        if (says(m, "usable", "yes") && !is_obsolete(xml_text_of(m)))
            json_array_append_new(list, json_string(xml_text_of(m)));
    return list;
}

/* "<domainCapabilities>…" to what hypervisor_cpu() gives, but for the features. */
static json_t *read_capabilities(const char *text, struct error *err)
{
    auto_xml_document *document = xml_read(text, strlen(text), err);
    if (!document)
        return NULL;
    const struct xml_node *own = find_mode(document, "host-model");
    json_t *cpu = json_pack("{s:o, s:o, s:[]}", "models", usable_models(find_mode(document, "custom")), "required",
                            required_features(own), "features");
    if (xml_text_of(xml_child(own, "model"))[0])
        json_object_set_new(cpu, "hostModel", json_string(xml_text_of(xml_child(own, "model"))));
    if (xml_text_of(xml_child(own, "vendor"))[0])
        json_object_set_new(cpu, "vendor", json_string(xml_text_of(xml_child(own, "vendor"))));
    return cpu;
}

/* The host's own model as a CPU that libvirt can be asked about. */
static int write_own_model(const char *text, struct text *ret_xml, struct error *err)
{
    auto_xml_document *document = xml_read(text, strlen(text), err);
    const struct xml_node *own = document ? find_mode(document, "host-model") : NULL;
    if (!own)
        return fail(err, ERROR_NOT_FOUND, "libvirt has no host-model here");
    auto_xml *xml = xml_new();
    xml_inside(xml, "cpu");
    xml_attribute(xml, "mode", "custom");
    xml_attribute(xml, "match", "exact");
    xml_text_leaf(xml, "model", xml_text_of(xml_child(own, "model")));
    if (xml_child(own, "vendor"))
        xml_text_leaf(xml, "vendor", xml_text_of(xml_child(own, "vendor")));
    for (const struct xml_node *f = xml_child(own, "feature"); f; f = xml_next(f))
        xml_leaf(xml, "feature", "policy", xml_attribute_of(f, "policy"), "name", xml_attribute_of(f, "name"));
    return xml_finish(xml, ret_xml, err);
}

static json_t *read_baseline(const char *text)
{
    struct error err;
    auto_xml_document *document = xml_read(text, strlen(text), &err);
    return document ? required_features(xml_root(document)) : json_array();
}

json_t *hypervisor_cpu(struct hypervisor *hypervisor, bool emulated, struct error *err)
{
    auto_connection connection = connection_get(hypervisor, err);
    if (!connection)
        return NULL;
    const char *type = emulated ? "qemu" : "kvm";
    struct utsname machine;
    uname(&machine);
    auto_free char *capabilities = virConnectGetDomainCapabilities(connection, NULL, machine.machine, NULL, type, 0);
    json_t *cpu = capabilities ? read_capabilities(capabilities, err) : json_object(); /* the test driver has none */
    auto_text own = {0};
    if (!capabilities || !cpu || write_own_model(capabilities, &own, err) < 0)
        return cpu;
    const char *xml = text_cstr(&own);
    auto_free char *baseline = virConnectBaselineHypervisorCPU(connection, NULL, machine.machine, NULL, type, &xml, 1,
                                                               VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES);
    if (baseline)
        json_object_set_new(cpu, "features", read_baseline(baseline));
    return cpu;
}
