/* The kernel: release, PREEMPT_RT, throttling of real-time threads, clock source, and whether we are a guest.
 *
 * By feature, not by number: vendors backport. A fair server (kernel 6.12 on: a deadline server runs ordinary tasks
 * that a FIFO thread would starve, and replaces throttling) shows in debugfs, or as a member of the kernel's own type
 * information; only when neither can be read does a release that cannot lack it decide. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "hostprobe/probe.h"

static void read_release(const struct files *files, struct host *host)
{
    char version[512] = "";
    files_line(files, version, sizeof version, "/proc/version");
    if (!files_line(files, host->kernel_release, sizeof host->kernel_release, "/proc/sys/kernel/osrelease"))
        sscanf(version, "Linux version %127s", host->kernel_release);
    int64_t realtime = 0;
    if (files_int(files, &realtime, "/sys/kernel/realtime") && realtime == 1)
        host->rt_kernel = HOST_YES;
    else if (version[0])
        host->rt_kernel = strstr(version, "PREEMPT_RT") || strstr(version, "PREEMPT RT") ? HOST_YES : HOST_NO;
}

static enum host_answer fair_server(const struct files *files, const char *release)
{
    if (files_exists(files, "/sys/kernel/debug/sched/"))
        return files_exists(files, "/sys/kernel/debug/sched/fair_server/") ? HOST_YES : HOST_NO;
    static const char MEMBER[] = "\0fair_server";
    bool found;
    if (files_contain(files, MEMBER, sizeof MEMBER, "/sys/kernel/btf/vmlinux", &found))
        return found ? HOST_YES : HOST_NO;
    char *dot;
    unsigned long major = strtoul(release, &dot, 10);
    unsigned long minor = *dot == '.' ? strtoul(dot + 1, NULL, 10) : 0;
    if (major > 6 || (major == 6 && minor >= 12))
        return HOST_YES;
    return HOST_UNKNOWN;
}

/* A recorded tree does not hold uname's answer; the shape of cpuinfo gives it away. */
static void guess_architecture(const char *cpuinfo, const char *flags, struct host *host)
{
    const char *guess = "";
    if (flags)
        guess = strstr(flags, " lm") || strstr(host->kernel_release, "amd64") ? "x86_64" : "i686";
    else if (strstr(cpuinfo, "CPU architecture"))
        guess = strstr(cpuinfo, "CPU architecture: 8") ? "aarch64" : "arm";
    else if (strstr(cpuinfo, "POWER"))
        guess = "ppc64";
    snprintf(host->architecture, sizeof host->architecture, "%s", guess);
}

static enum host_answer virtualized_by_firmware(const struct files *files)
{
    static const char *const VENDORS[] = {"QEMU", "VMware", "Xen", "innotek", "Bochs", "Parallels", "OpenStack"};
    static const char *const PRODUCTS[] = {"KVM", "Virtual Machine", "VirtualBox", "Standard PC", "VMware"};
    char line[128];
    if (files_exists(files, "/sys/hypervisor/type"))
        return HOST_YES;
    bool asked = files_line(files, line, sizeof line, "/sys/class/dmi/id/sys_vendor");
    for (size_t i = 0; asked && i < ARRAY_SIZE(VENDORS); i++)
        if (text_starts_with(line, VENDORS[i]))
            return HOST_YES;
    if (files_line(files, line, sizeof line, "/sys/class/dmi/id/product_name"))
        for (size_t i = 0; i < ARRAY_SIZE(PRODUCTS); i++)
            if (strstr(line, PRODUCTS[i]))
                return HOST_YES;
    return HOST_UNKNOWN;
}

static void read_processor(const struct files *files, struct host *host)
{
    auto_text text = {0};
    files_read(files, &text, "/proc/cpuinfo");
    const char *at = strstr(text_cstr(&text), "\nflags\t");
    auto_free char *flags = at ? must_strndup(at + 1, strcspn(at + 1, "\n")) : NULL;
    struct utsname name;
    if (files->root[0] == '\0' && uname(&name) == 0)
        snprintf(host->architecture, sizeof host->architecture, "%s", name.machine);
    else
        guess_architecture(text_cstr(&text), flags, host);
    /* The CPUID bit that hypervisors set for their guests. */
    if (flags && strstr(flags, " hypervisor"))
        host->virtualized = HOST_YES;
    else
        host->virtualized = virtualized_by_firmware(files);
    if (host->virtualized == HOST_UNKNOWN && flags)
        host->virtualized = HOST_NO;
}

void throttling_read(const struct files *files, struct host *host)
{
    host->has_rt_runtime = files_int(files, &host->rt_runtime_us, "/proc/sys/kernel/sched_rt_runtime_us");
}

void kernel_read(const struct files *files, struct host *host)
{
    read_release(files, host);
    throttling_read(files, host);
    host->fair_server = fair_server(files, host->kernel_release);
    files_line(files, host->clocksource, sizeof host->clocksource,
               "/sys/devices/system/clocksource/clocksource0/current_clocksource");
    read_processor(files, host);
}
