#include "runtime/place/verdict.h"

#include <stdarg.h>
#include <stdio.h>

void verdict_reason(struct decision *decision, const char *code, int node, const char *format, ...)
{
    if (decision->reason_count == PLACE_REASONS_MAX)
        return;
    struct place_reason *reason = &decision->reason[decision->reason_count++];
    reason->code = code;
    reason->node = node;
    va_list args;
    va_start(args, format);
    vsnprintf(reason->message, sizeof(reason->message), format, args);
    va_end(args);
}

void verdict_warn(struct decision *decision, const char *format, ...)
{
    if (decision->warning_count == ARRAY_SIZE(decision->warning))
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(decision->warning[decision->warning_count++], sizeof(decision->warning[0]), format, args);
    va_end(args);
}

const char *bytes_format(uint64_t bytes, struct bytes_text *buffer)
{
    static const char *const UNIT[] = {"", "Ki", "Mi", "Gi", "Ti"};
    unsigned unit = 0;
    while (bytes && bytes % 1024 == 0 && unit + 1 < ARRAY_SIZE(UNIT)) {
        bytes /= 1024;
        unit++;
    }
    snprintf(buffer->text, sizeof(buffer->text), "%llu%s", (unsigned long long)bytes, UNIT[unit]);
    return buffer->text;
}
