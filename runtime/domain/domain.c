/* From a spec and a placement to a libvirt domain.
 *
 * The table is the outline of the document, in document order: which fields, inside which parent, written by what. A
 * parent appears when one of its rows writes something. To render one more field: one row here, one small function in
 * the domain_*.c of its theme. tests/unit/test_domain.c fails when a field of struct vm_spec is in no row. */
#include "runtime/domain/domain.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/domain/build.h"

struct row {
    const char *fields; /* of struct vm_spec (or placement.…), separated by blanks */
    const char *inside;
    void (*write)(struct domain_build *b);
};

static const struct row ROWS[] = {
    {"", "domain", domain_write_type},
    {"namespace_ name", "domain", domain_write_name},
    {"uid generation", "domain/metadata", domain_write_metadata},
    {"memory_bytes", "domain", domain_write_memory},
    {"hugepage_bytes placement.cell", "domain/memoryBacking", domain_write_hugepages},
    {"realtime memfd", "domain/memoryBacking", domain_write_backing},
    {"vcpus placement.shared", "domain", domain_write_vcpus},
    {"iothreads_policy placement.iothread_count", "domain", domain_write_iothreads},
    {"dedicated_cpus shared_vcpus placement.vcpu_cpu", "domain/cputune", domain_write_vcpu_pins},
    {"isolate_emulator placement.emulator", "domain/cputune", domain_write_emulator_pin},
    {"placement.iothread", "domain/cputune", domain_write_iothread_pins},
    {"realtime_vcpus fifo_priority vcpu_priority", "domain/cputune", domain_write_vcpu_scheduler},
    {"numa_passthrough placement.memory_nodes", "domain/numatune", domain_write_numatune},
    {"firmware_uuid firmware_serial", "domain/sysinfo", domain_write_sysinfo},
    {"architecture machine_type efi secure_boot efi_persistent", "domain/os", domain_write_os_type},
    {"kernel_boot", "domain/os", domain_write_os_kernel},
    {"start_paused bios_serial", "domain/os", domain_write_os_boot},
    {"acpi features", "domain/features", domain_write_features},
    {"features", "domain/features/hyperv", domain_write_hyperv},
    {"features dedicated_cpus", "domain/features/kvm", domain_write_kvm},
    {"features realtime smm", "domain/features", domain_write_later_features},
    {"cpu_model", "domain/cpu", domain_write_cpu_model},
    {"sockets cores threads", "domain/cpu", domain_write_topology},
    {"cpu_feature_count cpu_feature", "domain/cpu", domain_write_cpu_features},
    {"numa_passthrough placement.cell", "domain/cpu/numa", domain_write_cells},
    {"clock realtime cpu_feature", "domain/clock", domain_write_clock},
    {"disk_count disk volume_count volume block_multi_queue", "domain/devices", domain_write_disks},
    {"disk inputs virtio_transitional disable_hotplug", "domain/devices", domain_write_controllers},
    {"interface_count interface interface_multi_queue", "domain/devices", domain_write_interfaces},
    {"serial_console log_serial_console", "domain/devices", domain_write_serial},
    {"", "domain/devices", domain_write_agent},
    {"inputs", "domain/devices", domain_write_inputs},
    {"tpm tpm_persistent", "domain/devices", domain_write_tpm},
    {"graphics video_model", "domain/devices", domain_write_graphics},
    {"sound", "domain/devices", domain_write_sound},
    {"watchdog", "domain/devices", domain_write_watchdog},
    {"mem_balloon", "domain/devices", domain_write_balloon},
    {"rng", "domain/devices", domain_write_rng},
    {"vsock", "domain/devices", domain_write_vsock},
};

void build_fail(struct domain_build *b, const char *format, ...)
{
    if (b->failed)
        return;
    b->failed = true;
    b->why.kind = ERROR_INVALID;
    va_list args;
    va_start(args, format);
    vsnprintf(b->why.text, sizeof b->why.text, format, args);
    va_end(args);
}

const char *build_number(uint64_t value, char *buffer)
{
    snprintf(buffer, BUILD_NUMBER_MAX, "%llu", (unsigned long long)value);
    return buffer;
}

static bool alias_is_taken(const struct domain_build *b, const char *name)
{
    for (size_t i = 0; i < b->alias_count; i++)
        if (strcmp(b->alias[i], name) == 0)
            return true;
    return false;
}

void build_alias(struct domain_build *b, const char *name)
{
    auto_text alias = {0};
    text_printf(&alias, "ua-%s", name);
    while (alias_is_taken(b, text_cstr(&alias)))
        text_append(&alias, "_");
    xml_leaf(b->xml, "alias", "name", text_cstr(&alias));
    b->alias = must_realloc(b->alias, b->alias_count + 1, sizeof *b->alias);
    b->alias[b->alias_count++] = text_take(&alias);
}

void build_finish(struct domain_build *b)
{
    for (size_t i = 0; i < b->alias_count; i++)
        free(b->alias[i]);
    free(take(b->alias));
    b->alias_count = 0;
}

static bool is_pci_address(const char *address)
{
    static const char SHAPE[] = "xxxx:xx:xx.x";
    for (size_t i = 0; i < sizeof SHAPE; i++)
        if (SHAPE[i] == 'x' ? !isxdigit((unsigned char)address[i]) : address[i] != SHAPE[i])
            return false;
    return address[8] <= '1' && address[11] <= '7'; /* 32 slots, 8 functions */
}

void build_pci_address(struct domain_build *b, const char *address, const char *where)
{
    if (!is_pci_address(address)) {
        build_fail(b, "%s: PCI address \"%.40s\": want DOMAIN:BUS:SLOT.FUNCTION in hexadecimal, as 0000:81:01.2", where,
                   address);
        return;
    }
    xml_open(b->xml, "address");
    xml_attribute(b->xml, "type", "pci");
    xml_attribute_format(b->xml, "domain", "0x%.4s", address);
    xml_attribute_format(b->xml, "bus", "0x%.2s", address + 5);
    xml_attribute_format(b->xml, "slot", "0x%.2s", address + 8);
    xml_attribute_format(b->xml, "function", "0x%.1s", address + 11);
    xml_close(b->xml);
}

const char *build_virtio_model(const struct domain_build *b)
{
    return b->spec->virtio_transitional ? "virtio-transitional" : "virtio-non-transitional";
}

bool build_is_x86(const struct domain_build *b)
{
    return !b->spec->architecture || text_equal(b->spec->architecture, "amd64");
}

bool build_is_enabled(const json_t *feature)
{
    return json_is_object(feature) && json_bool_at(feature, "enabled", true);
}

bool build_has_graphics(const struct domain_build *b)
{
    return b->spec->graphics == VM_ON || (b->spec->graphics == VM_UNSET && !b->spec->realtime);
}

bool build_has_balloon(const struct domain_build *b)
{
    return b->spec->mem_balloon == VM_ON || (b->spec->mem_balloon == VM_UNSET && !b->spec->realtime);
}

int domain_render(const struct domain_request *request, struct text *ret_xml, struct findings *findings,
                  struct error *err)
{
    auto_xml *xml = xml_new();
    struct domain_build b = {
        .request = request,
        .spec = request->spec,
        .placement = request->placement,
        .xml = xml,
        .findings = findings,
    };
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        xml_inside(xml, ROWS[i].inside);
        ROWS[i].write(&b);
    }
    build_finish(&b);
    if (b.failed)
        return fail(err, b.why.kind, "%s", b.why.text);
    return xml_finish(xml, ret_xml, err);
}
