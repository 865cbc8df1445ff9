#include "runtime/latency/compare.c"

#include "tests/test.h"

static void equal_values_do_not_differ(void)
{
    double same[20];
    for (int i = 0; i < 20; i++)
        same[i] = 100 + i % 5;
    struct compare_interval i = compare_bootstrap(same, 20, same, 20);
    CHECK(i.known && !i.real);
    CHECK(i.low <= 0 && i.high >= 0 && i.difference == 0);
}

static void a_large_difference_is_real_in_both_directions(void)
{
    double small[20];
    double large[20];
    for (int i = 0; i < 20; i++) {
        small[i] = 10 + i % 3;
        large[i] = 50 + i % 7;
    }
    struct compare_interval up = compare_bootstrap(small, 20, large, 20);
    struct compare_interval down = compare_bootstrap(large, 20, small, 20);
    CHECK(up.real && up.low > 35 && up.high < 50);
    CHECK(down.real && down.high < -35);
    struct compare_interval again = compare_bootstrap(small, 20, large, 20);
    CHECK(up.low == again.low && up.high == again.high);
}

static void one_outlier_is_noise(void)
{
    double calm[20];
    double once[20];
    for (int i = 0; i < 20; i++)
        calm[i] = once[i] = 10;
    once[7] = 1000;
    CHECK(!compare_bootstrap(calm, 20, once, 20).real);
}

static void too_few_blocks_tell_nothing(void)
{
    double few[COMPARE_BLOCKS_MIN] = {0};
    CHECK(compare_bootstrap(few, COMPARE_BLOCKS_MIN, few, COMPARE_BLOCKS_MIN).known);
    CHECK(!compare_bootstrap(few, COMPARE_BLOCKS_MIN - 1, few, COMPARE_BLOCKS_MIN).known);
}

int main(void)
{
    RUN(equal_values_do_not_differ);
    RUN(a_large_difference_is_real_in_both_directions);
    RUN(one_outlier_is_noise);
    RUN(too_few_blocks_tell_nothing);
    return test_end();
}
