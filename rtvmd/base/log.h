/* Log lines for the operator, on stderr: `LEVEL message key=value`. Under journald (JOURNAL_STREAM is set) the level
 * becomes a syslog priority prefix. One line per thing somebody may act on; requests are debug, state changes info.
 * Never a secret, never user data beyond names. */
#pragma once

#include "rtvmd/base/base.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG, LOG_LEVEL_COUNT };

void log_set_level(enum log_level level);
/* "error", "warn", "info", "debug"; -1 for anything else. */
int log_level_from_text(const char *text);
void log_at(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);

#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)
