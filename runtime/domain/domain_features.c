/* <features>: what the machine has besides CPUs and devices. */
#include <string.h>

#include "runtime/domain/build.h"

static const json_t *feature_at(const struct domain_build *b, const char *name)
{
    return b->spec->features ? json_object_get(b->spec->features, name) : NULL;
}

void domain_write_features(struct domain_build *b)
{
    if (b->spec->acpi)
        xml_leaf(b->xml, "acpi");
    const json_t *apic = feature_at(b, "apic");
    if (build_is_enabled(apic) && build_is_x86(b))
        xml_leaf(b->xml, "apic", "eoi", json_bool_at(apic, "endOfInterrupt", false) ? "on" : NULL);
}

/* Enlightenments for Windows: KubeVirt's name, libvirt's name, and the attribute that carries a value. */
static const struct {
    const char *key;
    const char *name;
    const char *value_key;
    const char *value_attribute;
    const char *value; /* when it is not said */
    bool has_direct;
} ENLIGHTENMENTS[] = {
    {.key = "relaxed", .name = "relaxed"},
    {.key = "vapic", .name = "vapic"},
    {.key = "spinlocks", .name = "spinlocks", .value_key = "spinlocks", .value_attribute = "retries", .value = "4096"},
    {.key = "vpindex", .name = "vpindex"},
    {.key = "runtime", .name = "runtime"},
    {.key = "synic", .name = "synic"},
    {.key = "synictimer", .name = "stimer", .has_direct = true},
    {.key = "reset", .name = "reset"},
    {.key = "vendorid", .name = "vendor_id", .value_key = "vendorid", .value_attribute = "value"},
    {.key = "frequencies", .name = "frequencies"},
    {.key = "reenlightenment", .name = "reenlightenment"},
    {.key = "tlbflush", .name = "tlbflush"},
    {.key = "ipi", .name = "ipi"},
    {.key = "evmcs", .name = "evmcs"},
};

static void write_enlightenment(struct domain_build *b, size_t row, const json_t *feature)
{
    bool on = build_is_enabled(feature);
    const char *value_key = ENLIGHTENMENTS[row].value_key;
    const char *value_attribute = ENLIGHTENMENTS[row].value_attribute;
    const json_t *direct = ENLIGHTENMENTS[row].has_direct ? json_object_get(feature, "direct") : NULL;
    xml_open(b->xml, ENLIGHTENMENTS[row].name);
    xml_attribute(b->xml, "state", on ? "on" : "off");
    if (on && value_key) {
        const json_t *value = json_object_get(feature, value_key);
        if (json_is_integer(value))
            xml_attribute(b->xml, value_attribute, NUMBER((uint64_t)json_integer_value(value)));
        else
            xml_attribute(b->xml, value_attribute,
                          json_is_string(value) ? json_string_value(value) : ENLIGHTENMENTS[row].value);
    }
    if (on && direct)
        xml_leaf(b->xml, "direct", "state", build_is_enabled(direct) ? "on" : "off");
    xml_close(b->xml);
}

void domain_write_hyperv(struct domain_build *b)
{
    const json_t *hyperv = feature_at(b, "hyperv");
    bool passthrough = build_is_enabled(feature_at(b, "hypervPassthrough"));
    if (!hyperv && !passthrough)
        return;
    if (b->request->emulation) {
        findings_warn(b->findings, "features.hyperv: left out, the enlightenments are made by KVM");
        return;
    }
    if (passthrough) {
        xml_attribute(b->xml, "mode", "passthrough");
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(ENLIGHTENMENTS); i++) {
        const json_t *feature = json_object_get(hyperv, ENLIGHTENMENTS[i].key);
        if (feature)
            write_enlightenment(b, i, feature);
    }
}

/* hint-dedicated tells a guest that its vCPUs are never preempted: it then spins instead of asking the host. */
void domain_write_kvm(struct domain_build *b)
{
    if (!build_is_x86(b))
        return;
    const json_t *kvm = feature_at(b, "kvm");
    bool hidden = json_bool_at(kvm, "hidden", false);
    if (b->request->emulation) {
        if (hidden)
            findings_warn(b->findings, "features.kvm.hidden: left out, there is no KVM to hide");
        return;
    }
    if (hidden)
        xml_leaf(b->xml, "hidden", "state", "on");
    if (b->spec->dedicated_cpus)
        xml_leaf(b->xml, "hint-dedicated", "state", "on");
}

void domain_write_later_features(struct domain_build *b)
{
    const json_t *spinlock = feature_at(b, "pvspinlock");
    if (spinlock && build_is_x86(b) && !b->request->emulation)
        xml_leaf(b->xml, "pvspinlock", "state", build_is_enabled(spinlock) ? "on" : "off");
    if (b->spec->realtime) /* the virtual PMU makes exits, and host perf events that interrupt the vCPU */
        xml_leaf(b->xml, "pmu", "state", "off");
    if (build_is_x86(b))
        xml_leaf(b->xml, "vmport", "state", "off");
    if (b->spec->smm && build_is_x86(b))
        xml_leaf(b->xml, "smm", "state", "on");
}
