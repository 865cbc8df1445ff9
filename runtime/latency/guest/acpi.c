/* The few things we want from ACPI: the vCPUs (MADT), the PM timer, the power button and the way to switch off (FADT,
 * and the \_S5 package in the DSDT, found by its bytes: an interpreter would be larger than the rest of the guest). */
#include "runtime/latency/guest/guest.h"

enum {
    MADT_ENTRIES = 44,
    MADT_LOCAL_APIC = 0,
    MADT_LOCAL_X2APIC = 9,
    FADT_DSDT = 40,
    FADT_SMI_COMMAND = 48,
    FADT_ACPI_ENABLE = 52,
    FADT_PM1A_EVENT = 56,
    FADT_PM1A_CONTROL = 64,
    FADT_PM_TIMER = 76,
    FADT_PM1_EVENT_LENGTH = 88,
    PM1_POWER_BUTTON = 1 << 8,
    PM1_SCI_ENABLED = 1 << 0,
    PM1_SLEEP_ENABLE = 1 << 13,
};

static uint32_t madt;
static uint32_t fadt;

/* The compiler must not reason about objects at addresses the firmware chose: it does not see where they come from. */
static uint8_t load8(uint32_t address)
{
    __asm__("" : "+r"(address));
    return *(const volatile uint8_t *)(uintptr_t)address;
}

static uint32_t load32(uint32_t address)
{
    __asm__("" : "+r"(address));
    return *(const volatile uint32_t *)(uintptr_t)address;
}

static bool same(uint32_t address, const char *text)
{
    while (*text)
        if (load8(address++) != (uint8_t)*text++)
            return false;
    return true;
}

static uint32_t find_root_pointer(uint32_t from, uint32_t to)
{
    for (uint32_t at = from; at < to; at += 16) {
        if (!same(at, "RSD PTR "))
            continue;
        uint8_t sum = 0;
        for (uint32_t i = 0; i < 20; i++)
            sum = (uint8_t)(sum + load8(at + i));
        if (sum == 0)
            return at;
    }
    return 0;
}

void acpi_find(void)
{
    uint32_t extended_bios_data = (load32(0x40e) & 0xffff) << 4;
    uint32_t root = find_root_pointer(extended_bios_data, extended_bios_data + 1024);
    if (!root)
        root = find_root_pointer(0xe0000, 0x100000);
    if (!root)
        return;
    uint32_t rsdt = load32(root + 16);
    uint32_t end = rsdt + load32(rsdt + 4);
    for (uint32_t at = rsdt + 36; at < end; at += 4) {
        uint32_t table = load32(at);
        if (same(table, "APIC"))
            madt = table;
        else if (same(table, "FACP"))
            fadt = table;
    }
}

uint32_t acpi_apic_ids(uint32_t *ids, uint32_t max)
{
    uint32_t count = 0;
    uint32_t end = madt ? madt + load32(madt + 4) : 0;
    for (uint32_t at = madt + MADT_ENTRIES; at + 2 <= end && load8(at + 1) >= 2; at += load8(at + 1)) {
        uint32_t flags;
        uint32_t id;
        if (load8(at) == MADT_LOCAL_APIC) {
            id = load8(at + 3);
            flags = load32(at + 4);
        } else if (load8(at) == MADT_LOCAL_X2APIC) {
            id = load32(at + 4);
            flags = load32(at + 8);
        } else {
            continue;
        }
        if (count < max)
            ids[count++] = flags & 1 ? id : UINT32_MAX; /* a slot for a vCPU plugged in later */
    }
    while (count > 0 && ids[count - 1] == UINT32_MAX)
        count--;
    return count;
}

uint16_t acpi_pm_timer(void)
{
    return fadt ? (uint16_t)load32(fadt + FADT_PM_TIMER) : 0;
}

static uint16_t event_port(void)
{
    return fadt ? (uint16_t)load32(fadt + FADT_PM1A_EVENT) : 0;
}

static uint16_t control_port(void)
{
    return fadt ? (uint16_t)load32(fadt + FADT_PM1A_CONTROL) : 0;
}

/* QEMU sets the status bit only while the enable bit is set. The interrupt that follows finds interrupts off. */
void acpi_watch_button(void)
{
    if (!event_port() || !control_port())
        return;
    uint16_t command = (uint16_t)load32(fadt + FADT_SMI_COMMAND);
    if (command && !(in16(control_port()) & PM1_SCI_ENABLED))
        out8(command, load8(fadt + FADT_ACPI_ENABLE));
    uint16_t enable = (uint16_t)(event_port() + load8(fadt + FADT_PM1_EVENT_LENGTH) / 2);
    out16(event_port(), PM1_POWER_BUTTON);
    out16(enable, PM1_POWER_BUTTON);
}

bool acpi_button_pressed(void)
{
    return event_port() && (in16(event_port()) & PM1_POWER_BUTTON);
}

/* \_S5 is Name(_S5_, Package(…) { SLP_TYPa, …}): 08 "_S5_" 12 length count then 0A value, or 00 or 01 as themselves. */
static bool find_s5(uint32_t *ret_type)
{
    uint32_t dsdt = fadt ? load32(fadt + FADT_DSDT) : 0;
    if (!dsdt || !same(dsdt, "DSDT"))
        return false;
    uint32_t end = dsdt + load32(dsdt + 4);
    for (uint32_t at = dsdt + 36; at + 12 < end; at++) {
        if (!same(at, "_S5_") || load8(at + 4) != 0x12)
            continue;
        uint32_t value = at + 5 + (load8(at + 5) >> 6) + 2; /* past the length and the count */
        *ret_type = load8(value) == 0x0a ? load8(value + 1) : load8(value);
        return true;
    }
    return false;
}

void acpi_power_off(void)
{
    uint32_t type;
    if (!control_port() || !find_s5(&type))
        return;
    out16(control_port(), (uint16_t)((type & 7) << 10 | PM1_SLEEP_ENABLE));
}
