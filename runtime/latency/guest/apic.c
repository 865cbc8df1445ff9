/* Starts the other vCPUs one by one: INIT, then the start-up interrupt that sends them to page 0x8000 (boot.S). The
 * memory-mapped APIC is used unless the firmware switched to x2APIC mode, as it does when ids do not fit in 8 bits. */
#include "runtime/latency/guest/guest.h"

enum {
    APIC_BASE_MSR = 0x1b,
    APIC_BASE_X2 = 1 << 10,
    X2APIC_COMMAND_MSR = 0x830,
    X2APIC_FIRST_MSR = 0x800,
    SOFTWARE_ENABLE = 0x100,
    SPURIOUS_VECTOR = 0xff,
    APIC_SPURIOUS = 0xf0,
    APIC_COMMAND = 0x300,
    APIC_TARGET = 0x310,
    COMMAND_PENDING = 1 << 12,
    SEND_INIT = 0x4500,
    SEND_STARTUP = 0x4608, /* vector 8: page 0x8000 */
    START_PATIENCE_US = 1000000,
};
#define APIC_PAGE 0xfee00000u

static volatile uint32_t *apic(uint32_t offset)
{
    return (volatile uint32_t *)(uintptr_t)(APIC_PAGE + offset);
}

static bool x2apic_mode(void)
{
    return (read_cpuid(1).c >> 21 & 1) && (read_msr(APIC_BASE_MSR) & APIC_BASE_X2);
}

uint32_t apic_read(uint32_t offset)
{
    return x2apic_mode() ? (uint32_t)read_msr(X2APIC_FIRST_MSR + (offset >> 4)) : *apic(offset);
}

void apic_write(uint32_t offset, uint32_t value)
{
    if (x2apic_mode())
        write_msr(X2APIC_FIRST_MSR + (offset >> 4), value);
    else
        *apic(offset) = value;
}

void apic_enable(void)
{
    apic_write(APIC_SPURIOUS, SOFTWARE_ENABLE | SPURIOUS_VECTOR);
}

static void send(uint32_t target, uint32_t command)
{
    if (x2apic_mode()) {
        write_msr(X2APIC_COMMAND_MSR, (uint64_t)target << 32 | command);
        return;
    }
    *apic(APIC_TARGET) = target << 24;
    *apic(APIC_COMMAND) = command;
    while (*apic(APIC_COMMAND) & COMMAND_PENDING)
        relax();
}

uint32_t apic_own_id(void)
{
    if (read_cpuid(0).a >= 0xb && read_cpuid(0xb).b)
        return read_cpuid(0xb).d;
    return read_cpuid(1).b >> 24;
}

static void start(struct probe_cpu *cpu)
{
    send(cpu->apic, SEND_INIT);
    clock_wait_us(10000);
    for (int attempt = 0; attempt < 2 && !cpu->started; attempt++) {
        send(cpu->apic, SEND_STARTUP);
        uint64_t patience = clock_cycles(attempt ? START_PATIENCE_US / 1000 : 10);
        for (uint64_t from = read_tsc(); !cpu->started && read_tsc() - from < patience;)
            relax();
    }
}

void apic_start_others(void)
{
    uint32_t own = apic_own_id();
    apic_enable();
    for (uint32_t i = 0; i < probe.cpu_count; i++)
        if (probe.cpu[i].apic != own && probe.cpu[i].apic != UINT32_MAX)
            start(&probe.cpu[i]);
}
