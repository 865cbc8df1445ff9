/* Memory: guest memory must be there, local, in huge pages, locked, and left alone. */
#include <stdio.h>
#include <string.h>

#include "runtime/tune/check.h"

static uint64_t pool_sum(const struct host *host, unsigned node, size_t offset)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < host->node[node].pool_count; i++)
        sum += *(const uint64_t *)((const char *)&host->node[node].pool[i] + offset);
    return sum;
}

static enum verdict look_reserved(const struct patient *p, struct text *found)
{
    uint64_t bytes = 0;
    bool any = false;
    for (unsigned i = 0; i < p->host->node_count; i++)
        for (unsigned k = 0; k < p->host->node[i].pool_count; k++) {
            bytes += p->host->node[i].pool[k].size_bytes * p->host->node[i].pool[k].total;
            any = true;
        }
    if (!any && !p->live) {
        text_append(found, "huge pages are not recorded");
        return VERDICT_UNKNOWN;
    }
    text_printf(found, "%llu MiB", (unsigned long long)(bytes >> 20));
    return bytes ? VERDICT_OK : VERDICT_BAD;
}

static enum verdict look_each_node(const struct patient *p, struct text *found)
{
    bool any = false;
    for (unsigned i = 0; i < p->host->node_count; i++) {
        const struct host_node *node = &p->host->node[i];
        any |= node->pool_count > 0;
        if (cpuset_intersects(&node->cpus, &p->rt) && pool_sum(p->host, i, offsetof(struct host_page_pool, total)) == 0)
            text_printf(found, "%s %d", found->length ? "," : "none on node", node->id);
    }
    if (!any && !p->live) {
        text_clear(found);
        text_append(found, "huge pages are not recorded");
        return VERDICT_UNKNOWN;
    }
    if (found->length)
        return VERDICT_BAD;
    text_append(found, "on every node with real-time CPUs");
    return VERDICT_OK;
}

static enum verdict look_gigabyte(const struct patient *p, struct text *found)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < p->host->node_count; i++)
        for (unsigned k = 0; k < p->host->node[i].pool_count; k++)
            if (p->host->node[i].pool[k].size_bytes == UINT64_C(1) << 30)
                total += p->host->node[i].pool[k].total;
    if (p->cpu_flags && !has_cpu_flag(p, "pdpe1gb") && total == 0 && strcmp(p->host->architecture, "x86_64") == 0) {
        text_append(found, "this processor has no 1 GiB pages");
        return VERDICT_NOT_APPLICABLE;
    }
    text_printf(found, "%llu", (unsigned long long)total);
    return total ? VERDICT_OK : VERDICT_BAD;
}

static enum verdict look_mounted(const struct patient *p, struct text *found)
{
    if (!p->host->mounts_known) {
        text_append(found, "the mount table is not recorded");
        return VERDICT_UNKNOWN;
    }
    for (unsigned i = 0; i < p->host->node_count; i++)
        for (unsigned k = 0; k < p->host->node[i].pool_count; k++) {
            const struct host_page_pool *pool = &p->host->node[i].pool[k];
            bool mounted = false;
            for (unsigned m = 0; m < p->host->hugetlbfs_count; m++)
                mounted |= p->host->hugetlbfs_size_bytes[m] == pool->size_bytes;
            if (pool->total == 0 || mounted)
                continue;
            text_printf(found, "none for pages of %llu KiB", (unsigned long long)pool->size_bytes / 1024);
            return VERDICT_BAD;
        }
    text_append(found, p->host->hugetlbfs_count ? "for every size with pages" : "no pages to mount it for");
    return VERDICT_OK;
}

/* nr_overcommit_hugepages of every size. */
struct overcommit {
    const struct files *files;
    int64_t pages;
    bool seen;
};

static void look_at_overcommit(const char *name, void *arg)
{
    struct overcommit *o = arg;
    int64_t pages;
    if (!files_int(o->files, &pages, "/sys/kernel/mm/hugepages/%s/nr_overcommit_hugepages", name))
        return;
    o->seen = true;
    o->pages += pages;
}

static enum verdict look_overcommit(const struct patient *p, struct text *found)
{
    struct overcommit o = {.files = &p->files};
    files_each(&p->files, look_at_overcommit, &o, "/sys/kernel/mm/hugepages/");
    if (!o.seen)
        return look_absent(p, found, "/sys/kernel/mm/hugepages/");
    text_printf(found, "%lld", (long long)o.pages);
    return o.pages == 0 ? VERDICT_OK : VERDICT_BAD;
}

static enum verdict look_surplus(const struct patient *p, struct text *found)
{
    uint64_t surplus = 0;
    for (unsigned i = 0; i < p->host->node_count; i++)
        surplus += pool_sum(p->host, i, offsetof(struct host_page_pool, surplus));
    text_printf(found, "%llu", (unsigned long long)surplus);
    return surplus == 0 ? VERDICT_OK : VERDICT_BAD;
}

static enum verdict look_thp(const struct patient *p, struct text *found)
{
    return look_choice(p, found, "never madvise", "/sys/kernel/mm/transparent_hugepage/enabled");
}

static enum verdict look_thp_defrag(const struct patient *p, struct text *found)
{
    return look_choice(p, found, "never madvise defer defer+madvise", "/sys/kernel/mm/transparent_hugepage/defrag");
}

static enum verdict look_ksm(const struct patient *p, struct text *found)
{
    return look_int(p, found, 0, 0, "/sys/kernel/mm/ksm/run");
}

static enum verdict look_numa_balancing(const struct patient *p, struct text *found)
{
    return look_int(p, found, 0, 0, "/proc/sys/kernel/numa_balancing");
}

static enum verdict look_compaction(const struct patient *p, struct text *found)
{
    return look_int(p, found, 0, 0, "/proc/sys/vm/compaction_proactiveness");
}

static enum verdict look_unevictable(const struct patient *p, struct text *found)
{
    return look_int(p, found, 0, 0, "/proc/sys/vm/compact_unevictable_allowed");
}

static enum verdict look_zone_reclaim(const struct patient *p, struct text *found)
{
    return look_int(p, found, 0, 0, "/proc/sys/vm/zone_reclaim_mode");
}

static enum verdict look_swap(const struct patient *p, struct text *found)
{
    auto_text text = {0};
    unsigned areas = 0;
    if (!files_read(&p->files, &text, "/proc/swaps"))
        return look_absent(p, found, "/proc/swaps");
    for (const char *line = strchr(text_cstr(&text), '\n'); line && line[1]; line = strchr(line + 1, '\n'))
        areas++;
    text_printf(found, areas == 1 ? "%u area" : "%u areas", areas);
    return areas == 0 ? VERDICT_OK : VERDICT_BAD;
}

static enum verdict look_swappiness(const struct patient *p, struct text *found)
{
    return look_int(p, found, 0, 10, "/proc/sys/vm/swappiness");
}

static enum verdict look_dirty(const struct patient *p, struct text *found)
{
    return look_int(p, found, 0, 10, "/proc/sys/vm/dirty_ratio");
}

static enum verdict look_dirty_background(const struct patient *p, struct text *found)
{
    return look_int(p, found, 0, 5, "/proc/sys/vm/dirty_background_ratio");
}

static enum verdict look_locking(const struct patient *p, struct text *found)
{
    return look_answer(p, found, p->host->locking_works, p->host->locking_because);
}

static enum verdict look_resctrl(const struct patient *p, struct text *found)
{
    if (p->cpu_flags && !has_cpu_flag(p, "cat_l3") && !has_cpu_flag(p, "rdt_a")) {
        text_append(found, "this processor cannot partition its cache");
        return VERDICT_NOT_APPLICABLE;
    }
    char mask[32];
    if (!files_line(&p->files, mask, sizeof mask, "/sys/fs/resctrl/info/L3/cbm_mask")) {
        text_append(found, p->live ? "resctrl is not mounted" : "/sys/fs/resctrl is not recorded");
        return p->live ? VERDICT_BAD : VERDICT_UNKNOWN;
    }
    text_printf(found, "mounted, mask %s", mask);
    return VERDICT_OK;
}

static const struct check CHECKS[] = {
    {"hugepages", DOCTOR_CRITICAL, look_reserved, "enough for the VMs",
     "A real-time VM is backed by huge pages: no page faults once it runs, fewer misses of the address cache.",
     "KubeVirt user guide, real-time workloads; Documentation/admin-guide/mm/hugetlbpage.rst",
     "echo N > /sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages",
     "boot with hugepagesz=1G hugepages=N", "this memory serves VMs only"},
    {"hugepages-nodes", DOCTOR_WARNING, look_each_node, "on every node with real-time CPUs",
     "Guest memory must come from the node of its vCPUs.", "Documentation/admin-guide/mm/hugetlbpage.rst",
     "echo N > /sys/devices/system/node/nodeM/hugepages/hugepages-2048kB/nr_hugepages", "boot with hugepages=0:N,1:N",
     "this memory serves VMs only"},
    {"hugepages-1g", DOCTOR_INFO, look_gigabyte, "some",
     "Pages of 1 GiB need the fewest walks of two page tables; they are best reserved at boot.",
     "Documentation/admin-guide/mm/hugetlbpage.rst",
     "echo N > /sys/devices/system/node/node0/hugepages/hugepages-1048576kB/nr_hugepages, as early as possible",
     "boot with hugepagesz=1G hugepages=N", "this memory serves VMs only"},
    {"hugetlbfs", DOCTOR_CRITICAL, look_mounted, "one for every size with pages",
     "libvirt refuses huge pages of a size that has no hugetlbfs mounted when it starts.",
     "libvirt, formatdomain, memoryBacking",
     "mkdir -p /dev/hugepages1G && mount -t hugetlbfs -o pagesize=1G hugetlbfs /dev/hugepages1G, then restart libvirtd",
     "a line in /etc/fstab or a mount unit", ""},
    {"hugepages-overcommit", DOCTOR_WARNING, look_overcommit, "0",
     "Overcommitted huge pages are found when touched: a VM may start and then die of SIGBUS.",
     "Documentation/admin-guide/mm/hugetlbpage.rst", "sysctl -w vm.nr_overcommit_hugepages=0",
     "a file in /etc/sysctl.d", ""},
    {"hugepages-surplus", DOCTOR_INFO, look_surplus, "0", "Surplus pages are overcommitted ones in use.",
     "Documentation/admin-guide/mm/hugetlbpage.rst", "reserve more pages instead", "see hugepages", ""},
    {"locking", DOCTOR_WARNING, look_locking, "possible",
     "Guest memory that is not locked can be moved or written out under the vCPU.", "libvirt, formatdomain, locked", "",
     "give libvirtd CAP_SYS_RESOURCE, or LimitMEMLOCK=infinity in its unit", ""},
    {"thp", DOCTOR_WARNING, look_thp, "never or madvise",
     "khugepaged joins pages behind the back of programs and stalls those that touch them.",
     "Documentation/admin-guide/mm/transhuge.rst", "echo never > /sys/kernel/mm/transparent_hugepage/enabled",
     "boot with transparent_hugepage=never", "programs that gain from huge pages lose a little"},
    {"thp-defrag", DOCTOR_INFO, look_thp_defrag, "never, defer or madvise",
     "Allocation that compacts memory first takes milliseconds.", "Documentation/admin-guide/mm/transhuge.rst",
     "echo never > /sys/kernel/mm/transparent_hugepage/defrag", "a unit that does so at boot", ""},
    {"ksm", DOCTOR_WARNING, look_ksm, "0",
     "Merging equal pages turns later writes into faults, and the scanner eats a CPU.",
     "Documentation/admin-guide/mm/ksm.rst", "echo 2 > /sys/kernel/mm/ksm/run", "systemctl disable ksm ksmtuned",
     "memory that was shared is used again"},
    {"numa-balancing", DOCTOR_WARNING, look_numa_balancing, "0",
     "It unmaps memory to see who uses it: a page fault in the vCPU for every page it samples.",
     "Documentation/admin-guide/sysctl/kernel.rst", "sysctl -w kernel.numa_balancing=0",
     "boot with numa_balancing=disable", "unpinned programs may end up far from their memory"},
    {"compaction", DOCTOR_WARNING, look_compaction, "0",
     "Proactive compaction moves pages in the background all the time.", "Documentation/admin-guide/sysctl/vm.rst",
     "sysctl -w vm.compaction_proactiveness=0", "a file in /etc/sysctl.d", "huge pages are harder to find later"},
    {"compaction-locked", DOCTOR_WARNING, look_unevictable, "0",
     "When set, compaction moves locked pages too, and their owner faults.", "Documentation/admin-guide/sysctl/vm.rst",
     "sysctl -w vm.compact_unevictable_allowed=0", "a file in /etc/sysctl.d", ""},
    {"zone-reclaim", DOCTOR_INFO, look_zone_reclaim, "0",
     "Reclaiming on a full node before looking elsewhere makes allocations slow.",
     "Documentation/admin-guide/sysctl/vm.rst", "sysctl -w vm.zone_reclaim_mode=0", "a file in /etc/sysctl.d", ""},
    {"swap", DOCTOR_WARNING, look_swap, "none", "What was swapped out comes back by a disk access.",
     "RHEL for Real Time, tuning guide", "swapoff -a", "remove it from /etc/fstab",
     "programs are killed where they would have been slow"},
    {"swappiness", DOCTOR_INFO, look_swappiness, "10 or less", "How eagerly programs' memory is written to swap.",
     "Documentation/admin-guide/sysctl/vm.rst", "sysctl -w vm.swappiness=10", "a file in /etc/sysctl.d", ""},
    {"dirty-ratio", DOCTOR_INFO, look_dirty, "10 or less",
     "Writers are stopped at this share of memory, after which the disk is busy for a long time.",
     "Documentation/admin-guide/sysctl/vm.rst", "sysctl -w vm.dirty_ratio=10", "a file in /etc/sysctl.d", ""},
    {"dirty-background", DOCTOR_INFO, look_dirty_background, "5 or less", "Writing out begins at this share of memory.",
     "Documentation/admin-guide/sysctl/vm.rst", "sysctl -w vm.dirty_background_ratio=3", "a file in /etc/sysctl.d", ""},
    {"cache-partition", DOCTOR_INFO, look_resctrl, "resctrl mounted",
     "With its own ways of the last-level cache a VM is not slowed by what others evict.",
     "Documentation/arch/x86/resctrl.rst", "mount -t resctrl resctrl /sys/fs/resctrl", "a line in /etc/fstab",
     "the others have less cache"},
};

const struct check_table CHECKS_MEMORY = {"memory", CHECKS, ARRAY_SIZE(CHECKS)};
