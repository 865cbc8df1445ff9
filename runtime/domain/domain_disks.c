/* <disk>: one per spec->disk, over the sources runtime/image made.
 *
 * Device names depend only on the order of the manifest: vda… for virtio, sda… shared by the other buses. IO threads
 * are numbered as KubeVirt does (facts 4.4): disks without their own thread share the first A round-robin, those with
 * dedicatedIOThread get one each after them. */
#include <stdio.h>
#include <string.h>

#include "runtime/domain/build.h"

struct disk_counts {
    unsigned shared_threads; /* A */
    unsigned next_shared;    /* threads handed out so far */
    unsigned next_own;
    unsigned scsi_unit;
};

static bool is_virtio(const struct vm_disk *disk)
{
    return text_equal(disk->bus, "virtio");
}

/* 0 → "vda", 25 → "vdz", 26 → "vdaa" */
static void device_name(const char *prefix, unsigned index, char name[DOMAIN_TARGET_MAX])
{
    char letters[8];
    size_t n = sizeof letters;
    letters[--n] = '\0';
    for (unsigned left = index + 1; left > 0 && n > 0; left = (left - 1) / 26)
        letters[--n] = (char)('a' + (left - 1) % 26);
    snprintf(name, DOMAIN_TARGET_MAX, "%s%s", prefix, letters + n);
}

void domain_disk_target(const struct vm_spec *spec, unsigned disk, char ret_target[DOMAIN_TARGET_MAX])
{
    bool virtio = is_virtio(&spec->disk[disk]);
    unsigned index = 0;
    for (unsigned i = 0; i < disk; i++)
        index += is_virtio(&spec->disk[i]) == virtio;
    device_name(virtio ? "vd" : "sd", index, ret_target);
}

static struct disk_counts count_threads(struct domain_build *b)
{
    const struct vm_spec *spec = b->spec;
    unsigned threads = b->placement->iothread_count;
    unsigned own = 0;
    unsigned virtio = 0;
    for (unsigned i = 0; i < spec->disk_count; i++) {
        own += spec->disk[i].dedicated_iothread;
        virtio += is_virtio(&spec->disk[i]);
    }
    if (spec->iothreads_policy == VM_IOTHREADS_SUPPLEMENTAL) {
        if (threads > 1 && virtio > 0)
            findings_warn(b->findings,
                          "ioThreadsPolicy supplementalPool: each disk gets one of the %u IO threads; "
                          "spreading one disk over several needs libvirt 10",
                          threads);
        own = 0;
    }
    return (struct disk_counts){.shared_threads = threads > own ? threads - own : threads};
}

static unsigned take_thread(const struct domain_build *b, const struct vm_disk *disk, struct disk_counts *counts)
{
    unsigned threads = b->placement->iothread_count;
    if (threads == 0 || !is_virtio(disk))
        return 0;
    unsigned own = threads - counts->shared_threads;
    if (disk->dedicated_iothread && own > 0)
        return counts->shared_threads + 1 + counts->next_own++ % own;
    return 1 + counts->next_shared++ % counts->shared_threads;
}

static const char *disk_cache(const struct vm_disk *disk, const struct disk_source *source)
{
    if (disk->shareable)
        return "none";
    if (disk->cache && disk->cache[0])
        return disk->cache;
    return source->direct_io ? "none" : "writethrough";
}

static const char *disk_io(const struct vm_disk *disk, const struct disk_source *source, const char *cache)
{
    if (disk->io && disk->io[0])
        return disk->io;
    return strcmp(cache, "none") == 0 && (source->block || source->preallocated) ? "native" : NULL;
}

static bool volume_discards_as_cdrom(enum vm_volume_kind kind)
{
    return kind == VM_VOLUME_PVC || kind == VM_VOLUME_DATA_VOLUME || kind == VM_VOLUME_CONTAINER_DISK ||
           kind == VM_VOLUME_EPHEMERAL || kind == VM_VOLUME_EMPTY_DISK;
}

static bool disk_discards(const struct domain_build *b, const struct vm_disk *disk, const struct disk_source *source)
{
    if (source->preallocated)
        return false;
    if (disk->device != VM_CDROM)
        return true;
    return disk->volume >= 0 && (unsigned)disk->volume < b->spec->volume_count &&
           volume_discards_as_cdrom(b->spec->volume[disk->volume].kind);
}

static void write_driver(struct domain_build *b, const struct vm_disk *disk, const struct disk_source *source,
                         struct disk_counts *counts)
{
    const char *cache = disk_cache(disk, source);
    unsigned thread = counts ? take_thread(b, disk, counts) : 0;
    bool queues = b->spec->block_multi_queue && is_virtio(disk);
    xml_leaf(b->xml, "driver", "name", "qemu", "type", source->qcow2 ? "qcow2" : "raw", "cache", cache, "error_policy",
             disk->error_policy && disk->error_policy[0] ? disk->error_policy : "stop", "io",
             disk_io(disk, source, cache), "discard", disk_discards(b, disk, source) ? "unmap" : NULL, "iothread",
             thread > 0 ? NUMBER(thread) : NULL, "queues", queues ? NUMBER(b->spec->vcpus) : NULL);
}

/* The chain is closed by an empty element: libvirt must never follow a backing file named inside a guest's disk. */
static void write_source(struct domain_build *b, const struct disk_source *source)
{
    xml_leaf(b->xml, "source", source->block ? "dev" : "file", source->path);
    xml_open(b->xml, "backingStore");
    if (source->backing_path) {
        xml_attribute(b->xml, "type", "file");
        xml_leaf(b->xml, "format", "type", source->backing_qcow2 ? "qcow2" : "raw");
        xml_leaf(b->xml, "source", "file", source->backing_path);
        xml_leaf(b->xml, "backingStore");
    }
    xml_close(b->xml);
}

static void write_block_size(struct domain_build *b, const struct vm_disk *disk)
{
    if (disk->match_volume_block_size)
        findings_warn(b->findings,
                      "disk %s: blockSize.matchVolume is not followed, the disk has 512-byte blocks; give "
                      "blockSize.custom instead",
                      disk->name);
    if (disk->logical_block_bytes == 0)
        return;
    xml_leaf(b->xml, "blockio", "logical_block_size", NUMBER(disk->logical_block_bytes), "physical_block_size",
             disk->physical_block_bytes > 0 ? NUMBER(disk->physical_block_bytes) : NULL);
}

/* SATA hard disks cannot be read-only; what we make for one run may be written to without harm. */
static bool disk_is_readonly(const struct vm_disk *disk, const struct disk_source *source)
{
    if (disk->device == VM_CDROM)
        return true;
    return (disk->readonly || source->readonly) && !text_equal(disk->bus, "sata");
}

static void write_address(struct domain_build *b, const struct vm_disk *disk, struct disk_counts *counts)
{
    if (disk->pci_address && disk->pci_address[0]) {
        build_pci_address(b, disk->pci_address, disk->name);
    } else if (text_equal(disk->bus, "scsi")) {
        unsigned unit = counts->scsi_unit++;
        xml_leaf(b->xml, "address", "type", "drive", "controller", "0", "bus", "0", "target", "0", "unit",
                 NUMBER(unit));
    }
}

/* counts NULL: libvirt chooses the address */
static void write_disk(struct domain_build *b, const struct vm_disk *disk, const struct disk_source *source,
                       const char *target, struct disk_counts *counts)
{
    static const char *const DEVICES[] = {[VM_DISK] = "disk", [VM_LUN] = "lun", [VM_CDROM] = "cdrom"};
    xml_open(b->xml, "disk");
    xml_attribute(b->xml, "type", source->block ? "block" : "file");
    xml_attribute(b->xml, "device", DEVICES[disk->device]);
    xml_attribute(b->xml, "model", is_virtio(disk) ? build_virtio_model(b) : NULL);
    write_driver(b, disk, source, counts);
    if (source->path)
        write_source(b, source);
    write_block_size(b, disk);
    xml_leaf(b->xml, "target", "dev", target, "bus", disk->bus, "tray", disk->tray_open ? "open" : NULL);
    if (disk_is_readonly(disk, source))
        xml_leaf(b->xml, "readonly");
    if (disk->shareable)
        xml_leaf(b->xml, "shareable");
    if (disk->serial && disk->serial[0] && disk->device == VM_DISK)
        xml_text_leaf(b->xml, "serial", disk->serial);
    if (disk->boot_order > 0)
        xml_leaf(b->xml, "boot", "order", NUMBER(disk->boot_order));
    build_alias(b, disk->name);
    if (counts)
        write_address(b, disk, counts);
    xml_close(b->xml);
}

void domain_write_disks(struct domain_build *b)
{
    struct disk_counts counts = count_threads(b);
    for (unsigned i = 0; i < b->spec->disk_count; i++) {
        char target[DOMAIN_TARGET_MAX];
        domain_disk_target(b->spec, i, target);
        write_disk(b, &b->spec->disk[i], &b->request->disk[i], target, &counts);
    }
}

int domain_render_disk(const struct vm_spec *spec, const struct disk_source *source, const char *target,
                       struct text *ret_xml, struct error *err)
{
    auto_xml *xml = xml_new();
    auto_findings findings = {0};
    struct domain_build b = {.spec = spec, .xml = xml, .findings = &findings};
    xml_inside(xml, "");
    write_disk(&b, spec->disk, source, target, NULL);
    build_finish(&b);
    if (b.failed)
        return fail(err, b.why.kind, "%s", b.why.text);
    return xml_finish(xml, ret_xml, err);
}
