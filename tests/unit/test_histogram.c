#include "runtime/latency/histogram.c"

#include "tests/test.h"

#include "runtime/latency/disturbance.h"
#include "runtime/latency/probe_report.h"
#include "runtime/latency/run.h"

/* A million short gaps and ten long ones, in which half of the time passes. */
static void fill(struct histogram *h)
{
    *h = (struct histogram){.threshold_ns = 1000};
    for (int i = 0; i < 1000000; i++)
        histogram_add(h, 10);
    for (int i = 0; i < 10; i++)
        histogram_add(h, 1000000);
}

static void extremes_and_sums_are_exact(void)
{
    struct histogram h;
    fill(&h);
    CHECK_INT(h.count, 1000010);
    CHECK_INT(h.sum_ns, 20000000);
    CHECK_INT(h.min_ns, 10);
    CHECK_INT(h.max_ns, 1000000);
    CHECK_INT(h.over, 10);
    CHECK_INT(h.lost_ns, 10000000);
}

static void weighing_by_time_shows_what_counting_hides(void)
{
    struct histogram h;
    fill(&h);
    CHECK_INT(histogram_percentile_ns(&h, 999900, false), 10);
    CHECK_INT(histogram_percentile_ns(&h, 999900, true), 1000000);
    CHECK_INT(histogram_percentile_ns(&h, 400000, true), 10);
    CHECK_INT(histogram_percentile_ns(&h, 1000000, false), 1000000);
    struct histogram empty = {0};
    CHECK_INT(histogram_percentile_ns(&empty, 500000, true), 0);
}

static void a_percentile_is_the_end_of_its_bucket(void)
{
    struct histogram h = {0};
    for (uint64_t ns = 1; ns <= 100000; ns++)
        histogram_add(&h, ns);
    uint64_t p50 = histogram_percentile_ns(&h, 500000, false);
    CHECK(p50 >= 50000 && p50 <= 50000 + 50000 / 8);
    /* half of the sum is reached at 1/sqrt(2) of the range */
    uint64_t by_time = histogram_percentile_ns(&h, 500000, true);
    CHECK(by_time >= 70000 && by_time <= 71000 + 71000 / 8);
}

static void merging_is_as_adding_all(void)
{
    struct histogram a = {.threshold_ns = 50};
    struct histogram b = {.threshold_ns = 50};
    struct histogram all = {.threshold_ns = 50};
    struct histogram none = {.threshold_ns = 50};
    for (uint64_t ns = 1; ns < 3000; ns += 7) {
        histogram_add(ns % 2 ? &a : &b, ns);
        histogram_add(&all, ns);
    }
    histogram_merge(&a, &b);
    histogram_merge(&a, &none);
    CHECK(memcmp(&a, &all, sizeof a) == 0);
    histogram_merge(&none, &all);
    CHECK(memcmp(&none, &all, sizeof none) == 0);
}

static void json_survives_the_round_trip(void)
{
    struct histogram h;
    struct histogram again;
    struct error err;
    fill(&h);
    histogram_add(&h, 1ull << 40);
    auto_json *json = histogram_json(&h);
    CHECK_INT(histogram_read(json, &again, &err), 0);
    CHECK(memcmp(&h, &again, sizeof h) == 0);
    CHECK_INT(json_int_at(json, "byTime.p9999Ns", 0), 1ll << 40);
    json_object_set_new(json, "count", json_integer(3));
    CHECK_INT(histogram_read(json, &again, &err), -1);
    json_object_set_new(json, "count", json_integer(1 << 30));
    CHECK_INT(histogram_read(json, &again, &err), -1);
    json_object_set_new(json, "sumNs", json_integer(-1));
    CHECK_INT(histogram_read(json, &again, &err), -1);
    CHECK(strstr(err.text, "sumNs") != NULL);
}

static void cycles_of_the_probe_become_nanoseconds(void)
{
    auto_free struct probe_report *report = must_calloc(1, sizeof *report + sizeof report->cpu[0]);
    report->tsc_khz = 2000000;
    report->threshold_ns = 1000;
    report->cpu[0] = (struct probe_cpu_report){
        .started = true, .samples = 11, .measured_ns = 5100, .min_ns = 10, .max_ns = 5000, .over = 1, .lost_ns = 5000};
    report->cpu[0].bucket[probe_bucket(20)] = 10;
    report->cpu[0].bucket[probe_bucket(10000)] = 1;
    struct histogram h;
    histogram_from_probe(report, 0, &h);
    CHECK_INT(h.bucket[probe_bucket(10)], 10);
    CHECK_INT(h.max_ns, 5000);
    CHECK_INT(histogram_percentile_ns(&h, 1000000, false), 5000);
}

static void interrupts_that_grew_are_named(void)
{
    struct error err;
    struct cpuset cpus;
    cpuset_parse("2-3", &cpus, &err);
    auto_json *list =
        disturbance_interrupts(" CPU0 CPU2\n 24:  1  2  PCI-MSI   virtio0\nLOC: 5 100  Local timer\n",
                               " CPU0 CPU2\n 24:  9  5  PCI-MSI   virtio0\n 25: 7 0 x\nLOC: 9 200  Local timer\n"
                               "ERR:  12\nNEW: 0 1  fresh\n",
                               &cpus);
    auto_free char *text = json_to_text(list);
    CHECK_TEXT(text, "[{\"cpu\":2,\"source\":\"LOC\",\"what\":\"Local timer\",\"count\":100},"
                     "{\"cpu\":2,\"source\":\"24\",\"what\":\"PCI-MSI virtio0\",\"count\":3},"
                     "{\"cpu\":2,\"source\":\"NEW\",\"what\":\"fresh\",\"count\":1}]");
    auto_json *none = disturbance_interrupts("", "", &cpus);
    CHECK_INT(json_array_size(none), 0);
}

static enum run_grade grade_of(uint64_t max_ns, bool load, enum host_answer virtualized, const char **because)
{
    static struct host host;
    struct measurements all = {0};
    struct measurement *m = measurements_add(&all, 0);
    histogram_add(&m->histogram, max_ns);
    host.virtualized = virtualized;
    const struct run_facts facts = {.load = load, .host = &host};
    enum run_grade grade = run_judge(&all, &facts, because);
    measurements_finish(&all);
    return grade;
}

static void grades_need_load_and_real_hardware(void)
{
    const char *because;
    CHECK_INT(grade_of(20000, true, HOST_NO, &because), RUN_GOLD);
    CHECK_INT(grade_of(20001, true, HOST_NO, &because), RUN_SILVER);
    CHECK_INT(grade_of(40001, true, HOST_NO, &because), RUN_BRONZE);
    CHECK_INT(grade_of(100001, true, HOST_NO, &because), RUN_FAIL);
    CHECK_INT(grade_of(1, false, HOST_NO, &because), RUN_NO_VERDICT);
    CHECK_TEXT(because, "without load");
    CHECK_INT(grade_of(1, true, HOST_YES, &because), RUN_NO_VERDICT);
    CHECK_TEXT(because, "not real hardware");
}

int main(void)
{
    RUN(extremes_and_sums_are_exact);
    RUN(weighing_by_time_shows_what_counting_hides);
    RUN(a_percentile_is_the_end_of_its_bucket);
    RUN(merging_is_as_adding_all);
    RUN(json_survives_the_round_trip);
    RUN(cycles_of_the_probe_become_nanoseconds);
    RUN(interrupts_that_grew_are_named);
    RUN(grades_need_load_and_real_hardware);
    return test_end();
}
