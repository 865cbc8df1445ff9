/* What else the kernel and the system run on real-time CPUs: workers, watchdogs, timers, threads. */
#include <stdio.h>
#include <string.h>

#include "runtime/tune/check.h"

static enum verdict look_workqueues(const struct patient *p, struct text *found)
{
    return look_mask(p, found, "/sys/devices/virtual/workqueue/cpumask");
}

static enum verdict look_writeback(const struct patient *p, struct text *found)
{
    return look_mask(p, found, "/sys/devices/virtual/workqueue/writeback/cpumask");
}

static enum verdict no_threads(struct text *found)
{
    text_append(found, "no threads are recorded");
    return VERDICT_UNKNOWN;
}

/* Threads that may run on a real-time CPU although nothing ties them to it. */
static enum verdict look_floating(const struct patient *p, struct text *found, bool kernel)
{
    unsigned count = 0;
    const struct task *first = NULL;
    if (!p->tasks.known)
        return no_threads(found);
    for (size_t i = 0; i < p->tasks.count; i++) {
        const struct task *t = &p->tasks.at[i];
        if (t->kernel != kernel || t->bound || !cpuset_intersects(&t->allowed, &p->rt))
            continue;
        /* A thread of a VM has its place by plan; a kernel thread of one CPU belongs to it. */
        if (text_starts_with(t->name, "CPU ") || (kernel && cpuset_count(&t->allowed) == 1))
            continue;
        first = first ? first : t;
        count++;
    }
    text_printf(found, "%u", count);
    if (first)
        text_printf(found, ", the first is %s (%d)", first->name, first->tid);
    return count ? VERDICT_BAD : VERDICT_OK;
}

static enum verdict look_kernel_threads(const struct patient *p, struct text *found)
{
    return look_floating(p, found, true);
}

static enum verdict look_user_threads(const struct patient *p, struct text *found)
{
    return look_floating(p, found, false);
}

static enum verdict look_init(const struct patient *p, struct text *found)
{
    if (!p->tasks.known)
        return no_threads(found);
    for (size_t i = 0; i < p->tasks.count; i++) {
        const struct task *t = &p->tasks.at[i];
        if (t->tid != 1)
            continue;
        text_cpus(found, &t->allowed);
        return cpuset_intersects(&t->allowed, &p->rt) ? VERDICT_BAD : VERDICT_OK;
    }
    return no_threads(found);
}

static enum verdict look_vmstat(const struct patient *p, struct text *found)
{
    return look_int(p, found, 10, INT32_MAX, "/proc/sys/vm/stat_interval");
}

static enum verdict look_nmi_watchdog(const struct patient *p, struct text *found)
{
    return look_int(p, found, 0, 0, "/proc/sys/kernel/nmi_watchdog");
}

static enum verdict look_watchdog(const struct patient *p, struct text *found)
{
    int64_t on;
    if (files_int(&p->files, &on, "/proc/sys/kernel/soft_watchdog") && on == 0) {
        text_append(found, "the watchdog is off");
        return VERDICT_OK;
    }
    return look_list(p, found, "/proc/sys/kernel/watchdog_cpumask");
}

static enum verdict look_hung_task(const struct patient *p, struct text *found)
{
    int64_t seconds;
    static const char PATH[] = "/proc/sys/kernel/hung_task_timeout_secs";
    if (!files_int(&p->files, &seconds, PATH))
        return look_absent(p, found, PATH);
    text_printf(found, "%lld s", (long long)seconds);
    return seconds == 0 || seconds >= 600 ? VERDICT_OK : VERDICT_BAD;
}

static enum verdict look_rcu_normal(const struct patient *p, struct text *found)
{
    return look_int(p, found, 1, 1, "/sys/kernel/rcu_normal");
}

static enum verdict look_rcu_stall(const struct patient *p, struct text *found)
{
    return look_switch(p, found, true, "/sys/module/rcupdate/parameters/rcu_cpu_stall_suppress");
}

static enum verdict look_machine_check_poll(const struct patient *p, struct text *found)
{
    return look_int(p, found, 0, 0, "/sys/devices/system/machinecheck/machinecheck0/check_interval");
}

static enum verdict look_machine_check_corrected(const struct patient *p, struct text *found)
{
    return look_int(p, found, 1, 1, "/sys/devices/system/machinecheck/machinecheck0/ignore_ce");
}

static enum verdict look_perf_rate(const struct patient *p, struct text *found)
{
    return look_int(p, found, 0, 25, "/proc/sys/kernel/perf_cpu_time_max_percent");
}

static enum verdict look_printk(const struct patient *p, struct text *found)
{
    char line[64];
    if (!files_line(&p->files, line, sizeof line, "/proc/sys/kernel/printk"))
        return look_absent(p, found, "/proc/sys/kernel/printk");
    text_printf(found, "console level %c", line[0]);
    return line[0] >= '0' && line[0] <= '4' ? VERDICT_OK : VERDICT_BAD;
}

/* "console=ttyS0": on an old-style console every message is sent bit by bit with interrupts off. */
static enum verdict look_console(const struct patient *p, struct text *found)
{
    char value[64] = "";
    if (!p->command_line)
        return look_boot_option(p, found, "console=");
    boot_option_value(p, "console", value, sizeof value);
    text_append(found, value[0] ? value : "none given");
    return text_starts_with(value, "ttyS") ? VERDICT_BAD : VERDICT_OK;
}

static const struct check CHECKS[] = {
    {"workqueues", DOCTOR_WARNING, look_workqueues, "no real-time CPU",
     "Unbound kernel work is queued to any CPU of this mask.", "Documentation/core-api/workqueue.rst",
     "echo {hk mask} > /sys/devices/virtual/workqueue/cpumask",
     "boot with isolcpus=domain,{rt} or workqueue.unbound_cpus={hk}", ""},
    {"writeback", DOCTOR_INFO, look_writeback, "no real-time CPU",
     "Dirty pages are written out by this work queue, in long stretches.", "Documentation/core-api/workqueue.rst",
     "echo {hk mask} > /sys/devices/virtual/workqueue/writeback/cpumask", "a unit that does so at boot", ""},
    {"kernel-threads", DOCTOR_WARNING, look_kernel_threads, "0",
     "Kernel threads that may run anywhere will run on real-time CPUs as well.",
     "Documentation/admin-guide/kernel-per-CPU-kthreads.rst",
     "taskset -pc {hk} TID for each, or rtvmd tune apply --cpus {rt}",
     "boot with isolcpus=domain,{rt} (it confines kthreadd too)", ""},
    {"user-threads", DOCTOR_WARNING, look_user_threads, "0",
     "Programs that may run on a real-time CPU delay the vCPU, or wait for ever behind it.",
     "Documentation/admin-guide/cgroup-v2.rst, cpuset",
     "systemctl set-property --runtime system.slice AllowedCPUs={hk} (user.slice and init.scope too)",
     "CPUAffinity={hk} in /etc/systemd/system.conf", ""},
    {"init-affinity", DOCTOR_INFO, look_init, "housekeeping CPUs", "Everything that PID 1 starts inherits its CPUs.",
     "systemd-system.conf(5), CPUAffinity=", "taskset -pc {hk} 1", "CPUAffinity={hk} in /etc/systemd/system.conf", ""},
    {"vmstat-interval", DOCTOR_INFO, look_vmstat, "10 or more",
     "Every so many seconds each CPU is interrupted to fold its memory statistics.",
     "Documentation/admin-guide/sysctl/vm.rst", "sysctl -w vm.stat_interval=10",
     "echo vm.stat_interval=10 > /etc/sysctl.d/90-vmstat.conf", "vmstat and friends lag behind"},
    {"nmi-watchdog", DOCTOR_WARNING, look_nmi_watchdog, "0",
     "The hard-lockup watchdog interrupts every CPU by a performance counter.",
     "Documentation/admin-guide/lockup-watchdogs.rst", "sysctl -w kernel.nmi_watchdog=0", "boot with nmi_watchdog=0",
     "a hard lockup is no longer noticed"},
    {"watchdog-cpus", DOCTOR_WARNING, look_watchdog, "no real-time CPU",
     "On the CPUs of this mask a timer and a high-priority thread look for soft lockups.",
     "Documentation/admin-guide/lockup-watchdogs.rst", "echo {hk} > /proc/sys/kernel/watchdog_cpumask",
     "boot with nohz_full={rt} (takes them out), or nosoftlockup", "soft lockups there are no longer noticed"},
    {"hung-task", DOCTOR_INFO, look_hung_task, "0, or 600 s and more",
     "A thread walks all tasks this often, and a starved task is reported as hung.",
     "Documentation/admin-guide/sysctl/kernel.rst", "sysctl -w kernel.hung_task_timeout_secs=600",
     "a file in /etc/sysctl.d", ""},
    {"rcu-normal", DOCTOR_WARNING, look_rcu_normal, "1",
     "Expedited RCU grace periods interrupt every busy CPU at once.",
     "Documentation/admin-guide/kernel-parameters.txt, rcupdate.rcu_normal", "echo 1 > /sys/kernel/rcu_normal",
     "boot with rcupdate.rcu_normal_after_boot=1", "some operations, such as unloading modules, take longer"},
    {"rcu-stall", DOCTOR_INFO, look_rcu_stall, "1", "A stall warning prints the stacks of all CPUs, which stops them.",
     "Documentation/RCU/stallwarn.rst", "echo 1 > /sys/module/rcupdate/parameters/rcu_cpu_stall_suppress",
     "boot with rcupdate.rcu_cpu_stall_suppress=1", "RCU stalls are no longer reported"},
    {"mce-poll", DOCTOR_INFO, look_machine_check_poll, "0", "Every CPU polls its machine-check banks this often.",
     "Documentation/arch/x86/x86_64/machinecheck.rst",
     "echo 0 > /sys/devices/system/machinecheck/machinecheck0/check_interval", "a unit that does so at boot",
     "errors that raise no interrupt are found late"},
    {"mce-corrected", DOCTOR_INFO, look_machine_check_corrected, "1",
     "Corrected memory errors are handled by an interrupt on all CPUs of a package.",
     "Documentation/arch/x86/x86_64/machinecheck.rst",
     "echo 1 > /sys/devices/system/machinecheck/machinecheck0/ignore_ce", "boot with mce=ignore_ce",
     "failing memory is not seen before it fails"},
    {"perf-limit", DOCTOR_INFO, look_perf_rate, "25 or less", "Sampling profilers may take this share of every CPU.",
     "Documentation/admin-guide/sysctl/kernel.rst", "sysctl -w kernel.perf_cpu_time_max_percent=25", "", ""},
    {"printk-level", DOCTOR_INFO, look_printk, "4 or less",
     "Messages at or above this level go to the console, which may be slow.",
     "Documentation/admin-guide/sysctl/kernel.rst, printk", "dmesg -n 4", "boot with quiet", ""},
    {"serial-console", DOCTOR_INFO, look_console, "none on a serial line",
     "A serial console prints a character at a time, on some drivers with interrupts off.",
     "Documentation/admin-guide/serial-console.rst", "dmesg -n 1", "boot without console=ttyS…",
     "no kernel messages on the line when the machine dies"},
};

const struct check_table CHECKS_NOISE = {"noise", CHECKS, ARRAY_SIZE(CHECKS)};
