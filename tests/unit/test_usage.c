#include "runtime/usage.c"
#include "tests/test.h"
#include "tests/unit/tree.h"

/* utime 200, stime 50 (ticks); the name holds what a name may hold. */
#define STAT(name, cpu)                                                                                          \
    "7 (" name ") S 1 7 7 0 -1 4194624 1 2 3 4 200 50 0 0 20 0 4 0 100 1000 500 18446744073709551615 1 1 0 0 0 " \
    "0 0 4096 0 0 0 0 17 " cpu " 0 0 0 0 0\n"

static struct tree tree;

static void put_thread(const char *tid, const char *comm, const char *stat, const char *schedstat)
{
    auto_free char *base = must_format("/proc/7/task/%s", tid);
    auto_free char *comm_path = must_format("%s/comm", base);
    auto_free char *stat_path = must_format("%s/stat", base);
    auto_free char *sched_path = must_format("%s/schedstat", base);
    tree_put(&tree, comm_path, comm);
    tree_put(&tree, stat_path, stat);
    if (schedstat)
        tree_put(&tree, sched_path, schedstat);
}

static void a_process_is_read(void)
{
    tree_make(&tree);
    tree_put(&tree, "/proc/7/stat", STAT("qemu (x) 86", "0"));
    tree_put(&tree, "/proc/7/status",
             "Name:\tqemu\nVmLck:\t    2048 kB\nVmRSS:\t   10 kB\nVmRSSx:\t1 kB\nHugetlbPages:\t   65536 kB\n");
    put_thread("7", "qemu-system-x86\n", STAT("qemu", "0"), "1 2 3\n");
    put_thread("9", "CPU 0/KVM\n", STAT("CPU 0/KVM", "5"), "1500000001 77 9\n");
    tree_put(&tree, "/proc/7/task/9/sched",
             "CPU 0/KVM (9, #threads: 4)\n---\nse.statistics.wait_max     :     1.000000\n"
             "se.statistics.wait_sum                       :          1234.000567\nwait_count   :  3\n");
    put_thread("10", "CPU 12/TCG\n", STAT("CPU 12/TCG", "2"), NULL);
    put_thread("11", "CPU x/KVM\n", STAT("CPU x/KVM", "2"), "1 1 1\n");
    put_thread("12", "CPU 99999/KVM\n", STAT("CPU", "2"), "1 1 1\n");
    struct error err;
    struct process_usage usage;
    CHECK_INT(process_usage_read(tree.root, 7, &usage, &err), 0);
    uint64_t tick_ns = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
    CHECK_INT(usage.user_ns, 200 * tick_ns);
    CHECK_INT(usage.system_ns, 50 * tick_ns);
    CHECK_INT(usage.locked_bytes, 2 << 20);
    CHECK_INT(usage.resident_bytes, 10 << 10);
    CHECK_INT(usage.hugepage_bytes, 64 << 20);
    CHECK_INT(usage.vcpu_count, 2);
    for (size_t i = 0; i < usage.vcpu_count; i++) {
        const struct vcpu_usage *vcpu = &usage.vcpu[i];
        CHECK(vcpu->index == 0 || vcpu->index == 12);
        CHECK_INT(vcpu->run_ns, vcpu->index ? 250 * tick_ns : 1500000001);
        CHECK_INT(vcpu->delay_ns, vcpu->index ? 0 : 77);
        CHECK(vcpu->wait_ns == (vcpu->index ? UINT64_MAX : 1234000567u));
        CHECK_INT(vcpu->last_cpu, vcpu->index ? 2 : 5);
    }
    process_usage_finish(&usage);
    CHECK_INT(process_usage_read(tree.root, 8, &usage, &err), -1);
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    tree_remove(&tree);
}

static void broken_files_do_no_harm(void)
{
    tree_make(&tree);
    tree_put(&tree, "/proc/7/stat", "7 (x");
    tree_put(&tree, "/proc/7/status", "VmRSS");
    put_thread("9", "CPU 0/KVM", "", "");
    tree_put(&tree, "/proc/7/task/9/sched", "wait_sum : 1.9999999999999");
    struct error err;
    struct process_usage usage;
    CHECK_INT(process_usage_read(tree.root, 7, &usage, &err), 0);
    CHECK_INT(usage.user_ns, 0);
    CHECK_INT(usage.resident_bytes, 0);
    CHECK_INT(usage.vcpu_count, 1);
    CHECK(usage.vcpu[0].wait_ns == UINT64_MAX);
    process_usage_finish(&usage);
    tree_remove(&tree);
}

int main(void)
{
    RUN(a_process_is_read);
    RUN(broken_files_do_no_harm);
    return test_end();
}
