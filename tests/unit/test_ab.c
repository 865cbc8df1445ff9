#include "runtime/latency/ab.c"

#include "tests/test.h"

static json_t *tails(const char *text)
{
    struct error err;
    auto_free char *whole = must_format("{\"tails\":[%s]}", text);
    return json_from_text(whole, strlen(whole), &err);
}

#define TAIL(known, real, difference) "{\"known\":" known ",\"real\":" real ",\"difference\":" difference "}"

static void one_tail_that_got_longer_is_worse(void)
{
    static const struct {
        const char *tails;
        enum ab_verdict verdict;
    } CASES[] = {
        {"", AB_UNKNOWN},
        {TAIL("false", "false", "0"), AB_UNKNOWN},
        {TAIL("true", "false", "-500") "," TAIL("false", "false", "0"), AB_NOISE},
        {TAIL("true", "false", "7") "," TAIL("true", "true", "-3000"), AB_BETTER},
        {TAIL("true", "true", "-3000") "," TAIL("true", "true", "20"), AB_WORSE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        auto_json *comparison = tails(CASES[i].tails);
        CHECK_TEXT(AB_VERDICT[ab_judge(comparison)], AB_VERDICT[CASES[i].verdict]);
    }
}

static struct measurements round_of(unsigned cpu, uint64_t ns)
{
    struct measurements round = {0};
    struct measurement *m = measurements_add(&round, 2);
    m->kind = MEASUREMENT_GAPS;
    m->cpu = cpu;
    m->measured_ns = 1000;
    histogram_add(&m->histogram, ns);
    m->block[0].max_ns = ns;
    m->block[1].max_ns = 1;
    return round;
}

static void rounds_add_up(void)
{
    struct measurements side = {0};
    for (unsigned i = 1; i <= 3; i++) {
        struct measurements round = round_of(2, 100 * i);
        ab_add(&side, &round);
        CHECK_INT(round.count, 0);
    }
    struct measurements other = round_of(3, 5); /* a CPU that was not there before has no other side */
    ab_add(&side, &other);
    CHECK_INT(side.count, 1);
    CHECK_INT(side.at[0].measured_ns, 3000);
    CHECK_INT(side.at[0].histogram.count, 3);
    CHECK_INT(side.at[0].histogram.max_ns, 300);
    CHECK_INT(side.at[0].block_count, 6);
    CHECK_INT(side.at[0].block[4].max_ns, 300);
    measurements_finish(&side);
}

int main(void)
{
    RUN(one_tail_that_got_longer_is_worse);
    RUN(rounds_add_up);
    return test_end();
}
