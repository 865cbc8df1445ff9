/* The probe guest's life: find the machine, start every vCPU, then measure and report until the power button. */
#include "runtime/latency/guest/guest.h"

/* The first vCPU looks at the power button this often; the look is not part of what it measures. */
enum { SLICE_MS = 100, FIRST_REPORT_MS = 1000, LATE_MS = 5000, HANDSHAKE_MS = 10000 };

#define CPUS_AT 0x400000u
#define PARAMETERS_AT (0x7c00u + PROBE_PARAMETERS_OFFSET)

struct probe probe;
static volatile uint32_t run_number;
static volatile uint64_t run_cycles;
static volatile enum probe_measure run_measure;

void probe_lead(void);
void probe_follow(void);

/* The compiler may call these. */
void *memset(void *at, int value, size_t length);
void *memset(void *at, int value, size_t length)
{
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(length) : "a"(value) : "memory");
    return (char *)at - length;
}

static struct probe_cpu *cpu_with(uint32_t apic)
{
    for (uint32_t i = 0; i < probe.cpu_count; i++)
        if (probe.cpu[i].apic == apic)
            return &probe.cpu[i];
    return NULL;
}

static void read_parameters(void)
{
    const volatile struct probe_parameters *p = (const volatile struct probe_parameters *)(uintptr_t)PARAMETERS_AT;
    bool given = p->magic == PROBE_PARAMETERS_MAGIC;
    probe.interval_ms = given && p->interval_ms ? p->interval_ms : PROBE_INTERVAL_MS;
    probe.reports = given ? p->reports : 0;
    probe.timer_reports = given ? p->timer_reports : 0;
    probe.handshake = given && p->handshake;
    probe.threshold_ns = given && p->threshold_ns ? p->threshold_ns : PROBE_THRESHOLD_NS;
}

static struct probe_cpu *list_cpus(void)
{
    static uint32_t ids[PROBE_CPUS_MAX];
    probe.cpu = (struct probe_cpu *)(uintptr_t)CPUS_AT;
    probe.cpu_count = acpi_apic_ids(ids, PROBE_CPUS_MAX);
    if (probe.cpu_count == 0) {
        ids[0] = apic_own_id();
        probe.cpu_count = 1;
    }
    for (uint32_t i = 0; i < probe.cpu_count; i++) {
        memset(&probe.cpu[i], 0, sizeof probe.cpu[i]);
        probe.cpu[i].apic = ids[i];
        for (uint32_t m = 0; m < PROBE_MEASURES; m++)
            probe.cpu[i].numbers[m].shortest = UINT64_MAX;
    }
    struct probe_cpu *own = cpu_with(apic_own_id());
    own = own ? own : &probe.cpu[0];
    own->started = 1;
    return own;
}

static void power_off(void)
{
    serial_print("rtvmd latency probe: power off\n");
    acpi_power_off();
    for (;;)
        __asm__ volatile("cli; hlt");
}

static void leave_when_asked(void)
{
    if (acpi_button_pressed())
        power_off();
}

static bool others_are_done(uint32_t run)
{
    for (uint32_t i = 0; i < probe.cpu_count; i++)
        if (probe.cpu[i].started && probe.cpu[i].finished != run)
            return false;
    return true;
}

static void run_once(struct probe_cpu *own, enum probe_measure what, uint32_t run, uint32_t ms)
{
    for (uint32_t i = 0; i < probe.cpu_count; i++)
        probe.cpu[i].numbers[what].run_longest = 0;
    run_cycles = clock_cycles(ms);
    run_measure = what;
    run_number = run;
    for (uint32_t done = 0; done < ms; done += SLICE_MS) {
        measure(own, what, clock_cycles(ms - done < SLICE_MS ? ms - done : SLICE_MS));
        leave_when_asked();
    }
    own->finished = run;
    bool told = false;
    for (uint64_t from = read_tsc(); !others_are_done(run);) {
        clock_wait_us(1000);
        leave_when_asked();
        if (told || read_tsc() - from < clock_cycles(LATE_MS))
            continue;
        serial_print("rtvmd latency probe: a vCPU is %u ms late\n", (uint32_t)LATE_MS);
        told = true;
    }
}

void probe_lead(void)
{
    serial_open();
    serial_print("\nrtvmd latency probe\n");
    read_parameters();
    acpi_find();
    clock_calibrate();
    probe.threshold_cycles = scale(probe.threshold_ns, probe.tsc_khz, 1000000);
    struct probe_cpu *own = list_cpus();
    timer_find();
    timer_open();
    apic_start_others();
    acpi_watch_button();
    uint64_t from = read_tsc();
    while (probe.handshake && read_tsc() - from < clock_cycles(HANDSHAKE_MS) && !serial_has_byte()) {
        clock_wait_us(1000);
        leave_when_asked();
    }
    uint32_t first = probe.interval_ms < FIRST_REPORT_MS ? probe.interval_ms : FIRST_REPORT_MS;
    for (uint32_t run = 1; probe.reports == 0 || run <= probe.reports; run++) {
        enum probe_measure what = run <= probe.timer_reports && probe.timer_source ? PROBE_TIMER : PROBE_GAPS;
        run_once(own, what, run, run == 1 ? first : probe.interval_ms);
        report_print(run, what);
    }
    while (probe.handshake) { /* what was printed last may still be on its way */
        clock_wait_us(1000);
        leave_when_asked();
    }
    power_off();
}

void probe_follow(void)
{
    struct probe_cpu *own = cpu_with(apic_own_id());
    if (!own)
        return;
    timer_open();
    own->started = 1;
    for (uint32_t done = 0;;) {
        while (run_number == done)
            relax();
        done = run_number;
        measure(own, run_measure, run_cycles);
        own->finished = done;
    }
}
