/* libvirt's last error of this thread, as one of ours: kind, libvirt's own sentence, and a remedy where one is known.
 */
#pragma once

#include "rtvmd/base/error.h"

/* Fills *err from libvirt's last error of this thread: "CONTEXT: libvirt's text: remedy". Returns -1. */
int failure_from_libvirt(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);
/* libvirt's code of the last error of this thread (VIR_ERR_OK when there is none). */
int failure_code(void);
/* The pure part: code and error domain (VIR_ERR_*, VIR_FROM_*) and text to kind; the remedy for a text, or NULL. */
enum error_kind failure_kind(int code, int domain);
const char *failure_remedy(const char *text);
