/* A filter of system calls, loaded into the calling thread for good: the frame that the daemon (isolate.c) and its two
 * kinds of confined children (verb_confined.c, verb_image_unpack.c) put their own lists into. */
#pragma once

#include <seccomp.h>
#include <stddef.h>

#include "rtvmd/base/error.h"

/* otherwise: what a call gets that no rule names (SCMP_ACT_ALLOW, SCMP_ACT_ERRNO(…)). add_rules makes the rules and
 * returns 0 or libseccomp's negative errno. Without new privileges given up or CAP_SYS_ADMIN the kernel refuses. */
int filter_load(uint32_t otherwise, int (*add_rules)(scmp_filter_ctx filter, const void *arg), const void *arg,
                struct error *err);

/* One rule without conditions for each call. Returns 0 or a negative errno, as add_rules wants it. */
int filter_add(scmp_filter_ctx filter, uint32_t action, const int calls[], size_t count);
