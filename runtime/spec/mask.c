#include "runtime/spec/mask.h"

#include <string.h>

#include "rtvmd/base/text.h"

/* Numbers can have any length ("0-99999999999999999999"): what counts is how they compare with each other and with the
 * number of vCPUs, so they stay text without leading zeros. */
struct digits {
    const char *start;
    size_t length;
};

static size_t count_digits(const char *s, const char *end)
{
    const char *at = s;
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return (size_t)(at - s);
}

static struct digits without_zeros(const char *s, size_t length)
{
    while (length > 1 && *s == '0') {
        s++;
        length--;
    }
    return (struct digits){s, length};
}

static int compare(struct digits a, struct digits b)
{
    if (a.length != b.length)
        return a.length < b.length ? -1 : 1;
    return memcmp(a.start, b.start, a.length);
}

/* The number, or limit when it is not below it. */
static unsigned below(struct digits d, unsigned limit)
{
    uint64_t value = 0;
    for (size_t i = 0; i < d.length && value < limit; i++)
        value = value * 10 + (uint64_t)(d.start[i] - '0');
    return value < limit ? (unsigned)value : limit;
}

struct mask {
    unsigned vcpu_count;
    struct cpuset enabled;
    struct cpuset disabled;
};

static void mark_single(const struct mask *mask, struct cpuset *set, const char *s, size_t length)
{
    if (length > 1 && *s == '0')
        return;
    unsigned id = below((struct digits){s, length}, mask->vcpu_count);
    if (id < mask->vcpu_count)
        cpuset_add(set, id);
}

static int mark_range(struct mask *mask, struct digits first, struct digits last, struct error *err)
{
    if (compare(first, last) > 0)
        return fail(err, ERROR_INVALID, "invalid mask range `%.*s-%.*s`", (int)first.length, first.start,
                    (int)last.length, last.start);
    unsigned from = below(first, mask->vcpu_count);
    unsigned to = below(last, mask->vcpu_count);
    for (unsigned id = from; id < mask->vcpu_count && id <= to; id++)
        cpuset_add(&mask->enabled, id);
    return 0;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* 1: understood; 0: no form fits; -1: *err is filled. */
static int read_item(struct mask *mask, const char *s, const char *end, struct error *err)
{
    while (s < end && is_blank(*s))
        s++;
    while (end > s && is_blank(end[-1]))
        end--;
    bool negated = s < end && *s == '^';
    s += negated;
    size_t first = count_digits(s, end);
    if (first == 0)
        return 0;
    if (s + first == end) {
        mark_single(mask, negated ? &mask->disabled : &mask->enabled, s, first);
        return 1;
    }
    const char *second = s + first + 1;
    if (negated || s[first] != '-' || second == end || count_digits(second, end) != (size_t)(end - second))
        return 0;
    struct digits last = without_zeros(second, (size_t)(end - second));
    return mark_range(mask, without_zeros(s, first), last, err) < 0 ? -1 : 1;
}

int mask_parse(const char *text, unsigned vcpu_count, struct cpuset *ret_vcpus, struct error *err)
{
    struct mask mask = {.vcpu_count = vcpu_count < CPUSET_MAX ? vcpu_count : CPUSET_MAX};
    if (!text || *text == '\0') {
        *ret_vcpus = mask.vcpu_count ? cpuset_range(0, mask.vcpu_count - 1) : (struct cpuset){0};
        return 0;
    }
    for (const char *item = text;;) {
        size_t length = strcspn(item, ",");
        int read = read_item(&mask, item, item + length, err);
        if (read < 0)
            return -1;
        if (read == 0)
            return fail(err, ERROR_INVALID, "invalid mask value '%.*s' in '%s'", (int)length, item, text);
        if (item[length] == '\0')
            break;
        item += length + 1;
    }
    *ret_vcpus = cpuset_minus(&mask.enabled, &mask.disabled);
    return 0;
}
