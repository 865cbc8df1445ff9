/* The one list of every /sys and /proc path the program reads to know the machine, and the only readers of them.
 *
 * One list serves three ends: a reader of this file knows what we touch; a recorded tree needs exactly these files; and
 * nothing expensive or noisy (cpufreq's current frequency wakes the CPU it asks, on some drivers by an IPI) slips in.
 */
#include "hostprobe/files.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rtvmd/base/file.h"
#include "rtvmd/base/limits.h"

const char *const FILES_LIST[] = {
    /* CPUs and their place */
    "/sys/devices/system/cpu/",
    "/sys/devices/system/cpu/online",
    "/sys/devices/system/cpu/present",
    "/sys/devices/system/cpu/isolated",
    "/sys/devices/system/cpu/nohz_full",
    "/sys/devices/system/cpu/cpu#/online",
    "/sys/devices/system/cpu/cpu#/cpu_capacity",
    "/sys/devices/system/cpu/cpu#/topology/",
    "/sys/devices/system/cpu/cpu#/topology/core_id",
    "/sys/devices/system/cpu/cpu#/topology/die_id",
    "/sys/devices/system/cpu/cpu#/topology/physical_package_id",
    "/sys/devices/system/cpu/cpu#/topology/core_cpus",
    "/sys/devices/system/cpu/cpu#/topology/core_cpus_list",
    "/sys/devices/system/cpu/cpu#/topology/thread_siblings",
    "/sys/devices/system/cpu/cpu#/topology/thread_siblings_list",
    "/sys/devices/system/cpu/cpu#/cache/index#/level",
    "/sys/devices/system/cpu/cpu#/cache/index#/shared_cpu_map",
    "/sys/devices/system/cpu/cpu#/cache/index#/shared_cpu_list",
    "/sys/devices/cpu_core/cpus",
    "/sys/devices/cpu_atom/cpus",
    "/proc/cpuinfo",
    /* memory nodes and huge pages */
    "/sys/devices/system/node/",
    "/sys/devices/system/node/online",
    "/sys/devices/system/node/possible",
    "/sys/devices/system/node/node#/cpumap",
    "/sys/devices/system/node/node#/cpulist",
    "/sys/devices/system/node/node#/meminfo",
    "/sys/devices/system/node/node#/distance",
    "/sys/devices/system/node/node#/access#/initiators/",
    "/sys/devices/system/node/node#/hugepages/",
    "/sys/devices/system/node/node#/hugepages/hugepages-#kB/nr_hugepages",
    "/sys/devices/system/node/node#/hugepages/hugepages-#kB/free_hugepages",
    "/sys/devices/system/node/node#/hugepages/hugepages-#kB/surplus_hugepages",
    "/sys/kernel/mm/hugepages/",
    "/sys/kernel/mm/hugepages/hugepages-#kB/nr_hugepages",
    "/sys/kernel/mm/hugepages/hugepages-#kB/free_hugepages",
    "/sys/kernel/mm/hugepages/hugepages-#kB/surplus_hugepages",
    "/proc/driver/nvidia/gpus/",
    "/proc/driver/nvidia/gpus/*/numa_status",
    "/proc/meminfo",
    "/proc/mounts",
    "/proc/self/mounts",
    /* what our cgroup leaves us; where cgroups are mounted is read from the mounts */
    "/proc/self/cgroup",
    "/proc/self/cpuset",
    "/**/cgroup.controllers",
    "/**/cgroup.type",
    "/**/cpuset.cpus.isolated",
    "/sys/fs/cgroup/machine.slice/cpuset.cpus.exclusive",
    "/**/cpuset.cpus.effective",
    "/**/cpuset.mems.effective",
    "/**/cpuset.cpus",
    "/**/cpuset.mems",
    "/**/cpus",
    "/**/mems",
    /* the kernel */
    "/proc/version",
    "/proc/cmdline",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/kernel/sched_rt_runtime_us",
    "/sys/kernel/realtime",
    "/sys/kernel/debug/sched/",
    "/sys/kernel/debug/sched/fair_server/",
    "/sys/kernel/btf/vmlinux",
    "/sys/devices/system/clocksource/clocksource0/current_clocksource",
    "/sys/hypervisor/type",
    "/sys/class/dmi/id/product_name",
    "/sys/class/dmi/id/sys_vendor",
    "/proc/self/status",
    /* the doctor: kernel and scheduler */
    "/boot/config-*",
    "/lib/modules/*/config",
    "/proc/sys/kernel/timer_migration",
    "/sys/fs/cgroup/machine.slice/cpu.max",
    "/sys/kernel/debug/sched/preempt",
    "/sys/kernel/debug/sched/domains/cpu#/",
    "/sys/kernel/debug/sched/domains/cpu#/domain#/",
    "/sys/kernel/debug/sched/fair_server/cpu#/runtime",
    "/sys/kernel/tracing/available_tracers",
    "/sys/kernel/tracing/current_tracer",
    /* threads */
    "/proc/",
    "/proc/#/task/",
    "/proc/#/task/#/stat",
    "/proc/#/task/#/status",
    /* isolation and noise */
    "/sys/fs/cgroup/",
    "/sys/fs/cgroup/*/cpuset.cpus.partition",
    "/sys/fs/cgroup/machine.slice/",
    "/sys/fs/cgroup/machine.slice/*/libvirt/",
    "/sys/fs/cgroup/machine.slice/*/libvirt/*/cpuset.cpus.partition",
    "/sys/devices/system/cpu/smt/active",
    "/sys/devices/virtual/workqueue/cpumask",
    "/sys/devices/virtual/workqueue/writeback/cpumask",
    "/sys/devices/system/machinecheck/machinecheck0/check_interval",
    "/sys/devices/system/machinecheck/machinecheck0/ignore_ce",
    "/sys/module/rcupdate/parameters/rcu_cpu_stall_suppress",
    "/sys/kernel/rcu_normal",
    "/proc/sys/kernel/hung_task_timeout_secs",
    "/proc/sys/kernel/nmi_watchdog",
    "/proc/sys/kernel/perf_cpu_time_max_percent",
    "/proc/sys/kernel/printk",
    "/proc/sys/kernel/soft_watchdog",
    "/proc/sys/kernel/watchdog_cpumask",
    "/proc/sys/vm/stat_interval",
    /* interrupts */
    "/proc/interrupts",
    "/proc/irq/",
    "/proc/irq/default_smp_affinity",
    "/proc/irq/#/effective_affinity_list",
    "/proc/irq/#/smp_affinity_list",
    "/sys/class/net/",
    "/sys/class/net/*/queues/",
    "/sys/class/net/*/queues/*/rps_cpus",
    "/sys/class/net/*/queues/*/xps_cpus",
    /* power: settings, never a current frequency */
    "/sys/devices/system/cpu/cpu#/cpuidle/state#/disable",
    "/sys/devices/system/cpu/cpu#/cpuidle/state#/latency",
    "/sys/devices/system/cpu/cpu#/cpuidle/state#/name",
    "/sys/devices/system/cpu/cpu#/power/energy_perf_bias",
    "/sys/devices/system/cpu/cpu#/power/pm_qos_resume_latency_us",
    "/sys/devices/system/cpu/cpu#/cpufreq/energy_performance_preference",
    "/sys/devices/system/cpu/cpu#/cpufreq/scaling_governor",
    "/sys/devices/system/cpu/cpu#/cpufreq/scaling_max_freq",
    "/sys/devices/system/cpu/cpu#/cpufreq/scaling_min_freq",
    "/sys/devices/system/cpu/cpu#/thermal_throttle/core_throttle_count",
    "/sys/devices/system/cpu/cpufreq/boost",
    "/sys/devices/system/cpu/intel_pstate/hwp_dynamic_boost",
    "/sys/devices/system/cpu/intel_pstate/no_turbo",
    "/sys/devices/system/cpu/intel_uncore_frequency/",
    "/sys/devices/system/cpu/intel_uncore_frequency/*/max_freq_khz",
    "/sys/devices/system/cpu/intel_uncore_frequency/*/min_freq_khz",
    "/sys/module/pcie_aspm/parameters/policy",
    /* memory */
    "/proc/swaps",
    "/proc/sys/kernel/numa_balancing",
    "/proc/sys/vm/compact_unevictable_allowed",
    "/proc/sys/vm/compaction_proactiveness",
    "/proc/sys/vm/dirty_background_ratio",
    "/proc/sys/vm/dirty_ratio",
    "/proc/sys/vm/swappiness",
    "/proc/sys/vm/zone_reclaim_mode",
    "/sys/fs/resctrl/info/L3/cbm_mask",
    "/sys/kernel/mm/hugepages/hugepages-#kB/nr_overcommit_hugepages",
    "/sys/kernel/mm/ksm/run",
    "/sys/kernel/mm/transparent_hugepage/defrag",
    "/sys/kernel/mm/transparent_hugepage/enabled",
    /* KVM, devices, firmware, daemons */
    "/proc/sys/kernel/split_lock_mitigate",
    "/sys/class/iommu/",
    "/sys/class/misc/hw_random/rng_current",
    "/sys/module/kvm/parameters/halt_poll_ns",
    "/sys/module/kvm/parameters/kvmclock_periodic_sync",
    "/sys/module/kvm/parameters/lapic_timer_advance",
    "/sys/module/kvm/parameters/lapic_timer_advance_ns",
    "/sys/module/kvm/parameters/min_timer_period_us",
    "/sys/module/kvm/parameters/nx_huge_pages",
    "/sys/module/kvm/parameters/nx_huge_pages_recovery_ratio",
    "/sys/module/kvm/parameters/pi_inject_timer",
    "/sys/module/kvm_amd/parameters/avic",
    "/sys/module/kvm_amd/parameters/npt",
    "/sys/module/kvm_amd/parameters/pause_filter_count",
    "/sys/module/kvm_intel/parameters/enable_apicv",
    "/sys/module/kvm_intel/parameters/ept",
    "/sys/module/kvm_intel/parameters/ple_gap",
    "/sys/module/kvm_intel/parameters/preemption_timer",
    "/sys/module/kvm_intel/parameters/vmentry_l1d_flush",
    "/sys/module/kvm_intel/parameters/vpid",
    "/etc/tuned/active_profile",
    "/dev/cpu/#/msr",
};
const size_t FILES_LIST_COUNT = ARRAY_SIZE(FILES_LIST);

void (*files_observer)(const char *path);

static bool matches(const char *pattern, const char *path)
{
    for (; *pattern; pattern++, path++) {
        if (*pattern == '*') {
            bool deep = pattern[1] == '*';
            pattern += deep ? 2 : 1;
            for (;; path++) {
                if (matches(pattern, path))
                    return true;
                if (*path == '\0' || (*path == '/' && !deep))
                    return false;
            }
        }
        if (*pattern == '#') {
            if (!isdigit((unsigned char)*path))
                return false;
            while (isdigit((unsigned char)path[1]))
                path++;
        } else if (*pattern != *path) {
            return false;
        }
    }
    return *path == '\0';
}

bool files_listed(const char *path)
{
    if (strstr(path, "/../"))
        return false;
    for (size_t i = 0; i < FILES_LIST_COUNT; i++)
        if (matches(FILES_LIST[i], path))
            return true;
    return false;
}

/* The path below the root, or NULL when it may not be opened. */
static char *full_path(const struct files *files, const char *format, va_list arguments)
{
    char path[1024];
    int n = vsnprintf(path, sizeof path, format, arguments);
    if (n < 0 || (size_t)n >= sizeof path || !files_listed(path))
        return NULL;
    if (files_observer)
        files_observer(path);
    return must_format("%s%s", files->root, path);
}

static bool read_path(const char *full, struct text *ret_text)
{
    struct error err;
    /* A file that is longer than the limit is read up to it. */
    return file_read(NULL, full, LIMIT_SYSFILE_BYTES, ret_text, &err) == 0 || err.kind == ERROR_TOO_LARGE;
}

#define READ(files, format, ret_text)                                 \
    __extension__({                                                   \
        va_list arguments_;                                           \
        va_start(arguments_, format);                                 \
        auto_free char *full_ = full_path(files, format, arguments_); \
        va_end(arguments_);                                           \
        full_ &&read_path(full_, ret_text);                           \
    })

bool files_read(const struct files *files, struct text *ret_text, const char *format, ...)
{
    return READ(files, format, ret_text);
}

bool files_line(const struct files *files, char *ret_line, size_t size, const char *format, ...)
{
    auto_text text = {0};
    if (!READ(files, format, &text))
        return false;
    const char *start = text_cstr(&text) + strspn(text_cstr(&text), " \t");
    size_t n = strcspn(start, "\n");
    while (n > 0 && isspace((unsigned char)start[n - 1]))
        n--;
    if (n == 0)
        return false;
    snprintf(ret_line, size, "%.*s", (int)n, start);
    for (char *p = ret_line; *p; p++)
        if (!isprint((unsigned char)*p))
            *p = '?'; /* these lines are shown and sent as UTF-8 */
    return true;
}

bool files_int(const struct files *files, int64_t *ret_value, const char *format, ...)
{
    auto_text text = {0};
    if (!READ(files, format, &text))
        return false;
    char *end;
    long long value = strtoll(text_cstr(&text), &end, 10);
    if (end == text_cstr(&text) || (*end && !isspace((unsigned char)*end)))
        return false;
    *ret_value = value;
    return true;
}

bool files_word(const struct files *files, uint64_t *ret_value, int64_t offset, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    auto_free char *full = full_path(files, format, arguments);
    va_end(arguments);
    auto_close int fd = full ? open(full, O_RDONLY | O_CLOEXEC) : -1;
    return fd >= 0 && pread(fd, ret_value, sizeof *ret_value, offset) == (ssize_t)sizeof *ret_value;
}

bool files_set(const struct files *files, struct cpuset *ret_set, const char *format, ...)
{
    auto_text text = {0};
    struct error err;
    return READ(files, format, &text) && cpuset_parse(text_cstr(&text), ret_set, &err) == 0;
}

bool files_mask(const struct files *files, struct cpuset *ret_set, const char *format, ...)
{
    auto_text text = {0};
    return READ(files, format, &text) && files_parse_mask(text_cstr(&text), ret_set);
}

bool files_exists(const struct files *files, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    auto_free char *full = full_path(files, format, arguments);
    va_end(arguments);
    return full && access(full, F_OK) == 0;
}

bool files_contain(const struct files *files, const void *bytes, size_t length, const char *path, bool *ret_found)
{
    char chunk[64 * 1024];
    if (!files_listed(path) || length >= sizeof chunk / 2)
        return false;
    if (files_observer)
        files_observer(path);
    auto_free char *full = must_format("%s%s", files->root, path);
    auto_close int fd = open(full, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    /* Chunks overlap by length - 1 bytes, so that nothing hides across a border. */
    size_t kept = 0;
    ssize_t n;
    *ret_found = false;
    while (!*ret_found && (n = read(fd, chunk + kept, sizeof chunk - kept)) > 0) {
        size_t have = kept + (size_t)n;
        *ret_found = memmem(chunk, have, bytes, length) != NULL;
        kept = have < length - 1 ? have : length - 1;
        memmove(chunk, chunk + have - kept, kept);
    }
    return true;
}

bool files_each(const struct files *files, void (*callback)(const char *name, void *arg), void *arg, const char *format,
                ...)
{
    va_list arguments;
    va_start(arguments, format);
    auto_free char *full = full_path(files, format, arguments);
    va_end(arguments);
    DIR *folder = full ? opendir(full) : NULL;
    if (!folder)
        return false;
    const struct dirent *entry;
    while ((entry = readdir(folder))) /* NOLINT(concurrency-mt-unsafe): the stream is ours alone */
        if (entry->d_name[0] != '.')
            callback(entry->d_name, arg);
    closedir(folder);
    return true;
}

struct numbers {
    const char *prefix;
    struct cpuset set;
};

static void collect_number(const char *name, void *arg)
{
    struct numbers *numbers = arg;
    uint64_t number;
    if (text_starts_with(name, numbers->prefix) && text_to_u64(name + strlen(numbers->prefix), &number) &&
        number < CPUSET_MAX)
        cpuset_add(&numbers->set, (unsigned)number);
}

struct cpuset files_numbers(const struct files *files, const char *folder, const char *prefix)
{
    struct numbers numbers = {.prefix = prefix};
    files_each(files, collect_number, &numbers, "%s", folder);
    return numbers.set;
}

bool files_parse_mask(const char *text, struct cpuset *ret_set)
{
    struct cpuset set = {0};
    size_t length = strcspn(text, " \t\n");
    if (length == 0)
        return false;
    /* From the right: every group but the leftmost holds exactly 32 bits. */
    unsigned bit = 0;
    for (size_t i = length; i-- > 0;) {
        char c = text[i];
        if (c == ',') {
            if (bit % 32 != 0)
                return false;
            continue;
        }
        if (!isxdigit((unsigned char)c))
            return false;
        unsigned digit = (unsigned)(isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10);
        for (unsigned b = 0; b < 4; b++)
            if (digit >> b & 1)
                cpuset_add(&set, bit + b);
        bit += 4;
    }
    *ret_set = set;
    return true;
}

bool files_field(const char *text, const char *key, uint64_t *ret_value)
{
    size_t n = strlen(key);
    for (const char *p = text; (p = strstr(p, key)); p += n) {
        if ((p != text && !isspace((unsigned char)p[-1])) || p[n] != ':')
            continue;
        p += n + 1;
        p += strspn(p, " \t");
        if (!isdigit((unsigned char)*p))
            return false;
        *ret_value = strtoull(p, NULL, 10);
        return true;
    }
    return false;
}
