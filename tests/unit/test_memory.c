#include "hostprobe/memory.c"

#include "tests/test.h"
#include "tests/unit/tree.h"

static struct tree tree;
static struct host host;

static void put_node(int id, const char *cpulist, const char *kib, const char *distances)
{
    const struct {
        const char *name;
        char *text;
    } FILES[] = {{"cpulist", must_strdup(cpulist)},
                 {"meminfo", must_format("Node %d MemTotal: %s kB\nNode %d MemFree: 1 kB\n", id, kib, id)},
                 {"distance", must_strdup(distances)}};
    for (size_t i = 0; i < ARRAY_SIZE(FILES); i++) {
        auto_free char *path = must_format("/sys/devices/system/node/node%d/%s", id, FILES[i].name);
        tree_put(&tree, path, FILES[i].text);
        free(FILES[i].text);
    }
}

static void begin(void)
{
    tree_make(&tree);
    for (unsigned cpu = 0; cpu < 8; cpu++) {
        auto_free char *path = must_format("/sys/devices/system/cpu/cpu%u/topology/core_id", cpu);
        auto_free char *core = must_format("%u", cpu);
        tree_put(&tree, path, core);
    }
}

static void probe(void)
{
    struct error err = {0};
    CHECK_INT(host_probe(tree.root, &host, &err), 0);
    tree_remove(&tree);
}

static const char *text_of(const struct cpuset *set)
{
    static struct cpuset_text text;
    return cpuset_format(set, &text);
}

static uint64_t memory_of_only_node(const char *own, const char *machine, const char *possible)
{
    begin();
    put_node(0, "0-7", own, "10");
    auto_free char *meminfo = must_format("MemTotal: %s kB\n", machine);
    tree_put(&tree, "/proc/meminfo", meminfo);
    if (possible)
        tree_put(&tree, "/sys/devices/system/node/possible", possible);
    probe();
    return host.memory_bytes / 1024;
}

static void memory_plugged_in_later_counts_for_an_only_node(void)
{
    CHECK_INT(memory_of_only_node("18000000", "24000000", "0"), 24000000);
    CHECK_INT(memory_of_only_node("32489480", "32489496", "0"), 32489480); /* bookkeeping */
    CHECK_INT(memory_of_only_node("16000", "15000", "0"), 16000);
    CHECK_INT(memory_of_only_node("64000000", "128000000", "0-1"), 64000000); /* the rest is on a node that is off */
    CHECK_INT(memory_of_only_node("64000000", "128000000", NULL), 64000000);
}

static void nodes_are_ordered_and_may_be_sparse(void)
{
    begin();
    put_node(8, "4-7", "2048", "40 10");
    put_node(0, "0-3", "1024", "10 40");
    probe();
    CHECK_INT(host.node_count, 2);
    CHECK_INT(host.node[1].id, 8);
    CHECK_INT(host.cpu[5].node, 8);
    CHECK_INT(host.node[0].distance[1], 40);
    CHECK_INT(host.node[1].distance[1], 10);
    CHECK_INT(host.memory_bytes, 3072 * 1024);
    CHECK_INT(host_node_index(&host, 8), 1);
    CHECK_INT(host_node_index(&host, 3), -1);
}

static void nodes_without_cpus_or_memory_stay(void)
{
    begin();
    put_node(0, "0-3", "1024", "10 20 30 30");
    put_node(1, "4-7", "0", "20 10 30 30");
    put_node(2, "", "4096", "30 30 10 30");
    put_node(3, "", "0", "30 30 30 10");
    probe();
    CHECK_INT(host.node_count, 4); /* the last has neither: a device's */
    CHECK_INT(host.cpu[4].node, 1);
    CHECK_INT(host.node[1].memory_bytes, 0);
    CHECK(cpuset_is_empty(&host.node[2].cpus));
    CHECK_INT(host.node[2].distance[0], 30);
}

static void cpus_belong_to_the_memory_that_names_them(void)
{
    begin();
    put_node(0, "0-3", "0", "10 20 11 21 17");
    put_node(1, "4-7", "0", "20 10 21 11 17");
    put_node(2, "", "1024", "11 21 10 21 17");
    put_node(3, "", "1024", "21 11 21 10 17");
    put_node(4, "", "9999", "17 17 17 17 10");
    tree_put(&tree, "/sys/devices/system/node/node2/access1/initiators/node0", "");
    tree_put(&tree, "/sys/devices/system/node/node3/access0/initiators/node1", "");
    tree_put(&tree, "/sys/devices/system/node/node4/access1/initiators/node0", "");
    tree_put(&tree, "/sys/devices/system/node/node4/access1/initiators/node1", "");
    /* As the kernel fills it in: nodes that have memory. */
    tree_put(&tree, "/proc/mounts", "cgroup /cg cgroup rw,cpuset 0 0\n");
    tree_put(&tree, "/proc/self/cpuset", "/\n");
    tree_put(&tree, "/cg/cpuset.mems", "2-4\n");
    probe();
    CHECK_INT(host.node_count, 3);
    CHECK_INT(host.node[0].id, 2);
    CHECK_TEXT(text_of(&host.node[0].cpus), "0-3");
    CHECK_INT(host.cpu[7].node, 3);
    CHECK_INT(host.node[0].distance[1], 21);
    CHECK_INT(host.node[0].distance[2], 17);
}

static void overlapping_nodes_are_ignored(void)
{
    begin();
    put_node(0, "0-7", "1024", "10 10");
    put_node(1, "0-7", "1024", "10 10");
    probe();
    CHECK_INT(host.node_count, 1);
    CHECK_TEXT(text_of(&host.node[0].cpus), "0-7");
}

/* As hwloc's fakeheterocpunuma: memory of a package, of its half and of a quarter. */
static void nested_nodes_have_the_cpus_nobody_inside_has(void)
{
    begin();
    put_node(0, "6-7", "1024", "10 20 30");
    put_node(1, "4-7", "1024", "20 10 30");
    put_node(2, "0-7", "1024", "30 30 10");
    put_node(3, "3-4", "1024", "30 30 30");
    probe();
    CHECK_INT(host.node_count, 3);
    CHECK_TEXT(text_of(&host.node[0].cpus), "6-7");
    CHECK_TEXT(text_of(&host.node[1].cpus), "4-5");
    CHECK_TEXT(text_of(&host.node[2].cpus), "0-3");
    CHECK_INT(host.cpu[3].node, 2);
    CHECK_INT(host.cpu[4].node, 1);
}

static void a_gpu_holds_no_vm(void)
{
    begin();
    put_node(0, "0-7", "1024", "10 80");
    put_node(255, "", "16384", "80 10");
    tree_put(&tree, "/proc/driver/nvidia/gpus/0004:04:00.0/numa_status", "Node:       255\nPath: x\n");
    probe();
    CHECK_INT(host.node_count, 1);
    CHECK_INT(host.memory_bytes, 1024 * 1024);
}

static void nodes_that_are_not_online_do_not_count(void)
{
    begin();
    put_node(0, "0-7", "1024", "10");
    put_node(1, "", "1024", "10");
    tree_put(&tree, "/sys/devices/system/node/online", "0\n");
    probe();
    CHECK_INT(host.node_count, 1);
}

static void withheld_nodes_do_not_count(void)
{
    begin();
    put_node(0, "0-3", "1024", "10 20");
    put_node(1, "4-7", "1024", "20 10");
    tree_put(&tree, "/proc/self/mounts", "cpuset /dev/cpuset cpuset rw 0 0\n");
    tree_put(&tree, "/proc/self/cpuset", "/job\n");
    tree_put(&tree, "/dev/cpuset/job/cpus", "0-3\n");
    tree_put(&tree, "/dev/cpuset/job/mems", "1\n");
    probe();
    CHECK_INT(host.node_count, 1);
    CHECK_INT(host.node[0].id, 1);
    CHECK(cpuset_is_empty(&host.node[0].cpus));
    CHECK_INT(host.cpu[0].node, -1);
    CHECK_INT(host.node[0].distance[0], 10);
}

static void pools_are_per_node_and_sorted(void)
{
    begin();
    put_node(0, "0-7", "1024", "10");
    put_node(1, "", "1024", "10 10");
    static const char AT[] = "/sys/devices/system/node/node1/hugepages/";
    static const struct {
        const char *name;
        const char *text;
    } FILES[] = {{"hugepages-1048576kB/nr_hugepages", "4\n"},
                 {"hugepages-1048576kB/free_hugepages", "3\n"},
                 {"hugepages-2048kB/nr_hugepages", "100\n"},
                 {"hugepages-2048kB/surplus_hugepages", "7\n"}};
    for (size_t i = 0; i < ARRAY_SIZE(FILES); i++) {
        auto_free char *path = must_format("%s%s", AT, FILES[i].name);
        tree_put(&tree, path, FILES[i].text);
    }
    probe();
    CHECK_INT(host.node[0].pool_count, 0);
    CHECK_INT(host.node[1].pool_count, 2);
    CHECK_INT(host.node[1].pool[0].size_bytes, 2 << 20);
    CHECK_INT(host.node[1].pool[0].surplus, 7);
    CHECK_INT(host.node[1].pool[0].free, 0);
    CHECK_INT(host.node[1].pool[1].total, 4);
    CHECK_INT(host.node[1].pool[1].free, 3);
}

static void hugetlbfs_mounts_by_page_size(void)
{
    begin();
    tree_put(&tree, "/proc/meminfo", "MemTotal: 1024 kB\nHugepagesize:    32768 kB\n");
    tree_put(&tree, "/proc/self/mounts",
             "hugetlbfs /dev/hugepages hugetlbfs rw,relatime 0 0\n"
             "hugetlbfs /dev/hugepages1G hugetlbfs rw,pagesize=1024M 0 0\nx /y hugetlbfs rw,pagesize=1G 0 0\n");
    probe();
    CHECK(host.mounts_known);
    CHECK_INT(host.hugetlbfs_count, 2);
    CHECK_INT(host.hugetlbfs_size_bytes[0], 32 << 20);
    CHECK_INT(host.hugetlbfs_size_bytes[1], 1 << 30);
}

int main(void)
{
    RUN(memory_plugged_in_later_counts_for_an_only_node);
    RUN(nodes_are_ordered_and_may_be_sparse);
    RUN(nodes_without_cpus_or_memory_stay);
    RUN(cpus_belong_to_the_memory_that_names_them);
    RUN(overlapping_nodes_are_ignored);
    RUN(nested_nodes_have_the_cpus_nobody_inside_has);
    RUN(a_gpu_holds_no_vm);
    RUN(nodes_that_are_not_online_do_not_count);
    RUN(withheld_nodes_do_not_count);
    RUN(pools_are_per_node_and_sorted);
    RUN(hugetlbfs_mounts_by_page_size);
    return test_end();
}
