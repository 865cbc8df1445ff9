#include "hostprobe/kernel.c"

#include "tests/test.h"
#include "tests/unit/tree.h"

struct fact {
    const char *path;
    const char *text;
};

static struct host read_facts(const struct fact *facts, size_t count)
{
    static struct host host;
    struct tree tree;
    memset(&host, 0, sizeof host);
    tree_make(&tree);
    for (size_t i = 0; i < count; i++)
        tree_put(&tree, facts[i].path, facts[i].text);
    struct files files = {.root = tree.root};
    kernel_read(&files, &host);
    tree_remove(&tree);
    return host;
}
#define FACTS(...) read_facts((const struct fact[]){__VA_ARGS__}, ARRAY_SIZE(((const struct fact[]){__VA_ARGS__})))

static void real_time_kernels_say_so(void)
{
    struct host h = FACTS({"/sys/kernel/realtime", "1\n"});
    CHECK_INT(h.rt_kernel, HOST_YES);
    h = FACTS({"/proc/version", "Linux version 5.14.0-rt (x) #1 SMP PREEMPT_RT Mon\n"});
    CHECK_INT(h.rt_kernel, HOST_YES);
    CHECK_TEXT(h.kernel_release, "5.14.0-rt");
    h = FACTS({"/proc/version", "Linux version 6.1.0 (x) #1 SMP PREEMPT_DYNAMIC Mon\n"});
    CHECK_INT(h.rt_kernel, HOST_NO);
    h = FACTS({"/proc/cpuinfo", "\n"});
    CHECK_INT(h.rt_kernel, HOST_UNKNOWN);
    CHECK(!h.has_rt_runtime);
}

static void fair_server_by_feature(void)
{
    const struct fact old = {"/proc/sys/kernel/osrelease", "6.1.0\n"};
    const struct fact new = {"/proc/sys/kernel/osrelease", "6.12.0\n"};
    struct host h = FACTS(new, {"/sys/kernel/debug/sched/features", "x\n"});
    CHECK_INT(h.fair_server, HOST_NO); /* debugfs is there and does not have it */
    h = FACTS(old, {"/sys/kernel/debug/sched/fair_server/cpu0/runtime", "50000000\n"});
    CHECK_INT(h.fair_server, HOST_YES);
    h = FACTS(old);
    CHECK_INT(h.fair_server, HOST_UNKNOWN); /* vendors backport */
    h = FACTS(new);
    CHECK_INT(h.fair_server, HOST_YES);
    h = FACTS(new, {"/sys/kernel/btf/vmlinux", "dl_server"});
    CHECK_INT(h.fair_server, HOST_NO);
}

static void throttling_and_clock(void)
{
    struct host h = FACTS({"/proc/sys/kernel/sched_rt_runtime_us", "-1\n"},
                          {"/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"});
    CHECK(h.has_rt_runtime);
    CHECK_INT(h.rt_runtime_us, -1);
    CHECK_TEXT(h.clocksource, "tsc");
}

static void guests_are_told_from_hardware(void)
{
    struct host h = FACTS({"/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu lm hypervisor x\n"});
    CHECK_INT(h.virtualized, HOST_YES);
    CHECK_TEXT(h.architecture, "x86_64");
    h = FACTS({"/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vmx\n"});
    CHECK_INT(h.virtualized, HOST_NO);
    h = FACTS({"/proc/cpuinfo", "processor\t: 0\nCPU architecture: 8\n"});
    CHECK_INT(h.virtualized, HOST_UNKNOWN);
    CHECK_TEXT(h.architecture, "aarch64");
    h = FACTS({"/sys/class/dmi/id/sys_vendor", "QEMU\n"});
    CHECK_INT(h.virtualized, HOST_YES);
    h = FACTS({"/sys/class/dmi/id/sys_vendor", "Dell Inc.\n"}, {"/sys/class/dmi/id/product_name", "KVM\n"});
    CHECK_INT(h.virtualized, HOST_YES);
}

int main(void)
{
    RUN(real_time_kernels_say_so);
    RUN(fair_server_by_feature);
    RUN(throttling_and_clock);
    RUN(guests_are_told_from_hardware);
    return test_end();
}
