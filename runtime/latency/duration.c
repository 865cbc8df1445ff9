#include "runtime/latency/duration.h"

#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/limits.h"
#include "rtvmd/base/text.h"

int latency_duration_parse(const char *text, uint64_t *ret_ms, struct error *err)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } UNITS[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"", 1000}};
    for (size_t i = 0; i < ARRAY_SIZE(UNITS); i++) {
        uint64_t value;
        auto_free char *digits = must_strdup(text);
        if (!text_ends_with(text, UNITS[i].unit))
            continue;
        digits[strlen(text) - strlen(UNITS[i].unit)] = '\0';
        if (!text_to_u64(digits, &value) || value == 0 || value > LIMIT_LATENCY_S * UINT64_C(1000) / UNITS[i].ms)
            break;
        *ret_ms = value * UNITS[i].ms;
        return 0;
    }
    return fail(err, ERROR_BAD_REQUEST, "\"%.40s\": want a time such as 500ms, 10s, 5m or 12h, at most %u days", text,
                LIMIT_LATENCY_S / 86400u);
}

int latency_gate_parse(const char *text, uint64_t *ret_ns, struct error *err)
{
    static const struct {
        const char *unit;
        uint64_t ns;
    } UNITS[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};
    size_t digits = strspn(text, "0123456789");
    auto_free char *number = must_strndup(text, digits);
    uint64_t count;
    uint64_t ns;
    for (size_t i = 0; i < ARRAY_SIZE(UNITS); i++) {
        if (strcmp(text + digits, UNITS[i].unit) != 0 || !text_to_u64(number, &count))
            continue;
        if (count > 0 && !__builtin_mul_overflow(count, UNITS[i].ns, &ns) && ns <= LIMIT_LATENCY_GATE_NS) {
            *ret_ns = ns;
            return 0;
        }
    }
    return fail(err, ERROR_INVALID, "'%s' is not a time from 1ns to 1s, written like 40us", text);
}
