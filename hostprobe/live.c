/* What libnuma says this very process may use: its affinity and its cgroup, of the CPUs and nodes the machine has.
 * libnuma knows only the live machine, so it is asked nowhere else. */
#include <numa.h>

#include "hostprobe/probe.h"

static struct cpuset from_bitmask(const struct bitmask *mask)
{
    struct cpuset set = {0};
    for (unsigned i = 0; mask && i < mask->size && i < CPUSET_MAX; i++)
        if (numa_bitmask_isbitset(mask, i))
            cpuset_add(&set, i);
    return set;
}

void live_read(struct host *host)
{
    if (numa_available() < 0)
        return;
    host->usable_cpus = from_bitmask(numa_all_cpus_ptr);
    host->usable_nodes = from_bitmask(numa_all_nodes_ptr);
}
