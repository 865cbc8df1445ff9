/* Disks: how they match volumes, boot order, and each disk by itself. */
#include <inttypes.h>
#include <string.h>

#include "runtime/spec/address.h"
#include "runtime/spec/names.h"
#include "runtime/spec/validate.h"

static const char DISKS[] = "domain.devices.disks";
static const char INTERFACES[] = "domain.devices.interfaces";

static const json_t *volume_named(const struct admission *a, const char *name)
{
    for (size_t i = rule_count(a, "volumes"); i-- > 0;)
        if (strcmp(rule_text(rule_item(a, "volumes", i), "name"), name) == 0)
            return rule_item(a, "volumes", i);
    return NULL;
}

static void disk_matches_volume(struct admission *a, size_t i)
{
    const json_t *disk = rule_item(a, DISKS, i);
    const char *name = rule_text(disk, "name");
    const json_t *volume = volume_named(a, name);
    if (!volume && !json_object_get(disk, "cdrom")) {
        auto_free char *field = rule_path(a, "%s[%zu].name", DISKS, i);
        auto_free char *shown = rule_path(a, "%s[%zu].Name", DISKS, i);
        findings_cause(a->findings, CAUSE_INVALID, field, "%s '%s' not found.", shown, name);
    }
    if (volume && json_object_get(disk, "lun") && !json_object_get(volume, "persistentVolumeClaim") &&
        !json_object_get(volume, "dataVolume")) {
        auto_free char *field = rule_path(a, "%s[%zu].lun", DISKS, i);
        findings_cause(a->findings, CAUSE_INVALID, field,
                       "%s can only be mapped to a DataVolume or PersistentVolumeClaim volume.", field);
    }
}

/* Disks and interfaces share one numbering. */
static bool boot_order_taken(const struct admission *a, const char *path, size_t index, int64_t order)
{
    const char *const lists[] = {DISKS, INTERFACES};
    for (size_t l = 0; l < ARRAY_SIZE(lists); l++) {
        for (size_t i = 0; i < rule_count(a, lists[l]); i++) {
            if (lists[l] == path && i == index)
                return false;
            const json_t *other = json_object_get(rule_item(a, lists[l], i), "bootOrder");
            if (other && json_integer_value(other) == order)
                return true;
        }
    }
    return false;
}

static void boot_order_unique(struct admission *a, const char *path, size_t i)
{
    const json_t *order = json_object_get(rule_item(a, path, i), "bootOrder");
    if (!order || !boot_order_taken(a, path, i, json_integer_value(order)))
        return;
    auto_free char *field = rule_path(a, "%s[%zu].bootOrder", path, i);
    findings_cause(a->findings, CAUSE_INVALID, field, "Boot order for %s already set for a different device.", field);
}

static void disks_attached(struct admission *a)
{
    for (size_t i = 0; i < rule_count(a, DISKS); i++) {
        disk_matches_volume(a, i);
        boot_order_unique(a, DISKS, i);
    }
}

/* KubeVirt puts the index on the path of the spec. */
static void interface_boot_order(struct admission *a)
{
    for (size_t i = 0; i < rule_count(a, INTERFACES); i++) {
        const json_t *order = json_object_get(rule_item(a, INTERFACES, i), "bootOrder");
        if (order && json_integer_value(order) < 1) {
            auto_free char *field = must_format("%s[%zu].bootOrder", a->at, i);
            findings_cause(a->findings, CAUSE_INVALID, field, "%s[%zu] must have a boot order > 0, if supplied", a->at,
                           i);
        } else {
            boot_order_unique(a, INTERFACES, i);
        }
    }
}

static rule *const ATTACHMENT[] = {disks_attached, interface_boot_order};
const struct rules RULES_ATTACHMENT = {ATTACHMENT, ARRAY_SIZE(ATTACHMENT)};

/* ---- each disk by itself. KubeVirt's functions get the path of the list and sometimes append it again. */

struct disk_check {
    struct admission *a;
    const json_t *disk;
    size_t index;
    const char *field;   /* …disks[i] */
    const char *doubled; /* …disks.domain.devices.disks[i] */
    const char *target;  /* "disk", "lun", "cdrom" or "" */
    const char *bus;     /* or "" */
};

static void disk_name_unique(const struct disk_check *c)
{
    for (size_t i = 0; i < c->index; i++) {
        if (strcmp(rule_text(rule_item(c->a, DISKS, i), "name"), rule_text(c->disk, "name")) != 0)
            continue;
        auto_free char *field = must_format("%s.name", c->field);
        auto_free char *other = rule_path(c->a, "%s[%zu]", DISKS, i);
        findings_cause(c->a->findings, CAUSE_INVALID, field, "%s and %s must not have the same Name.", c->field, other);
    }
}

static void disk_one_target(const struct disk_check *c)
{
    int count =
        !!json_object_get(c->disk, "disk") + !!json_object_get(c->disk, "lun") + !!json_object_get(c->disk, "cdrom");
    if (count > 1)
        findings_cause(c->a->findings, CAUSE_INVALID, c->field, "%s can only have a single target type defined",
                       c->field);
}

static void disk_pci_address(const struct disk_check *c)
{
    const char *address = rule_text(c->disk, "disk.pciAddress");
    if (!*address)
        return;
    auto_free char *shown = rule_path(c->a, "%s.%s.disk[%zu].name", DISKS, DISKS, c->index);
    auto_free char *field = rule_path(c->a, "%s.%s.disk[%zu].pciAddress", DISKS, DISKS, c->index);
    if (strcmp(rule_text(c->disk, "disk.bus"), "virtio") != 0)
        findings_cause(c->a->findings, CAUSE_INVALID, field,
                       "disk %s - setting a PCI address is only possible with bus type virtio.", shown);
    if (!address_is_pci(address))
        findings_cause(c->a->findings, CAUSE_INVALID, field, "disk %s has malformed PCI address (%s).", shown, address);
}

static void disk_boot_order(const struct disk_check *c)
{
    const json_t *order = json_object_get(c->disk, "bootOrder");
    auto_free char *field = must_format("%s.bootOrder", c->field);
    if (order && json_integer_value(order) < 1)
        findings_cause(c->a->findings, CAUSE_INVALID, field, "%s must have a boot order > 0, if supplied", c->field);
}

static void disk_bus(const struct disk_check *c)
{
    static const char *const BUSES[] = {"virtio", "scsi", "sata", "usb"};
    auto_free char *field = must_format("%s.%s.bus", c->field, c->target);
    if (!*c->bus)
        return;
    if (strcmp(c->bus, "ide") == 0)
        findings_cause(c->a->findings, CAUSE_INVALID, field, "IDE bus is not supported");
    else if (!rule_is_one_of(c->bus, BUSES, ARRAY_SIZE(BUSES)))
        findings_cause(c->a->findings, CAUSE_INVALID, field,
                       "%s is set with an unrecognized bus %s, must be one of: [virtio scsi sata usb]", c->field,
                       c->bus);
    if (strcmp(c->target, "cdrom") == 0 && strcmp(c->bus, "virtio") == 0)
        findings_cause(c->a->findings, CAUSE_INVALID, field, "Bus type virtio is invalid for CD-ROM device");
    if (strcmp(c->target, "disk") == 0 && strcmp(c->bus, "sata") == 0 && json_bool_at(c->disk, "disk.readonly", false))
        findings_cause(c->a->findings, CAUSE_INVALID, field, "sata hard-disks do not support read-only.");
    if (json_bool_at(c->disk, "dedicatedIOThread", false) && strcmp(c->bus, "virtio") != 0)
        findings_cause(c->a->findings, CAUSE_NOT_SUPPORTED, c->doubled,
                       "IOThreads are not supported for disks on a %s bus",
                       strcmp(c->bus, "sata") == 0 ? "SATA" : c->bus);
}

static size_t count_characters(const char *utf8)
{
    size_t count = 0;
    for (; *utf8; utf8++)
        count += ((unsigned char)*utf8 & 0xc0) != 0x80;
    return count;
}

static void disk_serial(const struct disk_check *c)
{
    const char *serial = rule_text(c->disk, "serial");
    auto_free char *field = must_format("%s.serial", c->field);
    if (!*serial)
        return;
    if (!address_is_serial(serial))
        findings_cause(c->a->findings, CAUSE_INVALID, field,
                       "%s must be made up of the following characters [A-Za-z0-9_.+-], if specified", c->field);
    if (count_characters(serial) > 256)
        findings_cause(c->a->findings, CAUSE_INVALID, field,
                       "%s must be less than or equal to 256 in length, if "
                       "specified",
                       c->field);
}

static void disk_modes(const struct disk_check *c)
{
    static const char *const CACHES[] = {"", "none", "writethrough", "writeback"};
    static const char *const IOS[] = {"", "native", "threads"};
    static const char *const ERRORS[] = {"stop", "ignore", "report", "enospace"};
    const char *cache = rule_text(c->disk, "cache");
    const char *io = rule_text(c->disk, "io");
    const json_t *error_policy = json_object_get(c->disk, "errorPolicy");
    auto_free char *cache_field = must_format("%s.cache", c->field);
    auto_free char *io_field = must_format("%s.io", c->doubled);
    auto_free char *error_field = must_format("%s.errorPolicy", c->field);
    if (!rule_is_one_of(cache, CACHES, ARRAY_SIZE(CACHES)))
        findings_cause(c->a->findings, CAUSE_INVALID, cache_field, "%s has invalid value %s", cache_field, cache);
    if (!rule_is_one_of(io, IOS, ARRAY_SIZE(IOS)))
        findings_cause(c->a->findings, CAUSE_NOT_SUPPORTED, io_field,
                       "Disk IO mode for %s is not supported. Supported modes are: native, threads.", io_field);
    if (error_policy && !rule_is_one_of(json_string_value(error_policy), ERRORS, ARRAY_SIZE(ERRORS)))
        findings_cause(c->a->findings, CAUSE_INVALID, error_field, "%s has invalid value \"%s\"", error_field,
                       json_string_value(error_policy));
}

static void disk_name_form(const struct disk_check *c)
{
    auto_text complaints = {0};
    auto_free char *field = must_format("%s.name", c->doubled);
    if (name_complaints(NAME_DNS_LABEL, rule_text(c->disk, "name"), &complaints))
        findings_cause(c->a->findings, CAUSE_INVALID, field, "%s", text_cstr(&complaints));
}

static void block_size_in_range(const struct disk_check *c, const char *key, int64_t size)
{
    auto_free char *field = must_format("%s.blockSize.custom.%s", c->field, key);
    if (size < 512)
        findings_cause(c->a->findings, CAUSE_INVALID, field,
                       "Provided size of %" PRId64 " is less than the supported minimum size of 512", size);
    else if (size > 2097152)
        findings_cause(c->a->findings, CAUSE_INVALID, field,
                       "Provided size of %" PRId64 " is greater than the supported maximum size of 2097152", size);
    else if ((size & (size - 1)) != 0)
        findings_cause(c->a->findings, CAUSE_INVALID, field, "Provided size of %" PRId64 " is not a power of 2", size);
}

static void disk_block_size(const struct disk_check *c)
{
    const json_t *custom = json_at(c->disk, "blockSize.custom");
    const json_t *match = json_at(c->disk, "blockSize.matchVolume");
    if (!custom)
        return;
    int64_t logical = json_int_at(custom, "logical", 0);
    int64_t physical = json_int_at(custom, "physical", 0);
    int64_t discard = json_int_at(custom, "discardGranularity", 0);
    auto_free char *both = must_format("%s.blockSize", c->field);
    auto_free char *field = must_format("%s.blockSize.custom.logical", c->field);
    auto_free char *discard_field = must_format("%s.blockSize.custom.discardGranularity", c->field);
    if (match && json_bool_at(match, "enabled", true)) {
        findings_cause(c->a->findings, CAUSE_INVALID, both,
                       "Block size matching can't be enabled together with a custom value");
    } else if (logical > physical) {
        findings_cause(c->a->findings, CAUSE_INVALID, field,
                       "Logical size %" PRId64 " must be the same or less than the physical size of %" PRId64, logical,
                       physical);
    } else if (strcmp(c->bus, "sata") == 0 && logical != 512) {
        findings_cause(c->a->findings, CAUSE_INVALID, field, "Logical size %" PRId64 " must be 512 for SATA devices",
                       logical);
    } else if (logical != 0 && discard % logical != 0) {
        findings_cause(c->a->findings, CAUSE_INVALID, discard_field,
                       "Discard granularity %" PRId64 " must be multiples of logical size %" PRId64, discard, logical);
    } else {
        block_size_in_range(c, "logical", logical);
        block_size_in_range(c, "physical", physical);
    }
}

static void each_disk(struct admission *a)
{
    static void (*const CHECKS[])(const struct disk_check *) = {
        disk_name_unique, disk_one_target, disk_pci_address, disk_boot_order, disk_bus,
        disk_serial,      disk_modes,      disk_name_form,   disk_block_size,
    };
    static const char *const TARGETS[] = {"disk", "lun", "cdrom"};
    for (size_t i = 0; i < rule_count(a, DISKS); i++) {
        auto_free char *field = rule_path(a, "%s[%zu]", DISKS, i);
        auto_free char *doubled = rule_path(a, "%s.%s[%zu]", DISKS, DISKS, i);
        struct disk_check c = {a, rule_item(a, DISKS, i), i, field, doubled, "", ""};
        for (size_t t = 0; t < ARRAY_SIZE(TARGETS) && !*c.target; t++) {
            const json_t *target = json_object_get(c.disk, TARGETS[t]);
            c.target = target ? TARGETS[t] : "";
            c.bus = rule_text(target, "bus");
        }
        for (size_t k = 0; k < ARRAY_SIZE(CHECKS); k++)
            CHECKS[k](&c);
    }
}

static rule *const DISK_RULES[] = {each_disk};
const struct rules RULES_DISKS = {DISK_RULES, ARRAY_SIZE(DISK_RULES)};
