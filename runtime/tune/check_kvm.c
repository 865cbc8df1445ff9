/* KVM and its modules: how entering, leaving and waiting in a guest behaves. */
#include <stdio.h>
#include <string.h>

#include "runtime/tune/check.h"

#define KVM "/sys/module/kvm/parameters/"
#define KVM_INTEL "/sys/module/kvm_intel/parameters/"
#define KVM_AMD "/sys/module/kvm_amd/parameters/"

static enum verdict look_works(const struct patient *p, struct text *found)
{
    return look_answer(p, found, p->host->kvm_works, p->host->kvm_because);
}

static enum verdict look_halt_poll(const struct patient *p, struct text *found)
{
    return look_int(p, found, 0, 0, KVM "halt_poll_ns");
}

static enum verdict look_nx_huge_pages(const struct patient *p, struct text *found)
{
    char pages[16];
    int64_t ratio = 0;
    if (!files_line(&p->files, pages, sizeof pages, KVM "nx_huge_pages"))
        return look_absent(p, found, KVM "nx_huge_pages");
    bool on = strchr("Yy1a", pages[0]) != NULL; /* Y, 1, auto */
    files_int(&p->files, &ratio, KVM "nx_huge_pages_recovery_ratio");
    text_printf(found, "%s, recovery ratio %lld", on ? "on" : "off", (long long)ratio);
    return !on || ratio == 0 ? VERDICT_OK : VERDICT_BAD;
}

static enum verdict look_timer_advance(const struct patient *p, struct text *found)
{
    if (files_exists(&p->files, KVM "lapic_timer_advance"))
        return look_switch(p, found, true, KVM "lapic_timer_advance");
    int64_t ns;
    if (!files_int(&p->files, &ns, KVM "lapic_timer_advance_ns"))
        return look_absent(p, found, KVM "lapic_timer_advance");
    text_printf(found, "%lld ns", (long long)ns);
    return ns != 0 ? VERDICT_OK : VERDICT_BAD; /* -1: tuned by itself */
}

static enum verdict look_timer_period(const struct patient *p, struct text *found)
{
    return look_int(p, found, 0, 200, KVM "min_timer_period_us");
}

static enum verdict look_pi_timer(const struct patient *p, struct text *found)
{
    char value[16];
    if (!files_line(&p->files, value, sizeof value, KVM "pi_inject_timer"))
        return look_absent(p, found, KVM "pi_inject_timer");
    text_append(found, value);
    return strcmp(value, "0") == 0 ? VERDICT_BAD : VERDICT_OK;
}

static enum verdict look_clock_sync(const struct patient *p, struct text *found)
{
    return look_switch(p, found, false, KVM "kvmclock_periodic_sync");
}

static enum verdict look_ple(const struct patient *p, struct text *found)
{
    if (files_exists(&p->files, KVM_AMD "pause_filter_count"))
        return look_int(p, found, 0, 0, KVM_AMD "pause_filter_count");
    return look_int(p, found, 0, 0, KVM_INTEL "ple_gap");
}

/* A switch that one of the two vendors' modules has. */
static enum verdict look_either(const struct patient *p, struct text *found, const char *intel, const char *amd)
{
    return look_switch(p, found, true, files_exists(&p->files, "%s", amd) ? amd : intel);
}

static enum verdict look_paging(const struct patient *p, struct text *found)
{
    return look_either(p, found, KVM_INTEL "ept", KVM_AMD "npt");
}

static enum verdict look_apicv(const struct patient *p, struct text *found)
{
    return look_either(p, found, KVM_INTEL "enable_apicv", KVM_AMD "avic");
}

static enum verdict look_vpid(const struct patient *p, struct text *found)
{
    return look_switch(p, found, true, KVM_INTEL "vpid");
}

static enum verdict look_preemption_timer(const struct patient *p, struct text *found)
{
    return look_switch(p, found, true, KVM_INTEL "preemption_timer");
}

static enum verdict look_l1d_flush(const struct patient *p, struct text *found)
{
    return look_word(p, found, "never cond auto", KVM_INTEL "vmentry_l1d_flush");
}

static enum verdict look_split_lock(const struct patient *p, struct text *found)
{
    return look_int(p, found, 0, 0, "/proc/sys/kernel/split_lock_mitigate");
}

static void count_name(const char *name, void *arg)
{
    (void)name;
    ++*(unsigned *)arg;
}

static enum verdict look_iommu(const struct patient *p, struct text *found)
{
    unsigned count = 0;
    if (!files_each(&p->files, count_name, &count, "/sys/class/iommu/"))
        return look_absent(p, found, "/sys/class/iommu/");
    text_printf(found, count == 1 ? "%u unit" : "%u units", count);
    return count ? VERDICT_OK : VERDICT_BAD;
}

/* Threads that serve VMs from inside the kernel: they inherit FIFO and affinity of whoever started them. */
static enum verdict look_helpers(const struct patient *p, struct text *found)
{
    static const char *const NAMES[] = {"kvm-nx-lpage", "kvm-pit", "vhost-"};
    if (!p->tasks.known) {
        text_append(found, "no threads are recorded");
        return VERDICT_UNKNOWN;
    }
    for (size_t i = 0; i < p->tasks.count; i++) {
        const struct task *t = &p->tasks.at[i];
        for (size_t k = 0; k < ARRAY_SIZE(NAMES); k++)
            if (text_starts_with(t->name, NAMES[k]) && cpuset_intersects(&t->allowed, &p->rt)) {
                text_printf(found, "%s (%d) may run on ", t->name, t->tid);
                struct cpuset both = cpuset_and(&t->allowed, &p->rt);
                text_cpus(found, &both);
                return VERDICT_BAD;
            }
    }
    text_append(found, "none");
    return VERDICT_OK;
}

static const struct check CHECKS[] = {
    {"kvm", DOCTOR_CRITICAL, look_works, "runs 64-bit code at speed",
     "Tried by running a loop of guest code: a /dev/kvm that emulates every instruction answers all queries too.",
     "Documentation/virt/kvm/api.rst", "modprobe kvm_intel or kvm_amd",
     "switch virtualization on in the firmware; in a VM, ask for nested virtualization", ""},
    {"kvm-halt-poll", DOCTOR_WARNING, look_halt_poll, "0",
     "When a vCPU waits, KVM first polls for it; on a kernel thread's account and at the price of a late first wake-up.",
     "Documentation/virt/kvm/halt-polling.rst; meta-seapath PR 119", "echo 0 > /sys/module/kvm/parameters/halt_poll_ns",
     "options kvm halt_poll_ns=0 in /etc/modprobe.d", "other VMs that wait often get slower"},
    {"kvm-nx-recovery", DOCTOR_WARNING, look_nx_huge_pages, "off, or recovery ratio 0",
     "A thread of each VM periodically splits and joins its pages, stopping the vCPUs for it.",
     "Documentation/admin-guide/hw-vuln/multihit.rst",
     "echo 0 > /sys/module/kvm/parameters/nx_huge_pages_recovery_ratio",
     "options kvm nx_huge_pages=off in /etc/modprobe.d",
     "security: nx_huge_pages=off lets a guest stop processors that have the iTLB multihit erratum"},
    {"kvm-timer-advance", DOCTOR_INFO, look_timer_advance, "on",
     "The guest's timer is fired a little early, by what entering the guest takes.",
     "KVM commit \"KVM: LAPIC: Tune lapic_timer_advance_ns automatically\"", "",
     "options kvm lapic_timer_advance=Y in /etc/modprobe.d", ""},
    {"kvm-timer-period", DOCTOR_INFO, look_timer_period, "200 or less",
     "Periodic guest timers faster than this are slowed down without a word.",
     "arch/x86/kvm/x86.c, min_timer_period_us", "echo 100 > /sys/module/kvm/parameters/min_timer_period_us",
     "options kvm min_timer_period_us=100 in /etc/modprobe.d", "a guest can ask for more timer interrupts"},
    {"kvm-timer-post", DOCTOR_INFO, look_pi_timer, "-1 or 1",
     "With nohz_full, guest timers are served on housekeeping CPUs and posted, without an exit of the vCPU.",
     "kernel commit 0c5f81dad46c", "echo 1 > /sys/module/kvm/parameters/pi_inject_timer",
     "options kvm pi_inject_timer=1 in /etc/modprobe.d", ""},
    {"kvm-clock-sync", DOCTOR_INFO, look_clock_sync, "N",
     "Every five minutes all vCPUs are made to exit to update a clock that the TSC makes needless.",
     "tuned profile realtime-virtual-host", "", "options kvm kvmclock_periodic_sync=N in /etc/modprobe.d", ""},
    {"kvm-pause-exit", DOCTOR_INFO, look_ple, "0",
     "A vCPU that spins on a lock is made to exit; one that has its CPU alone should not.",
     "tuned profile realtime-virtual-host", "", "options kvm_intel ple_gap=0 ple_window=0 in /etc/modprobe.d",
     "shared CPUs of other VMs waste time spinning"},
    {"kvm-nested-paging", DOCTOR_CRITICAL, look_paging, "on",
     "Without it every page-table change of the guest is an exit.", "Documentation/virt/kvm/x86/mmu.rst", "",
     "options kvm_intel ept=1 (kvm_amd npt=1) in /etc/modprobe.d", ""},
    {"kvm-apicv", DOCTOR_INFO, look_apicv, "on", "With it interrupts reach the guest without an exit.",
     "arch/x86/kvm/vmx, enable_apicv", "", "options kvm_intel enable_apicv=1 (kvm_amd avic=1) in /etc/modprobe.d", ""},
    {"kvm-vpid", DOCTOR_INFO, look_vpid, "on", "Without it each entry and exit empties the address cache.",
     "arch/x86/kvm/vmx, vpid", "", "options kvm_intel vpid=1 in /etc/modprobe.d", ""},
    {"kvm-preemption-timer", DOCTOR_INFO, look_preemption_timer, "on",
     "With it the guest's timer fires in the processor, without a host timer interrupt.",
     "arch/x86/kvm/vmx, preemption_timer", "", "options kvm_intel preemption_timer=1 in /etc/modprobe.d", ""},
    {"kvm-l1d-flush", DOCTOR_INFO, look_l1d_flush, "never, cond or auto",
     "\"always\" empties the first-level cache on every entry into a guest.",
     "Documentation/admin-guide/hw-vuln/l1tf.rst", "echo cond > /sys/module/kvm_intel/parameters/vmentry_l1d_flush", "",
     "security: \"never\" lets a guest read memory on processors with L1TF"},
    {"split-lock", DOCTOR_WARNING, look_split_lock, "0",
     "A guest that locks across two cache lines is put to sleep for about 10 ms on purpose.",
     "Documentation/admin-guide/sysctl/kernel.rst, split_lock_mitigate", "sysctl -w kernel.split_lock_mitigate=0",
     "boot with split_lock_detect=off", "a guest can slow the others by such locks"},
    {"iommu", DOCTOR_INFO, look_iommu, "at least one", "Devices are given to a VM only behind an IOMMU.",
     "Documentation/driver-api/vfio.rst", "",
     "switch VT-d or AMD-Vi on in the firmware; boot with intel_iommu=on iommu=pt", ""},
    {"kvm-helpers", DOCTOR_WARNING, look_helpers, "none on real-time CPUs",
     "Helper threads of VMs in the kernel inherit CPUs and FIFO of the thread that started them.",
     "seen with kvm-nx-lpage-recovery; KubeVirt VEP 374 for vhost",
     "taskset -pc {hk} TID and chrt -o -p 0 TID, or rtvmd verify", "start VMs with rtvmd, which pins them", ""},
};

const struct check_table CHECKS_KVM = {"kvm", CHECKS, ARRAY_SIZE(CHECKS)};
