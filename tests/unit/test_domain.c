#include "runtime/domain/domain.c"

#include "rtvmd/base/file.h"
#include "tests/unit/domain_case.h"

static void a_realtime_vm_is_tuned_from_the_first_instruction(void)
{
    reset();
    CHECK(render());
    CHECK_TEXT(xml_attribute_of(xml_root(document), "type"), "kvm");
    CHECK_TEXT(text("name"), "plant_pump");
    CHECK_TEXT(text("vcpu"), "2");
    CHECK(!attribute("vcpu", "cpuset"));
    CHECK_INT(count("cputune/vcpupin"), 2);
    CHECK_TEXT(xml_attribute_of(nth("cputune/vcpupin", 1), "cpuset"), "5");
    CHECK_TEXT(attribute("cputune/emulatorpin", "cpuset"), "6");
    CHECK_TEXT(attribute("cputune/vcpusched", "vcpus"), "0-1");
    CHECK_TEXT(attribute("cputune/vcpusched", "scheduler"), "fifo");
    CHECK_TEXT(attribute("cputune/vcpusched", "priority"), "1");
    CHECK(element("memoryBacking/locked") && element("memoryBacking/nosharepages"));
    CHECK_TEXT(attribute("memoryBacking/allocation", "mode"), "immediate");
    CHECK_TEXT(attribute("memoryBacking/source", "type"), "memfd");
    CHECK_TEXT(attribute("memoryBacking/hugepages/page", "size"), "1073741824");
    CHECK_TEXT(attribute("memoryBacking/hugepages/page", "nodeset"), "0");
    CHECK_TEXT(attribute("numatune/memory", "mode"), "strict");
    CHECK_TEXT(attribute("cpu", "mode"), "host-passthrough");
    CHECK_TEXT(attribute("cpu/feature", "name"), "tsc-deadline");
    CHECK_TEXT(attribute("features/pmu", "state"), "off");
    CHECK_TEXT(attribute("features/kvm/hint-dedicated", "state"), "on");
    CHECK_TEXT(attribute("clock/timer", "name"), "pit");
    CHECK_TEXT(attribute("clock/timer", "present"), "no");
    CHECK_TEXT(xml_attribute_of(nth("clock/timer", 1), "name"), "hpet");
    CHECK_TEXT(attribute("devices/memballoon", "model"), "none");
    CHECK_TEXT(attribute("devices/controller", "model"), "none");
    CHECK(!element("devices/graphics") && !element("devices/video"));
}

static void the_scheduler_gets_only_vcpus_that_exist_and_are_enabled(void)
{
    reset();
    placement.realtime_vcpus = cpuset_range(1, 63);
    placement.fifo_priority = 42;
    CHECK(render());
    CHECK_TEXT(attribute("cputune/vcpusched", "vcpus"), "1");
    CHECK_TEXT(attribute("cputune/vcpusched", "priority"), "42");
    placement.realtime_vcpus = cpuset_range(0, 1);
    placement.vcpu_priority[1] = 7;
    CHECK(render());
    const struct xml_node *second = xml_next(element("cputune/vcpusched"));
    CHECK_TEXT(attribute("cputune/vcpusched", "vcpus"), "0");
    CHECK(second && strcmp(xml_attribute_of(second, "vcpus"), "1") == 0);
    CHECK(second && strcmp(xml_attribute_of(second, "priority"), "7") == 0);
    placement.vcpu_priority[1] = 0;
    placement.realtime_vcpus = cpuset_range(2, 63);
    CHECK(render());
    CHECK(!element("cputune/vcpusched"));
}

static void a_shared_vcpu_of_a_dedicated_vm_floats_on_housekeeping_cpus(void)
{
    reset();
    placement.vcpu_cpu[1] = -1;
    placement.realtime_vcpus = cpuset_of(0);
    CHECK(render());
    CHECK_TEXT(xml_attribute_of(nth("cputune/vcpupin", 0), "cpuset"), "4");
    CHECK_TEXT(xml_attribute_of(nth("cputune/vcpupin", 1), "cpuset"), "0-1");
}

static void a_cell_without_vcpus_has_only_memory(void)
{
    reset();
    placement.cell[0].vcpus = (struct cpuset){0};
    CHECK(render());
    CHECK(element("cpu/numa/cell") && !attribute("cpu/numa/cell", "cpus"));
}

static void an_ordinary_vm_is_as_kubevirt_makes_it(void)
{
    reset();
    spec.realtime = spec.dedicated_cpus = spec.numa_passthrough = false;
    spec.hugepage_bytes = 0;
    spec.cpu_model = "host-model";
    spec.log_serial_console = true;
    placement.dedicated = false;
    placement.cell_count = 0;
    placement.vcpu_cpu[0] = placement.vcpu_cpu[1] = -1;
    placement.emulator = placement.shared;
    placement.realtime_vcpus = (struct cpuset){0};
    placement.memory_nodes = (struct cpuset){0};
    CHECK(render());
    CHECK_TEXT(attribute("vcpu", "cpuset"), "0-1");
    CHECK(!element("cputune/vcpupin") && !element("cputune/vcpusched"));
    CHECK_TEXT(attribute("cputune/emulatorpin", "cpuset"), "0-1");
    CHECK(!element("memoryBacking") && !element("numatune") && !element("clock") && !element("features/kvm"));
    CHECK(!element("features/pmu") && !element("cpu/numa"));
    CHECK_TEXT(attribute("cpu", "mode"), "host-model");
    CHECK_TEXT(attribute("devices/graphics/listen", "type"), "none");
    CHECK_TEXT(attribute("devices/video/model", "type"), "vga");
    CHECK_TEXT(attribute("devices/memballoon", "model"), "virtio-non-transitional");
    CHECK_TEXT(attribute("devices/memballoon", "freePageReporting"), "on");
    CHECK_TEXT(attribute("devices/serial/source", "path"), "/run/rtvmd/plant_pump/virt-serial0");
    CHECK_TEXT(attribute("devices/serial/log", "file"), "/run/rtvmd/plant_pump/virt-serial0-log");
    CHECK_TEXT(attribute("devices/channel/target", "name"), "org.qemu.guest_agent.0");
}

static void what_a_realtime_vm_asks_for_it_gets(void)
{
    reset();
    spec.graphics = VM_ON;
    spec.mem_balloon = VM_ON;
    spec.serial_console = VM_OFF;
    auto_json *clock = json_loads("{\"timezone\":\"Europe/Berlin\",\"timer\":{\"hpet\":{\"tickPolicy\":\"delay\"},"
                                  "\"pit\":{\"present\":true},\"rtc\":{\"track\":\"guest\"}}}",
                                  0, NULL);
    spec.clock = clock;
    CHECK(render());
    CHECK(element("devices/graphics") && element("devices/video"));
    CHECK(!element("devices/serial") && !element("devices/console"));
    CHECK_TEXT(attribute("devices/memballoon", "freePageReporting"), "off");
    CHECK_TEXT(attribute("clock", "offset"), "timezone");
    CHECK_TEXT(attribute("clock", "timezone"), "Europe/Berlin");
    CHECK_TEXT(xml_attribute_of(nth("clock/timer", 0), "track"), "guest");
    CHECK_TEXT(xml_attribute_of(nth("clock/timer", 1), "present"), "yes");
    CHECK_TEXT(xml_attribute_of(nth("clock/timer", 2), "tickpolicy"), "delay");
}

static void guest_cells_mirror_host_nodes(void)
{
    reset();
    placement.cell_count = 2;
    placement.cell[0].vcpus = cpuset_of(0);
    placement.cell[0].memory_bytes = 1ull << 30;
    placement.cell[1] = (struct placement_cell){
        .host_node = 4, .vcpus = cpuset_of(1), .memory_bytes = 1ull << 30, .page_bytes = 1ull << 30};
    CHECK(render());
    CHECK_TEXT(attribute("numatune/memory", "nodeset"), "0,4");
    CHECK_TEXT(xml_attribute_of(nth("numatune/memnode", 1), "cellid"), "1");
    CHECK_TEXT(xml_attribute_of(nth("numatune/memnode", 1), "nodeset"), "4");
    const struct xml_node *cell = nth("cpu/numa/cell", 1);
    CHECK_TEXT(xml_attribute_of(cell, "cpus"), "1");
    CHECK_TEXT(xml_attribute_of(xml_child(cell, "distances/sibling"), "value"), "21");
    CHECK_TEXT(xml_attribute_of(xml_next(xml_child(cell, "distances/sibling")), "value"), "10");
    CHECK_INT(count("memoryBacking/hugepages/page"), 2);
}

/* Until QEMU filled the guest's pages its threads may run where the placement lets it fill them from. */
static void the_emulator_starts_where_pages_are(void)
{
    reset();
    request.starts = true;
    CHECK(render());
    CHECK_TEXT(attribute("cputune/emulatorpin", "cpuset"), "6"); /* it is there already */
    placement.filling = cpuset_of(4);
    CHECK(render());
    CHECK_TEXT(attribute("cputune/emulatorpin", "cpuset"), "4,6");
    request.starts = false;
    CHECK(render());
    CHECK_TEXT(attribute("cputune/emulatorpin", "cpuset"), "6");
    request.starts = true;
    placement.emulator = (struct cpuset){0}; /* wherever libvirt lets it */
    CHECK(render());
    CHECK(!attribute("cputune/emulatorpin", "cpuset"));
}

static void huge_pages_without_a_mapping_get_one_cell(void)
{
    reset();
    placement.cell_count = 0;
    spec.numa_passthrough = false;
    CHECK(render());
    CHECK_TEXT(attribute("cpu/numa/cell", "cpus"), "0-1");
    CHECK_TEXT(attribute("memoryBacking/hugepages/page", "size"), "1073741824");
    CHECK(!attribute("memoryBacking/hugepages/page", "nodeset"));
    spec.memfd = false;
    CHECK(render());
    CHECK(!element("cpu/numa") && !element("memoryBacking/source"));
}

static void emulation_replaces_what_only_kvm_has_and_says_so(void)
{
    reset();
    request.emulation = true;
    features[1] = (struct vm_cpu_feature){"sse4.2", "require"};
    features[2] = (struct vm_cpu_feature){"x2apic", "disable"};
    spec.cpu_feature_count = 3;
    auto_json *parsed = json_loads("{\"hyperv\":{\"relaxed\":{}},\"kvm\":{\"hidden\":true}}", 0, NULL);
    spec.features = parsed;
    CHECK(render());
    CHECK_TEXT(xml_attribute_of(xml_root(document), "type"), "qemu");
    CHECK_TEXT(attribute("cpu", "mode"), "maximum");
    CHECK_INT(count("cpu/feature"), 2);
    CHECK_TEXT(xml_attribute_of(nth("cpu/feature", 0), "name"), "sse4.2");
    CHECK_TEXT(xml_attribute_of(nth("cpu/feature", 1), "policy"), "disable");
    CHECK(!element("features/kvm") && !element("features/hyperv"));
    CHECK(element("memoryBacking/locked") && element("cputune/vcpusched"));
    CHECK(warned("emulation") && warned("host-passthrough") && warned("tsc-deadline") && warned("hyperv") &&
          warned("hidden"));
    spec.cpu_model = "Haswell";
    CHECK(render());
    CHECK_TEXT(text("cpu/model"), "Haswell");
    CHECK_TEXT(attribute("cpu", "check"), "none");
}

static void features_are_written_as_asked(void)
{
    reset();
    auto_json *parsed =
        json_loads("{\"apic\":{\"endOfInterrupt\":true},\"pvspinlock\":{\"enabled\":false},"
                   "\"hyperv\":{\"spinlocks\":{\"spinlocks\":8191},\"vendorid\":{\"vendorid\":\"acme\"},"
                   "\"synictimer\":{\"direct\":{}},\"vpindex\":{\"enabled\":false},\"tlbflush\":{\"direct\":{}}}}",
                   0, NULL);
    spec.features = parsed;
    spec.smm = true;
    spec.cpu_model = "Cascadelake-Server";
    CHECK(render());
    CHECK_TEXT(attribute("features/apic", "eoi"), "on");
    CHECK_TEXT(attribute("features/pvspinlock", "state"), "off");
    CHECK_TEXT(attribute("features/hyperv/spinlocks", "retries"), "8191");
    CHECK_TEXT(attribute("features/hyperv/vendor_id", "value"), "acme");
    CHECK_TEXT(attribute("features/hyperv/stimer/direct", "state"), "on");
    CHECK_TEXT(attribute("features/hyperv/vpindex", "state"), "off");
    CHECK(element("features/hyperv/tlbflush") && !element("features/hyperv/tlbflush/direct"));
    CHECK_TEXT(attribute("features/smm", "state"), "on");
    CHECK_TEXT(attribute("cpu", "mode"), "custom");
    CHECK_TEXT(xml_attribute_of(nth("cpu/feature", 1), "name"), "mpx");
}

static void disks_follow_the_rules_of_kubevirt(void)
{
    reset();
    disks[1] = (struct vm_disk){.name = "seed", .bus = "sata", .device = VM_CDROM, .volume = 1, .boot_order = 2};
    disks[2] = (struct vm_disk){.name = "data",
                                .bus = "scsi",
                                .serial = "D1",
                                .volume = 2,
                                .cache = "writeback",
                                .logical_block_bytes = 4096,
                                .physical_block_bytes = 4096};
    volumes[1].kind = VM_VOLUME_CLOUD_INIT_NO_CLOUD;
    volumes[2].kind = VM_VOLUME_PVC;
    sources[1] = (struct disk_source){.path = SEED_FILE, .readonly = true};
    sources[2] = (struct disk_source){.path = DEVICE, .block = true, .direct_io = true};
    spec.disk_count = spec.volume_count = 3;
    CHECK(render());
    const struct xml_node *root = nth("devices/disk", 0), *seed = nth("devices/disk", 1),
                          *data = nth("devices/disk", 2);
    CHECK_TEXT(xml_attribute_of(root, "model"), "virtio-non-transitional");
    CHECK_TEXT(xml_attribute_of(xml_child(root, "target"), "dev"), "vda");
    CHECK_TEXT(xml_attribute_of(xml_child(root, "driver"), "cache"), "none");
    CHECK_TEXT(xml_attribute_of(xml_child(root, "driver"), "error_policy"), "stop");
    CHECK_TEXT(xml_attribute_of(xml_child(root, "driver"), "discard"), "unmap");
    CHECK(!xml_attribute_of(xml_child(root, "driver"), "io"));
    CHECK_TEXT(xml_attribute_of(xml_child(root, "backingStore/source"), "file"), "/s/root.base");
    CHECK(xml_child(root, "backingStore/backingStore"));
    CHECK_TEXT(xml_attribute_of(xml_child(root, "alias"), "name"), "ua-root");
    CHECK_TEXT(xml_attribute_of(seed, "device"), "cdrom");
    CHECK_TEXT(xml_attribute_of(xml_child(seed, "target"), "dev"), "sda");
    CHECK_TEXT(xml_attribute_of(xml_child(seed, "driver"), "cache"), "writethrough");
    CHECK(!xml_attribute_of(xml_child(seed, "driver"), "discard"));
    CHECK(xml_child(seed, "readonly"));
    CHECK_TEXT(xml_attribute_of(xml_child(seed, "boot"), "order"), "2");
    CHECK_TEXT(xml_attribute_of(data, "type"), "block");
    CHECK_TEXT(xml_attribute_of(xml_child(data, "source"), "dev"), "/dev/sdx");
    CHECK_TEXT(xml_attribute_of(xml_child(data, "target"), "dev"), "sdb");
    CHECK_TEXT(xml_attribute_of(xml_child(data, "driver"), "cache"), "writeback");
    CHECK_TEXT(xml_attribute_of(xml_child(data, "blockio"), "logical_block_size"), "4096");
    CHECK_TEXT(xml_text_of(xml_child(data, "serial")), "D1");
    CHECK_TEXT(xml_attribute_of(xml_child(data, "address"), "unit"), "0");
    CHECK_TEXT(xml_attribute_of(nth("devices/controller", 1), "type"), "scsi");
    disks[2].shareable = true;
    disks[2].cache = NULL;
    CHECK(render());
    CHECK_TEXT(xml_attribute_of(xml_child(nth("devices/disk", 2), "driver"), "io"), "native");
    CHECK(xml_child(nth("devices/disk", 2), "shareable"));
}

static void an_empty_tray_has_no_source(void)
{
    reset();
    disks[0] = (struct vm_disk){.name = "tray", .bus = "sata", .device = VM_CDROM, .volume = -1};
    sources[0] = (struct disk_source){0};
    CHECK(render());
    CHECK(element("devices/disk/target") && !element("devices/disk/source"));
    CHECK(element("devices/disk/readonly"));
    CHECK(!attribute("devices/disk/target", "tray"));
    disks[0].tray_open = true;
    CHECK(render());
    CHECK_TEXT(attribute("devices/disk/target", "tray"), "open");
}

static void iothreads_are_shared_round_robin_after_which_come_the_dedicated(void)
{
    reset();
    for (int i = 0; i < 3; i++) {
        disks[i] = (struct vm_disk){.name = i == 0 ? "a" : i == 1 ? "b" : "c", .bus = "virtio", .volume = 0};
        sources[i] = (struct disk_source){.path = ANY_FILE};
    }
    disks[0].dedicated_iothread = true;
    spec.disk_count = 3;
    placement.iothread_count = 2;
    placement.iothread[0] = placement.iothread[1] = cpuset_of(6);
    CHECK(render());
    CHECK_TEXT(text("iothreads"), "2");
    CHECK_INT(count("cputune/iothreadpin"), 2);
    static const char *const WANTED[] = {"2", "1", "1"};
    for (unsigned i = 0; i < 3; i++)
        CHECK_TEXT(xml_attribute_of(xml_child(nth("devices/disk", i), "driver"), "iothread"), WANTED[i]);
    spec.iothreads_policy = VM_IOTHREADS_SUPPLEMENTAL;
    CHECK(render());
    static const char *const POOL[] = {"1", "2", "1"};
    for (unsigned i = 0; i < 3; i++)
        CHECK_TEXT(xml_attribute_of(xml_child(nth("devices/disk", i), "driver"), "iothread"), POOL[i]);
    CHECK(warned("supplementalPool"));
}

static void one_disk_more_is_rendered_alone(void)
{
    reset();
    struct vm_disk only = {.name = "data", .bus = "scsi", .serial = "s1", .volume = -1, .dedicated_iothread = true};
    struct disk_source file = {.path = ANY_FILE, .direct_io = true};
    spec.disk = &only;
    spec.disk_count = 1;
    auto_text element = {0};
    struct error why;
    CHECK_INT(domain_render_disk(&spec, &file, "sdc", &element, &why), 0);
    CHECK(text_starts_with(text_cstr(&element), "<disk type=\"file\" device=\"disk\">"));
    CHECK(strstr(text_cstr(&element), "<target dev=\"sdc\" bus=\"scsi\"/>") != NULL);
    CHECK(strstr(text_cstr(&element), "<serial>s1</serial>") != NULL);
    CHECK(strstr(text_cstr(&element), "<alias name=\"ua-data\"/>") != NULL);
    CHECK(!strstr(text_cstr(&element), "iothread") && !strstr(text_cstr(&element), "<address"));

    char target[DOMAIN_TARGET_MAX];
    char bus[DOMAIN_TARGET_MAX];
    auto_free char *domain =
        must_format("<domain><devices><disk><alias name='ua-dat'/></disk>%s</devices></domain>", text_cstr(&element));
    CHECK(domain_disk_in_xml(domain, "data", target, bus));
    CHECK_TEXT(target, "sdc");
    CHECK_TEXT(bus, "scsi");
    CHECK(!domain_disk_in_xml(domain, "dat", target, bus)); /* it has no target */
    CHECK(!domain_disk_in_xml(domain, "none", target, bus));
    CHECK(!domain_disk_in_xml("<domain", "data", target, bus));
}

static void a_controller_waits_for_disks_unless_hotplug_is_off(void)
{
    for (int off = 0; off <= 1; off++) {
        reset();
        spec.disable_hotplug = off;
        CHECK(render());
        bool scsi = false;
        for (unsigned i = 0; nth("devices/controller", i); i++)
            scsi = scsi || text_equal(xml_attribute_of(nth("devices/controller", i), "type"), "scsi");
        CHECK_INT(scsi, !off);
    }
}

static void device_names_go_on_after_z(void)
{
    static const struct {
        unsigned index;
        const char *name;
    } CASES[] = {{0, "vda"}, {25, "vdz"}, {26, "vdaa"}, {255, "vdiv"}};
    reset();
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct vm_disk many[LIMIT_VM_DISKS];
        struct disk_source files[LIMIT_VM_DISKS];
        for (unsigned d = 0; d <= CASES[i].index; d++) {
            many[d] = (struct vm_disk){.name = "d", .bus = "virtio", .volume = -1};
            files[d] = (struct disk_source){.path = ANY_FILE};
        }
        spec.disk = many;
        spec.disk_count = CASES[i].index + 1;
        request.disk = files;
        CHECK(render());
        const struct xml_node *last = nth("devices/disk", CASES[i].index);
        CHECK_TEXT(xml_attribute_of(xml_child(last, "target"), "dev"), CASES[i].name);
    }
}

static void aliases_are_unique(void)
{
    reset();
    interfaces[0].name = "root"; /* as the disk */
    CHECK(render());
    CHECK_TEXT(attribute("devices/disk/alias", "name"), "ua-root");
    CHECK_TEXT(attribute("devices/interface/alias", "name"), "ua-root_");
}

static void the_pod_network_is_user_mode(void)
{
    reset();
    spec.interface_multi_queue = true;
    CHECK(render());
    CHECK_TEXT(attribute("devices/interface", "type"), "user");
    CHECK_TEXT(attribute("devices/interface/model", "type"), "virtio-non-transitional");
    CHECK_TEXT(attribute("devices/interface/rom", "enabled"), "no");
    CHECK(!element("devices/interface/driver"));
    CHECK(warned("user-mode networking"));
    auto_free char *mac = must_strdup(attribute("devices/interface/mac", "address"));
    CHECK_INT(strlen(mac), 17);
    CHECK(render());
    CHECK_TEXT(attribute("devices/interface/mac", "address"), mac);
    spec.uid = "u-2"; /* another run of the same VM, or the same manifest on another host */
    CHECK(render());
    CHECK(strcmp(attribute("devices/interface/mac", "address"), mac) != 0);
    auto_json *owned = json_loads("{\"metadata\":{\"ownerReferences\":[{\"uid\":\"u-1\"}]}}", 0, NULL);
    spec.document = owned;
    CHECK(render());
    CHECK_TEXT(attribute("devices/interface/mac", "address"), mac);
    spec.document = NULL;
    interfaces[0].state = "absent";
    CHECK(render());
    CHECK(!element("devices/interface"));
}

static void multus_names_say_what_to_join(void)
{
    static const struct {
        const char *name;
        const char *type;
        const char *attribute;
        const char *value;
    } CASES[] = {
        {"bridge:br0", "bridge", "bridge", "br0"},
        {"network:default", "network", "network", "default"},
        {"plant/field", "network", "network", "field"},
        {"field", "network", "network", "field"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        reset();
        spec.interface_multi_queue = true;
        interfaces[0] = (struct vm_interface){.name = "net",
                                              .binding = VM_BINDING_BRIDGE,
                                              .model = "e1000e",
                                              .mac = "02:00:00:00:00:09",
                                              .state = "down",
                                              .boot_order = 1,
                                              .network = VM_NETWORK_MULTUS,
                                              .multus_name = CASES[i].name};
        CHECK(render());
        CHECK_TEXT(attribute("devices/interface", "type"), CASES[i].type);
        CHECK_TEXT(attribute("devices/interface/source", CASES[i].attribute), CASES[i].value);
        CHECK_TEXT(attribute("devices/interface/model", "type"), "e1000e");
        CHECK_TEXT(attribute("devices/interface/mac", "address"), "02:00:00:00:00:09");
        CHECK_TEXT(attribute("devices/interface/link", "state"), "down");
        CHECK_TEXT(attribute("devices/interface/boot", "order"), "1");
        CHECK(!element("devices/interface/rom") && !element("devices/interface/driver"));
        interfaces[0].model = "virtio";
        CHECK(render());
        CHECK_TEXT(attribute("devices/interface/driver", "queues"), "2");
    }
    interfaces[0].multus_name = "bridge:";
    CHECK(!render() && strstr(err.text, "bridge:NAME"));
}

static void a_virtual_function_is_given_by_address(void)
{
    reset();
    interfaces[0] = (struct vm_interface){
        .name = "fast", .binding = VM_BINDING_SRIOV, .network = VM_NETWORK_MULTUS, .multus_name = "pci:0000:81:1f.2"};
    CHECK(render());
    CHECK_TEXT(attribute("devices/interface", "type"), "hostdev");
    CHECK_TEXT(attribute("devices/interface/source/address", "bus"), "0x81");
    CHECK_TEXT(attribute("devices/interface/source/address", "slot"), "0x1f");
    CHECK_TEXT(attribute("devices/interface/source/address", "function"), "0x2");
    CHECK(!element("devices/interface/model"));
    static const char *const BAD[] = {"pci:81:00.0", "pci:0000:81:20.0", "pci:0000:81:00.8", "pci:0000:81:00.0x",
                                      "pci:",        "pci:g000:81:00.0"};
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        interfaces[0].multus_name = BAD[i];
        CHECK(!render());
        CHECK_INT(err.kind, ERROR_INVALID);
    }
    interfaces[0].multus_name = "pci:0000:81:00.0";
    interfaces[0].binding = VM_BINDING_BRIDGE;
    CHECK(!render() && strstr(err.text, "sriov"));
    interfaces[0] = (struct vm_interface){.name = "fast", .binding = VM_BINDING_SRIOV};
    CHECK(!render() && strstr(err.text, "pci:ADDRESS"));
}

static void passt_forwards_the_listed_ports(void)
{
    reset();
    auto_json *ports = json_loads("[{\"port\":8080},{\"port\":53,\"protocol\":\"UDP\"}]", 0, NULL);
    interfaces[0].binding = VM_BINDING_PASST;
    interfaces[0].ports = ports;
    CHECK(render());
    CHECK_TEXT(attribute("devices/interface/backend", "type"), "passt");
    CHECK_TEXT(attribute("devices/interface/portForward/range", "start"), "8080");
    CHECK_TEXT(xml_attribute_of(nth("devices/interface/portForward", 1), "proto"), "udp");
    CHECK(!warned("user-mode"));
}

static void other_devices_appear_when_asked_for(void)
{
    reset();
    auto_json *inputs = json_loads("[{\"name\":\"t\",\"type\":\"tablet\",\"bus\":\"usb\"},"
                                   "{\"name\":\"k\",\"type\":\"keyboard\",\"bus\":\"virtio\"}]",
                                   0, NULL);
    auto_json *watchdog = json_loads("{\"name\":\"dog\",\"i6300esb\":{\"action\":\"poweroff\"}}", 0, NULL);
    auto_json *sound = json_loads("{\"name\":\"horn\",\"model\":\"ac97\"}", 0, NULL);
    spec.inputs = inputs;
    spec.watchdog = watchdog;
    spec.sound = sound;
    spec.rng = spec.tpm = true;
    spec.vsock = VM_ON;
    spec.virtio_transitional = true;
    CHECK(render());
    CHECK_TEXT(attribute("devices/controller", "model"), "qemu-xhci");
    CHECK_TEXT(attribute("devices/input", "bus"), "usb");
    CHECK_TEXT(xml_attribute_of(nth("devices/input", 1), "model"), "virtio");
    CHECK_TEXT(attribute("devices/watchdog", "action"), "poweroff");
    CHECK_TEXT(attribute("devices/sound", "model"), "ac97");
    CHECK_TEXT(text("devices/rng/backend"), "/dev/urandom");
    CHECK_TEXT(attribute("devices/tpm/backend", "version"), "2.0");
    CHECK(!attribute("devices/tpm/backend", "persistent_state"));
    spec.tpm_persistent = true;
    CHECK(render());
    CHECK_TEXT(attribute("devices/tpm/backend", "persistent_state"), "yes");
    CHECK_TEXT(attribute("devices/vsock/cid", "auto"), "yes");
}

static void firmware_is_found_by_libvirt(void)
{
    reset();
    spec.efi = spec.secure_boot = spec.start_paused = spec.bios_serial = true;
    spec.firmware_serial = "S<1>&\"2\"";
    CHECK(render());
    CHECK_TEXT(attribute("os", "firmware"), "efi");
    CHECK_TEXT(attribute("os/firmware/feature", "name"), "secure-boot");
    CHECK_TEXT(attribute("os/firmware/feature", "enabled"), "yes");
    CHECK_TEXT(text("os/nvram"), "/run/rtvmd/plant_pump/efi-variables.fd");
    spec.efi_persistent = true;
    CHECK(render());
    CHECK(!element("os/nvram"));
    CHECK_TEXT(attribute("os/bootmenu", "timeout"), "10000");
    CHECK_TEXT(attribute("os/bios", "useserial"), "yes");
    CHECK_TEXT(xml_text_of(nth("sysinfo/system/entry", 0)), spec.firmware_uuid);
    CHECK_TEXT(xml_text_of(nth("sysinfo/system/entry", 1)), "S<1>&\"2\"");
}

static void a_kernel_is_booted_from_the_files_of_its_image(void)
{
    reset();
    auto_json *boot = json_loads("{\"kernelArgs\":\"quiet a=\\\"b\\\"\",\"container\":{\"image\":\"k\","
                                 "\"kernelPath\":\"/boot/vmlinuz\",\"initrdPath\":\"/boot/initrd\"}}",
                                 0, NULL);
    spec.kernel_boot = boot;
    CHECK(!render() && strstr(err.text, "kernelPath"));
    request.kernel_path = "/s/vmlinuz";
    CHECK(!render() && strstr(err.text, "initrdPath"));
    request.initrd_path = "/s/initrd";
    CHECK(render());
    CHECK_TEXT(text("os/kernel"), "/s/vmlinuz");
    CHECK_TEXT(text("os/initrd"), "/s/initrd");
    CHECK_TEXT(text("os/cmdline"), "quiet a=\"b\"");
}

static void a_guest_with_a_constant_tsc_is_told_its_rate(void)
{
    reset();
    features[0] = (struct vm_cpu_feature){"invtsc", "require"};
    spec.realtime = false;
    CHECK(render());
    CHECK(!element("clock")); /* the rate is not known */
    host.tsc_hz = 2596135000;
    CHECK(render());
    CHECK_TEXT(attribute("clock/timer", "name"), "tsc");
    CHECK_TEXT(attribute("clock/timer", "frequency"), "2596135000");
    features[0].policy = NULL; /* as KubeVirt: the empty policy does not count */
    CHECK(render());
    CHECK(!element("clock"));
    features[0].policy = "force";
    request.emulation = true;
    CHECK(render());
    CHECK(!element("clock"));
}

static void what_xml_cannot_carry_is_refused_by_name(void)
{
    reset();
    spec.firmware_serial = "a\x01"
                           "b";
    CHECK(!render());
    CHECK_INT(err.kind, ERROR_INVALID);
    CHECK(strstr(err.text, "entry") && strstr(err.text, "0x01"));
}

static void a_socket_path_too_long_for_a_socket_is_refused(void)
{
    reset();
    char dir[128];
    memset(dir, 'x', sizeof dir);
    dir[0] = '/';
    dir[107 - strlen("/virt-serial0")] = '\0'; /* 107 in all: the longest there is */
    request.run_dir = dir;
    CHECK(render());
    dir[107 - strlen("/virt-serial0")] = 'x';
    dir[108 - strlen("/virt-serial0")] = '\0';
    CHECK(!render() && strstr(err.text, "107"));
}

static void metadata_survives_the_round_trip(void)
{
    reset();
    spec.name = "p\"<&>";
    CHECK(render());
    const char *start = strstr(xml.data, "<rtvmd:vm");
    const char *end = start ? strstr(start, "/>") : NULL;
    CHECK(end);
    auto_free char *vm = must_strndup(start, (size_t)(end + 2 - start));
    struct domain_identity identity;
    CHECK_INT(domain_identity_from_xml(vm, &identity, &err), 0);
    CHECK_TEXT(identity.namespace_, "plant");
    CHECK_TEXT(identity.name, "p\"<&>");
    CHECK_TEXT(identity.uid, "u-1");
    CHECK_INT(identity.generation, 7);
}

static void foreign_metadata_is_not_ours(void)
{
    static const char *const FOREIGN[] = {
        "",
        "<vm namespace='a' name='b' uid=''/>",
        "<vm xmlns='http://kubevirt.io' namespace='a' name='b' uid='' generation='1'/>",
        "<pod xmlns='" DOMAIN_METADATA_URI "' namespace='a' name='b' uid='' generation='1'/>",
        "<vm xmlns='" DOMAIN_METADATA_URI "' namespace='a' name='b' uid='' generation='-1'/>",
        "<vm xmlns='" DOMAIN_METADATA_URI "' namespace='a' name='b' uid='' generation='9223372036854775808'/>",
        "<vm xmlns='" DOMAIN_METADATA_URI "' namespace='a' uid='' generation='1'/>",
        "<vm xmlns='" DOMAIN_METADATA_URI "' namespace='a' name='' uid='' generation='1'/>",
        "<vm xmlns='" DOMAIN_METADATA_URI
        "' namespace='a' name='b' uid='0123456789012345678901234567890123456789012345678901234567890123' generation='1'/>",
    };
    struct domain_identity identity;
    for (size_t i = 0; i < ARRAY_SIZE(FOREIGN); i++) {
        CHECK_INT(domain_identity_from_xml(FOREIGN[i], &identity, &err), -1);
        CHECK_INT(err.kind, ERROR_INVALID);
    }
}

static void metadata_comes_back_without_its_namespace(void)
{
    struct domain_identity identity;
    CHECK_INT(domain_identity_from_xml("<vm namespace='a' name='b' uid='u' generation='3'/>", &identity, &err), 0);
    CHECK_TEXT(identity.name, "b");
}

static void domain_xml_tells_name_and_agent(void)
{
    static const char LIVE[] =
        "<domain type='kvm' id='3'><name>a_b</name><devices>"
        "<channel type='unix'><target type='virtio' name='org.libguestfs.channel.0' state='connected'/></channel>"
        "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0' state='%s'/></channel>"
        "</devices></domain>";
    struct domain_summary summary;
    auto_free char *connected = must_format(LIVE, "connected");
    CHECK_INT(domain_summary_from_xml(connected, &summary, &err), 0);
    CHECK_TEXT(summary.name, "a_b");
    CHECK(summary.has_agent);
    auto_free char *disconnected = must_format(LIVE, "disconnected");
    CHECK_INT(domain_summary_from_xml(disconnected, &summary, &err), 0);
    CHECK(!summary.has_agent);
    CHECK_INT(domain_summary_from_xml("<domain><devices/></domain>", &summary, &err), -1);
    CHECK_INT(err.kind, ERROR_INVALID);
    CHECK_INT(domain_summary_from_xml("<domain><name>a", &summary, &err), -1);
}

/* A parent named by two groups of rows would be written twice. */
static void rows_are_in_document_order(void)
{
    for (size_t i = 1; i < ARRAY_SIZE(ROWS); i++) {
        const char *inside = ROWS[i].inside;
        if (strcmp(inside, ROWS[i - 1].inside) == 0)
            continue;
        for (size_t j = 0; j + 1 < i; j++) {
            size_t n = strlen(ROWS[j].inside);
            bool again = strcmp(ROWS[j].inside, inside) == 0 && strcmp(inside, "domain") != 0;
            /* going back up into a parent is fine while it is still open */
            for (size_t k = j; again && k < i; k++)
                again = strncmp(ROWS[k].inside, inside, n) != 0;
            CHECK(!again);
        }
    }
}

/* Fields that are nothing to libvirt: decided on elsewhere. */
static const char NOT_FOR_LIBVIRT[] =
    " document request_cpu_milli overhead_bytes supplemental_iothreads emulator_even_parity "
    "termination_grace_s hostname smt_policy emulator_policy numa_policy wanted_cpus other_page_sizes shared_vcpus "
    "host_tuning latency_gate_ns latency_gate_ms latency_gate_warns ";

static bool is_rendered(const char *field)
{
    char word[80];
    snprintf(word, sizeof word, " %s ", field);
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        char fields[200];
        snprintf(fields, sizeof fields, " %s ", ROWS[i].fields);
        if (strstr(fields, word))
            return true;
    }
    return strstr(NOT_FOR_LIBVIRT, word) != NULL;
}

static void no_field_of_the_spec_is_forgotten(void)
{
    auto_text header = {0};
    if (file_read(NULL, "runtime/spec/vm_spec.h", 1 << 20, &header, &err) < 0) {
        printf("# run from the top folder: %s\n", err.text);
        CHECK(false);
        return;
    }
    char *line = strstr(header.data, "\nstruct vm_spec {");
    CHECK(line);
    unsigned fields = 0;
    for (char *next; line && (next = strchr(line + 1, '\n')) && strncmp(next, "\n};", 3) != 0; line = next) {
        *next = '\0';
        char *semicolon = strchr(line + 1, ';');
        if (semicolon && strncmp(line + 1, "    /*", 6) != 0) {
            *semicolon = '\0';
            line[1 + strcspn(line + 1, "[")] = '\0';
            semicolon = line + strlen(line + 1) + 1;
            char *name = semicolon;
            while (name > line && strchr(" *", name[-1]) == NULL)
                name--;
            fields++;
            if (!is_rendered(name))
                printf("# struct vm_spec field %s is in no row\n", name);
            CHECK(is_rendered(name));
        }
        *next = '\n';
    }
    CHECK(fields > 50);
}

int main(void)
{
    RUN(a_realtime_vm_is_tuned_from_the_first_instruction);
    RUN(the_scheduler_gets_only_vcpus_that_exist_and_are_enabled);
    RUN(a_shared_vcpu_of_a_dedicated_vm_floats_on_housekeeping_cpus);
    RUN(a_cell_without_vcpus_has_only_memory);
    RUN(an_ordinary_vm_is_as_kubevirt_makes_it);
    RUN(what_a_realtime_vm_asks_for_it_gets);
    RUN(guest_cells_mirror_host_nodes);
    RUN(the_emulator_starts_where_pages_are);
    RUN(huge_pages_without_a_mapping_get_one_cell);
    RUN(emulation_replaces_what_only_kvm_has_and_says_so);
    RUN(features_are_written_as_asked);
    RUN(disks_follow_the_rules_of_kubevirt);
    RUN(an_empty_tray_has_no_source);
    RUN(iothreads_are_shared_round_robin_after_which_come_the_dedicated);
    RUN(one_disk_more_is_rendered_alone);
    RUN(a_controller_waits_for_disks_unless_hotplug_is_off);
    RUN(device_names_go_on_after_z);
    RUN(aliases_are_unique);
    RUN(the_pod_network_is_user_mode);
    RUN(multus_names_say_what_to_join);
    RUN(a_virtual_function_is_given_by_address);
    RUN(passt_forwards_the_listed_ports);
    RUN(other_devices_appear_when_asked_for);
    RUN(firmware_is_found_by_libvirt);
    RUN(a_kernel_is_booted_from_the_files_of_its_image);
    RUN(a_guest_with_a_constant_tsc_is_told_its_rate);
    RUN(what_xml_cannot_carry_is_refused_by_name);
    RUN(a_socket_path_too_long_for_a_socket_is_refused);
    RUN(metadata_survives_the_round_trip);
    RUN(foreign_metadata_is_not_ours);
    RUN(metadata_comes_back_without_its_namespace);
    RUN(domain_xml_tells_name_and_agent);
    RUN(rows_are_in_document_order);
    RUN(no_field_of_the_spec_is_forgotten);
    forget();
    return test_end();
}
