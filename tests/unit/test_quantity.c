#include "rtvmd/base/quantity.c"

#include "tests/test.h"

/* What Kubernetes' own parser and printer give for the same text. */
static void parses_and_prints_as_kubernetes(void)
{
    static const struct {
        const char *text;
        const char *canonical;
        int64_t value;
        int64_t milli;
    } CASES[] = {
        {"0", "0", 0, 0},
        {"-0", "0", 0, 0},
        {"0Gi", "0", 0, 0},
        {"1", "1", 1, 1000},
        {"+1", "1", 1, 1000},
        {"-1", "-1", -1, -1000},
        {"001", "1", 1, 1000},
        {"1Ki", "1Ki", 1024, 1024000},
        {"1Mi", "1Mi", 1048576, 1048576000},
        {"1Gi", "1Gi", 1073741824, 1073741824000},
        {"1.5Gi", "1536Mi", 1610612736, 1610612736000},
        {"2048Ki", "2Mi", 2097152, 2097152000},
        {"1024Mi", "1Gi", 1073741824, 1073741824000},
        {"1025Mi", "1025Mi", 1074790400, 1074790400000},
        {"1k", "1k", 1000, 1000000},
        {"1000", "1k", 1000, 1000000},
        {"1M", "1M", 1000000, 1000000000},
        {"1G", "1G", 1000000000, 1000000000000},
        {"1E", "1E", 1000000000000000000, INT64_MAX},
        {"500m", "500m", 1, 500},
        {"2000m", "2", 2, 2000},
        {"1500m", "1500m", 2, 1500},
        {"0.5", "500m", 1, 500},
        {".5", "500m", 1, 500},
        {"5.", "5", 5, 5000},
        {"-500m", "-500m", -1, -500},
        {"100u", "100u", 1, 1},
        {"1n", "1n", 1, 1},
        {"0.1n", "1n", 1, 1},
        {"1.0000000001", "1000000001n", 2, 1001},
        {"1e9", "1e9", 1000000000, 1000000000000},
        {"1E9", "1e9", 1000000000, 1000000000000},
        {"1e3", "1e3", 1000, 1000000},
        {"15e2", "1500", 1500, 1500000},
        {"1e-3", "1e-3", 1, 1},
        {"1e+2", "100", 100, 100000},
        {"1023Mi", "1023Mi", 1072693248, 1072693248000},
        {"1.25Ki", "1280", 1280, 1280000},
        {"0.3Ki", "307200m", 308, 307200},
        {"0.0001Ki", "102400u", 1, 103},
        {"8Ei", "9223372036854775807", INT64_MAX, INT64_MAX},
        {"7Ei", "7Ei", 8070450532247928832, INT64_MAX},
        {"9223372036854775807", "9223372036854775807", INT64_MAX, INT64_MAX},
        {"9223372036854775808", "9223372036854775807", INT64_MAX, INT64_MAX},
        {"99999999999999999999999999999999", "9223372036854775807", INT64_MAX, INT64_MAX},
        {"1e99999999999999999999", "9223372036854775807", INT64_MAX, INT64_MAX},
        {"1e-99999999999999999999", "1e-9", 1, 1},
        {"99999999999999999999Ki", "9223372036854775807", INT64_MAX, INT64_MAX},
        {"-8Ei", "-9223372036854775807", -INT64_MAX, INT64_MIN},
        {"0.000000000000000000000000000001Ei", "1n", 1, 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct quantity q;
        struct error err;
        struct quantity_text text;
        if (quantity_parse(CASES[i].text, &q, &err) < 0) {
            printf("# %s: %s\n", CASES[i].text, err.text);
            CHECK(false);
            continue;
        }
        int failures = test_failures;
        CHECK_TEXT(quantity_format(&q, &text), CASES[i].canonical);
        CHECK_INT(quantity_value(&q), CASES[i].value);
        CHECK_INT(quantity_milli(&q), CASES[i].milli);
        struct quantity again;
        CHECK_INT(quantity_parse(text.text, &again, &err), 0);
        CHECK_INT(quantity_compare(&q, &again), 0);
        if (failures != test_failures)
            printf("# for %s\n", CASES[i].text);
    }
}

static void refuses_what_kubernetes_or_its_schema_refuses(void)
{
    static const struct {
        const char *text;
        const char *sentence;
    } CASES[] = {
        {"", WRONG_FORMAT},      {"1 Gi", WRONG_FORMAT}, {" 1", WRONG_FORMAT},       {"abc", WRONG_FORMAT},
        {".", WRONG_FORMAT},     {"+", WRONG_FORMAT},    {"-", WRONG_FORMAT},        {"Gi", WRONG_FORMAT},
        {"1Q", WRONG_FORMAT},    {"1,5", WRONG_FORMAT},  {"1..5", WRONG_FORMAT},     {"--1", WRONG_FORMAT},
        {"0x10", WRONG_FORMAT},  {"1K", WRONG_SUFFIX},   {"1GiB", WRONG_FORMAT},     {"1gi", WRONG_FORMAT},
        {"1e", WRONG_SUFFIX},    {"1e+", WRONG_SUFFIX},  {"1mm", WRONG_SUFFIX},      {"1i", WRONG_SUFFIX},
        {"1e1.5", WRONG_FORMAT}, {"1Ki5", WRONG_SUFFIX}, {"\xc2\xb5", WRONG_FORMAT}, {"1\n", WRONG_FORMAT},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct quantity q;
        struct error err = {0};
        CHECK_INT(quantity_parse(CASES[i].text, &q, &err), -1);
        CHECK_TEXT(err.text, CASES[i].sentence);
    }
}

static void takes_json_strings_and_numbers(void)
{
    static const struct {
        const char *json;
        int64_t milli; /* -1: refused */
    } CASES[] = {
        {"2", 2000},  {"\"2\"", 2000}, {"0.5", 500}, {"1e3", 1000000}, {"\" 1k \"", 1000000},
        {"true", -1}, {"null", -1},    {"{}", -1},   {"\"\"", -1},     {"\"1 Gi\"", -1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct error err;
        auto_json *value = json_from_text(CASES[i].json, strlen(CASES[i].json), &err);
        struct quantity q;
        int r = quantity_from_json(value, &q, &err);
        CHECK_INT(r, CASES[i].milli < 0 ? -1 : 0);
        if (r == 0)
            CHECK_INT(quantity_milli(&q), CASES[i].milli);
    }
    struct quantity q;
    struct error err;
    CHECK_INT(quantity_from_json(NULL, &q, &err), -1);
}

static void makes_quantities_of_numbers(void)
{
    struct quantity_text text;
    struct quantity two_gib = quantity_of((int64_t)2 << 30, QUANTITY_BINARY);
    struct quantity two_thousand = quantity_of(2000, QUANTITY_DECIMAL);
    CHECK_TEXT(quantity_format(&two_gib, &text), "2Gi");
    CHECK_TEXT(quantity_format(&two_thousand, &text), "2k");
}

int main(void)
{
    RUN(parses_and_prints_as_kubernetes);
    RUN(refuses_what_kubernetes_or_its_schema_refuses);
    RUN(takes_json_strings_and_numbers);
    RUN(makes_quantities_of_numbers);
    return test_end();
}
