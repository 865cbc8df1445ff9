#include "rtvmd/base/cpuset.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "rtvmd/base/text.h"

static const char *read_number(const char *s, unsigned *ret_value)
{
    uint64_t value;
    const char *end = text_number(s, CPUSET_MAX - 1, &value);
    if (end)
        *ret_value = (unsigned)value;
    return end;
}

/* One item: N, A-B or A-B:USED/GROUP. Returns where it ends, NULL when malformed. */
static const char *read_item(const char *s, struct cpuset *set)
{
    unsigned first;
    unsigned last;
    s = read_number(s, &first);
    if (!s)
        return NULL;
    last = first;
    unsigned used = 1;
    unsigned group = 1;
    if (*s == '-') {
        s = read_number(s + 1, &last);
        if (!s || last < first)
            return NULL;
        if (*s == ':') {
            s = read_number(s + 1, &used);
            if (!s || *s != '/')
                return NULL;
            s = read_number(s + 1, &group);
            if (!s || group == 0 || used == 0 || used > group)
                return NULL;
        }
    }
    for (unsigned cpu = first; cpu <= last; cpu++)
        if ((cpu - first) % group < used)
            cpuset_add(set, cpu);
    return s;
}

int cpuset_parse(const char *s, struct cpuset *ret_set, struct error *err)
{
    struct cpuset set = {0};
    const char *p = s;
    while (isspace((unsigned char)*p))
        p++;
    if (*p == '\0') {
        *ret_set = set;
        return 0;
    }
    for (;;) {
        const char *end = read_item(p, &set);
        if (!end)
            return fail(err, ERROR_INVALID,
                        "invalid CPU list \"%.80s\" at \"%.20s\": want numbers and ranges below %d, like 0-3,8", s, p,
                        CPUSET_MAX);
        p = end;
        while (isspace((unsigned char)*p))
            p++;
        if (*p == '\0')
            break;
        if (*p != ',')
            return fail(err, ERROR_INVALID, "invalid CPU list \"%.80s\": want a comma at \"%.20s\"", s, p);
        p++;
        while (isspace((unsigned char)*p))
            p++;
    }
    *ret_set = set;
    return 0;
}

const char *cpuset_format(const struct cpuset *set, struct cpuset_text *buffer)
{
    size_t used = 0;
    buffer->text[0] = '\0';
    for (int first = cpuset_next(set, 0); first >= 0;) {
        int last = first;
        while (cpuset_has(set, (unsigned)last + 1))
            last++;
        int n =
            first == last
                ? snprintf(buffer->text + used, sizeof buffer->text - used, "%s%d", used ? "," : "", first)
                : snprintf(buffer->text + used, sizeof buffer->text - used, "%s%d-%d", used ? "," : "", first, last);
        used += (size_t)n;
        first = cpuset_next(set, (unsigned)last + 1);
    }
    return buffer->text;
}

char *cpuset_mask(const struct cpuset *set)
{
    auto_text out = {0};
    for (int group = CPUSET_MAX / 32 - 1; group >= 0; group--) {
        uint32_t bits = (uint32_t)(set->word[group / 2] >> (group % 2 * 32));
        if (out.length)
            text_printf(&out, ",%08x", bits);
        else if (bits || group == 0)
            text_printf(&out, "%x", bits);
    }
    return text_take(&out);
}

struct cpuset cpuset_of(unsigned cpu)
{
    struct cpuset set = {0};
    cpuset_add(&set, cpu);
    return set;
}

struct cpuset cpuset_range(unsigned first, unsigned last)
{
    struct cpuset set = {0};
    for (unsigned cpu = first; cpu <= last && cpu < CPUSET_MAX; cpu++)
        cpuset_add(&set, cpu);
    return set;
}

void cpuset_add(struct cpuset *set, unsigned cpu)
{
    if (cpu < CPUSET_MAX)
        set->word[cpu / 64] |= UINT64_C(1) << cpu % 64;
}

void cpuset_remove(struct cpuset *set, unsigned cpu)
{
    if (cpu < CPUSET_MAX)
        set->word[cpu / 64] &= ~(UINT64_C(1) << cpu % 64);
}

bool cpuset_has(const struct cpuset *set, unsigned cpu)
{
    return cpu < CPUSET_MAX && (set->word[cpu / 64] >> cpu % 64 & 1);
}

bool cpuset_is_empty(const struct cpuset *set)
{
    return cpuset_next(set, 0) < 0;
}

unsigned cpuset_count(const struct cpuset *set)
{
    unsigned n = 0;
    for (int i = 0; i < CPUSET_WORDS; i++)
        n += (unsigned)__builtin_popcountll(set->word[i]);
    return n;
}

bool cpuset_equal(const struct cpuset *a, const struct cpuset *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

bool cpuset_is_subset(const struct cpuset *inner, const struct cpuset *outer)
{
    for (int i = 0; i < CPUSET_WORDS; i++)
        if (inner->word[i] & ~outer->word[i])
            return false;
    return true;
}

bool cpuset_intersects(const struct cpuset *a, const struct cpuset *b)
{
    for (int i = 0; i < CPUSET_WORDS; i++)
        if (a->word[i] & b->word[i])
            return true;
    return false;
}

struct cpuset cpuset_and(const struct cpuset *a, const struct cpuset *b)
{
    struct cpuset set;
    for (int i = 0; i < CPUSET_WORDS; i++)
        set.word[i] = a->word[i] & b->word[i];
    return set;
}

struct cpuset cpuset_or(const struct cpuset *a, const struct cpuset *b)
{
    struct cpuset set;
    for (int i = 0; i < CPUSET_WORDS; i++)
        set.word[i] = a->word[i] | b->word[i];
    return set;
}

struct cpuset cpuset_minus(const struct cpuset *a, const struct cpuset *b)
{
    struct cpuset set;
    for (int i = 0; i < CPUSET_WORDS; i++)
        set.word[i] = a->word[i] & ~b->word[i];
    return set;
}

int cpuset_next(const struct cpuset *set, unsigned from)
{
    for (unsigned i = from / 64; i < CPUSET_WORDS; i++) {
        uint64_t word = set->word[i];
        if (i == from / 64)
            word &= ~UINT64_C(0) << from % 64;
        if (word)
            return (int)(i * 64) + __builtin_ctzll(word);
    }
    return -1;
}
