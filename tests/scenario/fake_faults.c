#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/fake.h"

/* Faults and the trace, shared by all fakes. */

static struct text trace;
static struct text complaints;
static struct {
    char function[32];
    unsigned skip;
    unsigned times;
    enum error_kind kind;
} fault[8];
static unsigned calls_to_live; /* 0: for ever */
static bool dead;
static unsigned call_count;

void fake_faults_reset(void);
void fake_faults_reset(void)
{
    text_clear(&trace);
    text_clear(&complaints);
    memset(fault, 0, sizeof fault);
    calls_to_live = 0;
    dead = false;
    call_count = 0;
}

unsigned fake_faults_pending(void)
{
    unsigned count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(fault); i++)
        count += fault[i].times > 0;
    return count;
}

void fake_faults_end(void)
{
    memset(fault, 0, sizeof fault);
    calls_to_live = 0;
}

void fake_mend(const char *function)
{
    for (size_t i = 0; i < ARRAY_SIZE(fault); i++)
        if (strcmp(fault[i].function, function) == 0)
            fault[i].times = 0;
}

unsigned fake_calls(void)
{
    return call_count;
}

void fake_trace(const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    text_printf(&trace, "%s%s", trace.length ? ", " : "", line);
}

char *fake_take_trace(void)
{
    return text_take(&trace);
}

void fake_complain(const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    text_printf(&complaints, "%s\n", line);
}

const char *fake_complaints(void)
{
    return text_cstr(&complaints);
}

void fake_fail(const char *function, unsigned nth, unsigned times, enum error_kind kind)
{
    for (size_t i = 0; i < ARRAY_SIZE(fault); i++)
        if (fault[i].times == 0) {
            snprintf(fault[i].function, sizeof fault[i].function, "%s", function);
            fault[i].skip = nth - 1;
            fault[i].times = times;
            fault[i].kind = kind;
            return;
        }
    abort();
}

void fake_die_after(unsigned calls)
{
    calls_to_live = calls;
}

bool fake_died(void)
{
    return dead;
}

void fake_revive(void)
{
    dead = false;
    calls_to_live = 0;
}

bool fake_call(const char *function, struct error *err)
{
    if (dead) {
        fail(err, ERROR_UNAVAILABLE, "dead");
        return false;
    }
    call_count++;
    if (calls_to_live && --calls_to_live == 0)
        dead = true; /* this call still has its effect; what it returns is lost */
    for (size_t i = 0; i < ARRAY_SIZE(fault); i++) {
        if (fault[i].times == 0 || strcmp(fault[i].function, function) != 0)
            continue;
        if (fault[i].skip) {
            fault[i].skip--;
            continue;
        }
        fault[i].times--;
        fail(err, fault[i].kind, "%s failed as told", function);
        return false;
    }
    return true;
}
