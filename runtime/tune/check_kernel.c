/* What kernel and machine this is: nothing here changes without a reboot. */
#include <stdio.h>
#include <string.h>

#include "runtime/tune/check.h"

static enum verdict look_rt(const struct patient *p, struct text *found)
{
    static const char *const WORDS[] = {"unknown", "not PREEMPT_RT", "PREEMPT_RT"};
    text_printf(found, "%s%s%s", WORDS[p->host->rt_kernel], p->host->kernel_release[0] ? ", " : "",
                p->host->kernel_release);
    return p->host->rt_kernel == HOST_UNKNOWN ? VERDICT_UNKNOWN
           : p->host->rt_kernel == HOST_YES   ? VERDICT_OK
                                              : VERDICT_BAD;
}

/* "none voluntary (full)" */
static enum verdict look_preempt(const struct patient *p, struct text *found)
{
    char line[128];
    if (p->host->rt_kernel == HOST_YES) {
        text_append(found, "PREEMPT_RT preempts always");
        return VERDICT_NOT_APPLICABLE;
    }
    if (!files_line(&p->files, line, sizeof line, "/sys/kernel/debug/sched/preempt"))
        return look_absent(p, found, "/sys/kernel/debug/sched/preempt");
    text_append(found, line);
    return strstr(line, "(full)") || strstr(line, "(lazy)") ? VERDICT_OK : VERDICT_BAD;
}

static enum verdict look_hardware(const struct patient *p, struct text *found)
{
    static const char *const WORDS[] = {"unknown", "real hardware", "a virtual machine"};
    text_append(found, WORDS[p->host->virtualized]);
    return p->host->virtualized == HOST_UNKNOWN ? VERDICT_UNKNOWN
           : p->host->virtualized == HOST_NO    ? VERDICT_OK
                                                : VERDICT_BAD;
}

static enum verdict look_no_hz_full(const struct patient *p, struct text *found)
{
    return look_build_option(p, found, "CONFIG_NO_HZ_FULL", 'y');
}

static enum verdict look_rcu_nocb(const struct patient *p, struct text *found)
{
    return look_build_option(p, found, "CONFIG_RCU_NOCB_CPU", 'y');
}

static enum verdict look_cpusets(const struct patient *p, struct text *found)
{
    return look_build_option(p, found, "CONFIG_CPUSETS", 'y');
}

static enum verdict look_tracers(const struct patient *p, struct text *found)
{
    char line[512];
    if (!files_line(&p->files, line, sizeof line, "/sys/kernel/tracing/available_tracers"))
        return look_build_option(p, found, "CONFIG_TIMERLAT_TRACER", 'y');
    bool all = strstr(line, "osnoise") && strstr(line, "timerlat") && strstr(line, "hwlat");
    text_append(found, line);
    return all ? VERDICT_OK : VERDICT_BAD;
}

static enum verdict look_rt_group(const struct patient *p, struct text *found)
{
    /* What counts is whether FIFO is granted; the option alone does no harm where throttling is off. */
    if (p->host->fifo_works == HOST_YES) {
        text_append(found, "SCHED_FIFO is granted");
        return VERDICT_OK;
    }
    return look_build_option(p, found, "CONFIG_RT_GROUP_SCHED", 'n');
}

static enum verdict look_debug_kernel(const struct patient *p, struct text *found)
{
    static const char *const OPTIONS[] = {"CONFIG_PROVE_LOCKING", "CONFIG_KASAN", "CONFIG_DEBUG_OBJECTS",
                                          "CONFIG_DEBUG_PREEMPT", "CONFIG_DEBUG_PAGEALLOC_ENABLE_DEFAULT"};
    if (!p->build_options)
        return look_build_option(p, found, OPTIONS[0], 'n');
    for (size_t i = 0; i < ARRAY_SIZE(OPTIONS); i++) {
        auto_text ignored = {0};
        if (look_build_option(p, &ignored, OPTIONS[i], 'n') == VERDICT_BAD)
            text_printf(found, "%s%s", found->length ? ", " : "", OPTIONS[i]);
    }
    if (found->length)
        return VERDICT_BAD;
    text_append(found, "none");
    return VERDICT_OK;
}

static enum verdict look_clocksource(const struct patient *p, struct text *found)
{
    static const char *const GOOD[] = {"tsc", "arch_sys_counter", "timebase"};
    if (!p->host->clocksource[0])
        return look_absent(p, found, "/sys/devices/system/clocksource/clocksource0/current_clocksource");
    text_append(found, p->host->clocksource);
    for (size_t i = 0; i < ARRAY_SIZE(GOOD); i++)
        if (strcmp(p->host->clocksource, GOOD[i]) == 0)
            return VERDICT_OK;
    return VERDICT_BAD;
}

static enum verdict look_flags(const struct patient *p, struct text *found, const char *const flags[], size_t count)
{
    if (!p->cpu_flags) {
        text_append(found, "/proc/cpuinfo lists no flags");
        return strcmp(p->host->architecture, "x86_64") == 0 ? VERDICT_UNKNOWN : VERDICT_NOT_APPLICABLE;
    }
    for (size_t i = 0; i < count; i++)
        if (!has_cpu_flag(p, flags[i]))
            text_printf(found, "%s%s", found->length ? ", " : "missing ", flags[i]);
    if (found->length)
        return VERDICT_BAD;
    text_append(found, "all there");
    return VERDICT_OK;
}

static enum verdict look_tsc(const struct patient *p, struct text *found)
{
    static const char *const FLAGS[] = {"constant_tsc", "nonstop_tsc"};
    return look_flags(p, found, FLAGS, ARRAY_SIZE(FLAGS));
}

static enum verdict look_tsc_deadline(const struct patient *p, struct text *found)
{
    if (p->cpu_flags && !strstr(p->cpu_flags, "vmx") && !has_cpu_flag(p, "tsc_deadline_timer")) {
        text_append(found, "not an Intel processor");
        return VERDICT_NOT_APPLICABLE;
    }
    static const char *const FLAGS[] = {"tsc_deadline_timer"};
    return look_flags(p, found, FLAGS, ARRAY_SIZE(FLAGS));
}

static enum verdict look_tsc_watchdog(const struct patient *p, struct text *found)
{
    char value[64] = "";
    if (!p->command_line)
        return look_boot_option(p, found, "tsc=nowatchdog");
    bool given = boot_option_value(p, "tsc", value, sizeof value);
    text_printf(found, given ? "tsc=%s" : "tsc= is not given", value);
    return strcmp(value, "nowatchdog") == 0 || strcmp(value, "reliable") == 0 ? VERDICT_OK : VERDICT_BAD;
}

static enum verdict look_skew_tick(const struct patient *p, struct text *found)
{
    return look_boot_option(p, found, "skew_tick=1");
}

static enum verdict look_tracing(const struct patient *p, struct text *found)
{
    return look_word(p, found, "nop", "/sys/kernel/tracing/current_tracer");
}

static enum verdict look_mitigations(const struct patient *p, struct text *found)
{
    if (!p->command_line)
        return look_boot_option(p, found, "mitigations=off");
    char value[64] = "auto";
    boot_option_value(p, "mitigations", value, sizeof value);
    text_printf(found, "mitigations=%s", value);
    return strcmp(value, "off") == 0 ? VERDICT_OK : VERDICT_BAD;
}

static enum verdict look_audit(const struct patient *p, struct text *found)
{
    if (has_boot_option(p, "audit=0")) {
        text_append(found, "audit=0");
        return VERDICT_OK;
    }
    if (!p->tasks.known)
        return look_boot_option(p, found, "audit=0");
    const struct task *audit = tasks_named(&p->tasks, "auditd");
    text_append(found, audit ? "auditd is running" : "auditd is not running");
    return audit ? VERDICT_BAD : VERDICT_OK;
}

static const struct check CHECKS[] = {
    {"kernel-rt", DOCTOR_CRITICAL, look_rt, "PREEMPT_RT",
     "Only a PREEMPT_RT kernel bounds the time that its own code keeps a real-time thread waiting.",
     "Documentation/core-api/real-time; KubeVirt and RHEL for Real Time require it", "",
     "install the RT kernel (Debian: apt install linux-image-rt-amd64), boot it",
     "some throughput: up to a third for system-call-heavy loads"},
    {"kernel-preempt", DOCTOR_WARNING, look_preempt, "full",
     "Without PREEMPT_RT, full preemption is the next best: kernel code gives way at every point but inside locks.",
     "kernel-parameters.txt, preempt=", "echo full > /sys/kernel/debug/sched/preempt", "boot with preempt=full",
     "a few percent of throughput"},
    {"machine-real", DOCTOR_INFO, look_hardware, "real hardware",
     "In a virtual machine another scheduler, out of our sight, takes the CPU away; no latency measured here is a "
     "verdict.",
     "CPUID hypervisor bit", "", "run on the hardware itself", ""},
    {"kernel-no-hz-full", DOCTOR_WARNING, look_no_hz_full, "set",
     "Without it the timer tick interrupts every CPU HZ times a second.", "Documentation/timers/no_hz.rst", "",
     "use a kernel built with CONFIG_NO_HZ_FULL", ""},
    {"kernel-rcu-nocb", DOCTOR_WARNING, look_rcu_nocb, "set",
     "Without it RCU callbacks run as softirqs on the CPU that queued them, real-time CPUs included.",
     "Documentation/admin-guide/kernel-per-CPU-kthreads.rst", "", "use a kernel built with CONFIG_RCU_NOCB_CPU", ""},
    {"kernel-cpusets", DOCTOR_WARNING, look_cpusets, "set", "CPUs are isolated at run time with cpuset partitions.",
     "Documentation/admin-guide/cgroup-v2.rst, cpuset.cpus.partition", "", "use a kernel built with CONFIG_CPUSETS",
     ""},
    {"kernel-tracers", DOCTOR_INFO, look_tracers, "osnoise, timerlat, hwlat",
     "These tracers tell what disturbed a CPU: hardware, interrupt, softirq or thread.",
     "Documentation/trace/osnoise-tracer.rst", "",
     "use a kernel built with CONFIG_OSNOISE_TRACER, CONFIG_TIMERLAT_TRACER and CONFIG_HWLAT_TRACER", ""},
    {"kernel-rt-group-sched", DOCTOR_WARNING, look_rt_group, "not set, or FIFO granted",
     "With it a cgroup without real-time runtime refuses SCHED_FIFO, whatever the capabilities.",
     "Documentation/admin-guide/cgroup-v2.rst, CPU; kubevirt #8750", "sysctl kernel.sched_rt_runtime_us=-1",
     "boot with rt_group_sched=0, or use a kernel without the option", "see rt-throttling"},
    {"kernel-debug", DOCTOR_WARNING, look_debug_kernel, "none",
     "Debugging options add locks and checks to every path; latencies of such a kernel say nothing.",
     "lib/Kconfig.debug", "", "boot the ordinary build of the kernel", ""},
    {"clocksource", DOCTOR_CRITICAL, look_clocksource, "tsc",
     "Any other x86 clock is a slow device access on every reading of the time, and guests lose the stable clock.",
     "Documentation/virt/kvm/x86/timekeeping.rst",
     "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource",
     "boot with tsc=reliable when the TSC is known good; look in dmesg for why it was given up", ""},
    {"tsc-stable", DOCTOR_CRITICAL, look_tsc, "constant_tsc, nonstop_tsc",
     "A TSC that changes rate or stops in idle cannot time a guest.", "Documentation/virt/kvm/x86/timekeeping.rst", "",
     "use a processor with an invariant TSC", ""},
    {"tsc-deadline", DOCTOR_WARNING, look_tsc_deadline, "tsc_deadline_timer",
     "The guest's one-shot timer is cheapest and most exact in this mode; KubeVirt's real-time domain requires it.",
     "Intel SDM volume 3, 10.5.4.1", "", "use a processor that has it", ""},
    {"tsc-watchdog", DOCTOR_INFO, look_tsc_watchdog, "tsc=nowatchdog or tsc=reliable",
     "The clock-source watchdog is a timer that hops over all CPUs, isolated ones too.",
     "kernel-parameters.txt, tsc=", "", "boot with tsc=nowatchdog", "a TSC that drifts is no longer noticed"},
    {"skew-tick", DOCTOR_INFO, look_skew_tick, "skew_tick=1",
     "Ticks of all CPUs at the same instant contend for the same locks.", "kernel-parameters.txt, skew_tick=", "",
     "boot with skew_tick=1", "slightly more power"},
    {"tracing-off", DOCTOR_WARNING, look_tracing, "nop",
     "A tracer that was left on costs on every event, on every CPU.", "Documentation/trace/ftrace.rst",
     "echo nop > /sys/kernel/tracing/current_tracer", "", ""},
    {"audit-off", DOCTOR_INFO, look_audit, "off", "Audited system calls write records from the CPU that makes them.",
     "tuned profile realtime", "systemctl stop auditd", "boot with audit=0", "no audit trail: a security trade-off"},
    {"mitigations", DOCTOR_INFO, look_mitigations, "off, where the guests are trusted",
     "Each entry to and exit from a guest pays for the mitigations of speculative-execution attacks.",
     "Documentation/admin-guide/hw-vuln", "", "boot with mitigations=off",
     "security: a guest may read host memory; only for machines that run nothing but trusted code"},
};

const struct check_table CHECKS_KERNEL = {"kernel", CHECKS, ARRAY_SIZE(CHECKS)};
