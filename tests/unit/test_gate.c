#include "runtime/latency/gate.c"

#include "tests/test.h"

static json_t *verdict(uint64_t max_ns, const char *grade, const char *because, bool only_warns)
{
    auto_json *result = json_pack("{s:s, s:s, s:I}", "grade", grade, "because", because, "maxNs", (json_int_t)max_ns);
    return latency_gate_judge(40000, only_warns, result, "a-run");
}

static void the_limit_decides_on_real_hardware(void)
{
    static const struct {
        uint64_t max_ns;
        const char *grade;
        bool only_warns;
        const char *status;
        const char *reason;
        bool shut;
    } CASES[] = {
        {15000, "gold", false, "True", "Gold", false},      {40000, "silver", false, "True", "Silver", false},
        {40001, "bronze", false, "False", "TooSlow", true}, {40001, "bronze", true, "False", "TooSlow", false},
        {2000000, "fail", false, "False", "TooSlow", true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        auto_json *v = verdict(CASES[i].max_ns, CASES[i].grade, "", CASES[i].only_warns);
        CHECK_TEXT(json_text_at(v, "status", ""), CASES[i].status);
        CHECK_TEXT(json_text_at(v, "reason", ""), CASES[i].reason);
        CHECK_INT(json_bool_at(v, "shut", !CASES[i].shut), CASES[i].shut);
    }
    auto_json *unloaded = verdict(15000, "none", "without load", false);
    CHECK_TEXT(json_text_at(unloaded, "reason", ""), "WithinGate");
    CHECK_TEXT(json_text_at(unloaded, "message", ""), "worst 15.0 µs, the gate is 40.0 µs; run a-run");
}

static void nothing_is_said_of_what_is_not_real(void)
{
    auto_json *v = verdict(9000000, "none", "not real hardware", false);
    CHECK_TEXT(json_text_at(v, "status", ""), "Unknown");
    CHECK_TEXT(json_text_at(v, "reason", ""), "NoVerdict");
    CHECK_TEXT(json_text_at(v, "message", ""),
               "no verdict: not real hardware; worst 9.0 ms, the gate is 40.0 µs; run a-run");
    CHECK(!json_bool_at(v, "shut", true));
}

int main(void)
{
    RUN(the_limit_decides_on_real_hardware);
    RUN(nothing_is_said_of_what_is_not_real);
    return test_end();
}
