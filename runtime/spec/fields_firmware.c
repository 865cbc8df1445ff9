/* Firmware, machine, clock, identity, launch security. */
#include "runtime/spec/fields_rows.h"

static const char NO_CONFIDENTIAL[] = "confidential guests are not supported; running one unprotected would be a lie";

#define TIMER(path, noun)                                               \
    {path, FIELD_OBJECT, noun},                                         \
    {                                                                   \
        path ".present", FIELD_BOOL, "The guest sees it", .def = "true" \
    }

static const struct field ROWS[] = {
    {"spec.domain.machine", FIELD_OBJECT, "The kind of computer"},
    {"spec.domain.machine.type", FIELD_STRING,
     "QEMU machine: q35, or a versioned pc-q35-… that stays the same for ever", .def = "\"q35\""},
    {"spec.domain.firmware", FIELD_OBJECT, "What runs before the guest's operating system"},
    {"spec.domain.firmware.uuid", FIELD_STRING, "UUID the guest reads from SMBIOS",
     .otherwise = "a hash of namespace and name"},
    {"spec.domain.firmware.serial", FIELD_STRING, "Serial number the guest reads from SMBIOS"},
    {"spec.domain.firmware.bootloader", FIELD_OBJECT, "BIOS or UEFI"},
    {"spec.domain.firmware.bootloader.bios", FIELD_OBJECT, "Boot by BIOS (the default)"},
    {"spec.domain.firmware.bootloader.bios.useSerial", FIELD_BOOL, "BIOS messages on the serial port as well"},
    {"spec.domain.firmware.bootloader.efi", FIELD_OBJECT, "Boot by UEFI"},
    {"spec.domain.firmware.bootloader.efi.secureBoot", FIELD_BOOL,
     "Only signed code boots; on unless false, needs features.smm"},
    {"spec.domain.firmware.bootloader.efi.persistent", FIELD_BOOL, "UEFI variables survive restarts"},
    {"spec.domain.firmware.kernelBoot", FIELD_OBJECT, "Boot a kernel directly, without a bootloader"},
    {"spec.domain.firmware.kernelBoot.kernelArgs", FIELD_STRING, "Kernel command line"},
    {"spec.domain.firmware.kernelBoot.container", FIELD_OBJECT, "Image that holds kernel and initrd"},
    {"spec.domain.firmware.kernelBoot.container.image", FIELD_STRING, "Image name", NEEDED, RULED},
    {"spec.domain.firmware.kernelBoot.container.imagePullPolicy", FIELD_STRING, "When to fetch it",
     .values = "Always|IfNotPresent|Never"},
    {"spec.domain.firmware.kernelBoot.container.imagePullSecret", FIELD_STRING, "Secret with the registry's login",
     IGNORED("logins come from skopeo's own configuration")},
    {"spec.domain.firmware.kernelBoot.container.kernelPath", FIELD_STRING, "Kernel inside the image"},
    {"spec.domain.firmware.kernelBoot.container.initrdPath", FIELD_STRING, "Initrd inside the image"},
    {"spec.domain.firmware.acpi", FIELD_OBJECT, "ACPI tables taken from Secrets", IGNORED("tables are not added yet")},
    {"spec.domain.firmware.acpi.slicNameRef", FIELD_STRING, "Volume with a SLIC table"},
    {"spec.domain.firmware.acpi.msdmNameRef", FIELD_STRING, "Volume with an MSDM table"},
    {"spec.domain.chassis", FIELD_OBJECT, "Chassis entries of SMBIOS", IGNORED("only system entries are written")},
    {"spec.domain.chassis.manufacturer", FIELD_STRING, "Manufacturer"},
    {"spec.domain.chassis.version", FIELD_STRING, "Version"},
    {"spec.domain.chassis.serial", FIELD_STRING, "Serial number"},
    {"spec.domain.chassis.asset", FIELD_STRING, "Asset tag"},
    {"spec.domain.chassis.sku", FIELD_STRING, "Stock-keeping unit"},
    {"spec.domain.clock", FIELD_OBJECT, "The guest's clock and timers"},
    {"spec.domain.clock.utc", FIELD_OBJECT, "The hardware clock shows UTC"},
    {"spec.domain.clock.utc.offsetSeconds", FIELD_INT32, "Seconds it is off from UTC"},
    {"spec.domain.clock.timezone", FIELD_STRING, "The hardware clock shows this zone's time, such as Europe/Berlin"},
    {"spec.domain.clock.timer", FIELD_OBJECT, "Timers the guest gets"},
    TIMER("spec.domain.clock.timer.hpet", "High precision event timer; better absent for real time"),
    {"spec.domain.clock.timer.hpet.tickPolicy", FIELD_STRING, "What happens to late ticks",
     .values = "delay|catchup|merge|discard"},
    TIMER("spec.domain.clock.timer.pit", "Programmable interval timer of the first PCs"),
    {"spec.domain.clock.timer.pit.tickPolicy", FIELD_STRING, "What happens to late ticks",
     .values = "delay|catchup|discard"},
    TIMER("spec.domain.clock.timer.rtc", "Battery-backed clock"),
    {"spec.domain.clock.timer.rtc.tickPolicy", FIELD_STRING, "What happens to late ticks", .values = "delay|catchup"},
    {"spec.domain.clock.timer.rtc.track", FIELD_STRING, "What it follows", .values = "guest|wall"},
    TIMER("spec.domain.clock.timer.kvm", "The paravirtual clock Linux guests use"),
    TIMER("spec.domain.clock.timer.hyperv", "The paravirtual clock Windows guests use"),
    {"spec.domain.launchSecurity", FIELD_OBJECT, "Memory encryption", REFUSED(NO_CONFIDENTIAL)},
    {"spec.domain.launchSecurity.sev", FIELD_OBJECT, "AMD SEV"},
    {"spec.domain.launchSecurity.sev.attestation", FIELD_OBJECT, "Start paused, wait for attestation"},
    {"spec.domain.launchSecurity.sev.dhCert", FIELD_STRING, "Owner's Diffie-Hellman certificate"},
    {"spec.domain.launchSecurity.sev.session", FIELD_STRING, "Session blob"},
    {"spec.domain.launchSecurity.sev.policy", FIELD_OBJECT, "SEV policy"},
    {"spec.domain.launchSecurity.sev.policy.encryptedState", FIELD_BOOL, "SEV-ES: registers are encrypted too"},
    {"spec.domain.launchSecurity.snp", FIELD_OBJECT, "AMD SEV-SNP"},
    {"spec.domain.launchSecurity.tdx", FIELD_OBJECT, "Intel TDX"},
    {"spec.domain.rebootPolicy", FIELD_STRING, "What a guest's reboot does", .values = "Reboot|Terminate",
     IGNORED("a reboot inside the guest restarts the same machine")},
};
const struct field_table FIELDS_FIRMWARE = {ROWS, ARRAY_SIZE(ROWS)};
