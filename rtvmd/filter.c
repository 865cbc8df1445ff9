#include "rtvmd/filter.h"

#include <errno.h>

int filter_load(uint32_t otherwise, int (*add_rules)(scmp_filter_ctx filter, const void *arg), const void *arg,
                struct error *err)
{
    scmp_filter_ctx filter = seccomp_init(otherwise);
    if (!filter)
        return fail(err, ERROR_INTERNAL, "make a seccomp filter");
    int r = add_rules(filter, arg);
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    if (r == 0)
        return 0;
    errno = -r;
    return fail_errno(err, "load the seccomp filter");
}

int filter_add(scmp_filter_ctx filter, uint32_t action, const int calls[], size_t count)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < count; i++)
        r = seccomp_rule_add(filter, action, calls[i], 0);
    return r;
}
