/* The measuring loop. Every gap is counted, and the time spent counting is part of the next gap: nothing is lost
 * between two samples, at the price of a shortest gap of a few dozen cycles. */
#include "runtime/latency/guest/guest.h"

void measure(struct probe_cpu *cpu, uint64_t cycles)
{
    uint64_t from = read_tsc();
    uint64_t last = from;
    uint64_t gap;
    do {
        uint64_t now = read_tsc();
        gap = now - last;
        last = now;
        cpu->bucket[probe_bucket(gap)]++;
        cpu->samples++;
        if (gap < cpu->shortest)
            cpu->shortest = gap;
        if (gap > cpu->run_longest)
            cpu->run_longest = gap;
        if (gap >= probe.threshold_cycles) {
            cpu->over++;
            cpu->lost += gap;
        }
    } while (last - from < cycles);
    if (cpu->run_longest > cpu->longest)
        cpu->longest = cpu->run_longest;
    cpu->measured += last - from;
}
