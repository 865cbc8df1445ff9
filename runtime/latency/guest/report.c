/* One report: a table for people, then the same for programs (probe_format.h). */
#include "runtime/latency/guest/guest.h"

enum { COLUMNS = 8, ROWS = 24, BUCKETS_PER_LINE = 16 };

static bool is_there(uint32_t i)
{
    return probe.cpu[i].started;
}

static void print_us(uint64_t cycles, const char *format)
{
    uint32_t ns;
    uint64_t us = divide(clock_ns(cycles), 1000, &ns);
    serial_print(format, us, ns);
}

static void print_summary(void)
{
    bool slow = false;
    serial_print("  vcpu     samples  shortest us   longest us    this time        over      lost us\n");
    for (uint32_t i = 0; i < probe.cpu_count; i++) {
        const struct probe_cpu *cpu = &probe.cpu[i];
        if (!is_there(i)) {
            serial_print("%6u  is not there or did not start\n", i);
            continue;
        }
        serial_print("%6u%12U", i, cpu->samples);
        print_us(cpu->shortest, "%9U.%03u");
        print_us(cpu->longest, "%9U.%03u");
        print_us(cpu->run_longest, "%9U.%03u");
        serial_print("%12U", cpu->over);
        print_us(cpu->lost, "%9U.%03u\n");
        slow |= cpu->shortest >= probe.threshold_cycles;
    }
    if (slow)
        serial_print("  Even the shortest gap is over: this CPU is emulated, or far too slow for the threshold.\n");
}

/* Row 0 is below a microsecond, row r from 2^(r-1) us on. */
static uint32_t row_of(uint32_t bucket)
{
    uint64_t us = divide(clock_ns(probe_bucket_floor(bucket)), 1000, NULL);
    uint32_t row = 0;
    for (; us && row < ROWS - 1; us >>= 1)
        row++;
    return row;
}

static void print_histogram(uint32_t first)
{
    static uint64_t count[COLUMNS][ROWS];
    uint32_t columns = probe.cpu_count - first < COLUMNS ? probe.cpu_count - first : COLUMNS;
    uint32_t last_row = 0;
    for (uint32_t c = 0; c < columns; c++) {
        for (uint32_t row = 0; row < ROWS; row++)
            count[c][row] = 0;
        for (uint32_t b = 0; b < PROBE_BUCKETS; b++) {
            if (!probe.cpu[first + c].bucket[b])
                continue;
            uint32_t row = row_of(b);
            count[c][row] += probe.cpu[first + c].bucket[b];
            last_row = row > last_row ? row : last_row;
        }
    }
    serial_print("  from us");
    for (uint32_t c = 0; c < columns; c++)
        serial_print("%7s%5u", "vcpu", first + c);
    serial_print("\n");
    for (uint32_t row = 0; row <= last_row; row++) {
        serial_print("%9u", row ? 1u << (row - 1) : 0);
        for (uint32_t c = 0; c < columns; c++)
            serial_print("%12U", count[c][row]);
        serial_print("\n");
    }
}

static void print_cpu_lines(uint32_t i)
{
    const struct probe_cpu *cpu = &probe.cpu[i];
    serial_print(PROBE_MARK "cpu id=%u apic=%u started=%u measured_ns=%U samples=%U min_ns=%U max_ns=%U "
                            "run_max_ns=%U over=%U lost_ns=%U\n",
                 i, cpu->apic, cpu->started, clock_ns(cpu->measured), cpu->samples,
                 cpu->samples ? clock_ns(cpu->shortest) : 0, clock_ns(cpu->longest), clock_ns(cpu->run_longest),
                 cpu->over, clock_ns(cpu->lost));
    uint32_t on_line = 0;
    for (uint32_t b = 0; b < PROBE_BUCKETS; b++) {
        if (!cpu->bucket[b])
            continue;
        if (on_line == 0)
            serial_print(PROBE_MARK "hist id=%u", i);
        serial_print(" %u:%U", b, cpu->bucket[b]);
        if (++on_line == BUCKETS_PER_LINE) {
            serial_print("\n");
            on_line = 0;
        }
    }
    if (on_line)
        serial_print("\n");
}

void report_print(uint32_t number)
{
    serial_print("\nrtvmd latency probe, report %u. TSC %u kHz (by %s%s). Gaps from %u ns on count as over and lost.\n",
                 number, probe.tsc_khz, probe.tsc_source, probe.tsc_invariant ? ", invariant" : "", probe.threshold_ns);
    print_summary();
    for (uint32_t first = 0; first < probe.cpu_count; first += COLUMNS)
        print_histogram(first);
    uint32_t before = serial_lines();
    serial_print(PROBE_MARK "begin format=%u report=%u cpus=%u tsc_khz=%u invariant=%u threshold_ns=%u\n", PROBE_FORMAT,
                 number, probe.cpu_count, probe.tsc_khz, (uint32_t)probe.tsc_invariant, probe.threshold_ns);
    for (uint32_t i = 0; i < probe.cpu_count; i++)
        print_cpu_lines(i);
    serial_print(PROBE_MARK "end report=%u lines=%u\n", number, serial_lines() - before);
}
