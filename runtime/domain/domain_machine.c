/* Who the machine is: name, our metadata, SMBIOS identity, firmware, clock.
 *
 * The domain gets no <uuid>: libvirt takes the one in the SMBIOS table, which is spec.domain.firmware.uuid and so stays
 * the same over restarts. */
#include <string.h>

#include "runtime/domain/build.h"

void domain_write_type(struct domain_build *b)
{
    if (b->request->emulation)
        findings_warn(b->findings, "the VM runs under emulation (domain type qemu): correct, but far slower than with "
                                   "KVM, and no place to measure latency");
    xml_attribute(b->xml, "type", b->request->emulation ? "qemu" : "kvm");
}

void domain_write_name(struct domain_build *b)
{
    auto_text name = {0};
    domain_name(b->spec->namespace_, b->spec->name, &name);
    xml_text_leaf(b->xml, "name", text_cstr(&name));
}

void domain_write_metadata(struct domain_build *b)
{
    xml_open(b->xml, DOMAIN_METADATA_PREFIX ":vm");
    xml_attribute(b->xml, "xmlns:" DOMAIN_METADATA_PREFIX, DOMAIN_METADATA_URI);
    xml_attribute(b->xml, "namespace", b->spec->namespace_);
    xml_attribute(b->xml, "name", b->spec->name);
    xml_attribute(b->xml, "uid", b->spec->uid ? b->spec->uid : "");
    xml_attribute_format(b->xml, "generation", "%lld", (long long)b->spec->generation);
    xml_close(b->xml);
}

static void write_entry(struct domain_build *b, const char *name, const char *value)
{
    if (!value || !value[0])
        return;
    xml_open(b->xml, "entry");
    xml_attribute(b->xml, "name", name);
    xml_text(b->xml, value);
    xml_close(b->xml);
}

/* The vendor strings are KubeVirt's: guest images decide on them what they run on. */
void domain_write_sysinfo(struct domain_build *b)
{
    xml_attribute(b->xml, "type", "smbios");
    xml_open(b->xml, "system");
    write_entry(b, "uuid", b->spec->firmware_uuid);
    write_entry(b, "serial", b->spec->firmware_serial);
    write_entry(b, "manufacturer", "KubeVirt");
    write_entry(b, "family", "KubeVirt");
    write_entry(b, "product", "None");
    xml_close(b->xml);
}

static const char *machine_architecture(const struct domain_build *b)
{
    if (build_is_x86(b))
        return "x86_64";
    return text_equal(b->spec->architecture, "arm64") ? "aarch64" : b->spec->architecture;
}

/* UEFI images are found by libvirt itself, through the descriptors the firmware packages install: paths differ from
 * one distribution to the next. Its variables live as long as the run, or, when persistent, where libvirt keeps them.
 */
void domain_write_os_type(struct domain_build *b)
{
    const struct vm_spec *spec = b->spec;
    xml_attribute(b->xml, "firmware", spec->efi ? "efi" : NULL);
    xml_open(b->xml, "type");
    xml_attribute(b->xml, "arch", machine_architecture(b));
    xml_attribute(b->xml, "machine", spec->machine_type && spec->machine_type[0] ? spec->machine_type : "q35");
    xml_text(b->xml, "hvm");
    xml_close(b->xml);
    if (!spec->efi)
        return;
    const char *secure = spec->secure_boot ? "yes" : "no";
    xml_open(b->xml, "firmware");
    xml_leaf(b->xml, "feature", "enabled", secure, "name", "secure-boot");
    xml_leaf(b->xml, "feature", "enabled", secure, "name", "enrolled-keys");
    xml_close(b->xml);
    if (spec->efi_persistent)
        return;
    xml_open(b->xml, "nvram");
    auto_free char *variables = must_format("%s/efi-variables.fd", b->request->run_dir);
    xml_text(b->xml, variables);
    xml_close(b->xml);
}

void domain_write_os_kernel(struct domain_build *b)
{
    const json_t *boot = b->spec->kernel_boot;
    const struct domain_request *r = b->request;
    if (!boot)
        return;
    static const struct {
        const char *key;
        const char *name;
    } FILES[] = {{"container.kernelPath", "kernel"}, {"container.initrdPath", "initrd"}};
    const char *paths[] = {r->kernel_path, r->initrd_path};
    for (size_t i = 0; i < ARRAY_SIZE(FILES); i++) {
        const char *wanted = json_text_at(boot, FILES[i].key, "");
        if (wanted[0] && !paths[i])
            build_fail(b, "firmware.kernelBoot.%s \"%s\": the file is not on this host; boot from a disk instead",
                       FILES[i].key, wanted);
        else if (wanted[0])
            xml_text_leaf(b->xml, FILES[i].name, paths[i]);
    }
    const char *arguments = json_text_at(boot, "kernelArgs", "");
    if (arguments[0])
        xml_text_leaf(b->xml, "cmdline", arguments);
}

void domain_write_os_boot(struct domain_build *b)
{
    if (b->spec->start_paused) /* time to connect and interrupt the boot, as KubeVirt gives */
        xml_leaf(b->xml, "bootmenu", "enable", "yes", "timeout", "10000");
    xml_leaf(b->xml, "smbios", "mode", "sysinfo");
    if (b->spec->bios_serial)
        xml_leaf(b->xml, "bios", "useserial", "yes");
}

static void write_clock_offset(struct domain_build *b)
{
    const json_t *utc = b->spec->clock ? json_object_get(b->spec->clock, "utc") : NULL;
    const char *timezone = json_text_at(b->spec->clock, "timezone", NULL);
    if (!utc && timezone) {
        xml_attribute(b->xml, "offset", "timezone");
        xml_attribute(b->xml, "timezone", timezone);
        return;
    }
    xml_attribute(b->xml, "offset", "utc");
    if (!utc)
        return;
    if (json_object_get(utc, "offsetSeconds"))
        xml_attribute_format(b->xml, "adjustment", "%lld", (long long)json_int_at(utc, "offsetSeconds", 0));
    else
        xml_attribute(b->xml, "adjustment", "reset");
}

/* In KubeVirt's order. A real-time VM has no HPET, and a PIT only for the firmware, unless they are asked for: their
 * ticks are extra exits, and the PIT of KVM is a kernel thread. libvirt makes present='no' of the PIT the policy that
 * never re-injects lost ticks; the chip stays, because BIOS boot loaders wait on it. */
static const struct {
    const char *key; /* in spec.domain.clock.timer */
    const char *name;
    bool has_policy;
    bool has_track;
    bool off_for_realtime;
    bool needs_kvm;
} TIMERS[] = {
    {"rtc", "rtc", true, true, false, false},
    {"pit", "pit", true, false, true, false},
    {"kvm", "kvmclock", false, false, false, true},
    {"hpet", "hpet", true, false, true, false},
    {"hyperv", "hypervclock", false, false, false, true},
};

static void write_timers(struct domain_build *b)
{
    const json_t *timers = b->spec->clock ? json_object_get(b->spec->clock, "timer") : NULL;
    for (size_t i = 0; i < ARRAY_SIZE(TIMERS); i++) {
        const json_t *timer = json_object_get(timers, TIMERS[i].key);
        bool asked = json_is_object(timer);
        if (!asked && !(TIMERS[i].off_for_realtime && b->spec->realtime && build_is_x86(b)))
            continue;
        if (TIMERS[i].needs_kvm && b->request->emulation) {
            findings_warn(b->findings, "clock.timer.%s: left out, it is made by KVM", TIMERS[i].key);
            continue;
        }
        bool present = asked && json_bool_at(timer, "present", true);
        xml_leaf(b->xml, "timer", "name", TIMERS[i].name, "present", present ? "yes" : "no", "track",
                 TIMERS[i].has_track ? json_text_at(timer, "track", NULL) : NULL, "tickpolicy",
                 TIMERS[i].has_policy ? json_text_at(timer, "tickPolicy", NULL) : NULL);
    }
}

/* A guest that is promised a TSC that never changes its rate is told the rate as well, so that it need not measure. */
static bool needs_tsc_rate(const struct domain_build *b)
{
    if (b->request->emulation || !build_is_x86(b) || b->request->host->tsc_hz == 0)
        return false;
    for (unsigned i = 0; i < b->spec->cpu_feature_count; i++) {
        const struct vm_cpu_feature *f = &b->spec->cpu_feature[i];
        if (strcmp(f->name, "invtsc") == 0 && (text_equal(f->policy, "require") || text_equal(f->policy, "force")))
            return true;
    }
    return false;
}

void domain_write_clock(struct domain_build *b)
{
    bool tsc = needs_tsc_rate(b);
    if (!b->spec->clock && !b->spec->realtime && !tsc)
        return;
    write_clock_offset(b);
    write_timers(b);
    if (tsc)
        xml_leaf(b->xml, "timer", "name", "tsc", "frequency", NUMBER(b->request->host->tsc_hz));
}
