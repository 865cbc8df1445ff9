#include "rtvmd/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *word;
    const char *journal_prefix; /* sd-daemon(3) */
} LEVELS[] = {
    [LOG_LEVEL_ERROR] = {"error", "<3>"},
    [LOG_LEVEL_WARN] = {"warn", "<4>"},
    [LOG_LEVEL_INFO] = {"info", "<6>"},
    [LOG_LEVEL_DEBUG] = {"debug", "<7>"},
};
_Static_assert(ARRAY_SIZE(LEVELS) == LOG_LEVEL_COUNT, "every level has a row");

static _Atomic int threshold = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
    atomic_store(&threshold, (int)level);
}

int log_level_from_text(const char *text)
{
    for (int i = 0; i < LOG_LEVEL_COUNT; i++)
        if (strcmp(text, LEVELS[i].word) == 0)
            return i;
    return -1;
}

void log_at(enum log_level level, const char *format, ...)
{
    if ((int)level > atomic_load(&threshold))
        return;
    int saved = errno;
    char line[2048];
    bool journal = getenv("JOURNAL_STREAM") != NULL;
    int used = snprintf(line, sizeof line, "%s%s%s", journal ? LEVELS[level].journal_prefix : "",
                        journal ? "" : LEVELS[level].word, journal ? "" : " ");
    va_list args;
    va_start(args, format);
    vsnprintf(line + used, sizeof line - (size_t)used - 1, format, args);
    va_end(args);
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = ' '; /* one event, one line, whatever a client put into a name */
    size_t length = strlen(line);
    line[length++] = '\n';
    if (write(STDERR_FILENO, line, length) < 0) {
        /* nowhere left to say so */
    }
    errno = saved;
}
