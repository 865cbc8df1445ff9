/* The host, the question and the answer of one plan at a time. */
#pragma once

#include "runtime/place/place.h"
#include "tests/test.h"
#include "tests/unit/synthetic.h"

static const struct claims nobody;
static struct decision *decision;
static struct host *host;
static struct place_policy policy;

/* Two nodes of four cores of two threads: 0-3 and 8-11 on node 0, 4-7 and 12-15 on node 1; core 0 is the host's, on
 * each node everything else is isolated. */
static struct synthetic two_nodes(void)
{
    struct synthetic make = {.nodes = 2, .cores = 4, .threads = 2, .pages_1g = 4, .pages_2m = 1024, .gigabytes = 16};
    make.isolated = synthetic_set("1-3,5-7,9-11,13-15");
    return make;
}

static const struct decision *plan(const struct synthetic *make, const struct vm_spec *spec,
                                   const struct claims *claims)
{
    free(host);
    host = synthetic_host(make);
    place_plan(host, &policy, claims ? claims : &nobody, spec, NULL, decision);
    return decision;
}

static const struct decision *plan_again(const struct vm_spec *spec, const struct claims *claims)
{
    place_plan(host, &policy, claims ? claims : &nobody, spec, NULL, decision);
    return decision;
}

static const char *cpus(const struct cpuset *set)
{
    static struct cpuset_text text[4];
    static unsigned at;
    at = (at + 1) % ARRAY_SIZE(text);
    return cpuset_format(set, &text[at]);
}

static const char *pins(void)
{
    static char text[256];
    size_t at = 0;
    text[0] = '\0';
    for (unsigned v = 0; v < decision->placement.vcpu_count; v++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%d", v ? " " : "", decision->placement.vcpu_cpu[v]);
    return text;
}

static const struct place_reason *reason(const char *code)
{
    for (unsigned i = 0; i < decision->reason_count; i++)
        if (strcmp(decision->reason[i].code, code) == 0)
            return &decision->reason[i];
    printf("# no reason %s among %u\n", code, decision->reason_count);
    for (unsigned i = 0; i < decision->reason_count; i++)
        printf("#   %s: %s\n", decision->reason[i].code, decision->reason[i].message);
    static const struct place_reason none = {.code = "", .message = "(no such reason)"};
    return &none;
}

static inline bool warned(const char *words)
{
    for (unsigned i = 0; i < decision->warning_count; i++)
        if (strstr(decision->warning[i], words))
            return true;
    return false;
}

static inline bool suggested(const char *words)
{
    for (unsigned i = 0; i < decision->suggestion_count; i++)
        if (strcmp(decision->suggestion[i], words) == 0)
            return true;
    for (unsigned i = 0; i < decision->suggestion_count; i++)
        printf("# suggestion: %s\n", decision->suggestion[i]);
    return false;
}
