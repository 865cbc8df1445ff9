/* Memory nodes, huge-page pools, hugetlbfs mounts.
 *
 * Three things are not as plain as /sys/devices/system/node/nodeN makes them look:
 * - Firmware may describe CPUs and the memory nearest to them as different nodes. The kernel then links a memory node
 *   to its "initiators" (Documentation/admin-guide/mm/numaperf.rst): CPUs of a node without memory belong, for us, to
 *   the closest node that names theirs as initiator, so that host_cpu.node is always where local memory is.
 * - Nodes may be nested: memory of a package beside memory of its halves. A CPU belongs to the smallest around it.
 *   Nodes that overlap an earlier one in any other way come from broken firmware: the first one counts.
 * - The memory of an NVIDIA GPU may be a node (POWER9 with NVLink); its driver says which. No VM belongs there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hostprobe/probe.h"

#define NODE_FOLDER "/sys/devices/system/node/"

/* A node as found, before it is known whether it stays. */
struct candidate {
    int id;
    bool dropped;
    struct cpuset cpus;     /* as the kernel lists them */
    struct cpuset locality; /* CPUs of its initiators, for a node without CPUs */
    uint64_t memory_bytes;
};

struct candidates {
    unsigned count;
    struct candidate *at;
};

static uint64_t meminfo_bytes(const struct files *files, int node)
{
    auto_text text = {0};
    uint64_t kib = 0;
    if (node >= 0)
        files_read(files, &text, NODE_FOLDER "node%d/meminfo", node);
    else
        files_read(files, &text, "/proc/meminfo");
    return files_field(text_cstr(&text), "MemTotal", &kib) ? kib * 1024 : 0;
}

/* All of one inside of the other, and not the same. */
static bool is_nested(const struct cpuset *a, const struct cpuset *b)
{
    return cpuset_is_subset(a, b) != cpuset_is_subset(b, a);
}

static bool contradicts(const struct candidates *found, const struct cpuset *cpus)
{
    for (unsigned i = 0; i < found->count; i++) {
        const struct candidate *earlier = &found->at[i];
        if (!earlier->dropped && cpuset_intersects(&earlier->cpus, cpus) && !is_nested(&earlier->cpus, cpus))
            return true;
    }
    return false;
}

static void find_candidates(const struct files *files, struct candidates *found)
{
    struct cpuset ids = files_numbers(files, NODE_FOLDER, "node");
    struct cpuset online;
    if (files_set(files, &online, NODE_FOLDER "online") && cpuset_intersects(&ids, &online))
        ids = cpuset_and(&ids, &online);
    found->at = must_calloc(cpuset_count(&ids) + 1, sizeof *found->at);
    cpuset_foreach(id, &ids)
    {
        struct candidate c = {.id = id};
        if (!files_mask(files, &c.cpus, NODE_FOLDER "node%d/cpumap", id) &&
            !files_set(files, &c.cpus, NODE_FOLDER "node%d/cpulist", id))
            continue; /* a folder, but not a node's */
        c.memory_bytes = meminfo_bytes(files, id);
        c.dropped = contradicts(found, &c.cpus);
        found->at[found->count++] = c;
    }
}

struct gpu_nodes {
    const struct files *files;
    struct candidates *found;
};

static void drop_gpu_node(const char *name, void *arg)
{
    const struct gpu_nodes *gpu = arg;
    auto_text text = {0};
    uint64_t id;
    if (!files_read(gpu->files, &text, "/proc/driver/nvidia/gpus/%s/numa_status", name) ||
        !files_field(text_cstr(&text), "Node", &id))
        return;
    for (unsigned i = 0; i < gpu->found->count; i++)
        if ((uint64_t)gpu->found->at[i].id == id)
            gpu->found->at[i].dropped = true;
}

/* access1 names CPUs only (kernel 5.10 on); access0 may name other devices too. */
static void find_localities(const struct files *files, struct candidates *found)
{
    for (unsigned i = 0; i < found->count; i++) {
        struct candidate *c = &found->at[i];
        if (!cpuset_is_empty(&c->cpus) || c->memory_bytes == 0)
            continue;
        struct cpuset initiators = {0};
        for (int access = 1; access >= 0 && cpuset_is_empty(&initiators); access--) {
            char folder[128];
            snprintf(folder, sizeof folder, NODE_FOLDER "node%d/access%d/initiators/", c->id, access);
            initiators = files_numbers(files, folder, "node");
        }
        for (unsigned k = 0; k < found->count; k++)
            if (!found->at[k].dropped && cpuset_has(&initiators, (unsigned)found->at[k].id))
                c->locality = cpuset_or(&c->locality, &found->at[k].cpus);
    }
}

/* The node of a CPU: the smallest around it when that has memory, else the memory node that is local to the fewest CPUs
 * besides it. */
static int node_of_cpu(const struct candidates *found, unsigned cpu)
{
    int own = -1;
    for (unsigned i = 0; i < found->count; i++)
        if (!found->at[i].dropped && cpuset_has(&found->at[i].cpus, cpu) &&
            (own < 0 || cpuset_count(&found->at[i].cpus) < cpuset_count(&found->at[own].cpus)))
            own = (int)i;
    if (own >= 0 && found->at[own].memory_bytes > 0)
        return own;
    int best = own;
    unsigned best_size = CPUSET_MAX + 1;
    for (unsigned i = 0; i < found->count; i++) {
        const struct candidate *c = &found->at[i];
        if (!c->dropped && cpuset_has(&c->locality, cpu) && cpuset_count(&c->locality) < best_size) {
            best = (int)i;
            best_size = cpuset_count(&c->locality);
        }
    }
    return best;
}

/* "hugepages-2048kB" */
static uint64_t page_bytes(const char *name)
{
    static const char PREFIX[] = "hugepages-";
    return text_starts_with(name, PREFIX) ? strtoull(name + strlen(PREFIX), NULL, 10) * 1024 : 0;
}

struct pools {
    const struct files *files;
    char folder[128];
    struct host_node *node;
};

static void add_pool(struct host_node *node, const struct host_page_pool *pool)
{
    if (node->pool_count == LIMIT_HOST_PAGE_SIZES)
        return;
    unsigned i = node->pool_count++;
    for (; i > 0 && node->pool[i - 1].size_bytes > pool->size_bytes; i--)
        node->pool[i] = node->pool[i - 1];
    node->pool[i] = *pool;
}

static uint64_t pool_count(const struct pools *pools, const char *name, const char *what)
{
    int64_t value;
    return files_int(pools->files, &value, "%s%s/%s_hugepages", pools->folder, name, what) && value > 0
               ? (uint64_t)value
               : 0;
}

static void read_pool(const char *name, void *arg)
{
    const struct pools *pools = arg;
    struct host_page_pool pool = {
        .size_bytes = page_bytes(name),
        .total = pool_count(pools, name, "nr"),
        .free = pool_count(pools, name, "free"),
        .surplus = pool_count(pools, name, "surplus"),
    };
    if (pool.size_bytes)
        add_pool(pools->node, &pool);
}

/* Before the per-size folders there was one size, counted in the meminfo of node and machine. */
static void read_old_pool(const struct files *files, bool whole_machine, struct host_node *node)
{
    auto_text machine = {0};
    auto_text own = {0};
    uint64_t kib;
    files_read(files, &machine, "/proc/meminfo");
    if (!whole_machine)
        files_read(files, &own, NODE_FOLDER "node%d/meminfo", node->id);
    const char *text = text_cstr(whole_machine ? &machine : &own);
    struct host_page_pool pool = {0};
    if (!files_field(text_cstr(&machine), "Hugepagesize", &kib) || !files_field(text, "HugePages_Total", &pool.total))
        return;
    files_field(text, "HugePages_Free", &pool.free);
    files_field(text, "HugePages_Surp", &pool.surplus);
    pool.size_bytes = kib * 1024;
    add_pool(node, &pool);
}

static void read_pools(const struct files *files, bool whole_machine, struct host_node *node)
{
    struct pools pools = {.files = files, .node = node};
    if (whole_machine)
        snprintf(pools.folder, sizeof pools.folder, "/sys/kernel/mm/hugepages/");
    else
        snprintf(pools.folder, sizeof pools.folder, NODE_FOLDER "node%d/hugepages/", node->id);
    files_each(files, read_pool, &pools, "%s", pools.folder);
    if (node->pool_count == 0)
        read_old_pool(files, whole_machine, node);
}

/* The file names distances to all online nodes in order of id; ours skip the nodes that were dropped. */
static void read_distances(const struct files *files, const struct candidates *found, struct host *host)
{
    for (unsigned i = 0; i < host->node_count; i++) {
        char line[LIMIT_HOST_NODES * 4 + 1];
        if (!files_line(files, line, sizeof line, NODE_FOLDER "node%d/distance", host->node[i].id))
            continue;
        char *p = line;
        for (unsigned k = 0; k < found->count; k++) {
            char *end;
            long distance = strtol(p, &end, 10);
            if (end == p)
                break;
            p = end;
            int to = host_node_index(host, found->at[k].id);
            if (to >= 0 && distance > 0 && distance <= 255)
                host->node[i].distance[to] = (int)distance;
        }
    }
}

/* No node folders: one node holds everything. */
static void make_only_node(const struct files *files, struct host *host)
{
    struct host_node *node = &host->node[host->node_count++];
    node->cpus = host->online;
    node->memory_bytes = meminfo_bytes(files, -1);
    node->distance[0] = 10;
    read_pools(files, true, node);
    cpuset_foreach(cpu, &host->online) host->cpu[cpu].node = 0;
}

/* A node's own file misses memory that was plugged in later on some virtual machines. Where there can be no other node,
 * a machine that has far more has it there; some pages more or less are bookkeeping. */
static void settle_only_node(const struct files *files, struct host_node *node)
{
    enum { BOOKKEEPING = 16 }; /* a sixteenth */
    struct cpuset possible;
    uint64_t whole = meminfo_bytes(files, -1);
    bool is_only = files_set(files, &possible, NODE_FOLDER "possible") && cpuset_count(&possible) == 1;
    if (is_only && node->memory_bytes + whole / BOOKKEEPING < whole)
        node->memory_bytes = whole;
}

static void keep_nodes(const struct files *files, const struct candidates *found, const struct allowance *allowance,
                       struct host *host)
{
    struct cpuset *cpus = must_calloc(found->count, sizeof *cpus);
    cpuset_foreach(cpu, &host->online)
    {
        int i = node_of_cpu(found, (unsigned)cpu);
        if (i >= 0)
            cpuset_add(&cpus[i], (unsigned)cpu);
    }
    for (unsigned i = 0; i < found->count && host->node_count < LIMIT_HOST_NODES; i++) {
        const struct candidate *c = &found->at[i];
        bool given = !allowance->nodes_known || cpuset_has(&allowance->nodes, (unsigned)c->id);
        if (c->dropped || (!given && (c->memory_bytes > 0 || cpuset_is_empty(&cpus[i]))))
            continue;
        struct host_node *node = &host->node[host->node_count++];
        node->id = c->id;
        node->cpus = cpus[i];
        node->memory_bytes = c->memory_bytes;
        read_pools(files, false, node);
        cpuset_foreach(cpu, &cpus[i]) host->cpu[cpu].node = c->id;
    }
    free(cpus);
}

static void read_hugetlbfs(const struct files *files, struct host *host)
{
    auto_text mounts = {0};
    host->mounts_known = mounts_read(files, &mounts);
    const char *cursor = text_cstr(&mounts);
    struct mount mount;
    while (mounts_next(&cursor, &mount)) {
        if (strcmp(mount.type, "hugetlbfs") != 0)
            continue;
        char value[32];
        uint64_t bytes = UINT64_C(2) << 20;
        if (mount_option(&mount, "pagesize", value, sizeof value)) {
            char *unit;
            bytes = strtoull(value, &unit, 10);
            bytes <<= *unit == 'G' ? 30 : *unit == 'M' ? 20 : *unit == 'K' ? 10 : 0;
        } else {
            auto_text meminfo = {0};
            uint64_t kib;
            files_read(files, &meminfo, "/proc/meminfo");
            if (files_field(text_cstr(&meminfo), "Hugepagesize", &kib))
                bytes = kib * 1024;
        }
        bool known = false;
        for (unsigned i = 0; i < host->hugetlbfs_count; i++)
            known |= host->hugetlbfs_size_bytes[i] == bytes;
        if (!known && bytes && host->hugetlbfs_count < LIMIT_HOST_PAGE_SIZES)
            host->hugetlbfs_size_bytes[host->hugetlbfs_count++] = bytes;
    }
}

void memory_read(const struct files *files, const struct allowance *allowance, struct host *host)
{
    struct candidates found = {0};
    find_candidates(files, &found);
    files_each(files, drop_gpu_node, &(struct gpu_nodes){files, &found}, "/proc/driver/nvidia/gpus/");
    find_localities(files, &found);
    keep_nodes(files, &found, allowance, host);
    read_distances(files, &found, host);
    if (host->node_count == 0)
        make_only_node(files, host);
    else if (found.count == 1)
        settle_only_node(files, &host->node[0]);
    for (unsigned i = 0; i < host->node_count; i++)
        host->memory_bytes += host->node[i].memory_bytes;
    read_hugetlbfs(files, host);
    free(found.at);
}
