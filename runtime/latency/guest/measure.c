/* The measuring loops. Gaps: every gap is counted, and the time spent counting is part of the next gap: nothing is lost
 * between two samples, at the price of a shortest gap of a few dozen cycles. Timer: every wake-up is counted; the time
 * between is slept. */
#include "runtime/latency/guest/guest.h"

enum { TIMER_INTERVAL_MS = 1 };

static void count(struct probe_numbers *n, uint64_t value)
{
    n->bucket[probe_bucket(value)]++;
    n->samples++;
    if (value < n->shortest)
        n->shortest = value;
    if (value > n->run_longest)
        n->run_longest = value;
    if (value >= probe.threshold_cycles) {
        n->over++;
        n->lost += value;
    }
}

static uint64_t measure_gaps(struct probe_numbers *n, uint64_t from, uint64_t cycles)
{
    uint64_t last = from;
    do {
        uint64_t now = read_tsc();
        count(n, now - last);
        last = now;
    } while (last - from < cycles);
    return last - from;
}

static uint64_t measure_timer(struct probe_numbers *n, uint64_t from, uint64_t cycles)
{
    uint64_t woken;
    do {
        uint64_t wanted = read_tsc() + clock_cycles(TIMER_INTERVAL_MS);
        woken = timer_wait_until(wanted);
        count(n, woken > wanted ? woken - wanted : 0);
    } while (woken - from < cycles);
    return woken - from;
}

void measure(struct probe_cpu *cpu, enum probe_measure what, uint64_t cycles)
{
    struct probe_numbers *n = &cpu->numbers[what];
    uint64_t from = read_tsc();
    n->measured += what == PROBE_TIMER ? measure_timer(n, from, cycles) : measure_gaps(n, from, cycles);
    if (n->run_longest > n->longest)
        n->longest = n->run_longest;
}
