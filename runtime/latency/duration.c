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
