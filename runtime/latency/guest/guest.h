/* The probe guest: freestanding 32-bit code, one flat address space, no paging, no interrupts. It is a program of its
 * own (see guest.ld for the memory map); from the rest of rtvmd it knows only probe_format.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "runtime/latency/probe_format.h"

static inline void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void out16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t in8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint16_t in16(uint16_t port)
{
    uint16_t value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint32_t in32(uint16_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint64_t read_tsc(void)
{
    uint32_t low;
    uint32_t high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static inline void relax(void)
{
    __asm__ volatile("pause" ::: "memory");
}

struct cpuid {
    uint32_t a;
    uint32_t b;
    uint32_t c;
    uint32_t d;
};

static inline struct cpuid read_cpuid(uint32_t leaf)
{
    struct cpuid r;
    __asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(0));
    return r;
}

/* There is no compiler library to divide 64-bit numbers in 32-bit code. */
static inline uint64_t divide(uint64_t number, uint32_t by, uint32_t *ret_rest)
{
    uint32_t high = (uint32_t)(number >> 32) / by;
    uint32_t rest = (uint32_t)(number >> 32) % by;
    uint32_t low;
    __asm__("divl %4" : "=a"(low), "=d"(rest) : "a"((uint32_t)number), "d"(rest), "rm"(by) : "cc");
    if (ret_rest)
        *ret_rest = rest;
    return (uint64_t)high << 32 | low;
}

/* number * times / by without overflow in between, for times and by below 2^31 and results below 2^64. */
static inline uint64_t scale(uint64_t number, uint32_t times, uint32_t by)
{
    uint32_t rest;
    uint64_t whole = divide(number, by, &rest);
    return whole * times + divide((uint64_t)rest * times, by, NULL);
}

static inline uint64_t read_msr(uint32_t msr)
{
    uint32_t low;
    uint32_t high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static inline void write_msr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

/* What one measure found on one vCPU, in cycles. */
struct probe_numbers {
    uint64_t measured;
    uint64_t samples;
    uint64_t shortest;
    uint64_t longest;
    uint64_t run_longest;
    uint64_t over;
    uint64_t lost;
    uint64_t bucket[PROBE_BUCKETS];
};

/* One vCPU. Only that vCPU writes its numbers while it measures, only the first one reads them after. */
enum probe_measure { PROBE_GAPS, PROBE_TIMER, PROBE_MEASURES };
struct probe_cpu {
    uint32_t apic;
    volatile uint32_t started;
    volatile uint32_t finished; /* number of the last measurement it has completed */
    struct probe_numbers numbers[PROBE_MEASURES];
} __attribute__((aligned(64)));

struct probe {
    uint32_t cpu_count;
    struct probe_cpu *cpu;
    uint32_t interval_ms;
    uint32_t reports;
    uint32_t timer_reports;
    bool handshake;
    uint32_t threshold_ns;
    uint64_t threshold_cycles;
    uint32_t tsc_khz;
    const char *tsc_source;
    bool tsc_invariant;
    const char *timer_source; /* NULL: no local APIC timer to be relied on */
};
extern struct probe probe;

/* acpi.c: what the firmware's tables say. Without tables: one vCPU, no PM timer, no power button. */
void acpi_find(void);
uint32_t acpi_apic_ids(uint32_t *ids, uint32_t max); /* in the table's order, absent vCPUs included */
uint16_t acpi_pm_timer(void);                        /* I/O port, or 0 */
void acpi_watch_button(void);
bool acpi_button_pressed(void);
void acpi_power_off(void); /* returns when the firmware did not tell how */

/* clock.c: how long a cycle is. */
void clock_calibrate(void);
void clock_wait_us(uint32_t us);
uint64_t clock_cycles(uint32_t ms);
uint64_t clock_ns(uint64_t cycles);

/* apic.c: the other vCPUs. */
void apic_start_others(void);
uint32_t apic_own_id(void);
void apic_enable(void); /* of the calling vCPU */
uint32_t apic_read(uint32_t offset);
void apic_write(uint32_t offset, uint32_t value);

/* timer.c: the local APIC's timer, by TSC deadline where the CPU has that, else counting down once. */
void timer_find(void);                   /* on the first vCPU: fills probe.timer_source */
void timer_open(void);                   /* on each vCPU, once, before it waits */
uint64_t timer_wait_until(uint64_t tsc); /* halts; when the interrupt came */

/* measure.c */
void measure(struct probe_cpu *cpu, enum probe_measure what, uint64_t cycles);

/* serial.c: COM1. %u uint32_t, %U uint64_t, %s; a width pads on the left, "%8u" with blanks, "%03u" with zeros. */
void serial_open(void);
bool serial_has_byte(void); /* takes it */
void serial_print(const char *format, ...);
uint32_t serial_lines(void); /* lines printed so far */

/* report.c */
void report_print(uint32_t number, enum probe_measure what);
