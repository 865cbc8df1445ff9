/* CPUs and their place: which exist, are online and ours; package, die, core, siblings, shared L3, kind of core.
 *
 * The facts are in /sys/devices/system/cpu/cpuN/topology (Documentation/admin-guide/cputopology.rst). An offline CPU
 * has no place: the kernel takes its folder away. What shares a core is what the sibling mask says; on old kernels the
 * mask also joins the two cores of an AMD compute unit, whose core_id then differ: those are cores of their own.
 * Without any topology folder, /proc/cpuinfo is asked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hostprobe/probe.h"

#define CPU_FOLDER "/sys/devices/system/cpu/"

static bool read_either(const struct files *files, struct cpuset *ret_set, unsigned cpu, const char *first,
                        const char *second)
{
    const char *names[] = {first, second};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct cpuset set;
        if ((files_mask(files, &set, CPU_FOLDER "cpu%u/%s", cpu, names[i]) ||
             files_set(files, &set, CPU_FOLDER "cpu%u/%s_list", cpu, names[i])) &&
            !cpuset_is_empty(&set)) {
            *ret_set = set;
            return true;
        }
    }
    return false;
}

static void read_ids(const struct files *files, struct host *host)
{
    cpuset_foreach(cpu, &host->online)
    {
        struct host_cpu *c = &host->cpu[cpu];
        const struct {
            const char *name;
            int *value;
        } IDS[] = {{"core_id", &c->core}, {"die_id", &c->die}, {"physical_package_id", &c->package}};
        for (size_t i = 0; i < ARRAY_SIZE(IDS); i++) {
            int64_t value;
            if (files_int(files, &value, CPU_FOLDER "cpu%d/topology/%s", cpu, IDS[i].name) && value >= 0 &&
                value < INT32_MAX)
                *IDS[i].value = (int)value;
        }
        if (!read_either(files, &c->siblings, (unsigned)cpu, "topology/core_cpus", "topology/thread_siblings"))
            c->siblings = cpuset_of((unsigned)cpu);
    }
}

/* Siblings are online, ours, mutual, and of one core_id. */
static void settle_siblings(struct host *host)
{
    cpuset_foreach(cpu, &host->online)
    {
        struct host_cpu *c = &host->cpu[cpu];
        c->siblings = cpuset_and(&c->siblings, &host->online);
        cpuset_foreach(other, &c->siblings) if (host->cpu[other].core != c->core)
            cpuset_remove(&c->siblings, (unsigned)other);
        cpuset_add(&c->siblings, (unsigned)cpu);
    }
}

/* "KEY : 3" */
static bool cpuinfo_number(const char *line, const char *key, int64_t limit, int *ret_value)
{
    if (!text_starts_with(line, key))
        return false;
    line += strlen(key);
    line += strspn(line, " \t");
    if (*line != ':')
        return false;
    char *end;
    long long value = strtoll(line + 1, &end, 10);
    if (end == line + 1 || value < 0 || value >= limit)
        return false;
    *ret_value = (int)value;
    return true;
}

/* A paragraph for each CPU: "processor : 3", "physical id : 0", "core id : 1". */
static void read_cpuinfo(const struct files *files, struct host *host)
{
    auto_text text = {0};
    files_read(files, &text, "/proc/cpuinfo");
    struct host_cpu *c = NULL;
    for (const char *line = text_cstr(&text); *line; line += strcspn(line, "\n"), line += *line == '\n') {
        int value;
        if (cpuinfo_number(line, "processor", CPUSET_MAX, &value)) {
            c = &host->cpu[value];
            c->present = c->online = true;
            cpuset_add(&host->online, (unsigned)value);
        } else if (c && cpuinfo_number(line, "physical id", INT32_MAX, &value)) {
            c->package = value;
        } else if (c && cpuinfo_number(line, "core id", INT32_MAX, &value)) {
            c->core = value;
        }
    }
    cpuset_foreach(cpu, &host->online)
    {
        struct host_cpu *a = &host->cpu[cpu];
        a->siblings = cpuset_of((unsigned)cpu);
        cpuset_foreach(other, &host->online) if (a->core >= 0 && host->cpu[other].core == a->core &&
                                                 host->cpu[other].package == a->package)
            cpuset_add(&a->siblings, (unsigned)other);
    }
}

static void read_l3(const struct files *files, struct host *host)
{
    cpuset_foreach(cpu, &host->online) for (int index = 0; index < 10; index++)
    {
        int64_t level;
        char name[64];
        struct cpuset shared;
        if (!files_int(files, &level, CPU_FOLDER "cpu%d/cache/index%d/level", cpu, index) || level != 3)
            continue;
        snprintf(name, sizeof name, "cache/index%d/shared_cpu", index);
        if (files_mask(files, &shared, CPU_FOLDER "cpu%d/%s_map", cpu, name) ||
            files_set(files, &shared, CPU_FOLDER "cpu%d/%s_list", cpu, name)) {
            shared = cpuset_and(&shared, &host->online);
            host->cpu[cpu].l3 = cpuset_next(&shared, 0);
        }
        break;
    }
}

/* x86 lists its kinds; elsewhere capacities tell them apart: what has at least seven eighths of the largest is a
 * performance core, for those differ by some percent among themselves (NVIDIA GB10: 997 to 1024 beside 718 and 731). */
static void read_kinds(const struct files *files, struct host *host)
{
    struct cpuset performance;
    struct cpuset efficiency;
    if (files_set(files, &performance, "/sys/devices/cpu_core/cpus") &&
        files_set(files, &efficiency, "/sys/devices/cpu_atom/cpus")) {
        cpuset_foreach(cpu, &host->online) host->cpu[cpu].kind =
            cpuset_has(&performance, (unsigned)cpu)  ? HOST_CORE_PERFORMANCE
            : cpuset_has(&efficiency, (unsigned)cpu) ? HOST_CORE_EFFICIENCY
                                                     : HOST_CORE_UNKNOWN;
        return;
    }
    int64_t capacity[CPUSET_MAX] = {0};
    int64_t largest = 0;
    int64_t smallest = INT64_MAX;
    cpuset_foreach(cpu, &host->online)
    {
        if (!files_int(files, &capacity[cpu], CPU_FOLDER "cpu%d/cpu_capacity", cpu))
            return;
        largest = capacity[cpu] > largest ? capacity[cpu] : largest;
        smallest = capacity[cpu] < smallest ? capacity[cpu] : smallest;
    }
    int64_t enough = largest - largest / 8;
    if (smallest < enough)
        cpuset_foreach(cpu, &host->online) host->cpu[cpu].kind =
            capacity[cpu] >= enough ? HOST_CORE_PERFORMANCE : HOST_CORE_EFFICIENCY;
}

/* The list a boot option holds, its flags ("managed_irq,domain,") skipped. */
static bool boot_option_set(const struct files *files, const char *option, struct cpuset *ret_set)
{
    char line[4096];
    struct error err;
    if (!files_line(files, line, sizeof line, "/proc/cmdline"))
        return false;
    char *rest = NULL;
    for (char *word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        if (!text_starts_with(word, option))
            continue;
        const char *list = word + strlen(option);
        return cpuset_parse(list + strcspn(list, "0123456789"), ret_set, &err) == 0;
    }
    return false;
}

static void read_isolation(const struct files *files, struct host *host)
{
    struct cpuset set;
    if (files_set(files, &set, CPU_FOLDER "isolated") || boot_option_set(files, "isolcpus=", &set))
        host->isolated = set;
    /* Run-time partitions; on recent kernels the file above has them too. Those of running VMs come and go with them
     * and say nothing about where the next one may run. */
    if (files_set(files, &set, "/sys/fs/cgroup/cpuset.cpus.isolated"))
        host->isolated = cpuset_or(&host->isolated, &set);
    struct cpuset booted = {0};
    boot_option_set(files, "isolcpus=", &booted);
    if (files_set(files, &set, "/sys/fs/cgroup/machine.slice/cpuset.cpus.exclusive")) {
        set = cpuset_minus(&set, &booted);
        host->isolated = cpuset_minus(&host->isolated, &set);
    }
    /* Prints "(null)" when unset: not a list. */
    if (files_set(files, &set, CPU_FOLDER "nohz_full") || boot_option_set(files, "nohz_full=", &set))
        host->nohz_full = set;
    for (unsigned cpu = 0; cpu < CPUSET_MAX; cpu++) {
        host->cpu[cpu].isolated = cpuset_has(&host->isolated, cpu);
        host->cpu[cpu].nohz_full = cpuset_has(&host->nohz_full, cpu);
    }
}

/* Present: has a folder. Online: in the list or, without one, not switched off by its own file; and with a place
 * whenever any CPU has one. */
static void read_presence(const struct files *files, struct host *host)
{
    struct cpuset present = files_numbers(files, CPU_FOLDER, "cpu");
    struct cpuset listed = {0};
    bool has_list = files_set(files, &listed, CPU_FOLDER "online") && !cpuset_is_empty(&listed);
    if (cpuset_is_empty(&present) && (files_set(files, &present, CPU_FOLDER "present") || has_list))
        present = cpuset_or(&present, &listed);
    struct cpuset placed = {0};
    cpuset_foreach(cpu, &present)
    {
        int64_t online = 1;
        if (has_list)
            online = cpuset_has(&listed, (unsigned)cpu);
        else
            files_int(files, &online, CPU_FOLDER "cpu%d/online", cpu);
        host->cpu[cpu].present = true;
        if (online)
            cpuset_add(&host->online, (unsigned)cpu);
        if (files_exists(files, CPU_FOLDER "cpu%d/topology/", cpu))
            cpuset_add(&placed, (unsigned)cpu);
    }
    if (cpuset_is_empty(&placed)) {
        read_cpuinfo(files, host);
        return;
    }
    host->online = cpuset_and(&host->online, &placed);
    read_ids(files, host);
}

void topology_read(const struct files *files, const struct allowance *allowance, struct host *host)
{
    for (unsigned cpu = 0; cpu < CPUSET_MAX; cpu++)
        host->cpu[cpu] = (struct host_cpu){.node = -1, .package = -1, .die = -1, .core = -1, .l3 = -1};
    read_presence(files, host);
    if (allowance->cpus_known) {
        host->withheld = cpuset_minus(&host->online, &allowance->cpus);
        host->online = cpuset_and(&host->online, &allowance->cpus);
        cpuset_foreach(cpu, &host->withheld) host->cpu[cpu] =
            (struct host_cpu){.node = -1, .package = -1, .die = -1, .core = -1, .l3 = -1};
    }
    settle_siblings(host);
    read_l3(files, host);
    read_kinds(files, host);
    read_isolation(files, host);
    for (unsigned cpu = 0; cpu < CPUSET_MAX; cpu++) {
        host->cpu[cpu].online = cpuset_has(&host->online, cpu);
        if (host->cpu[cpu].present)
            host->cpu_limit = cpu + 1;
    }
}
