/* rtvmd/base: the vocabulary every other folder speaks: errors, log lines, growing text, sets of CPUs, quantities,
 * JSON, small files, child programs, the event loop and the table of limits.
 * It never knows what a VM, an object or an HTTP request is.
 *
 * This header holds what has no room of its own: cleanup attributes and the abort-on-exhaustion allocators. Running
 * out of memory ends the process: wanted state is in the store, running VMs belong to libvirt, and every input is
 * limited in size before memory is asked for it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* Locals that own something: the value is released when the scope ends; hand it over with take(). */
#define auto_free __attribute__((cleanup(base_free_p)))
#define auto_close __attribute__((cleanup(base_close_p)))
#define take(p)                     \
    __extension__({                 \
        __typeof__(p) taken_ = (p); \
        (p) = NULL;                 \
        taken_;                     \
    })

void base_free_p(void *pointer_to_pointer);
void base_close_p(const int *fd);

/* Like malloc/realloc/strdup/strndup, zeroed where they allocate anew, never NULL. */
void *must_calloc(size_t count, size_t size);
void *must_realloc(void *p, size_t count, size_t size);
char *must_strdup(const char *s);
char *must_strndup(const char *s, size_t n);
char *must_format(const char *format, ...) PRINTF_LIKE(1, 2);

/* Monotonic time in milliseconds and nanoseconds; wall-clock seconds since the epoch. */
uint64_t now_monotonic_ms(void);
uint64_t now_monotonic_ns(void);
int64_t now_wall_s(void);
