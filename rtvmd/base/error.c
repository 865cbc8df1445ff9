#include "rtvmd/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct error_kind_info KINDS[] = {
    [ERROR_NONE] = {"", 200, 0},
    [ERROR_BAD_REQUEST] = {"BadRequest", 400, 2},
    [ERROR_UNAUTHORIZED] = {"Unauthorized", 401, 1},
    [ERROR_FORBIDDEN] = {"Forbidden", 403, 1},
    [ERROR_NOT_FOUND] = {"NotFound", 404, 3},
    [ERROR_METHOD_NOT_ALLOWED] = {"MethodNotAllowed", 405, 2},
    [ERROR_NOT_ACCEPTABLE] = {"NotAcceptable", 406, 2},
    [ERROR_ALREADY_EXISTS] = {"AlreadyExists", 409, 4},
    [ERROR_CONFLICT] = {"Conflict", 409, 4},
    [ERROR_EXPIRED] = {"Expired", 410, 1},
    [ERROR_TOO_LARGE] = {"RequestEntityTooLarge", 413, 2},
    [ERROR_UNSUPPORTED_MEDIA] = {"UnsupportedMediaType", 415, 2},
    [ERROR_INVALID] = {"Invalid", 422, 2},
    [ERROR_TOO_MANY_REQUESTS] = {"TooManyRequests", 429, 1},
    [ERROR_INTERNAL] = {"InternalError", 500, 1},
    [ERROR_UNAVAILABLE] = {"ServiceUnavailable", 503, 7},
    [ERROR_TIMEOUT] = {"Timeout", 504, 1},
    [ERROR_REFUSED] = {"Unschedulable", 409, 5},
};
_Static_assert(ARRAY_SIZE(KINDS) == ERROR_KIND_COUNT, "every error kind has a row");

const struct error_kind_info *error_kind_info(enum error_kind kind)
{
    return &KINDS[(unsigned)kind < ERROR_KIND_COUNT ? kind : ERROR_INTERNAL];
}

enum error_kind error_kind_from_http(int http_status, const char *reason)
{
    enum error_kind by_status = http_status >= 400 && http_status < 500 ? ERROR_BAD_REQUEST : ERROR_INTERNAL;
    for (int k = ERROR_KIND_COUNT - 1; k > ERROR_NONE; k--) {
        if (reason && strcmp(reason, KINDS[k].reason) == 0)
            return (enum error_kind)k;
        if (KINDS[k].http_status == http_status && k != ERROR_REFUSED)
            by_status = (enum error_kind)k;
    }
    return by_status;
}

static int fill(struct error *err, enum error_kind kind, const char *format, va_list args)
{
    char text[ERROR_TEXT_MAX]; /* arguments may point into err->text */
    vsnprintf(text, sizeof text, format, args);
    err->kind = kind;
    memcpy(err->text, text, sizeof text);
    return -1;
}

int fail(struct error *err, enum error_kind kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(err, kind, format, args);
    va_end(args);
    return -1;
}

int fail_errno(struct error *err, const char *format, ...)
{
    int saved = errno;
    enum error_kind kind = ERROR_INTERNAL;
    if (saved == ENOENT)
        kind = ERROR_NOT_FOUND;
    else if (saved == EACCES || saved == EPERM)
        kind = ERROR_FORBIDDEN;
    va_list args;
    va_start(args, format);
    fill(err, kind, format, args);
    va_end(args);
    size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof err->text - used, ": %s", strerror(saved));
    return -1;
}

int error_prefix(struct error *err, const char *format, ...)
{
    char joined[ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    int used = vsnprintf(joined, sizeof joined, format, args);
    va_end(args);
    if (used >= 0 && (size_t)used < sizeof joined)
        snprintf(joined + used, sizeof joined - (size_t)used, ": %s", err->text);
    memcpy(err->text, joined, sizeof joined);
    return -1;
}
