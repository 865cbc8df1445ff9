#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/spec/findings.h"

static char *format_list(const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *s = must_calloc((size_t)(n < 0 ? 0 : n) + 1, 1);
    vsnprintf(s, (size_t)(n < 0 ? 0 : n) + 1, format, args);
    return s;
}

static void list_add(char ***list, size_t *count, char *s)
{
    *list = must_realloc(*list, *count + 1, sizeof **list);
    (*list)[(*count)++] = s;
}

static void list_free(char **list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(list[i]);
    free(list);
}

void findings_finish(struct findings *findings)
{
    for (size_t i = 0; i < findings->cause_count; i++) {
        free(findings->cause[i].field);
        free(findings->cause[i].message);
    }
    free(findings->cause);
    list_free(findings->warning, findings->warning_count);
    list_free(findings->unknown, findings->unknown_count);
    *findings = (struct findings){0};
}

char *cause_text(const struct cause *cause)
{
    if (*cause->field == '\0' || text_starts_with(cause->message, cause->field))
        return must_strdup(cause->message);
    return must_format("%s: %s", cause->field, cause->message);
}

void findings_cause(struct findings *findings, const char *reason, const char *field, const char *format, ...)
{
    if (findings->cause_count >= LIMIT_CAUSES)
        return;
    va_list args;
    va_start(args, format);
    char *message = format_list(format, args);
    va_end(args);
    findings->cause = must_realloc(findings->cause, findings->cause_count + 1, sizeof *findings->cause);
    findings->cause[findings->cause_count++] = (struct cause){reason, must_strdup(field), message};
}

void findings_warn(struct findings *findings, const char *format, ...)
{
    if (findings->warning_count >= LIMIT_CAUSES)
        return;
    va_list args;
    va_start(args, format);
    list_add(&findings->warning, &findings->warning_count, format_list(format, args));
    va_end(args);
}

void findings_unknown(struct findings *findings, const char *field)
{
    if (findings->unknown_count < LIMIT_CAUSES)
        list_add(&findings->unknown, &findings->unknown_count, must_strdup(field));
}

static void list_remove(char **list, size_t *count, size_t at)
{
    free(list[at]);
    memmove(list + at, list + at + 1, (--*count - at) * sizeof *list);
}

void findings_forget_unknowns(struct findings *findings, const struct findings *known)
{
    for (size_t k = 0; k < known->unknown_count; k++) {
        for (size_t i = findings->unknown_count; i-- > 0;)
            if (strcmp(findings->unknown[i], known->unknown[k]) == 0)
                list_remove(findings->unknown, &findings->unknown_count, i);
        auto_free char *sentence = must_format("unknown field \"%s\"", known->unknown[k]);
        for (size_t i = findings->warning_count; i-- > 0;)
            if (text_starts_with(findings->warning[i], sentence))
                list_remove(findings->warning, &findings->warning_count, i);
    }
}
