#include "runtime/spec/mask.c"

#include "tests/test.h"

static void follows_the_grammar(void)
{
    static const struct {
        const char *mask;
        const char *enabled; /* of 24 vCPUs */
    } CASES[] = {
        {NULL, "0-23"},
        {"", "0-23"},
        {"0", "0"},
        {"10", "10"},
        {"0,1,2", "0-2"},
        {"0-0", "0"},
        {"0-2", "0-2"},
        {"0-2,5-6", "0-2,5-6"},
        {"0-2,2-3", "0-3"},
        {"10-12", "10-12"},
        {"10-12 ,  20,21", "10-12,20-21"},
        {"  0-2  ", "0-2"},
        {" 6 , 1-2 , 5 ", "1-2,5-6"},
        {"^3", ""},
        {"^0,^1,^0", ""},
        {"0,^1", "0"},
        {"0,1,2,^3,^4", "0-2"},
        {"0,^0,1", "1"},
        {"^0,0", ""},
        {"0-2,^3", "0-2"},
        {"0-2,^1", "0,2"},
        {"^1,0-2, 3-6,^4 ", "0,2-3,5-6"},
        {"^1,0-3,^3,4,5,6-8,^7", "0,2,4-6,8"},
        {"99", ""},
        {"22-99", "22-23"},
        {"23-24", "23"},
        {"0-4000000000", "0-23"},
        {"0-99999999999999999999999", "0-23"},
        {"99999999999999999999999", ""},
        {"00-02", "0-2"},
        {"01", ""},
        {"0-1,^01", "0-1"},
        {"\t1\n", "1"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct cpuset set;
        struct error err = {0};
        struct cpuset_text text;
        CHECK_INT(mask_parse(CASES[i].mask, 24, &set, &err), 0);
        CHECK_TEXT(cpuset_format(&set, &text), CASES[i].enabled);
    }
}

static void names_what_is_wrong(void)
{
    static const struct {
        const char *mask;
        const char *sentence;
    } CASES[] = {
        {"  ", "invalid mask value '  ' in '  '"},
        {"a-b,33_", "invalid mask value 'a-b' in 'a-b,33_'"},
        {"3,3a", "invalid mask value '3a' in '3,3a'"},
        {"  ,   ", "invalid mask value '  ' in '  ,   '"},
        {"^-1", "invalid mask value '^-1' in '^-1'"},
        {"^3,^-1", "invalid mask value '^-1' in '^3,^-1'"},
        {"^0-1", "invalid mask value '^0-1' in '^0-1'"},
        {"^", "invalid mask value '^' in '^'"},
        {"1-0", "invalid mask range `1-0`"},
        {"010-9", "invalid mask range `10-9`"},
        {"1-", "invalid mask value '1-' in '1-'"},
        {"-1", "invalid mask value '-1' in '-1'"},
        {"0,-1", "invalid mask value '-1' in '0,-1'"},
        {"1,", "invalid mask value '' in '1,'"},
        {",1", "invalid mask value '' in ',1'"},
        {"0,,1", "invalid mask value '' in '0,,1'"},
        {"0-1-2", "invalid mask value '0-1-2' in '0-1-2'"},
        {"0:2", "invalid mask value '0:2' in '0:2'"},
        {"1 2", "invalid mask value '1 2' in '1 2'"},
        {"0- 2", "invalid mask value '0- 2' in '0- 2'"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct cpuset set;
        struct error err = {0};
        CHECK_INT(mask_parse(CASES[i].mask, 4, &set, &err), -1);
        CHECK_TEXT(err.text, CASES[i].sentence);
    }
}

static void stays_within_the_set(void)
{
    struct cpuset set;
    struct error err;
    CHECK_INT(mask_parse("0-5000", CPUSET_MAX + 1, &set, &err), 0);
    CHECK_INT(cpuset_count(&set), CPUSET_MAX);
    CHECK_INT(mask_parse("", 0, &set, &err), 0);
    CHECK(cpuset_is_empty(&set));
}

int main(void)
{
    RUN(follows_the_grammar);
    RUN(names_what_is_wrong);
    RUN(stays_within_the_set);
    return test_end();
}
