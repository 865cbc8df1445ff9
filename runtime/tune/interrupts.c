#include "runtime/tune/interrupts.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* The head names the CPUs that are online: "           CPU0       CPU2". */
static const char *read_head(const char *p, unsigned column[], unsigned *ret_columns, struct cpuset *cpus)
{
    size_t length = strcspn(p, "\n");
    const char *end = p + length;
    *ret_columns = 0;
    for (const char *at = p; (at = strstr(at, "CPU")) && at < end && *ret_columns < CPUSET_MAX;) {
        char *next;
        unsigned long cpu = strtoul(at + 3, &next, 10);
        at = next;
        if (cpu >= CPUSET_MAX)
            continue;
        column[(*ret_columns)++] = (unsigned)cpu;
        cpuset_add(cpus, (unsigned)cpu);
    }
    return *end ? end + 1 : end;
}

static uint64_t *counters_of(const char *label, struct interrupts *in)
{
    if (isdigit((unsigned char)*label))
        return in->device;
    if (text_starts_with(label, "LOC:"))
        return in->timer;
    static const char *const CALLS[] = {"RES:", "CAL:", "TLB:", "IPI"};
    for (size_t i = 0; i < ARRAY_SIZE(CALLS); i++)
        if (text_starts_with(label, CALLS[i]))
            return in->call;
    return NULL;
}

void interrupts_read(const struct files *files, struct interrupts *ret_interrupts)
{
    *ret_interrupts = (struct interrupts){0};
    auto_text text = {0};
    unsigned column[CPUSET_MAX];
    unsigned columns = 0;
    if (!files_read(files, &text, "/proc/interrupts"))
        return;
    const char *p = read_head(text_cstr(&text), column, &columns, &ret_interrupts->cpus);
    ret_interrupts->known = columns > 0;
    for (; *p; p += strcspn(p, "\n"), p += *p == '\n') {
        const char *label = p + strspn(p, " ");
        uint64_t *counters = counters_of(label, ret_interrupts);
        const char *at = label + strcspn(label, ":\n");
        if (!counters || *at != ':')
            continue;
        at++;
        for (unsigned i = 0; i < columns; i++) {
            char *end;
            at += strspn(at, " ");
            if (!isdigit((unsigned char)*at))
                break;
            counters[column[i]] += strtoull(at, &end, 10);
            at = end;
        }
    }
}
