/* One error: what kind it is, and a sentence that names field, value and remedy. No allocation.
 *
 * A function that can fail returns int (0, or -1 with *err filled) or a pointer (NULL with *err filled) and takes
 * `struct error *err` last; err is never NULL and is not touched on success. Raising and returning is one line:
 *     return fail(err, ERROR_NOT_FOUND, "vm %s not found", name);
 * An error is either returned or logged, never both. A refusal by admission is an answer, not an error. */
#pragma once

#include "rtvmd/base/base.h"

enum error_kind {
    ERROR_NONE,
    ERROR_BAD_REQUEST,
    ERROR_UNAUTHORIZED,
    ERROR_FORBIDDEN,
    ERROR_NOT_FOUND,
    ERROR_METHOD_NOT_ALLOWED,
    ERROR_NOT_ACCEPTABLE,
    ERROR_ALREADY_EXISTS,
    ERROR_CONFLICT,
    ERROR_EXPIRED,
    ERROR_TOO_LARGE,
    ERROR_UNSUPPORTED_MEDIA,
    ERROR_INVALID,
    ERROR_TOO_MANY_REQUESTS,
    ERROR_INTERNAL,
    ERROR_UNAVAILABLE,
    ERROR_TIMEOUT,
    ERROR_REFUSED, /* admission said no; only verbs turn the answer into an exit code */
    ERROR_KIND_COUNT,
};

enum { ERROR_TEXT_MAX = 1024 };

struct error {
    enum error_kind kind;
    char text[ERROR_TEXT_MAX];
};

/* The one table of kinds: Kubernetes' word for it, HTTP status, exit code of a verb. */
struct error_kind_info {
    const char *reason;
    int http_status;
    int exit_code;
};
const struct error_kind_info *error_kind_info(enum error_kind kind);
enum error_kind error_kind_from_http(int http_status, const char *reason);

/* Fills *err and returns -1. Text longer than the buffer is cut. */
int fail(struct error *err, enum error_kind kind, const char *format, ...) PRINTF_LIKE(3, 4);
/* As fail(); the kind comes from errno (ENOENT: not found, EACCES/EPERM: forbidden, else internal) and its text is
 * appended after ": ". */
int fail_errno(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);
/* Puts "CONTEXT: " before the text already there. Returns -1. */
int error_prefix(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);
