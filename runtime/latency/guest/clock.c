/* How many cycles a millisecond has. The hypervisor or the CPU may say so in CPUID; the ACPI PM timer (3.579545 MHz) is
 * measured in any case, and when the two differ by more than 1 % the timer is believed. Without both the PIT is tried:
 * a real-time machine has none, which is why it comes last. */
#include "runtime/latency/guest/guest.h"

enum {
    PM_TIMER_HZ = 3579545,
    PM_TIMER_MASK = 0xffffff,
    CALIBRATE_MS = 50,
    PIT_HZ = 1193182,
    PIT_TICKS = 59659, /* 50 ms */
    KHZ_UNKNOWN = 1000000,
};

static uint32_t khz_from_cpuid(void)
{
    if (read_cpuid(1).c >> 31 && read_cpuid(0x40000000).a >= 0x40000010 && read_cpuid(0x40000010).a)
        return read_cpuid(0x40000010).a;
    if (read_cpuid(0).a < 0x15)
        return 0;
    struct cpuid r = read_cpuid(0x15);
    if (!r.a || !r.b || !r.c || r.b > INT32_MAX)
        return 0;
    return (uint32_t)divide(scale(r.c, r.b, r.a), 1000, NULL);
}

struct moment {
    uint64_t tsc;
    uint32_t ticks;
};

/* The timer is emulated: reading it takes long, and not always equally long. The shortest of a few reads tells best. */
static struct moment read_pm_timer(uint16_t port)
{
    struct moment best = {0, 0};
    uint64_t shortest = UINT64_MAX;
    for (int i = 0; i < 16; i++) {
        uint64_t before = read_tsc();
        uint32_t ticks = in32(port) & PM_TIMER_MASK;
        uint64_t took = read_tsc() - before;
        if (took < shortest) {
            shortest = took;
            best = (struct moment){before + took / 2, ticks};
        }
    }
    return best;
}

static uint32_t khz_from_pm_timer(void)
{
    uint16_t port = acpi_pm_timer();
    if (!port)
        return 0;
    struct moment from = read_pm_timer(port);
    uint32_t reads = 0;
    while (((in32(port) - from.ticks) & PM_TIMER_MASK) < PM_TIMER_HZ / 1000 * CALIBRATE_MS)
        if (++reads > 10000000) /* it stands still */
            return 0;
    struct moment to = read_pm_timer(port);
    uint32_t ticks = (to.ticks - from.ticks) & PM_TIMER_MASK;
    return (uint32_t)divide(scale(to.tsc - from.tsc, PM_TIMER_HZ, ticks), 1000, NULL);
}

/* Channel 2 counts down once; its output shows in port 0x61. */
static uint32_t khz_from_pit(void)
{
    out8(0x61, (uint8_t)((in8(0x61) & ~2u) | 1));
    out8(0x43, 0xb0);
    out8(0x42, PIT_TICKS & 0xff);
    out8(0x42, PIT_TICKS >> 8);
    if (in8(0x61) & 0x20)
        return 0; /* ends before it began: there is no PIT */
    uint64_t from = read_tsc();
    uint64_t to;
    do {
        to = read_tsc();
        if (to - from > (uint64_t)1 << 33)
            return 0;
    } while (!(in8(0x61) & 0x20));
    return (uint32_t)divide(scale(to - from, PIT_HZ, PIT_TICKS), 1000, NULL);
}

static void choose(uint32_t khz, const char *source)
{
    probe.tsc_khz = khz;
    probe.tsc_source = source;
}

void clock_calibrate(void)
{
    uint32_t told = khz_from_cpuid();
    uint32_t timed = khz_from_pm_timer();
    uint32_t pit = told || timed ? 0 : khz_from_pit();
    uint32_t apart = told > timed ? told - timed : timed - told;
    if (told && (!timed || apart < told / 100))
        choose(told, "CPUID");
    else if (timed)
        choose(timed, "the PM timer");
    else if (pit)
        choose(pit, "the PIT");
    else
        choose(KHZ_UNKNOWN, "nothing: times are cycles");
    probe.tsc_invariant = read_cpuid(0x80000000).a >= 0x80000007 && (read_cpuid(0x80000007).d >> 8 & 1);
}

uint64_t clock_cycles(uint32_t ms)
{
    return (uint64_t)ms * probe.tsc_khz;
}

uint64_t clock_ns(uint64_t cycles)
{
    return scale(cycles, 1000000, probe.tsc_khz);
}

void clock_wait_us(uint32_t us)
{
    uint64_t from = read_tsc();
    uint64_t cycles = divide((uint64_t)us * probe.tsc_khz, 1000, NULL);
    while (read_tsc() - from < cycles)
        relax();
}
