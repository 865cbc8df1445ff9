/* The local APIC's timer and the one interrupt this guest takes. The handler reads the time-stamp counter and returns:
 * it interrupts nothing but the halt below, which takes the counter over from the registers. */
#include "runtime/latency/guest/guest.h"

enum {
    APIC_EOI = 0xb0,
    APIC_LVT_TIMER = 0x320,
    APIC_INITIAL_COUNT = 0x380,
    APIC_CURRENT_COUNT = 0x390,
    APIC_DIVIDE = 0x3e0,
    DIVIDE_BY_1 = 0xb,
    MODE_TSC_DEADLINE = 2 << 17,
    TSC_DEADLINE_MSR = 0x6e0,
    TIMER_VECTOR = 0x40,
    VECTORS = 256,
    CALIBRATE_MS = 20,
    INTERRUPT_GATE = 0x8e00,
    CODE_SELECTOR = 8,
    PIC_MASKS = 2,
};

void timer_fired(void);
void timer_ignored(void);
/* Back without iret: all rings and segments stay the same, and KVM's own emulator of instructions, which runs us where
 * the processor cannot, does not know that one. */
#define BACK              \
    "    popl %ecx\n"     \
    "    addl $4, %esp\n" \
    "    popfl\n"         \
    "    jmp *%ecx\n"
__asm__(".globl timer_fired, timer_ignored\n"
        "timer_fired:\n"
        "    rdtsc\n" BACK "timer_ignored:\n"
        "    xorl %eax, %eax\n"
        "    xorl %edx, %edx\n" BACK);

struct gate {
    uint16_t offset_low;
    uint16_t selector;
    uint16_t kind;
    uint16_t offset_high;
};
static struct gate gates[VECTORS];
static bool by_deadline;
static uint32_t ticks_per_ms;

static void set_gate(uint32_t vector, void (*handler)(void))
{
    uint32_t offset = (uint32_t)(uintptr_t)handler;
    gates[vector] = (struct gate){(uint16_t)offset, CODE_SELECTOR, INTERRUPT_GATE, (uint16_t)(offset >> 16)};
}

/* Ticks of a timer that counts down from its largest value, masked. */
static uint32_t count_ticks(void)
{
    apic_write(APIC_DIVIDE, DIVIDE_BY_1);
    apic_write(APIC_LVT_TIMER, 1u << 16 | TIMER_VECTOR);
    apic_write(APIC_INITIAL_COUNT, UINT32_MAX);
    clock_wait_us(CALIBRATE_MS * 1000);
    uint32_t gone = UINT32_MAX - apic_read(APIC_CURRENT_COUNT);
    apic_write(APIC_INITIAL_COUNT, 0);
    return gone / CALIBRATE_MS;
}

void timer_find(void)
{
    struct cpuid features = read_cpuid(1);
    if (!(features.d >> 9 & 1))
        return;
    static const uint16_t MASK_PORTS[PIC_MASKS] = {0x21, 0xa1}; /* the BIOS left its timer and keyboard on */
    for (uint32_t i = 0; i < PIC_MASKS; i++)
        out8(MASK_PORTS[i], 0xff);
    for (uint32_t vector = 32; vector < VECTORS; vector++)
        set_gate(vector, timer_ignored);
    set_gate(TIMER_VECTOR, timer_fired);
    apic_enable();
    by_deadline = features.c >> 24 & 1;
    ticks_per_ms = by_deadline ? 0 : count_ticks();
    if (by_deadline)
        probe.timer_source = "TSC deadline";
    else if (ticks_per_ms)
        probe.timer_source = "local APIC";
}

void timer_open(void)
{
    const struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) table = {sizeof gates - 1, (uint32_t)(uintptr_t)gates};
    if (!probe.timer_source)
        return;
    __asm__ volatile("lidt %0" : : "m"(table));
    apic_enable();
    apic_write(APIC_DIVIDE, DIVIDE_BY_1);
    apic_write(APIC_LVT_TIMER, (by_deadline ? MODE_TSC_DEADLINE : 0) | TIMER_VECTOR);
    __asm__ volatile("lock orl $0, (%%esp)" : : : "memory"); /* the mode must be set before the deadline is */
}

static void arm(uint64_t tsc)
{
    if (by_deadline) {
        write_msr(TSC_DEADLINE_MSR, tsc);
        return;
    }
    uint64_t now = read_tsc();
    uint64_t left = tsc > now ? tsc - now : 0;
    uint32_t ticks = (uint32_t)scale(left, ticks_per_ms, probe.tsc_khz);
    apic_write(APIC_INITIAL_COUNT, ticks ? ticks : 1);
}

uint64_t timer_wait_until(uint64_t tsc)
{
    uint64_t woken;
    arm(tsc);
    do
        __asm__ volatile("sti; hlt; cli" : "=A"(woken) : : "ecx", "memory");
    while (!woken);
    apic_write(APIC_EOI, 0);
    return woken;
}
