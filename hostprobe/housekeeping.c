/* Which CPUs belong to the host itself. An administrator's word comes first. Otherwise isolation was somebody's
 * decision at boot, and what it left over is the housekeeping set; without any, the core of the lowest CPU is kept,
 * because interrupts, timers and unbound kernel threads land there first. */
#include "hostprobe/hostprobe.h"

struct cpuset host_housekeeping(const struct host *host, const struct cpuset *reserved)
{
    struct cpuset kept = cpuset_and(reserved, &host->online);
    if (!cpuset_is_empty(&kept))
        return kept;
    struct cpuset left = cpuset_minus(&host->online, &host->isolated);
    if (!cpuset_is_empty(&left) && !cpuset_equal(&left, &host->online))
        return left;
    int lowest = cpuset_next(&host->online, 0);
    if (lowest < 0)
        return cpuset_of(0);
    struct cpuset core = cpuset_and(&host->cpu[lowest].siblings, &host->online);
    cpuset_add(&core, (unsigned)lowest);
    return core;
}
