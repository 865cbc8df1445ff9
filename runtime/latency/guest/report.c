/* One report: a table for people, then the same for programs (probe_format.h). */
#include "runtime/latency/guest/guest.h"

static enum probe_measure shown;

enum { COLUMNS = 8, ROWS = 24, BUCKETS_PER_LINE = 16 };

static const struct probe_numbers *numbers_of(uint32_t i)
{
    return &probe.cpu[i].numbers[shown];
}

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
        const struct probe_numbers *n = numbers_of(i);
        if (!is_there(i)) {
            serial_print("%6u  is not there or did not start\n", i);
            continue;
        }
        serial_print("%6u%12U", i, n->samples);
        print_us(n->shortest, "%9U.%03u");
        print_us(n->longest, "%9U.%03u");
        print_us(n->run_longest, "%9U.%03u");
        serial_print("%12U", n->over);
        print_us(n->lost, "%9U.%03u\n");
        slow |= n->shortest >= probe.threshold_cycles;
    }
    if (slow && shown == PROBE_GAPS)
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
            if (!numbers_of(first + c)->bucket[b])
                continue;
            uint32_t row = row_of(b);
            count[c][row] += numbers_of(first + c)->bucket[b];
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
    const struct probe_numbers *n = numbers_of(i);
    serial_print(PROBE_MARK "cpu id=%u apic=%u started=%u measured_ns=%U samples=%U min_ns=%U max_ns=%U "
                            "run_max_ns=%U over=%U lost_ns=%U\n",
                 i, cpu->apic, cpu->started, clock_ns(n->measured), n->samples, n->samples ? clock_ns(n->shortest) : 0,
                 clock_ns(n->longest), clock_ns(n->run_longest), n->over, clock_ns(n->lost));
    uint32_t on_line = 0;
    for (uint32_t b = 0; b < PROBE_BUCKETS; b++) {
        if (!n->bucket[b])
            continue;
        if (on_line == 0)
            serial_print(PROBE_MARK "hist id=%u", i);
        serial_print(" %u:%U", b, n->bucket[b]);
        if (++on_line == BUCKETS_PER_LINE) {
            serial_print("\n");
            on_line = 0;
        }
    }
    if (on_line)
        serial_print("\n");
}

static void print_for_people(uint32_t number)
{
    serial_print("\nrtvmd latency probe, report %u. TSC %u kHz (by %s%s). ", number, probe.tsc_khz, probe.tsc_source,
                 probe.tsc_invariant ? ", invariant" : "");
    serial_print("%s from %u ns on count as over and lost.\n", shown == PROBE_TIMER ? "Delays of the timer" : "Gaps",
                 probe.threshold_ns);
    print_summary();
    for (uint32_t first = 0; first < probe.cpu_count; first += COLUMNS)
        print_histogram(first);
}

/* Who asked for a number of reports is a program, and a serial port is slow. */
void report_print(uint32_t number, enum probe_measure what)
{
    shown = what;
    if (probe.reports == 0)
        print_for_people(number);
    uint32_t before = serial_lines();
    serial_print(PROBE_MARK "begin format=%u report=%u cpus=%u tsc_khz=%u invariant=%u threshold_ns=%u timer=%u\n",
                 PROBE_FORMAT, number, probe.cpu_count, probe.tsc_khz, (uint32_t)probe.tsc_invariant,
                 probe.threshold_ns, (uint32_t)(what == PROBE_TIMER));
    for (uint32_t i = 0; i < probe.cpu_count; i++)
        print_cpu_lines(i);
    serial_print(PROBE_MARK "end report=%u lines=%u\n", number, serial_lines() - before);
}
