/* Isolated cpuset partitions for the vCPUs of a running VM: Documentation/admin-guide/cgroup-v2.rst, "Cpuset Interface
 * Files".
 *
 * libvirt runs each vCPU in a control group of its own, FOLDER/vcpuN, below machine.slice. A partition anywhere else
 * would take the CPUs away from that group: the kernel then moves the thread to whatever is left. So the group itself
 * becomes the partition. Its parents are none, which is possible where cpuset.cpus.exclusive exists (Linux 6.7): each
 * group from the top to the vCPU's sets the CPUs aside there first. */
#include <stdlib.h>
#include <string.h>

#include "hostprobe/files.h"
#include "rtvmd/base/file.h"
#include "runtime/tune/tunable.h"

#define TOP "/sys/fs/cgroup"

const struct tune_wish TUNE_PARTITION = {
    .knob = "partition", .why = "the scheduler moves ordinary threads to any CPU it balances, vCPUs' own ones too"};

struct isolating {
    const struct tune_machine *machine;
    const struct tune_journal *journal;
    const char *owner;
    struct tune_plan *plan;
};

/* "/machine.slice/….scope/libvirt", whose vcpuN are the vCPUs'. NULL: not kept so. */
static char *find_folder(const struct tune_machine *machine, int pid)
{
    auto_text text = {0};
    struct error err;
    auto_free char *path = must_format("/proc/%d/cgroup", pid);
    if (file_read(machine->root, path, LIMIT_SYSFILE_BYTES, &text, &err) < 0)
        return NULL;
    const char *at = strstr(text_cstr(&text), "0::/");
    if (!at || (at > text_cstr(&text) && at[-1] != '\n'))
        return NULL;
    auto_free char *group = must_strndup(at + strlen("0::"), strcspn(at + strlen("0::"), "\n"));
    return text_ends_with(group, "/emulator") && !strstr(group, "/..")
               ? must_strndup(group, strlen(group) - strlen("/emulator"))
               : NULL;
}

/* True: the group can set CPUs aside. */
static bool set_aside(const struct isolating *i, const char *group, size_t length, const struct cpuset *cpus)
{
    struct tune_wish wish = TUNE_PARTITION;
    auto_free char *target = must_format("add:" TOP "%.*s/cpuset.cpus.exclusive", (int)length, group);
    wish.cpus = cpus;
    wish.owner = i->owner;
    return tune_plan_add(i->machine, i->journal, target, &wish, i->plan);
}

static bool plan_parents(const struct isolating *i, const char *folder, const struct cpuset *cpus)
{
    for (const char *end = strchr(folder + 1, '/');; end = strchr(end + 1, '/')) {
        if (!set_aside(i, folder, end ? (size_t)(end - folder) : strlen(folder), cpus))
            return false;
        if (!end)
            return true;
    }
}

static void plan_vcpu(const struct isolating *i, const char *folder, size_t vcpu, const struct cpuset *cpus)
{
    struct tune_wish wish = TUNE_PARTITION;
    auto_free char *group = must_format("%s/vcpu%zu", folder, vcpu);
    auto_free char *target = must_format("value:" TOP "%s/cpuset.cpus.partition", group);
    wish.value = "isolated";
    wish.owner = i->owner;
    if (!set_aside(i, group, strlen(group), cpus) || !tune_plan_add(i->machine, i->journal, target, &wish, i->plan))
        text_printf(&i->plan->notes, "vCPU %zu: libvirt gave it no control group of its own to isolate\n", vcpu);
}

static void plan_all(const struct isolating *i, int pid, const struct cpuset *cpus, size_t count)
{
    struct cpuset all = {0};
    for (size_t v = 0; v < count; v++)
        all = cpuset_or(&all, &cpus[v]);
    struct cpuset_text text;
    auto_free char *folder = find_folder(i->machine, pid);
    const char *list = cpuset_format(&all, &text);
    if (!list[0])
        return;
    if (!folder || !plan_parents(i, folder, &all)) {
        tune_plan_finish(i->plan);
        text_printf(&i->plan->notes,
                    "CPUs %s are no isolated partition: %s; boot with isolcpus=managed_irq,domain,%s\n", list,
                    folder ? "this kernel isolates no control group below others (no cpuset.cpus.exclusive: Linux 6.7)"
                           : "libvirt keeps the VM in no cgroup v2 group with cpusets",
                    list);
        return;
    }
    for (size_t v = 0; v < count; v++)
        if (!cpuset_is_empty(&cpus[v]))
            plan_vcpu(i, folder, v, &cpus[v]);
}

void tune_plan_partitions(const struct tune_machine *machine, const struct tune_journal *journal, const char *owner,
                          int pid, const struct cpuset *cpus, size_t count, struct tune_plan *plan)
{
    const struct isolating isolating = {machine, journal, owner, plan};
    plan_all(&isolating, pid, cpus, count);
}
