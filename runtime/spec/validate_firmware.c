/* Machine, firmware, direct kernel boot. */
#include <string.h>

#include "runtime/spec/validate.h"

static void machine_type(struct admission *a)
{
    const char *type = rule_text(a->spec, "domain.machine.type");
    auto_free char *field = rule_path(a, "domain.machine.type");
    if (*type && !text_starts_with(type, "q35") && !text_starts_with(type, "pc-q35"))
        findings_cause(a->findings, CAUSE_INVALID, field, "%s is not supported: %s (allowed values: [q35* pc-q35*])",
                       field, type);
}

static void acpi_table(struct admission *a, const char *key)
{
    const char *name = json_text_at(json_at(a->spec, "domain.firmware.acpi"), key, "");
    auto_free char *base = rule_path(a, "acpi");
    auto_free char *field = rule_path(a, "acpi.%s", key);
    if (!*name)
        return;
    for (size_t i = 0; i < rule_count(a, "volumes"); i++) {
        const json_t *volume = rule_item(a, "volumes", i);
        if (strcmp(rule_text(volume, "name"), name) != 0)
            continue;
        if (!json_object_get(volume, "secret"))
            findings_cause(a->findings, CAUSE_INVALID, field, "%s refers to Volume of unsupported type.", base);
        return;
    }
    findings_cause(a->findings, CAUSE_INVALID, field, "%s does not have a matching Volume.", base);
}

static void acpi_tables(struct admission *a)
{
    const json_t *acpi = json_at(a->spec, "domain.firmware.acpi");
    auto_free char *field = rule_path(a, "acpi");
    if (acpi && !*rule_text(acpi, "slicNameRef") && !*rule_text(acpi, "msdmNameRef"))
        findings_cause(a->findings, CAUSE_INVALID, field, "ACPI was set but no SLIC nor MSDM volume reference was set");
    acpi_table(a, "slicNameRef");
    acpi_table(a, "msdmNameRef");
}

static rule *const MACHINE[] = {machine_type, acpi_tables};
const struct rules RULES_MACHINE = {MACHINE, ARRAY_SIZE(MACHINE)};

static void bootloader(struct admission *a)
{
    const json_t *loader = json_at(a->spec, "domain.firmware.bootloader");
    auto_free char *field = rule_path(a, "domain.firmware.bootloader");
    if (json_object_get(loader, "efi") && json_object_get(loader, "bios"))
        findings_cause(a->findings, CAUSE_INVALID, field,
                       "%s has both EFI and BIOS configured, but they are mutually exclusive.", field);
}

static void kernel_boot(struct admission *a)
{
    const json_t *boot = json_at(a->spec, "domain.firmware.kernelBoot");
    const json_t *container = json_object_get(boot, "container");
    auto_free char *args_field = rule_path(a, "domain.firmware.kernelBoot.kernelArgs");
    auto_free char *field = rule_path(a, "domain.firmware.kernelBoot.container");
    if (!container) {
        if (*rule_text(boot, "kernelArgs"))
            findings_cause(a->findings, CAUSE_INVALID, args_field,
                           "kernel arguments cannot be provided without an external kernel");
        return;
    }
    auto_free char *image = must_format("%s.image", field);
    auto_free char *kernel = must_format("%s.kernelPath", field);
    auto_free char *initrd = must_format("%s.initrdPath", field);
    if (!*rule_text(container, "image"))
        findings_cause(a->findings, CAUSE_REQUIRED, image, "%s must be defined with an image", field);
    if (!*rule_text(container, "initrdPath") && !*rule_text(container, "kernelPath"))
        findings_cause(a->findings, CAUSE_REQUIRED, field,
                       "%s must be defined with at least one of the following: kernelPath, initrdPath", field);
    rule_image_path(a, kernel, rule_text(container, "kernelPath"));
    rule_image_path(a, initrd, rule_text(container, "initrdPath"));
}

static void secure_boot(struct admission *a)
{
    const json_t *efi = json_at(a->spec, "domain.firmware.bootloader.efi");
    const json_t *smm = json_at(a->spec, "domain.features.smm");
    auto_free char *field = rule_path(a, "domain");
    if (efi && json_bool_at(efi, "secureBoot", true) && !(smm && json_bool_at(smm, "enabled", true)))
        findings_cause(a->findings, CAUSE_INVALID, field,
                       "%s has EFI SecureBoot enabled. SecureBoot requires SMM, which is currently disabled.", field);
}

static rule *const FIRMWARE[] = {bootloader, kernel_boot, secure_boot};
const struct rules RULES_FIRMWARE = {FIRMWARE, ARRAY_SIZE(FIRMWARE)};
