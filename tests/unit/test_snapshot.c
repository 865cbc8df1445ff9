#include "hostprobe/snapshot.c"

#include "tests/test.h"

static struct host host;
static struct host again;

static void fill(void)
{
    memset(&host, 0, sizeof host);
    for (unsigned cpu = 0; cpu < CPUSET_MAX; cpu++)
        host.cpu[cpu] = (struct host_cpu){
            .node = -1, .package = -1, .die = -1, .core = -1, .l3 = -1, .thread_priority = {-1, -1, -1, -1}};
    host.cpu[0] = (struct host_cpu){
        true, true, true, true, 2, 3, 4, 5, 0, HOST_CORE_EFFICIENCY, cpuset_range(0, 0), {4, -1, 0, 50}, "irq/1-x"};
    host.cpu[1023] = host.cpu[1];
    host.cpu[1023].present = true;
    host.cpu_limit = 1024;
    host.online = cpuset_of(0);
    host.isolated = cpuset_range(0, 5);
    host.nohz_full = cpuset_of(7);
    host.withheld = cpuset_of(8);
    host.usable_cpus = cpuset_of(9);
    host.usable_nodes = cpuset_of(10);
    host.node_count = 2;
    host.node[0] =
        (struct host_node){.id = 2, .cpus = cpuset_of(0), .memory_bytes = UINT64_C(1) << 40, .distance = {10, 0}};
    host.node[1] = (struct host_node){
        .id = 9, .pool_count = 2, .pool = {{2 << 20, 5, 4, 1}, {1 << 30, 3, 2, 0}}, .distance = {17, 10}};
    host.memory_bytes = 12345;
    host.mounts_known = true;
    host.threads_known = true;
    host.hugetlbfs_count = 1;
    host.hugetlbfs_size_bytes[0] = 2 << 20;
    strcpy(host.architecture, "x86_64");
    strcpy(host.kernel_release, "6.1");
    host.rt_kernel = HOST_NO;
    host.has_rt_runtime = true;
    host.rt_runtime_us = -1;
    host.fair_server = HOST_YES;
    strcpy(host.clocksource, "hpet");
    host.tsc_hz = UINT64_C(2596135000);
    host.kvm_works = HOST_YES;
    strcpy(host.kvm_because, "k");
    host.fifo_works = HOST_NO;
    strcpy(host.fifo_because, "f");
    host.locking_works = HOST_YES;
    strcpy(host.locking_because, "l");
    host.virtualized = HOST_YES;
    strcpy(host.libvirt_version, "9.0.0");
    strcpy(host.qemu_version, "7.2");
}

static void every_field_survives(void)
{
    struct error err = {0};
    fill();
    auto_json *snapshot = host_to_json(&host);
    CHECK(snapshot != NULL);
    memset(&again, 0xa5, sizeof again);
    CHECK_INT(host_from_json(snapshot, &again, &err), 0);
    CHECK_TEXT(err.text, "");
    auto_json *second = host_to_json(&again);
    CHECK(json_equal(snapshot, second));
    CHECK(cpuset_equal(&host.cpu[0].siblings, &again.cpu[0].siblings) && again.cpu[0].l3 == 0 && again.cpu[0].die == 4);
    CHECK(again.node[1].pool[1].surplus == 0 && again.node[1].pool[0].surplus == 1 && again.node[0].distance[1] == 0);
    CHECK(again.has_rt_runtime && again.rt_runtime_us == -1 && again.mounts_known);
    host.mounts_known = false;
    host.hugetlbfs_count = 0;
    auto_json *unknown = host_to_json(&host);
    CHECK_INT(host_from_json(unknown, &again, &err), 0);
    CHECK(!again.mounts_known);
}

static void bad_snapshots_are_refused_by_field(void)
{
    static const struct {
        const char *path;
        const char *value;
        const char *words;
    } CASES[] = {
        {"memoryBytes", "\"much\"", "memoryBytes: want a whole number"},
        {"memoryBytes", "-1", "memoryBytes: want"},
        {"isolatedCpus", "\"1024\"", "isolatedCpus: want a CPU list"},
        {"virtualized", "\"perhaps\"", "virtualized: want unknown, no or yes"},
        {"kernel.release", "7", "kernel.release: want a string"},
        {"kvm.works", "\"maybe\"", "kvm.works: want"},
        {"cpus", "{}", "cpus: want a list of at most 1024"},
        {"cpus", "[{\"id\":0,\"online\":true},{\"id\":0}]", "cpus[1].id: want every CPU once"},
        {"cpus", "[{\"id\":1024}]", "cpus[0].id: want a whole number from 0 to 1023"},
        {"cpus", "[{\"id\":0,\"online\":1}]", "cpus[0].online: want true or false"},
        {"cpus", "[{\"id\":0,\"online\":true,\"kind\":\"huge\"}]", "cpus[0].kind: want unknown, performance"},
        {"cpus", "[{\"id\":0,\"online\":true,\"siblings\":[9999]}]", "cpus[0].siblings: want numbers"},
        {"cpus", "[{\"id\":0,\"online\":false}]", "at least one CPU that is online"},
        {"nodes", "[{\"id\":0,\"hugepages\":[{},{},{},{},{},{},{},{},{}]}]",
         "nodes[0].hugepages: want a list of at most 8"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct error err = {0};
        fill();
        auto_json *snapshot = host_to_json(&host);
        json_put_at(snapshot, CASES[i].path, json_from_text(CASES[i].value, strlen(CASES[i].value), &err));
        CHECK_INT(host_from_json(snapshot, &again, &err), -1);
        CHECK_INT(err.kind, ERROR_INVALID);
        if (!strstr(err.text, CASES[i].words))
            CHECK_TEXT(err.text, CASES[i].words);
    }
}

static void limits_are_met_one_past_them(void)
{
    struct error err = {0};
    fill();
    auto_json *snapshot = host_to_json(&host);
    json_t *nodes = json_array();
    for (unsigned i = 0; i <= LIMIT_HOST_NODES; i++)
        json_array_append_new(nodes, json_pack("{s:i}", "id", (int)i));
    json_object_set_new(snapshot, "nodes", nodes);
    CHECK_INT(host_from_json(snapshot, &again, &err), -1);
    json_array_remove(nodes, LIMIT_HOST_NODES);
    CHECK_INT(host_from_json(snapshot, &again, &err), 0);
    CHECK_INT(again.node_count, LIMIT_HOST_NODES);
}

int main(void)
{
    RUN(every_field_survives);
    RUN(bad_snapshots_are_refused_by_field);
    RUN(limits_are_met_one_past_them);
    return test_end();
}
