#include <stdarg.h>

#include "runtime/latency/guest/guest.h"

enum { COM1 = 0x3f8, LINE_STATUS = COM1 + 5, DATA_READY = 1, TRANSMITTER_EMPTY = 0x20, FIFO_BYTES = 16 };

static uint32_t lines;
static char queue[FIFO_BYTES];
static uint32_t queued;

void serial_open(void)
{
    out8(COM1 + 1, 0);    /* no interrupts */
    out8(COM1 + 3, 0x80); /* divisor 1: 115200 baud */
    out8(COM1 + 0, 1);
    out8(COM1 + 1, 0);
    out8(COM1 + 3, 3); /* 8N1 */
    out8(COM1 + 2, 7); /* FIFO on and empty */
    out8(COM1 + 4, 3);
}

bool serial_has_byte(void)
{
    if (!(in8(LINE_STATUS) & DATA_READY))
        return false;
    in8(COM1);
    return true;
}

/* A FIFO's worth at once, by one string instruction: under a hypervisor each access costs an exit, a string one. */
static void flush(void)
{
    const char *from = queue;
    while (!(in8(LINE_STATUS) & TRANSMITTER_EMPTY))
        relax();
    __asm__ volatile("rep outsb" : "+S"(from), "+c"(queued) : "d"((uint16_t)COM1) : "memory");
}

static void put(char c)
{
    if (c == '\n') {
        lines++;
        put('\r');
    }
    queue[queued++] = c;
    if (queued == FIFO_BYTES)
        flush();
}

static void put_padded(const char *text, uint32_t length, uint32_t width, char with)
{
    for (; width > length; width--)
        put(with);
    for (uint32_t i = 0; i < length; i++)
        put(text[i]);
}

static void put_number(uint64_t number, uint32_t width, char with)
{
    char digits[20];
    uint32_t at = sizeof digits;
    do {
        uint32_t digit;
        number = divide(number, 10, &digit);
        digits[--at] = (char)('0' + digit);
    } while (number);
    put_padded(digits + at, sizeof digits - at, width, with);
}

void serial_print(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    for (const char *p = format; *p; p++) {
        if (*p != '%') {
            put(*p);
            continue;
        }
        char with = p[1] == '0' ? '0' : ' ';
        uint32_t width = 0;
        for (p++; *p >= '0' && *p <= '9'; p++)
            width = width * 10 + (uint32_t)(*p - '0');
        if (*p == 's') {
            const char *text = va_arg(args, const char *);
            uint32_t length = 0;
            while (text[length])
                length++;
            put_padded(text, length, width, ' ');
        } else if (*p == 'U') {
            put_number(va_arg(args, uint64_t), width, with);
        } else {
            put_number(va_arg(args, uint32_t), width, with);
        }
    }
    va_end(args);
    if (queued)
        flush();
}

uint32_t serial_lines(void)
{
    return lines;
}
