#include "rtvmd/base/timestamp.c"

#include "tests/test.h"

static void goes_there_and_back(void)
{
    char text[TIMESTAMP_TEXT_MAX];
    CHECK_TEXT(timestamp_format(1772366400, text), "2026-03-01T12:00:00Z");
    CHECK_INT(timestamp_parse(text), 1772366400);
    CHECK_TEXT(timestamp_format(0, text), "1970-01-01T00:00:00Z");
    CHECK_TEXT(timestamp_format(INT64_MAX, text), ""); /* beyond the calendar */
}

static void reads_what_others_write(void)
{
    static const struct {
        const char *text;
        int64_t wall_s;
    } CASES[] = {
        {"2026-03-01T12:00:00.123456Z", 1772366400},
        {"2026-03-01T13:00:00+01:00", 1772366400},
        {"2026-03-01T09:30:00.5-02:30", 1772366400},
        {"2026-03-01T12:00:00", 0},
        {"2026-03-01", 0},
        {"2026-03-01T12:00:00Zx", 0},
        {"2026-03-01T12:00:00*01:00", 0},
        {"yesterday", 0},
        {"", 0},
        {NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++)
        CHECK_INT(timestamp_parse(CASES[i].text), CASES[i].wall_s);
}

int main(void)
{
    RUN(goes_there_and_back);
    RUN(reads_what_others_write);
    return test_end();
}
