/* Scheduling: may a FIFO thread run for as long as it wants, and does everything that it depends on run before it? */
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "runtime/tune/check.h"

/* The priority that a vCPU gets unless the manifest says otherwise; KubeVirt's is fixed at it. */
enum { VCPU_PRIORITY = 1 };

static enum verdict look_fifo(const struct patient *p, struct text *found)
{
    return look_answer(p, found, p->host->fifo_works, p->host->fifo_because);
}

static enum verdict look_throttling(const struct patient *p, struct text *found)
{
    if (!p->host->has_rt_runtime)
        return look_absent(p, found, "/proc/sys/kernel/sched_rt_runtime_us");
    text_printf(found, "%lld us", (long long)p->host->rt_runtime_us);
    if (p->host->rt_runtime_us < 0)
        return VERDICT_OK;
    if (p->host->fair_server == HOST_YES) {
        text_append(found, ", but fair servers have replaced throttling here");
        return VERDICT_OK;
    }
    return VERDICT_BAD;
}

/* A fair server per CPU, off when its runtime is 0. */
static enum verdict look_fair_server(const struct patient *p, struct text *found)
{
    if (p->host->fair_server == HOST_NO) {
        text_append(found, "this kernel has none");
        return VERDICT_NOT_APPLICABLE;
    }
    struct cpuset on = {0};
    unsigned seen = 0;
    int64_t runtime = 0;
    cpuset_foreach(cpu, &p->rt)
    {
        if (!files_int(&p->files, &runtime, "/sys/kernel/debug/sched/fair_server/cpu%d/runtime", cpu))
            continue;
        seen++;
        if (runtime != 0)
            cpuset_add(&on, (unsigned)cpu);
    }
    if (seen == 0) {
        text_append(found, p->host->fair_server == HOST_YES ? "there, its setting cannot be read (debugfs, root)"
                                                            : "not known whether this kernel has one");
        return VERDICT_UNKNOWN;
    }
    if (cpuset_is_empty(&on)) {
        text_append(found, "off on the real-time CPUs");
        return VERDICT_OK;
    }
    text_append(found, "on, on ");
    text_cpus(found, &on);
    return VERDICT_BAD;
}

/* Kernel threads NAME/N that must run before a vCPU. */
static enum verdict look_priority(const struct patient *p, struct text *found, const char *name)
{
    if (p->host->rt_kernel == HOST_NO) {
        text_append(found, "only PREEMPT_RT runs them as real-time threads");
        return VERDICT_NOT_APPLICABLE;
    }
    if (!p->tasks.known) {
        text_append(found, "no threads are recorded");
        return VERDICT_UNKNOWN;
    }
    auto_free char *prefix = must_format("%s/", name);
    const struct task *lowest = NULL;
    for (size_t i = 0; i < p->tasks.count; i++) {
        const struct task *t = &p->tasks.at[i];
        if (t->kernel && text_starts_with(t->name, prefix) && cpuset_intersects(&t->allowed, &p->rt) &&
            (!lowest || t->priority < lowest->priority))
            lowest = t;
    }
    if (!lowest) {
        text_printf(found, "no %s threads", name);
        return VERDICT_NOT_APPLICABLE;
    }
    text_printf(found, "%s at priority %d", lowest->name, lowest->priority);
    return lowest->priority > VCPU_PRIORITY ? VERDICT_OK : VERDICT_BAD;
}

static enum verdict look_rcuc(const struct patient *p, struct text *found)
{
    return look_priority(p, found, "rcuc");
}

static enum verdict look_ktimers(const struct patient *p, struct text *found)
{
    return look_priority(p, found, "ktimers");
}

static enum verdict look_ksoftirqd(const struct patient *p, struct text *found)
{
    return look_priority(p, found, "ksoftirqd");
}

/* Real-time threads of programs on real-time CPUs, vCPUs aside ("CPU 0/KVM"). */
static enum verdict look_strangers(const struct patient *p, struct text *found)
{
    if (!p->tasks.known) {
        text_append(found, "no threads are recorded");
        return VERDICT_UNKNOWN;
    }
    for (size_t i = 0; i < p->tasks.count; i++) {
        const struct task *t = &p->tasks.at[i];
        bool real_time = t->policy == SCHED_FIFO || t->policy == SCHED_RR || t->policy == SCHED_DEADLINE;
        if (real_time && !t->kernel && cpuset_intersects(&t->allowed, &p->rt) && !text_starts_with(t->name, "CPU ")) {
            text_printf(found, "%s (%d) at priority %d", t->name, t->tid, t->priority);
            return VERDICT_BAD;
        }
    }
    text_append(found, "none");
    return VERDICT_OK;
}

/* In an isolated CPU's folder there is no domain. */
static enum verdict look_domains(const struct patient *p, struct text *found)
{
    struct cpuset balanced = {0};
    if (!files_exists(&p->files, "/sys/kernel/debug/sched/domains/cpu0/"))
        return look_absent(p, found, "/sys/kernel/debug/sched/domains/cpu0/");
    cpuset_foreach(cpu, &p->rt)
    {
        if (files_exists(&p->files, "/sys/kernel/debug/sched/domains/cpu%d/domain0/", cpu))
            cpuset_add(&balanced, (unsigned)cpu);
    }
    if (cpuset_is_empty(&balanced)) {
        text_append(found, "none");
        return VERDICT_OK;
    }
    text_cpus(found, &balanced);
    return VERDICT_BAD;
}

static enum verdict look_cpu_max(const struct patient *p, struct text *found)
{
    char line[64];
    if (!files_line(&p->files, line, sizeof line, "/sys/fs/cgroup/machine.slice/cpu.max")) {
        text_append(found, p->live ? "no quota on machine.slice" : "machine.slice is not recorded");
        return p->live ? VERDICT_OK : VERDICT_UNKNOWN;
    }
    text_append(found, line);
    return text_starts_with(line, "max") ? VERDICT_OK : VERDICT_BAD;
}

static enum verdict look_timer_migration(const struct patient *p, struct text *found)
{
    /* Timers leave a CPU that has no tick, and should; on CPUs with a tick they should stay where they were armed. */
    bool tickless = cpuset_is_subset(&p->rt, &p->host->nohz_full);
    return look_int(p, found, tickless, tickless, "/proc/sys/kernel/timer_migration");
}

static enum verdict look_deadline(const struct patient *p, struct text *found)
{
    if (!p->tasks.known) {
        text_append(found, "no threads are recorded");
        return VERDICT_UNKNOWN;
    }
    const struct task *stalld = tasks_named(&p->tasks, "stalld");
    text_append(found, stalld ? "running" : "not running");
    return stalld ? VERDICT_BAD : VERDICT_OK;
}

static const struct check CHECKS[] = {
    {"fifo", DOCTOR_CRITICAL, look_fifo, "granted",
     "vCPUs run as SCHED_FIFO threads; whether that is granted is tried, "
     "because capability, limit, cgroup and seccomp each can refuse.",
     "man 7 sched", "", "give libvirtd CAP_SYS_NICE; in a container, add the capability and RLIMIT_RTPRIO", ""},
    {"rt-throttling", DOCTOR_CRITICAL, look_throttling, "-1, or a kernel with fair servers",
     "By default the kernel stops every real-time thread for 50 ms of each second.",
     "Documentation/scheduler/sched-rt-group.rst", "sysctl -w kernel.sched_rt_runtime_us=-1",
     "echo kernel.sched_rt_runtime_us=-1 > /etc/sysctl.d/90-realtime.conf",
     "a FIFO thread that never sleeps then owns its CPU: keep housekeeping CPUs"},
    {"fair-server", DOCTOR_CRITICAL, look_fair_server, "off on the real-time CPUs",
     "A fair server gives ordinary tasks that wait on a CPU up to 50 ms of each second, and interrupts the vCPU for it.",
     "kernel commits \"sched/rt: Remove default bandwidth control\" and fc975cfb3639",
     "for c in {rt each}; do echo 0 > /sys/kernel/debug/sched/fair_server/cpu$c/runtime; done",
     "the same in a unit at boot, or rtvmd tune", "an ordinary task that ends up on such a CPU waits for ever"},
    {"stalld", DOCTOR_WARNING, look_deadline, "not running, or kept off the real-time CPUs",
     "stalld lends starved threads SCHED_DEADLINE, which runs before any FIFO vCPU.", "stalld(8), -c",
     "systemctl stop stalld", "start stalld with -c {hk}", "starved threads are no longer helped"},
    {"prio-rcuc", DOCTOR_WARNING, look_rcuc, "above the vCPU's priority",
     "A busy FIFO vCPU that runs before RCU's thread on its CPU stops grace periods, and with them the machine.",
     "Documentation/admin-guide/kernel-parameters.txt, rcutree.kthread_prio", "", "boot with rcutree.kthread_prio=11",
     ""},
    {"prio-ktimers", DOCTOR_WARNING, look_ktimers, "above the vCPU's priority",
     "Timers of the CPU, the vCPU's own too, run in this thread on PREEMPT_RT.", "SEAPATH ansible #439",
     "for p in $(pgrep ktimers/); do chrt -f -p 3 $p; done", "a tuned profile or unit that does so at boot", ""},
    {"prio-ksoftirqd", DOCTOR_WARNING, look_ksoftirqd, "above the vCPU's priority",
     "Deferred interrupt work of the CPU runs in this thread on PREEMPT_RT.", "tuned profile realtime-virtual-host",
     "for p in $(pgrep ksoftirqd/); do chrt -f -p 2 $p; done", "a tuned profile or unit that does so at boot", ""},
    {"rt-strangers", DOCTOR_WARNING, look_strangers, "none",
     "Another real-time thread that may run on a vCPU's CPU delays it for as long as it likes.", "man 7 sched",
     "taskset -apc {hk} PID", "CPUAffinity={hk} in the unit of that program", ""},
    {"isolated-domains", DOCTOR_WARNING, look_domains, "none",
     "While a CPU is in a scheduling domain the load balancer moves tasks onto it.",
     "Documentation/scheduler/sched-domains.rst", "make a cpuset partition of type isolated of {rt}",
     "boot with isolcpus=managed_irq,domain,{rt}", "nothing is balanced onto these CPUs: pin what shall run there"},
    {"cpu-quota", DOCTOR_WARNING, look_cpu_max, "max", "A CPU quota stops the VM's threads when it is used up.",
     "Documentation/admin-guide/cgroup-v2.rst, cpu.max", "echo max > /sys/fs/cgroup/machine.slice/cpu.max",
     "remove CPUQuota= from machine.slice", ""},
    {"timer-migration", DOCTOR_INFO, look_timer_migration, "1 where CPUs are nohz_full, else 0",
     "It decides whether a timer is served where it was armed or moves to a busy CPU.",
     "Documentation/admin-guide/kernel-per-CPU-kthreads.rst", "sysctl -w kernel.timer_migration=1",
     "a file in /etc/sysctl.d", ""},
};

const struct check_table CHECKS_SCHED = {"scheduler", CHECKS, ARRAY_SIZE(CHECKS)};
