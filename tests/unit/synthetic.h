/* Hosts and VMs made by numbers, for tests of placement. CPUs are numbered as Linux does on most machines: first the
 * first threads of all cores, node by node, then the second threads. */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "runtime/place/place.h"

enum { MI = 1 << 20 };
#define GI ((uint64_t)1 << 30)

struct synthetic {
    unsigned nodes;
    unsigned cores;    /* per node */
    unsigned threads;  /* per core */
    unsigned l3_cores; /* cores per L3 group; 0: the whole node */
    unsigned pages_1g; /* per node */
    unsigned pages_2m;
    unsigned gigabytes; /* per node */
    struct cpuset isolated;
};

static inline void synthetic_pools(const struct synthetic *make, struct host_node *node)
{
    const struct host_page_pool pools[] = {
        {2 * (uint64_t)MI, make->pages_2m, make->pages_2m, 0},
        {GI, make->pages_1g, make->pages_1g, 0},
    };
    node->pool_count = ARRAY_SIZE(pools);
    memcpy(node->pool, pools, sizeof(pools));
}

static inline struct host *synthetic_host(const struct synthetic *make)
{
    struct host *host = must_calloc(1, sizeof(*host));
    unsigned all_cores = make->nodes * make->cores;
    host->cpu_limit = all_cores * make->threads;
    host->node_count = make->nodes;
    for (unsigned n = 0; n < make->nodes; n++) {
        host->node[n].id = (int)n;
        host->node[n].memory_bytes = make->gigabytes * GI;
        host->memory_bytes += make->gigabytes * GI;
        synthetic_pools(make, &host->node[n]);
        for (unsigned m = 0; m < make->nodes; m++)
            host->node[n].distance[m] = n == m ? 10 : (n / 2 == m / 2 ? 16 : 32);
    }
    for (unsigned cpu = 0; cpu < host->cpu_limit; cpu++) {
        unsigned core = cpu % all_cores, node = core / make->cores;
        struct host_cpu *of = &host->cpu[cpu];
        *of = (struct host_cpu){
            .present = true, .online = true, .node = (int)node, .package = (int)node, .core = (int)core};
        of->isolated = of->nohz_full = cpuset_has(&make->isolated, cpu);
        unsigned group = make->l3_cores ? core - (core % make->cores) % make->l3_cores : node * make->cores;
        of->l3 = (int)group;
        for (unsigned t = 0; t < make->threads; t++)
            cpuset_add(&of->siblings, core + t * all_cores);
        cpuset_add(&host->online, cpu);
        cpuset_add(&host->node[node].cpus, cpu);
    }
    host->isolated = host->nohz_full = make->isolated;
    host->has_rt_runtime = true;
    host->rt_runtime_us = -1;
    host->rt_kernel = HOST_YES;
    host->fifo_works = HOST_YES;
    host->kvm_works = HOST_YES;
    host->locking_works = HOST_YES;
    return host;
}

/* The seed manifest's shape: vcpus real-time vCPUs, isolated emulator, NUMA mapping, pages of 1 GiB. */
static inline struct vm_spec synthetic_realtime(unsigned vcpus, unsigned gigabytes)
{
    struct vm_spec spec = {
        .name = "rt", .namespace_ = "default", .uid = "", .sockets = vcpus, .cores = 1, .threads = 1};
    spec.vcpus = vcpus;
    spec.dedicated_cpus = spec.isolate_emulator = spec.numa_passthrough = spec.realtime = true;
    spec.realtime_vcpus = cpuset_range(0, vcpus - 1);
    spec.memory_bytes = gigabytes * GI;
    spec.hugepage_bytes = GI;
    spec.fifo_priority = 1;
    spec.overhead_bytes = 366 * (uint64_t)MI;
    return spec;
}

static inline struct cpuset synthetic_set(const char *text)
{
    struct cpuset set = {0};
    struct error err;
    if (cpuset_parse(text, &set, &err) != 0)
        abort();
    return set;
}
