#include "rtvmd/base/timestamp.h"

#include <ctype.h>
#include <stdio.h>
#include <time.h>

const char *timestamp_format(int64_t wall_s, char buffer[TIMESTAMP_TEXT_MAX])
{
    time_t seconds = (time_t)wall_s;
    struct tm tm;
    if (!gmtime_r(&seconds, &tm) || strftime(buffer, TIMESTAMP_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        buffer[0] = '\0';
    return buffer;
}

int64_t timestamp_parse(const char *text)
{
    struct tm tm = {0};
    const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
    if (!rest)
        return 0;
    if (*rest == '.')
        for (rest++; isdigit((unsigned char)*rest);)
            rest++;
    int64_t wall_s = (int64_t)timegm(&tm);
    char sign;
    int hours;
    int minutes;
    int used = 0;
    if ((rest[0] == 'Z' || rest[0] == 'z') && rest[1] == '\0')
        return wall_s;
    /* NOLINTNEXTLINE(cert-err34-c): two digits cannot overflow */
    if (sscanf(rest, "%c%2d:%2d%n", &sign, &hours, &minutes, &used) != 3 || rest[used] || (sign != '+' && sign != '-'))
        return 0;
    int64_t offset_s = 3600L * hours + 60L * minutes;
    return sign == '+' ? wall_s - offset_s : wall_s + offset_s;
}
