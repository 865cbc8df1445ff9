/* The whole reading, on small trees that each have one oddity. */
#include "hostprobe/topology.c"

#include "tests/test.h"
#include "tests/unit/tree.h"

static struct tree tree;
static struct host host;

static void begin(void)
{
    tree_make(&tree);
}

static void put_cpu(unsigned cpu, const char *package, const char *core, const char *siblings)
{
    auto_free char *at = must_format("/sys/devices/system/cpu/cpu%u/topology", cpu);
    const struct {
        const char *name;
        const char *text;
    } FILES[] = {{"physical_package_id", package}, {"core_id", core}, {"thread_siblings", siblings}};
    for (size_t i = 0; i < ARRAY_SIZE(FILES); i++) {
        auto_free char *path = must_format("%s/%s", at, FILES[i].name);
        if (FILES[i].text)
            tree_put(&tree, path, FILES[i].text);
    }
}

static void probe(void)
{
    struct error err = {0};
    CHECK_INT(host_probe(tree.root, &host, &err), 0);
    CHECK_TEXT(err.text, "");
    tree_remove(&tree);
}

static const char *text_of(const struct cpuset *set)
{
    static struct cpuset_text text;
    return cpuset_format(set, &text);
}

static void an_offline_cpu_has_no_place(void)
{
    begin();
    put_cpu(0, "0", "0", "5");
    put_cpu(1, "0", "1", "2");
    put_cpu(2, "0", "0", "5");
    tree_put(&tree, "/sys/devices/system/cpu/cpu2/online", "0");
    probe();
    CHECK_TEXT(text_of(&host.online), "0-1");
    CHECK(host.cpu[2].present && !host.cpu[2].online);
    CHECK_INT(host.cpu[2].core, -1);
    CHECK_TEXT(text_of(&host.cpu[0].siblings), "0");
    CHECK_INT(host.cpu_limit, 3);
}

static void the_online_list_rules_over_single_files(void)
{
    begin();
    put_cpu(0, "0", "0", "1");
    put_cpu(700, "0", "1", NULL);
    put_cpu(9, "0", "2", "200");
    tree_put(&tree, "/sys/devices/system/cpu/cpu9/online", "1");
    tree_put(&tree, "/sys/devices/system/cpu/online", "0,700");
    probe();
    CHECK_TEXT(text_of(&host.online), "0,700");
    CHECK_TEXT(text_of(&host.cpu[700].siblings), "700");
}

static void cores_of_a_compute_unit_are_cores(void)
{
    begin();
    put_cpu(0, "0", "0", "3");
    put_cpu(1, "0", "1", "3");
    probe();
    CHECK_TEXT(text_of(&host.cpu[0].siblings), "0");
    CHECK_TEXT(text_of(&host.cpu[1].siblings), "1");
}

static void unknown_ids_stay_unknown(void)
{
    begin();
    put_cpu(0, "-1", NULL, "3");
    put_cpu(1, "-1", NULL, "3");
    probe();
    CHECK_INT(host.cpu[0].package, -1);
    CHECK_INT(host.cpu[0].core, -1);
    CHECK_TEXT(text_of(&host.cpu[0].siblings), "0-1");
}

static void cpuinfo_stands_in_for_topology(void)
{
    begin();
    tree_put(&tree, "/proc/cpuinfo",
             "processor\t: 0\nphysical id\t: 1\ncore id\t\t: 4\n\nprocessor\t: 2\nphysical id\t: 1\ncore id\t\t: 4\n\n"
             "processor\t: 3\nphysical id\t: 2\ncore id\t\t: 4\nflags\t\t: fpu lm hypervisor\n");
    tree_put(&tree, "/proc/meminfo",
             "MemTotal: 1024 kB\nHugepagesize: 2048 kB\nHugePages_Total: 3\nHugePages_Free: 1\n");
    probe();
    CHECK_TEXT(text_of(&host.online), "0,2-3");
    CHECK_INT(host.cpu[2].package, 1);
    CHECK_INT(host.cpu[2].core, 4);
    CHECK_TEXT(text_of(&host.cpu[0].siblings), "0,2");
    CHECK_TEXT(text_of(&host.cpu[3].siblings), "3");
    CHECK_INT(host.virtualized, HOST_YES);
    CHECK_INT(host.node_count, 1);
    CHECK_INT(host.node[0].memory_bytes, 1024 * 1024);
    CHECK_INT(host.node[0].pool_count, 1);
    CHECK_INT(host.node[0].pool[0].size_bytes, 2 << 20);
    CHECK_INT(host.node[0].pool[0].total, 3);
    CHECK_INT(host.node[0].pool[0].free, 1);
}

static void a_tree_without_cpus_is_refused(void)
{
    struct error err;
    begin();
    tree_put(&tree, "/proc/version", "Linux version 6.1.0\n");
    CHECK_INT(host_probe(tree.root, &host, &err), -1);
    CHECK_INT(err.kind, ERROR_INVALID);
    tree_remove(&tree);
}

static void l3_groups_and_kinds(void)
{
    begin();
    for (unsigned cpu = 0; cpu < 4; cpu++) {
        put_cpu(cpu, "0", "0", NULL);
        auto_free char *at = must_format("/sys/devices/system/cpu/cpu%u", cpu);
        auto_free char *level = must_format("%s/cache/index%u/level", at, cpu); /* the index means nothing */
        auto_free char *shared = must_format("%s/cache/index%u/shared_cpu_list", at, cpu);
        auto_free char *capacity = must_format("%s/cpu_capacity", at);
        tree_put(&tree, level, "3");
        tree_put(&tree, shared, cpu < 2 ? "0-1" : "2-3");
        tree_put(&tree, capacity, cpu == 3 ? "1024" : cpu == 2 ? "997" : "718"); /* as an NVIDIA GB10 */
    }
    probe();
    CHECK_INT(host.cpu[1].l3, 0);
    CHECK_INT(host.cpu[3].l3, 2);
    CHECK_INT(host.cpu[0].kind, HOST_CORE_EFFICIENCY);
    CHECK_INT(host.cpu[2].kind, HOST_CORE_PERFORMANCE);
    CHECK_INT(host.cpu[3].kind, HOST_CORE_PERFORMANCE);
}

static void isolation_from_the_command_line(void)
{
    begin();
    for (unsigned cpu = 0; cpu < 4; cpu++)
        put_cpu(cpu, "0", "0", NULL);
    tree_put(&tree, "/proc/cmdline", "ro isolcpus=managed_irq,domain,2-3 nohz_full=3 quiet\n");
    tree_put(&tree, "/sys/devices/system/cpu/nohz_full", "(null)\n");
    tree_put(&tree, "/sys/fs/cgroup/cpuset.cpus.isolated", "1\n");
    probe();
    CHECK_TEXT(text_of(&host.isolated), "1-3");
    CHECK_TEXT(text_of(&host.nohz_full), "3");
    CHECK(host.cpu[2].isolated && !host.cpu[0].isolated && host.cpu[3].nohz_full);
    struct cpuset housekeeping = host_housekeeping(&host, NULL);
    CHECK_TEXT(text_of(&housekeeping), "0");
    struct cpuset reserved = cpuset_of(3);
    housekeeping = host_housekeeping(&host, &reserved);
    CHECK_TEXT(text_of(&housekeeping), "3");
}

static void partitions_of_running_vms_are_none_of_the_host(void)
{
    begin();
    for (unsigned cpu = 0; cpu < 4; cpu++)
        put_cpu(cpu, "0", "0", NULL);
    tree_put(&tree, "/proc/cmdline", "ro isolcpus=3\n");
    tree_put(&tree, "/sys/devices/system/cpu/isolated", "1-3\n"); /* as recent kernels say it */
    tree_put(&tree, "/sys/fs/cgroup/cpuset.cpus.isolated", "1-2\n");
    tree_put(&tree, "/sys/fs/cgroup/machine.slice/cpuset.cpus.exclusive", "2-3\n");
    probe();
    CHECK_TEXT(text_of(&host.isolated), "1,3");
}

static void housekeeping_is_never_empty(void)
{
    begin();
    put_cpu(1, "0", "0", "6");
    put_cpu(2, "0", "0", "6");
    tree_put(&tree, "/sys/devices/system/cpu/isolated", "1-2\n");
    probe();
    struct cpuset housekeeping = host_housekeeping(&host, NULL);
    CHECK_TEXT(text_of(&housekeeping), "1-2");
}

static void four_cpus(void)
{
    begin();
    for (unsigned cpu = 0; cpu < 4; cpu++)
        put_cpu(cpu, "0", "0", NULL);
}

static void the_recorders_cgroup_limits(void)
{
    four_cpus();
    tree_put(&tree, "/proc/mounts", "x /a cgroup2 rw 0 0\ny /sys/fs/cgroup/cpu\\040set cgroup rw,cpuset 0 0\n");
    tree_put(&tree, "/proc/self/cgroup", "3:memory:/other\n2:cpuset:/vm/deep\n0::/unified\n");
    tree_put(&tree, "/sys/fs/cgroup/cpu set/vm/cpuset.cpus", "1-2\n");
    probe();
    CHECK_TEXT(text_of(&host.online), "1-2");
    CHECK_TEXT(text_of(&host.withheld), "0,3");
    CHECK(!host.cpu[0].present);
}

static void an_unlimited_cgroup_takes_nothing(void)
{
    four_cpus();
    tree_put(&tree, "/proc/mounts", "x /cg cgroup2 rw 0 0\n");
    tree_put(&tree, "/cg/cgroup.controllers", "cpu cpuset_not memory\n");
    tree_put(&tree, "/cg/cpuset.cpus.effective", "1\n");
    tree_put(&tree, "/proc/self/cgroup", "0::/\n");
    probe();
    CHECK_TEXT(text_of(&host.online), "0-3"); /* the controller is another one */
}

static void a_second_look_finds_what_changed(void)
{
    struct error err;
    begin();
    tree_put(&tree, "/sys/devices/system/cpu/online", "0-2\n");
    for (unsigned cpu = 0; cpu < 3; cpu++)
        put_cpu(cpu, "0", "0", NULL);
    tree_put(&tree, "/proc/sys/kernel/sched_rt_runtime_us", "-1\n");
    tree_put(&tree, "/proc/version", "Linux version 6.1.0-rt (x) #1 SMP PREEMPT_RT Mon\n");
    CHECK_INT(host_probe(tree.root, &host, &err), 0);
    host.fifo_works = HOST_YES;
    snprintf(host.fifo_because, sizeof host.fifo_because, "tried");
    tree_put(&tree, "/sys/devices/system/cpu/online", "0-1\n");
    tree_put(&tree, "/proc/sys/kernel/sched_rt_runtime_us", "950000\n");
    CHECK_INT(host_look_again(tree.root, &host, &err), 0);
    CHECK_TEXT(text_of(&host.online), "0-1");
    CHECK_INT(host.rt_runtime_us, 950000);
    CHECK(host.fifo_works == HOST_YES && host.rt_kernel == HOST_YES);
    CHECK_TEXT(host.fifo_because, "tried");
    CHECK_TEXT(host.kernel_release, "6.1.0-rt");
    tree_remove(&tree);
    CHECK_INT(host_look_again(tree.root, &host, &err), -1); /* it says why, and nothing is lost */
    CHECK_TEXT(text_of(&host.online), "0-1");
}

int main(void)
{
    RUN(an_offline_cpu_has_no_place);
    RUN(the_online_list_rules_over_single_files);
    RUN(cores_of_a_compute_unit_are_cores);
    RUN(unknown_ids_stay_unknown);
    RUN(cpuinfo_stands_in_for_topology);
    RUN(a_tree_without_cpus_is_refused);
    RUN(l3_groups_and_kinds);
    RUN(isolation_from_the_command_line);
    RUN(partitions_of_running_vms_are_none_of_the_host);
    RUN(housekeeping_is_never_empty);
    RUN(the_recorders_cgroup_limits);
    RUN(an_unlimited_cgroup_takes_nothing);
    RUN(a_second_look_finds_what_changed);
    return test_end();
}
