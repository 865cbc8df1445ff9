#include "rtvmd/base/cpuset.c"

#include "tests/test.h"

static void parses_what_the_kernel_prints(void)
{
    static const struct {
        const char *text;
        const char *canonical; /* NULL: refused */
    } CASES[] = {
        {"", ""},           {"\n", ""},
        {"0", "0"},         {"0-3,8\n", "0-3,8"},
        {"8,0-3", "0-3,8"}, {"0-31:2/8", "0-1,8-9,16-17,24-25"},
        {"0, 2", "0,2"},    {"1023", "1023"},
        {"1024", NULL},     {"3-1", NULL},
        {"a", NULL},        {"0-", NULL},
        {"0,,1", NULL},     {"0,", NULL},
        {"-1", NULL},       {"0-7:3/2", NULL},
        {"0-7:1/0", NULL},  {"4294967296", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct cpuset set;
        struct error err;
        struct cpuset_text text;
        int r = cpuset_parse(CASES[i].text, &set, &err);
        if (!CASES[i].canonical) {
            CHECK_INT(r, -1);
            continue;
        }
        CHECK_INT(r, 0);
        CHECK_TEXT(cpuset_format(&set, &text), CASES[i].canonical);
    }
}

static void does_set_arithmetic(void)
{
    struct cpuset a = cpuset_range(0, 70);
    struct cpuset b = cpuset_range(64, 100);
    struct cpuset both = cpuset_and(&a, &b);
    struct cpuset any = cpuset_or(&a, &b);
    struct cpuset rest = cpuset_minus(&a, &b);
    CHECK_INT(cpuset_count(&both), 7);
    CHECK_INT(cpuset_count(&any), 101);
    CHECK_INT(cpuset_count(&rest), 64);
    CHECK(cpuset_is_subset(&both, &a) && !cpuset_is_subset(&a, &both));
    CHECK(!cpuset_intersects(&rest, &b) && cpuset_intersects(&a, &b));
    CHECK_INT(cpuset_next(&b, 0), 64);
    CHECK_INT(cpuset_next(&b, 101), -1);
    cpuset_add(&a, CPUSET_MAX); /* ignored, not written past the end */
    CHECK(!cpuset_has(&a, CPUSET_MAX));
}

static void formats_the_full_set(void)
{
    struct cpuset all = cpuset_range(0, CPUSET_MAX - 1);
    struct cpuset odd = {0};
    for (unsigned i = 1; i < CPUSET_MAX; i += 2)
        cpuset_add(&odd, i);
    struct cpuset_text text;
    CHECK_TEXT(cpuset_format(&all, &text), "0-1023");
    struct cpuset again;
    struct error err;
    CHECK_INT(cpuset_parse(cpuset_format(&odd, &text), &again, &err), 0);
    CHECK(cpuset_equal(&odd, &again));
}

static void writes_masks_as_the_kernel_reads_them(void)
{
    struct cpuset cpus = cpuset_of(0);
    auto_free char *one = cpuset_mask(&cpus);
    CHECK_TEXT(one, "1");
    cpuset_add(&cpus, 33);
    cpuset_add(&cpus, 71);
    auto_free char *three = cpuset_mask(&cpus);
    CHECK_TEXT(three, "80,00000002,00000001");
}

int main(void)
{
    RUN(parses_what_the_kernel_prints);
    RUN(does_set_arithmetic);
    RUN(formats_the_full_set);
    RUN(writes_masks_as_the_kernel_reads_them);
    return test_end();
}
