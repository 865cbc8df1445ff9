#include "api/metrics/exposition.c"
#include "tests/test.h"

static struct text page;

static struct exposition begin(const char *name, enum exposition_type type, const char *help)
{
    text_clear(&page);
    struct exposition e = {.out = &page};
    exposition_begin(&e, name, type, help);
    return e;
}

static void a_metric_without_samples_is_not_there(void)
{
    begin("a_metric", EXPOSITION_GAUGE, "None.");
    CHECK_TEXT(text_cstr(&page), "");
}

static void labels_and_help_are_escaped(void)
{
    struct exposition e = begin("a_metric", EXPOSITION_GAUGE, "One \\ two\nthree \"four\".");
    exposition_count(&e, LABELS({"a", "x\"y\\z\nw"}, {"left_out", NULL}, {"b", ""}), 7);
    exposition_count(&e, NO_LABELS, UINT64_MAX);
    CHECK_TEXT(text_cstr(&page), "# HELP a_metric One \\\\ two\\nthree \"four\".\n"
                                 "# TYPE a_metric gauge\n"
                                 "a_metric{a=\"x\\\"y\\\\z\\nw\",b=\"\"} 7\n"
                                 "a_metric 18446744073709551615\n");
}

static void seconds_are_exact(void)
{
    struct exposition e = begin("t_total", EXPOSITION_COUNTER, "T.");
    exposition_seconds(&e, NO_LABELS, 0);
    exposition_seconds(&e, NO_LABELS, 1);
    exposition_seconds(&e, NO_LABELS, 2500000000);
    exposition_seconds(&e, NO_LABELS, UINT64_C(9007199254740993000));
    CHECK_TEXT(text_cstr(&page), "# HELP t_total T.\n# TYPE t_total counter\nt_total 0\nt_total 0.000000001\n"
                                 "t_total 2.5\nt_total 9007199254.740993\n");
}

static void histograms_add_up(void)
{
    struct buckets buckets = {0};
    buckets_add(&buckets, 100000);                                /* at the first bound */
    buckets_add(&buckets, 100001);                                /* above it */
    buckets_add(&buckets, BUCKET_BOUND_NS[BUCKET_COUNT - 1] + 1); /* above all */
    CHECK_INT(buckets_total(&buckets), 3);
    struct exposition e = begin("h", EXPOSITION_HISTOGRAM, "H.");
    exposition_histogram(&e, LABELS({"verb", "get"}), &buckets);
    const char *text = text_cstr(&page);
    CHECK(strstr(text, "# TYPE h histogram\nh_bucket{verb=\"get\",le=\"0.0001\"} 1\n"
                       "h_bucket{verb=\"get\",le=\"0.00025\"} 2\n") != NULL);
    CHECK(strstr(text, "h_bucket{verb=\"get\",le=\"10\"} 2\nh_bucket{verb=\"get\",le=\"+Inf\"} 3\n"
                       "h_sum{verb=\"get\"} 10.000200002\nh_count{verb=\"get\"} 3\n") != NULL);
    text_clear(&page);
    exposition_histogram(&e, NO_LABELS, &buckets);
    CHECK(strstr(text_cstr(&page), "h_bucket{le=\"0.0001\"} 1\n") != NULL);
    CHECK(strstr(text_cstr(&page), "h_sum 10.000200002\n") != NULL);
}

static void bounds_grow(void)
{
    for (unsigned i = 1; i < BUCKET_COUNT; i++)
        CHECK(BUCKET_BOUND_NS[i] > BUCKET_BOUND_NS[i - 1]);
}

int main(void)
{
    RUN(a_metric_without_samples_is_not_there);
    RUN(labels_and_help_are_escaped);
    RUN(seconds_are_exact);
    RUN(histograms_add_up);
    RUN(bounds_grow);
    text_finish(&page);
    return test_end();
}
