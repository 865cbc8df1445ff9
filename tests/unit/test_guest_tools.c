#include "runtime/latency/guest_tools.c"

#include "tests/test.h"

static struct error err;

/* rt-tests 2.4: cyclictest -q -m -i 1000 -h 1024 -a 1,2 -t 2 -D 1 -p 95, rows of zeros left out here. */
static const char CYCLICTEST[] = "# /dev/cpu_dma_latency set to 0us\n"
                                 "# Histogram\n"
                                 "000003 000000\t000004\n"
                                 "000004 000900\t000481\n"
                                 "000020 000076\t000485\n"
                                 "# Total: 000000976 000000970\n"
                                 "# Min Latencies: 00004 00003\n"
                                 "# Avg Latencies: 00020 00020\n"
                                 "# Max Latencies: 01784 00020\n"
                                 "# Histogram Overflows: 00002 00000\n"
                                 "# Histogram Overflow at cycle number:\n"
                                 "# Thread 0: 00043 00247\n"
                                 "# Thread 1:\n"
                                 "\n";

/* oslat -z -b 1024 -c 1-2 -D 3 */
static const char OSLAT[] = "oslat V 2.40\n"
                            "Total runtime: \t\t3 seconds\n"
                            "Thread priority: \tSCHED_FIFO:1\n"
                            "CPU list: \t\t1-2\n"
                            "CPU for main thread: \t0\n"
                            "Workload: \t\tno\n"
                            "Workload mem: \t\t0 (KiB)\n"
                            "Preheat cores: \t\t2\n"
                            "\n"
                            "Pre-heat for 1 seconds...\n"
                            "Test starts...\n"
                            "Test completed.\n"
                            "\n"
                            "        Core:\t 1 2\n"
                            "Counter Freq:\t 2099 2099 (Mhz)\n"
                            "    001 (us):\t 20000000 10000000\n"
                            "    002 (us):\t 7 0\n"
                            "    ...\n"
                            "    032 (us):\t 10 1\n"
                            "   1024 (us):\t 3 0 (including overflows)\n"
                            "     Minimum:\t 1 1 (us)\n"
                            "     Average:\t 1.117 1.001 (us)\n"
                            "     Maximum:\t 187918 32 (us)\n"
                            "     Max-Min:\t 187917 31 (us)\n"
                            "    Duration:\t 2.987 3.000 (sec)\n"
                            "\n";

static char *summary(const struct measurements *all)
{
    struct text out = {0};
    for (size_t i = 0; i < all->count; i++) {
        const struct measurement *m = &all->at[i];
        const struct histogram *h = &m->histogram;
        text_printf(&out, "%s %u: %llu values %llu..%llu ns, over %llu lost %llu of %llu, p50 %llu\n",
                    MEASUREMENT_KIND[m->kind], m->cpu, (unsigned long long)h->count, (unsigned long long)h->min_ns,
                    (unsigned long long)h->max_ns, (unsigned long long)h->over, (unsigned long long)h->lost_ns,
                    (unsigned long long)m->measured_ns, (unsigned long long)histogram_percentile_ns(h, 500000, false));
    }
    return text_take(&out);
}

static void reads_what_cyclictest_prints(void)
{
    struct measurements all = {0};
    struct cpuset vcpus = cpuset_range(1, 2);
    CHECK_INT(GUEST_TOOL[MEASUREMENT_TIMER].read(CYCLICTEST, &vcpus, 1, &all, &err), 0);
    auto_free char *seen = summary(&all);
    CHECK_TEXT(seen, "timer 1: 978 values 4000..1784000 ns, over 978 lost 7928000 of 1000000000, p50 4095\n"
                     "timer 2: 970 values 3000..20000 ns, over 970 lost 11636000 of 1000000000, p50 4095\n");
    measurements_finish(&all);
}

static void reads_what_oslat_prints(void)
{
    struct measurements all = {0};
    struct cpuset vcpus = cpuset_range(1, 2);
    CHECK_INT(GUEST_TOOL[MEASUREMENT_GAPS].read(OSLAT, &vcpus, 3, &all, &err), 0);
    auto_free char *seen = summary(&all);
    /* Two of three overflows are known to be 1024 µs at least; the loop itself took what time is left. */
    CHECK_TEXT(seen, "gaps 1: 20000020 values 139..187918000 ns, over 20 lost 190300000 of 2987000000, p50 143\n"
                     "gaps 2: 10000001 values 299..32000 ns, over 1 lost 32000 of 3000000000, p50 319\n");
    measurements_finish(&all);
}

static void refuses_what_is_not_theirs(void)
{
    static const struct {
        enum measurement_kind kind;
        const char *text;
        const char *why;
    } CASES[] = {
        {MEASUREMENT_TIMER, "", "cyclictest: nothing was measured"},
        {MEASUREMENT_TIMER, "000003 1\n", "cyclictest: histogram: want microseconds and 2 numbers a line"},
        {MEASUREMENT_TIMER, "000003 1 2 3\n", "cyclictest: histogram: want microseconds and 2 numbers a line"},
        {MEASUREMENT_TIMER, "009999 1 2\n", "cyclictest: histogram: want microseconds and 2 numbers a line"},
        {MEASUREMENT_TIMER, "000003 5 -2\n", "cyclictest: histogram: want microseconds and 2 numbers a line"},
        {MEASUREMENT_TIMER, "000003 5 0\n", "cyclictest: nothing was measured"},
        {MEASUREMENT_TIMER, "001000 500000000000000000 1\n", "cyclictest: more time than there was"},
        {MEASUREMENT_TIMER, "000000 2305843009213693951 1\n000000 2305843009213693951 1\n",
         "cyclictest: histogram: want microseconds and 2 numbers a line"},
        {MEASUREMENT_TIMER,
         "000000 500000000000000000 1\n000000 500000000000000000 1\n000000 500000000000000000 1\n"
         "000000 500000000000000000 1\n000000 500000000000000000 1\n",
         "cyclictest: more time than there was"},
        {MEASUREMENT_GAPS, "        Core:\t \n     Minimum:\t (us)\n", "oslat: nothing was measured"},
        {MEASUREMENT_GAPS, "    003 (us):\t 1\n", "oslat: histogram: want 2 numbers a line"},
        {MEASUREMENT_GAPS, "   1024 (us):\t 1 2\n", "oslat: histogram: want 2 numbers a line"},
        {MEASUREMENT_GAPS, "    001 (us):\t 500000000000000000 1\n", "oslat: more time than there was"},
    };
    struct cpuset vcpus = cpuset_range(1, 2);
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct measurements all = {0};
        CHECK_INT(GUEST_TOOL[CASES[i].kind].read(CASES[i].text, &vcpus, 1, &all, &err), -1);
        CHECK_INT(err.kind, ERROR_INVALID);
        CHECK_TEXT(err.text, CASES[i].why);
        CHECK_INT(all.count, 0);
        measurements_finish(&all);
    }
}

static char *call_of(enum measurement_kind kind, const char *meant, unsigned vcpu_count)
{
    struct cpuset set = {0};
    bool fifo;
    if (meant[0])
        CHECK_INT(cpuset_parse(meant, &set, &err), 0);
    struct cpuset vcpus = guest_tool_vcpus(kind, &set, vcpu_count, &fifo);
    auto_json *arguments = GUEST_TOOL[kind].arguments(&vcpus, 7, fifo);
    struct text out = {0};
    size_t i;
    json_t *argument;
    text_append(&out, GUEST_TOOL[kind].program);
    json_array_foreach(arguments, i, argument) text_printf(&out, " %s", json_string_value(argument));
    return text_take(&out);
}

static void leaves_a_vcpu_to_everybody_else(void)
{
    static const struct {
        enum measurement_kind kind;
        const char *meant;
        unsigned vcpu_count;
        const char *call;
    } CASES[] = {
        {MEASUREMENT_TIMER, "", 2, "cyclictest -q -m -i 1000 -h 1024 -a 0-1 -t 2 -D 7 -p 95"},
        {MEASUREMENT_TIMER, "1,3", 4, "cyclictest -q -m -i 1000 -h 1024 -a 1,3 -t 2 -D 7 -p 95"},
        {MEASUREMENT_TIMER, "", 1, "cyclictest -q -m -i 1000 -h 1024 -a 0 -t 1 -D 7 -p 95"},
        {MEASUREMENT_GAPS, "", 4, "oslat -z -b 1024 -c 1-3 -D 7 -f 1"},
        {MEASUREMENT_GAPS, "0-3", 4, "oslat -z -b 1024 -c 1-3 -D 7 -f 1"},
        {MEASUREMENT_GAPS, "2-3", 4, "oslat -z -b 1024 -c 2-3 -D 7 -f 1"},
        {MEASUREMENT_GAPS, "", 1, "oslat -z -b 1024 -c 0 -D 7"},
        {MEASUREMENT_GAPS, "9", 2, "oslat -z -b 1024 -c 1 -D 7 -f 1"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        auto_free char *call = call_of(CASES[i].kind, CASES[i].meant, CASES[i].vcpu_count);
        CHECK_TEXT(call, CASES[i].call);
    }
}

int main(void)
{
    RUN(reads_what_cyclictest_prints);
    RUN(reads_what_oslat_prints);
    RUN(refuses_what_is_not_theirs);
    RUN(leaves_a_vcpu_to_everybody_else);
    return test_end();
}
