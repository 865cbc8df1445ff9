#include "rtvmd/base/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void base_free_p(void *pointer_to_pointer)
{
    free(*(void **)pointer_to_pointer);
}

void base_close_p(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static void *or_abort(void *p)
{
    if (!p)
        abort();
    return p;
}

void *must_calloc(size_t count, size_t size)
{
    return or_abort(calloc(count ? count : 1, size ? size : 1));
}

void *must_realloc(void *p, size_t count, size_t size)
{
    return or_abort(reallocarray(p, count ? count : 1, size ? size : 1));
}

char *must_strdup(const char *s)
{
    return or_abort(strdup(s));
}

char *must_strndup(const char *s, size_t n)
{
    return or_abort(strndup(s, n));
}

char *must_format(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *s = NULL;
    int n = vasprintf(&s, format, args);
    va_end(args);
    if (n < 0)
        abort();
    return s;
}

uint64_t now_monotonic_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t now_monotonic_ms(void)
{
    return now_monotonic_ns() / 1000000u;
}

int64_t now_wall_s(void)
{
    return (int64_t)time(NULL);
}
