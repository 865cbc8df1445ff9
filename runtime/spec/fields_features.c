/* Hypervisor features. */
#include "runtime/spec/fields_rows.h"

#define STATE(path, doc)                                        \
    {path, FIELD_OBJECT, doc},                                  \
    {                                                           \
        path ".enabled", FIELD_BOOL, "On or off", .def = "true" \
    }

static const char NOT_IN_LIBVIRT[] = "libvirt 9 cannot switch it by itself";

static const struct field ROWS[] = {
    {"spec.domain.features", FIELD_OBJECT, "What the hypervisor shows the guest"},
    STATE("spec.domain.features.acpi", "ACPI; on unless switched off. Without it a guest cannot be asked to shut down"),
    STATE("spec.domain.features.apic", "Interrupt controller per CPU"),
    {"spec.domain.features.apic.endOfInterrupt", FIELD_BOOL, "Paravirtual end of interrupt"},
    STATE("spec.domain.features.smm", "System management mode; secure boot needs it"),
    STATE("spec.domain.features.pvspinlock", "Paravirtual spin locks"),
    {"spec.domain.features.kvm", FIELD_OBJECT, "How much of KVM shows"},
    {"spec.domain.features.kvm.hidden", FIELD_BOOL, "The guest does not see that it runs on KVM"},
    {"spec.domain.features.hypervPassthrough", FIELD_OBJECT, "All Hyper-V enlightenments the host can give"},
    {"spec.domain.features.hypervPassthrough.enabled", FIELD_BOOL, "On or off"},
    {"spec.domain.features.hyperv", FIELD_OBJECT, "Single Hyper-V enlightenments, for Windows guests"},
    STATE("spec.domain.features.hyperv.relaxed", "Relaxed timer checks"),
    STATE("spec.domain.features.hyperv.vapic", "Virtual APIC assist page"),
    STATE("spec.domain.features.hyperv.spinlocks", "Tell the hypervisor about long spins"),
    {"spec.domain.features.hyperv.spinlocks.spinlocks", FIELD_UINT32, "Spins before it is told", .otherwise = "4096"},
    STATE("spec.domain.features.hyperv.vpindex", "Index of a virtual CPU"),
    STATE("spec.domain.features.hyperv.runtime", "Counter of CPU time"),
    STATE("spec.domain.features.hyperv.synic", "Synthetic interrupt controller; needs vpindex"),
    STATE("spec.domain.features.hyperv.synictimer", "Synthetic timers; need synic"),
    STATE("spec.domain.features.hyperv.synictimer.direct", "Timer interrupts without a message"),
    STATE("spec.domain.features.hyperv.reset", "Reset by a synthetic register"),
    STATE("spec.domain.features.hyperv.vendorid", "A vendor name of one's own"),
    {"spec.domain.features.hyperv.vendorid.vendorid", FIELD_STRING, "The name, at most 12 characters"},
    STATE("spec.domain.features.hyperv.frequencies", "TSC and APIC frequencies can be read"),
    STATE("spec.domain.features.hyperv.reenlightenment", "Guest learns of TSC frequency changes"),
    STATE("spec.domain.features.hyperv.tlbflush", "TLB flushes by hypercall; needs vpindex"),
    {"spec.domain.features.hyperv.tlbflush.direct", FIELD_OBJECT, "Flushes for nested guests go straight",
     IGNORED(NOT_IN_LIBVIRT)},
    {"spec.domain.features.hyperv.tlbflush.direct.enabled", FIELD_BOOL, "On or off", .def = "true"},
    {"spec.domain.features.hyperv.tlbflush.extended", FIELD_OBJECT, "Flushes of address ranges",
     IGNORED(NOT_IN_LIBVIRT)},
    {"spec.domain.features.hyperv.tlbflush.extended.enabled", FIELD_BOOL, "On or off", .def = "true"},
    STATE("spec.domain.features.hyperv.ipi", "Interrupts between CPUs by hypercall; needs vpindex"),
    STATE("spec.domain.features.hyperv.evmcs", "Faster nested virtualization; needs vapic"),
};
const struct field_table FIELDS_FEATURES = {ROWS, ARRAY_SIZE(ROWS)};
