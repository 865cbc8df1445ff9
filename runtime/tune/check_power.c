/* Power and frequency: a CPU that sleeps deeply or slowly speeds up answers late. Settings only: reading the current
 * frequency would wake the CPU it asks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/tune/check.h"

#define CPU_FOLDER "/sys/devices/system/cpu/"

/* Leaving an idle state may take this long before it shows in a real-time guest. */
enum { IDLE_EXIT_MOST_US = 10 };

/* The per-CPU latency request: "n/a" allows no exit latency at all, 0 means that there is no request, N allows N us. */
static int64_t requested_us(const struct patient *p, int cpu)
{
    char line[32];
    if (!files_line(&p->files, line, sizeof line, CPU_FOLDER "cpu%d/power/pm_qos_resume_latency_us", cpu))
        return INT64_MAX;
    if (strcmp(line, "n/a") == 0)
        return 0;
    int64_t value = strtoll(line, NULL, 10);
    return value == 0 ? INT64_MAX : value;
}

/* The slowest state this CPU may enter. */
static bool deepest_state(const struct patient *p, int cpu, int64_t *ret_us, char *ret_name, size_t size)
{
    int64_t limit = requested_us(p, cpu);
    bool any = false;
    *ret_us = 0;
    for (int state = 0; state < 16; state++) {
        int64_t latency;
        int64_t disabled = 0;
        if (!files_int(&p->files, &latency, CPU_FOLDER "cpu%d/cpuidle/state%d/latency", cpu, state))
            break;
        any = true;
        files_int(&p->files, &disabled, CPU_FOLDER "cpu%d/cpuidle/state%d/disable", cpu, state);
        if (disabled || latency > limit || latency < *ret_us)
            continue;
        *ret_us = latency;
        files_line(&p->files, ret_name, size, CPU_FOLDER "cpu%d/cpuidle/state%d/name", cpu, state);
    }
    return any;
}

static enum verdict look_idle(const struct patient *p, struct text *found)
{
    struct cpuset deep = {0};
    char worst_name[64] = "";
    int64_t worst = -1;
    if (has_boot_option(p, "idle=poll")) {
        text_append(found, "idle=poll");
        return VERDICT_OK;
    }
    cpuset_foreach(cpu, &p->rt)
    {
        int64_t us;
        char name[64] = "";
        if (!deepest_state(p, cpu, &us, name, sizeof name))
            continue;
        if (us > IDLE_EXIT_MOST_US)
            cpuset_add(&deep, (unsigned)cpu);
        if (us > worst) {
            worst = us;
            snprintf(worst_name, sizeof worst_name, "%s", name);
        }
    }
    if (worst < 0) {
        text_append(found, p->live ? "no idle driver" : "idle states are not recorded");
        return p->live ? VERDICT_NOT_APPLICABLE : VERDICT_UNKNOWN;
    }
    text_printf(found, "%s, %lld us to leave", worst_name, (long long)worst);
    if (cpuset_is_empty(&deep))
        return VERDICT_OK;
    text_append(found, ", on ");
    text_cpus(found, &deep);
    return VERDICT_BAD;
}

static bool is_small_request(const char *value)
{
    return strcmp(value, "n/a") == 0 || (strcmp(value, "0") != 0 && strtol(value, NULL, 10) <= IDLE_EXIT_MOST_US);
}

static enum verdict look_qos(const struct patient *p, struct text *found)
{
    if (p->live && !files_exists(&p->files, CPU_FOLDER "cpu%d/cpuidle/state1/latency", cpuset_next(&p->rt, 0))) {
        text_append(found, "no idle state to keep away from");
        return VERDICT_NOT_APPLICABLE;
    }
    return look_each(p, found, "power/pm_qos_resume_latency_us", is_small_request);
}

static enum verdict look_idle_poll(const struct patient *p, struct text *found)
{
    if (!p->command_line)
        return look_boot_option(p, found, "idle=poll");
    bool given = has_boot_option(p, "idle=poll");
    text_append(found, given ? "given" : "not given");
    return given ? VERDICT_BAD : VERDICT_OK;
}

static bool is_performance(const char *value)
{
    return strcmp(value, "performance") == 0;
}

static enum verdict look_governor(const struct patient *p, struct text *found)
{
    return look_each(p, found, "cpufreq/scaling_governor", is_performance);
}

static enum verdict look_range(const struct patient *p, struct text *found)
{
    struct cpuset wide = {0};
    unsigned seen = 0;
    cpuset_foreach(cpu, &p->rt)
    {
        int64_t low;
        int64_t high;
        if (!files_int(&p->files, &low, CPU_FOLDER "cpu%d/cpufreq/scaling_min_freq", cpu) ||
            !files_int(&p->files, &high, CPU_FOLDER "cpu%d/cpufreq/scaling_max_freq", cpu))
            continue;
        if (seen++ == 0 || low != high) {
            text_clear(found);
            text_printf(found, "%lld to %lld MHz", (long long)low / 1000, (long long)high / 1000);
        }
        if (low != high)
            cpuset_add(&wide, (unsigned)cpu);
    }
    if (seen == 0) {
        auto_free char *path = must_format(CPU_FOLDER "cpu%d/cpufreq/scaling_min_freq", cpuset_next(&p->rt, 0));
        return look_absent(p, found, path);
    }
    if (cpuset_is_empty(&wide))
        return VERDICT_OK;
    text_append(found, " on ");
    text_cpus(found, &wide);
    return VERDICT_BAD;
}

static bool is_performance_preference(const char *value)
{
    return strcmp(value, "performance") == 0 || strcmp(value, "0") == 0;
}

static enum verdict look_epp(const struct patient *p, struct text *found)
{
    return look_each(p, found, "cpufreq/energy_performance_preference", is_performance_preference);
}

static bool is_zero(const char *value)
{
    return strcmp(value, "0") == 0;
}

static enum verdict look_epb(const struct patient *p, struct text *found)
{
    return look_each(p, found, "power/energy_perf_bias", is_zero);
}

static enum verdict look_turbo(const struct patient *p, struct text *found)
{
    int64_t value;
    if (files_int(&p->files, &value, CPU_FOLDER "intel_pstate/no_turbo")) {
        text_append(found, value ? "off" : "on");
        return value ? VERDICT_OK : VERDICT_BAD;
    }
    if (!files_int(&p->files, &value, CPU_FOLDER "cpufreq/boost"))
        return look_absent(p, found, CPU_FOLDER "cpufreq/boost");
    text_append(found, value ? "on" : "off");
    return value ? VERDICT_BAD : VERDICT_OK;
}

static enum verdict look_hwp_boost(const struct patient *p, struct text *found)
{
    return look_int(p, found, 0, 0, CPU_FOLDER "intel_pstate/hwp_dynamic_boost");
}

struct uncore {
    const struct files *files;
    unsigned seen;
    struct text *found;
    bool wide;
};

static void look_at_uncore(const char *name, void *arg)
{
    struct uncore *u = arg;
    int64_t low;
    int64_t high;
    static const char FOLDER[] = CPU_FOLDER "intel_uncore_frequency";
    if (!files_int(u->files, &low, "%s/%s/min_freq_khz", FOLDER, name) ||
        !files_int(u->files, &high, "%s/%s/max_freq_khz", FOLDER, name))
        return;
    if (u->seen++ == 0)
        text_printf(u->found, "%lld to %lld MHz", (long long)low / 1000, (long long)high / 1000);
    u->wide |= low != high;
}

static enum verdict look_uncore(const struct patient *p, struct text *found)
{
    struct uncore u = {.files = &p->files, .found = found};
    files_each(&p->files, look_at_uncore, &u, CPU_FOLDER "intel_uncore_frequency/");
    if (u.seen == 0)
        return look_absent(p, found, CPU_FOLDER "intel_uncore_frequency/");
    return u.wide ? VERDICT_BAD : VERDICT_OK;
}

static enum verdict look_throttled(const struct patient *p, struct text *found)
{
    return look_each(p, found, "thermal_throttle/core_throttle_count", is_zero);
}

static enum verdict look_aspm(const struct patient *p, struct text *found)
{
    return look_choice(p, found, "performance", "/sys/module/pcie_aspm/parameters/policy");
}

static const struct check CHECKS[] = {
    {"idle-states", DOCTOR_WARNING, look_idle, "nothing deeper than 10 us",
     "A vCPU that waits wakes up late by the time its CPU needs to leave the idle state.",
     "Documentation/admin-guide/pm/cpuidle.rst",
     "for c in {rt each}; do echo n/a > /sys/devices/system/cpu/cpu$c/power/pm_qos_resume_latency_us; done",
     "a unit that does so at boot, or rtvmd tune", "heat and power on these CPUs, less turbo for the others"},
    {"latency-request", DOCTOR_INFO, look_qos, "n/a or 1 to 10",
     "The per-CPU latency request: \"0\" means no request at all, \"n/a\" means that no delay is accepted.",
     "Documentation/ABI/testing/sysfs-devices-power; kernel commits 0759e80b84e3, d5919dcc349d",
     "for c in {rt each}; do echo n/a > /sys/devices/system/cpu/cpu$c/power/pm_qos_resume_latency_us; done",
     "a unit that does so at boot, or rtvmd tune", "heat and power on these CPUs"},
    {"idle-poll", DOCTOR_INFO, look_idle_poll, "not given",
     "idle=poll keeps every CPU spinning, starves SMT siblings and takes the turbo away.",
     "kernel-parameters.txt, idle=", "", "boot without idle=poll and use the per-CPU latency request", ""},
    {"governor", DOCTOR_WARNING, look_governor, "performance",
     "Any other governor lowers the frequency of a CPU that waits.", "Documentation/admin-guide/pm/cpufreq.rst",
     "for c in {rt each}; do echo performance > /sys/devices/system/cpu/cpu$c/cpufreq/scaling_governor; done",
     "tuned profile realtime-virtual-host, or a unit at boot", "heat and power"},
    {"frequency-range", DOCTOR_INFO, look_range, "minimum = maximum", "A changing frequency changes every latency.",
     "Documentation/admin-guide/pm/cpufreq.rst", "raise scaling_min_freq of CPUs {rt} to their scaling_max_freq",
     "a unit that does so at boot", "heat and power"},
    {"energy-preference", DOCTOR_INFO, look_epp, "performance",
     "With hardware-managed P-states this hint decides how eagerly the frequency falls.",
     "Documentation/admin-guide/pm/intel_pstate.rst",
     "for c in {rt each}; do echo performance > /sys/devices/system/cpu/cpu$c/cpufreq/energy_performance_preference; done",
     "a unit that does so at boot", "power"},
    {"energy-bias", DOCTOR_INFO, look_epb, "0", "Above 0 the processor favours saving energy over answering fast.",
     "Documentation/admin-guide/pm/intel_epb.rst",
     "for c in {rt each}; do echo 0 > /sys/devices/system/cpu/cpu$c/power/energy_perf_bias; done",
     "a unit that does so at boot", "power"},
    {"turbo-off", DOCTOR_INFO, look_turbo, "off, where steadiness counts more than speed",
     "With turbo the frequency depends on what the other cores do and on temperature.",
     "Documentation/admin-guide/pm/intel_pstate.rst",
     "echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo, or echo 0 > /sys/devices/system/cpu/cpufreq/boost",
     "switch it off in the firmware", "peak speed: measure both"},
    {"hwp-boost", DOCTOR_INFO, look_hwp_boost, "0",
     "The kernel raises the frequency after I/O waits, at random moments.",
     "Documentation/admin-guide/pm/intel_pstate.rst", "echo 0 > /sys/devices/system/cpu/intel_pstate/hwp_dynamic_boost",
     "a unit that does so at boot", ""},
    {"uncore-range", DOCTOR_INFO, look_uncore, "minimum = maximum",
     "Memory and last-level cache run at the uncore's frequency, which falls when few cores are busy.",
     "Documentation/admin-guide/pm/intel_uncore_frequency_scaling.rst",
     "raise min_freq_khz to max_freq_khz below /sys/devices/system/cpu/intel_uncore_frequency", "a unit at boot",
     "power"},
    {"thermal-throttle", DOCTOR_WARNING, look_throttled, "0",
     "A CPU that got too hot was slowed down, and will be again.", "Documentation/driver-api/thermal", "",
     "cool the machine better; lower its load or turbo", ""},
    {"pcie-aspm", DOCTOR_INFO, look_aspm, "performance",
     "PCI Express links that sleep add microseconds to every device access.",
     "kernel-parameters.txt, pcie_aspm=", "echo performance > /sys/module/pcie_aspm/parameters/policy",
     "boot with pcie_aspm=off, or set it in the firmware", "power"},
};

const struct check_table CHECKS_POWER = {"power", CHECKS, ARRAY_SIZE(CHECKS)};
