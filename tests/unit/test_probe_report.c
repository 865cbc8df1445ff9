#include "runtime/latency/probe_report.c"

#include "tests/test.h"

/* A report as the guest prints it, from gaps in cycles at 1 GHz: a cycle is a nanosecond. */
struct guest_cpu {
    uint64_t gap[8];
    uint64_t count[8];
};

static void print_report(struct text *out, unsigned number, const struct guest_cpu *cpus, unsigned cpu_count)
{
    unsigned lines = 1 + 2 * cpu_count;
    text_printf(out,
                "people read this\r\n@probe begin format=2 report=%u cpus=%u tsc_khz=1000000 invariant=1 "
                "threshold_ns=1000 timer=0\r\n",
                number, cpu_count);
    for (unsigned i = 0; i < cpu_count; i++) {
        uint64_t sum = 0;
        uint64_t samples = 0;
        uint64_t over = 0;
        uint64_t lost = 0;
        uint64_t max = 0;
        auto_text hist = {0};
        for (unsigned g = 0; g < 8 && cpus[i].count[g]; g++) {
            sum += cpus[i].gap[g] * cpus[i].count[g];
            samples += cpus[i].count[g];
            max = cpus[i].gap[g];
            over += max >= 1000 ? cpus[i].count[g] : 0;
            lost += max >= 1000 ? cpus[i].count[g] * max : 0;
            text_printf(&hist, " %u:%llu", probe_bucket(max), (unsigned long long)cpus[i].count[g]);
        }
        text_printf(out,
                    "@probe cpu id=%u apic=%u started=1 measured_ns=%llu samples=%llu min_ns=%llu max_ns=%llu "
                    "run_max_ns=%llu over=%llu lost_ns=%llu\r\n@probe hist id=%u%s\r\n",
                    i, 2 * i, (unsigned long long)sum, (unsigned long long)samples, (unsigned long long)cpus[i].gap[0],
                    (unsigned long long)max, (unsigned long long)max, (unsigned long long)over,
                    (unsigned long long)lost, i, text_cstr(&hist));
    }
    text_printf(out, "@probe end report=%u lines=%u\r\n", number, lines);
}

static const struct guest_cpu CPUS[] = {
    {.gap = {20, 40, 2000, 50000}, .count = {1000000, 100, 9, 1}},
    {.gap = {30, 1000000}, .count = {100, 1}},
};

static void buckets_and_floors_agree(void)
{
    for (uint32_t b = 0; b < PROBE_BUCKETS; b++) {
        CHECK_INT(probe_bucket(probe_bucket_floor(b)), b);
        if (b > 0)
            CHECK_INT(probe_bucket(probe_bucket_floor(b) - 1), b - 1);
    }
    CHECK_INT(probe_bucket(UINT64_MAX), PROBE_BUCKETS - 1);
    CHECK_INT(probe_bucket((UINT64_C(2) << PROBE_TOP_BIT) - 1), PROBE_BUCKETS - 1);
}

static void reads_the_last_complete_report(void)
{
    auto_text out = {0};
    text_append(&out, "garbage @probe begin\n@probe end report=9 lines=1\n");
    print_report(&out, 1, CPUS, 1);
    print_report(&out, 2, CPUS, 2);
    print_report(&out, 3, CPUS, 2);
    struct error err;
    auto_free struct probe_report *cut = probe_report_parse(out.data, out.length - 40, &err);
    CHECK(cut && cut->number == 2);
    auto_free struct probe_report *report = probe_report_parse(out.data, out.length, &err);
    CHECK(report != NULL);
    if (!report)
        return;
    CHECK_INT(report->number, 3);
    CHECK_INT(report->cpu_count, 2);
    CHECK(report->tsc_invariant);
    CHECK_INT(report->cpu[0].samples, 1000110);
    CHECK_INT(report->cpu[0].max_ns, 50000);
    CHECK_INT(report->cpu[0].over, 10);
    CHECK_INT(report->cpu[0].lost_ns, 68000);
    CHECK_INT(report->cpu[1].max_ns, 1000000);
}

static void weighs_by_count_and_by_time(void)
{
    auto_text out = {0};
    print_report(&out, 1, CPUS, 2);
    struct error err;
    auto_free struct probe_report *report = probe_report_parse(out.data, out.length, &err);
    CHECK(report != NULL);
    if (!report)
        return;
    /* nearly all gaps are short… */
    CHECK_INT(probe_gap_by_count_ns(report, 0, 990000), 22); /* the end of 20's bucket */
    CHECK(probe_gap_by_count_ns(report, 0, 999999) >= 2000);
    CHECK_INT(probe_gap_by_count_ns(report, 0, 1000000), 50000);
    /* …but one long one ate most of the second vCPU's time */
    CHECK_INT(probe_gap_by_count_ns(report, 1, 500000), 32);
    CHECK_INT(probe_gap_by_time_ns(report, 1, 500000), 1000000);
    auto_json *json = probe_report_json(report);
    CHECK_INT(json_int_at(json, "vcpus.1.byTime.p50Ns", 0), 1000000);
    CHECK_INT(json_int_at(json, "vcpus.0.buckets.0.0", 0), 20);
    CHECK_INT(json_int_at(json, "vcpus.0.buckets.0.1", 0), 1000000);
}

static void shows_a_vcpu_that_did_not_start(void)
{
    static const char TEXT[] = "@probe begin format=2 report=1 cpus=1 tsc_khz=5 invariant=0 threshold_ns=1000 timer=0\n"
                               "@probe cpu id=0 apic=4294967295 started=0 measured_ns=0 samples=0 min_ns=0 max_ns=0 "
                               "run_max_ns=0 over=0 lost_ns=0\n"
                               "@probe end report=1 lines=2";
    struct error err;
    auto_free struct probe_report *report = probe_report_parse(TEXT, sizeof TEXT - 1, &err);
    CHECK(report && !report->cpu[0].started);
    if (!report)
        return;
    CHECK_INT(probe_gap_by_count_ns(report, 0, 990000), 0);
    auto_json *json = probe_report_json(report);
    CHECK(!json_bool_at(json, "vcpus.0.started", true));
}

#define BEGIN "@probe begin format=2 report=1 cpus=1 tsc_khz=1000000 invariant=0 threshold_ns=1000 timer=0\n"
#define CPU(samples)                                                  \
    "@probe cpu id=0 apic=0 started=1 measured_ns=9 samples=" samples \
    " min_ns=1 max_ns=9 run_max_ns=9 over=0 lost_ns=0\n"

static void refuses_what_does_not_fit_together(void)
{
    static const char *const BAD[] = {
        "@probe begin format=1 report=1 cpus=1 tsc_khz=1 invariant=0 threshold_ns=1000 timer=0\n@probe end report=1 lines=1\n",
        "@probe begin format=2 report=1 cpus=0 tsc_khz=1 invariant=0 threshold_ns=1000 timer=0\n@probe end report=1 lines=1\n",
        "@probe begin format=2 report=1 cpus=513 tsc_khz=1 invariant=0 threshold_ns=1000 timer=0\n@probe end report=1 lines=1\n",
        "@probe begin format=2 report=1 cpus=1 tsc_khz=0 invariant=0 threshold_ns=1000 timer=0\n@probe end report=1 lines=1\n",
        "@probe begin format=2 report=1 cpus=1\n@probe end report=1 lines=1\n",
        BEGIN "@probe end report=1 lines=1\n",                                    /* no vCPU */
        BEGIN CPU("2") "@probe hist id=0 5:1\n@probe end report=1 lines=3\n",     /* too few counts */
        BEGIN CPU("2") "@probe hist id=0 5:1 7:2\n@probe end report=1 lines=3\n", /* too many */
        BEGIN CPU("2") "@probe hist id=0 5:1 5:1\n@probe end report=1 lines=3\n", /* not rising */
        BEGIN CPU("2") "@probe hist id=1 5:2\n@probe end report=1 lines=3\n",     /* another vCPU's */
        BEGIN CPU("2") "@probe hist id=0 312:2\n@probe end report=1 lines=3\n",   /* no such bucket */
        BEGIN CPU("2") "@probe hist id=0 5:-2\n@probe end report=1 lines=3\n",
        BEGIN CPU("2") "@probe hist id=0 \n@probe end report=1 lines=3\n",
        BEGIN "@probe hist id=0 5:2\n" CPU("2") "@probe end report=1 lines=3\n", /* before its vCPU */
        BEGIN CPU("18446744073709551617") "@probe hist id=0 5:1\n@probe end report=1 lines=3\n",
        BEGIN CPU("2") CPU("2") "@probe hist id=0 5:2\n@probe end report=1 lines=4\n",
        BEGIN CPU("2") "@probe surprise\n@probe hist id=0 5:2\n@probe end report=1 lines=4\n",
    };
    _Static_assert(PROBE_BUCKETS == 312, "the case of no such bucket");
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        struct error err = {0};
        auto_free struct probe_report *report = probe_report_parse(BAD[i], strlen(BAD[i]), &err);
        if (report || err.kind != ERROR_INVALID)
            CHECK_TEXT("accepted", BAD[i]);
    }
}

static void finds_nothing_in_what_is_incomplete(void)
{
    static const char *const NONE[] = {
        "",
        "\n\n",
        "@probe ",
        "@probe end report=1 lines=1\n",
        BEGIN,
        BEGIN CPU("2") "@probe end report=1 lines=3\n",
        BEGIN CPU("2") "@probe end report=2 lines=2\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(NONE); i++) {
        struct error err = {0};
        auto_free struct probe_report *report = probe_report_parse(NONE[i], strlen(NONE[i]), &err);
        CHECK(!report && err.kind == ERROR_NOT_FOUND);
    }
}

static void skips_lines_over_the_limit(void)
{
    for (int over = 0; over <= 1; over++) {
        auto_text out = {0};
        text_append(&out, BEGIN CPU("2"));
        size_t start = out.length;
        text_append(&out, "@probe hist id=0 5:");
        while (out.length - start < LIMIT_PROBE_LINE_BYTES - 1 + (size_t)over)
            text_append(&out, "0");
        text_append(&out, "2\n@probe end report=1 lines=3\n");
        struct error err = {0};
        auto_free struct probe_report *report = probe_report_parse(out.data, out.length, &err);
        CHECK(over ? !report : report != NULL);
    }
}

int main(void)
{
    RUN(buckets_and_floors_agree);
    RUN(reads_the_last_complete_report);
    RUN(weighs_by_count_and_by_time);
    RUN(shows_a_vcpu_that_did_not_start);
    RUN(refuses_what_does_not_fit_together);
    RUN(finds_nothing_in_what_is_incomplete);
    RUN(skips_lines_over_the_limit);
    return test_end();
}
