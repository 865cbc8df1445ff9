/* Isolation: which CPUs are kept free for vCPUs, and whether they are a sound choice. */
#include <stdio.h>
#include <string.h>

#include "runtime/tune/check.h"

/* Those of running VMs are not the host's (hostprobe/topology.c), and yet isolated. */
static enum verdict look_isolated(const struct patient *p, struct text *found)
{
    struct cpuset isolated = cpuset_and(&p->host->isolated, &p->host->online);
    struct cpuset partitions = {0};
    if (files_set(&p->files, &partitions, "/sys/fs/cgroup/cpuset.cpus.isolated"))
        partitions = cpuset_minus(&partitions, &isolated);
    if (!cpuset_is_empty(&isolated))
        text_cpus(found, &isolated);
    else
        text_append(found, cpuset_is_empty(&partitions) ? "none" : "none for good");
    if (!cpuset_is_empty(&partitions)) {
        text_append(found, "; while their VMs run ");
        text_cpus(found, &partitions);
    }
    return cpuset_is_empty(&isolated) && cpuset_is_empty(&partitions) ? VERDICT_BAD : VERDICT_OK;
}

static enum verdict look_covered(const struct patient *p, struct text *found, const struct cpuset *by)
{
    struct cpuset missing = cpuset_minus(&p->rt, by);
    if (cpuset_is_empty(&missing)) {
        text_append(found, "all of them");
        return VERDICT_OK;
    }
    text_append(found, "not ");
    text_cpus(found, &missing);
    return VERDICT_BAD;
}

static enum verdict look_nohz_full(const struct patient *p, struct text *found)
{
    return look_covered(p, found, &p->host->nohz_full);
}

/* nohz_full implies it. */
static enum verdict look_rcu_nocbs(const struct patient *p, struct text *found)
{
    if (!p->command_line) {
        text_append(found, "/proc/cmdline is not recorded");
        return VERDICT_UNKNOWN;
    }
    char value[1024] = "";
    struct cpuset offloaded = {0};
    struct error err;
    boot_option_value(p, "rcu_nocbs", value, sizeof value);
    if (strcmp(value, "all") == 0)
        offloaded = p->host->online;
    else
        cpuset_parse(value, &offloaded, &err);
    offloaded = cpuset_or(&offloaded, &p->host->nohz_full);
    return look_covered(p, found, &offloaded);
}

static enum verdict look_managed_irq(const struct patient *p, struct text *found)
{
    char value[1024] = "";
    if (!p->command_line) {
        text_append(found, "/proc/cmdline is not recorded");
        return VERDICT_UNKNOWN;
    }
    bool given = boot_option_value(p, "isolcpus", value, sizeof value);
    text_printf(found, given ? "isolcpus=%s" : "isolcpus= is not given", value);
    return strstr(value, "managed_irq") ? VERDICT_OK : VERDICT_BAD;
}

static enum verdict look_whole_cores(const struct patient *p, struct text *found)
{
    struct cpuset split = {0};
    cpuset_foreach(cpu, &p->rt)
    {
        if (!cpuset_is_subset(&p->host->cpu[cpu].siblings, &p->rt))
            cpuset_add(&split, (unsigned)cpu);
    }
    if (cpuset_is_empty(&split)) {
        text_append(found, "all of them");
        return VERDICT_OK;
    }
    text_append(found, "not the cores of ");
    text_cpus(found, &split);
    return VERDICT_BAD;
}

static enum verdict look_first_cpu(const struct patient *p, struct text *found)
{
    int first = cpuset_next(&p->host->online, 0);
    bool housekeeping = cpuset_has(&p->housekeeping, (unsigned)first);
    text_printf(found, "CPU %d is %s", first, housekeeping ? "housekeeping" : "isolated");
    return housekeeping ? VERDICT_OK : VERDICT_BAD;
}

static enum verdict look_room(const struct patient *p, struct text *found)
{
    unsigned left = cpuset_count(&p->housekeeping);
    text_printf(found, "%u of %u", left, cpuset_count(&p->host->online));
    /* One CPU runs the system, but then every emulator thread and interrupt meets on it. */
    return left >= 2 || cpuset_count(&p->host->online) <= 2 ? VERDICT_OK : VERDICT_BAD;
}

static enum verdict look_kind(const struct patient *p, struct text *found)
{
    bool seen[3] = {false};
    cpuset_foreach(cpu, &p->rt)
    {
        seen[p->host->cpu[cpu].kind] = true;
    }
    bool mixed = seen[HOST_CORE_PERFORMANCE] && seen[HOST_CORE_EFFICIENCY];
    text_append(found, mixed ? "performance and efficiency cores" : "one kind");
    return mixed ? VERDICT_BAD : VERDICT_OK;
}

static enum verdict look_offline(const struct patient *p, struct text *found)
{
    struct cpuset offline = cpuset_minus(&p->host->isolated, &p->host->online);
    offline = cpuset_minus(&offline, &p->host->withheld);
    cpuset_foreach(cpu, &offline)
    {
        if (!p->host->cpu[cpu].present)
            cpuset_remove(&offline, (unsigned)cpu);
    }
    if (cpuset_is_empty(&offline)) {
        text_append(found, "none");
        return VERDICT_OK;
    }
    text_cpus(found, &offline);
    return VERDICT_BAD;
}

static enum verdict look_withheld(const struct patient *p, struct text *found)
{
    if (cpuset_is_empty(&p->host->withheld)) {
        text_append(found, "none");
        return VERDICT_OK;
    }
    text_cpus(found, &p->host->withheld);
    return VERDICT_BAD;
}

static enum verdict look_memory_of_cpus(const struct patient *p, struct text *found)
{
    struct cpuset far = {0};
    cpuset_foreach(cpu, &p->rt)
    {
        int node = host_node_index(p->host, p->host->cpu[cpu].node);
        if (node < 0 || p->host->node[node].memory_bytes == 0)
            cpuset_add(&far, (unsigned)cpu);
    }
    if (cpuset_is_empty(&far)) {
        text_append(found, "all of them");
        return VERDICT_OK;
    }
    text_append(found, "not ");
    text_cpus(found, &far);
    return VERDICT_BAD;
}

/* "isolated", "root", "member", or "isolated invalid (reason)"; at the top, and of vCPUs. */
struct partitions {
    const struct patient *patient;
    struct text *found;
    const char *folder;
    unsigned valid;
    bool invalid;
};

static void look_at_partition(const char *name, void *arg)
{
    struct partitions *all = arg;
    char line[256];
    if (!files_line(&all->patient->files, line, sizeof line, "%s%s/cpuset.cpus.partition", all->folder, name))
        return;
    if (strstr(line, "invalid")) {
        text_printf(all->found, "%s%s is %s", all->found->length ? "; " : "", name, line);
        all->invalid = true;
    } else if (strcmp(line, "member") != 0) {
        all->valid++;
    }
}

static void look_at_machine(const char *name, void *arg)
{
    struct partitions *all = arg;
    auto_free char *folder = must_format("/sys/fs/cgroup/machine.slice/%s/libvirt/", name);
    all->folder = folder;
    files_each(&all->patient->files, look_at_partition, all, "%s", folder);
}

static enum verdict look_partitions(const struct patient *p, struct text *found)
{
    struct partitions all = {.patient = p, .found = found, .folder = "/sys/fs/cgroup/"};
    if (!files_each(&p->files, look_at_partition, &all, "/sys/fs/cgroup/"))
        return look_absent(p, found, "/sys/fs/cgroup/");
    files_each(&p->files, look_at_machine, &all, "/sys/fs/cgroup/machine.slice/");
    if (!all.invalid && all.valid)
        text_printf(found, "none of %u", all.valid);
    else if (!all.invalid)
        text_append(found, "none");
    return all.invalid ? VERDICT_BAD : VERDICT_OK;
}

static enum verdict look_smt(const struct patient *p, struct text *found)
{
    return look_int(p, found, 0, 0, "/sys/devices/system/cpu/smt/active");
}

static const struct check CHECKS[] = {
    {"isolated-cpus", DOCTOR_CRITICAL, look_isolated, "some CPUs",
     "Without isolated CPUs any task of the system may be put on a vCPU's CPU.",
     "Documentation/admin-guide/kernel-parameters.txt, isolcpus=",
     "annotate the VM with rtvmd.io/host-tuning: safe, which isolates its CPUs while it runs (Linux 6.7 or newer, cgroup v2)",
     "boot with isolcpus=managed_irq,domain,{rt} nohz_full={rt} rcu_nocbs={rt}", "what is left for the system: {hk}"},
    {"nohz-full", DOCTOR_WARNING, look_nohz_full, "all real-time CPUs",
     "On a nohz_full CPU that runs one thread the timer tick stops.", "Documentation/timers/no_hz.rst", "",
     "boot with nohz_full={rt}", "every system call on these CPUs is a little slower"},
    {"rcu-nocbs", DOCTOR_WARNING, look_rcu_nocbs, "all real-time CPUs",
     "RCU callbacks of these CPUs then run in threads elsewhere.", "kernel-parameters.txt, rcu_nocbs=", "",
     "boot with rcu_nocbs={rt}", ""},
    {"managed-irq", DOCTOR_WARNING, look_managed_irq, "isolcpus=managed_irq,…",
     "Queue interrupts of NVMe disks and network cards are placed by the kernel and cannot be moved; this keeps them "
     "off isolated CPUs as far as possible.",
     "kernel-parameters.txt, isolcpus=managed_irq", "", "boot with isolcpus=managed_irq,domain,{rt}", ""},
    {"whole-cores", DOCTOR_WARNING, look_whole_cores, "whole cores",
     "Two threads of a core share its execution units, caches and some stalls: a sibling that does housekeeping is "
     "noise.",
     "Documentation/admin-guide/hw-vuln/core-scheduling.rst",
     "echo 0 > /sys/devices/system/cpu/cpuN/online for the sibling, or isolate it too", "isolate CPUs by whole cores",
     "half of the threads of these cores"},
    {"first-cpu", DOCTOR_WARNING, look_first_cpu, "housekeeping",
     "The boot CPU carries work that cannot be moved away.", "tuned profile realtime-virtual-host", "",
     "leave CPU 0 out of isolcpus, nohz_full and rcu_nocbs", ""},
    {"housekeeping-room", DOCTOR_WARNING, look_room, "at least 2 CPUs",
     "Emulator threads, disk and network interrupts and the system share the housekeeping CPUs.",
     "RHEL for Real Time, tuning guide", "", "isolate fewer CPUs", ""},
    {"one-kind", DOCTOR_WARNING, look_kind, "one kind of core",
     "Performance and efficiency cores differ in speed: a guest sees them as the same.",
     "Documentation/admin-guide/pm/intel_pstate.rst", "", "isolate CPUs of one kind only", ""},
    {"isolated-online", DOCTOR_WARNING, look_offline, "none offline", "An isolated CPU that is off serves nobody.",
     "Documentation/core-api/cpu_hotplug.rst", "echo 1 > /sys/devices/system/cpu/cpuN/online", "", ""},
    {"cpus-withheld", DOCTOR_INFO, look_withheld, "none",
     "CPUs that the cgroup above us does not give cannot be promised to a VM.",
     "Documentation/admin-guide/cgroup-v2.rst, cpuset.cpus.effective", "widen the cpuset of the container or slice", "",
     ""},
    {"local-memory", DOCTOR_WARNING, look_memory_of_cpus, "memory on the node of each",
     "A vCPU on a node without memory reads all of its memory from another one.",
     "Documentation/admin-guide/mm/numaperf.rst", "", "put memory modules on every node, or isolate other CPUs", ""},
    {"partitions-valid", DOCTOR_WARNING, look_partitions, "none invalid",
     "A cpuset partition turned invalid isolates nothing, silently.",
     "Documentation/admin-guide/cgroup-v2.rst, cpuset.cpus.partition",
     "read its cpuset.cpus.partition for the reason; write \"member\" to give up", "", ""},
    {"smt-off", DOCTOR_INFO, look_smt, "0",
     "With SMT off no core is shared; with it on, rtvmd parks the sibling of an isolated vCPU.",
     "RHEL for Real Time, hardware tuning", "echo off > /sys/devices/system/cpu/smt/control",
     "switch it off in the firmware, or boot with nosmt", "half of all hardware threads"},
};

const struct check_table CHECKS_ISOLATION = {"isolation", CHECKS, ARRAY_SIZE(CHECKS)};
