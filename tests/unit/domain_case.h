/* A VM to be rendered, and looks at the XML that came out. */
#pragma once

#include "runtime/domain/domain.h"
#include "tests/test.h"

/* One VM to change per case: two real-time vCPUs on node 0 and 1 GiB pages. */
static struct host host;
static struct vm_spec spec;
static struct placement placement;
static struct vm_disk disks[3];
static struct vm_volume volumes[3];
static struct vm_interface interfaces[2];
static struct vm_cpu_feature features[3];
static struct disk_source sources[3];
static struct domain_request request;
static char ROOT_FILE[] = "/s/root.qcow2", BASE_FILE[] = "/s/root.base", SEED_FILE[] = "/s/seed.iso";
static char DEVICE[] = "/dev/sdx", ANY_FILE[] = "/s/x";

static void reset(void)
{
    memset(&host, 0, sizeof host);
    host.node_count = 2;
    for (int i = 0; i < 2; i++) {
        host.node[i].id = i * 4; /* sparse ids: positions and ids must not be mixed up */
        host.node[i].distance[i] = 10;
        host.node[i].distance[1 - i] = 21;
    }
    memset(disks, 0, sizeof disks);
    disks[0] = (struct vm_disk){.name = "root", .bus = "virtio", .volume = 0};
    memset(volumes, 0, sizeof volumes);
    volumes[0] = (struct vm_volume){.name = "root", .kind = VM_VOLUME_CONTAINER_DISK};
    memset(interfaces, 0, sizeof interfaces);
    interfaces[0] = (struct vm_interface){.name = "default", .binding = VM_BINDING_MASQUERADE, .model = "virtio"};
    memset(features, 0, sizeof features);
    features[0] = (struct vm_cpu_feature){"tsc-deadline", "require"};
    memset(sources, 0, sizeof sources);
    sources[0] = (struct disk_source){.path = ROOT_FILE, .qcow2 = true, .backing_path = BASE_FILE, .direct_io = true};
    spec = (struct vm_spec){
        .name = "pump",
        .namespace_ = "plant",
        .uid = "u-1",
        .generation = 7,
        .sockets = 2,
        .cores = 1,
        .threads = 1,
        .vcpus = 2,
        .cpu_model = "host-passthrough",
        .cpu_feature_count = 1,
        .cpu_feature = features,
        .dedicated_cpus = true,
        .isolate_emulator = true,
        .numa_passthrough = true,
        .realtime = true,
        .realtime_vcpus = cpuset_range(0, 1),
        .memory_bytes = 2ull << 30,
        .hugepage_bytes = 1ull << 30,
        .memfd = true,
        .architecture = "amd64",
        .machine_type = "q35",
        .firmware_uuid = "5d307ca9-b3ef-428c-8861-06e72d69f223",
        .acpi = true,
        .disk_count = 1,
        .disk = disks,
        .volume_count = 1,
        .volume = volumes,
        .interface_count = 1,
        .interface = interfaces,
        .fifo_priority = 1,
    };
    placement = (struct placement){
        .dedicated = true,
        .vcpu_count = 2,
        .vcpu_cpu = {4, 5},
        .realtime_vcpus = cpuset_range(0, 1),
        .fifo_priority = 1,
        .shared = cpuset_range(0, 1),
        .emulator = cpuset_of(6),
        .emulator_is_exclusive = true,
        .cell_count = 1,
        .memory_nodes = cpuset_of(0),
    };
    placement.cell[0] = (struct placement_cell){
        .host_node = 0, .vcpus = cpuset_range(0, 1), .memory_bytes = 2ull << 30, .page_bytes = 1ull << 30};
    request = (struct domain_request){
        .host = &host, .spec = &spec, .placement = &placement, .disk = sources, .run_dir = "/run/rtvmd/plant_pump"};
}

/* The last rendering, to look things up in. */
static struct text xml;
static struct xml_document *document;
static struct findings findings;
static struct error err;

static void forget(void)
{
    text_finish(&xml);
    xml_document_free_p(&document);
    findings_finish(&findings);
    memset(&err, 0, sizeof err);
}

static bool render(void)
{
    forget();
    if (domain_render(&request, &xml, &findings, &err) < 0)
        return false;
    document = xml_read(xml.data, xml.length, &err);
    if (!document)
        printf("# %s\n", err.text);
    return document != NULL;
}

static const struct xml_node *element(const char *path)
{
    return xml_child(xml_root(document), path);
}

static const char *attribute(const char *path, const char *name)
{
    return xml_attribute_of(element(path), name);
}

static const char *text(const char *path)
{
    return xml_text_of(element(path));
}

static unsigned count(const char *path)
{
    unsigned n = 0;
    for (const struct xml_node *e = element(path); e; e = xml_next(e))
        n++;
    return n;
}

static const struct xml_node *nth(const char *path, unsigned n)
{
    const struct xml_node *e = element(path);
    while (n-- > 0 && e)
        e = xml_next(e);
    return e;
}

static bool warned(const char *about)
{
    for (size_t i = 0; i < findings.warning_count; i++)
        if (strstr(findings.warning[i], about))
            return true;
    return false;
}
