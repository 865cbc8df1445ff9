#include "runtime/latency/noise.c"

#include "tests/test.h"

/* As a 6.12 kernel prints them; the times are made up. */
static const char PIPE[] =
    "           rtvmd-2231    [002] d.h..   102.440122: irq_noise: local_timer:236 start 102.440118127 duration 3310 ns\n"
    "           rtvmd-2231    [002] d.h..   102.441122: irq_noise: local_timer:236 start 102.441118127 duration 1290 ns\n"
    "           rtvmd-2231    [002] ..s..   102.440131: softirq_noise:    SCHED:7 start 102.440125002 duration 5105 ns\n"
    "     kworker/2:1-32   [002] d..2.   102.441002: thread_noise: kworker/2:1:32 start 102.440981411 duration 20114 ns\n"
    "          <idle>-0    [003] d..2.   102.441100: thread_noise: swapper/3:0 start 102.400981411 duration 40020114 ns\n"
    "CPU:3 [LOST 12 EVENTS]\n"
    "       CPU 0/KVM-2102    [003] d.Z..   102.441433: nmi_noise: start 102.441431700 duration 1200 ns\n"
    "       osnoise/3-961     [003] .....   102.441500: sample_threshold: start 102.441431500 duration 8812 ns "
    "interference 2\n"
    "       CPU 0/KVM-2102    [003] d..2.   102.451433: thread_noise: CPU 0/KVM:2102 start 102.441431700 duration "
    "9998777 ns\n";

static bool is_own(int tid, void *arg)
{
    ++*(int *)arg;
    return tid == 2102;
}

static char *summary(const struct noise *noise)
{
    struct text out = {0};
    auto_json *json = noise_json(noise);
    size_t i;
    json_t *s;
    json_array_foreach(json_object_get(json, "sources"), i, s)
        text_printf(&out, "%lld %s %s:%lld%s %lld/%lld/%lld\n", (long long)json_int_at(s, "cpu", -1),
                    json_text_at(s, "kind", ""), json_text_at(s, "name", ""), (long long)json_int_at(s, "id", -1),
                    json_bool_at(s, "own", false) ? " own" : "", (long long)json_int_at(s, "count", -1),
                    (long long)json_int_at(s, "totalNs", -1), (long long)json_int_at(s, "maxNs", -1));
    text_printf(&out, "lost %lld others %lld\n", (long long)json_int_at(json, "lost", -1),
                (long long)json_int_at(json, "others.totalNs", -1));
    return text_take(&out);
}

static const char SUMMARY[] = "3 thread CPU 0/KVM:2102 own 1/9998777/9998777\n"
                              "2 thread kworker/2:1:32 1/20114/20114\n"
                              "2 softirq SCHED:7 1/5105/5105\n"
                              "2 irq local_timer:236 2/4600/3310\n"
                              "3 nmi :0 1/1200/1200\n"
                              "lost 12 others 0\n";

static void sums_up_by_source_however_the_text_is_cut(void)
{
    for (size_t piece = 1; piece < 200; piece += 13) {
        int asked = 0;
        auto_free struct noise *noise = must_calloc(1, sizeof *noise);
        noise->is_own = is_own;
        noise->arg = &asked;
        for (size_t at = 0; at < strlen(PIPE); at += piece)
            noise_feed(noise, PIPE + at, strlen(PIPE) - at < piece ? strlen(PIPE) - at : piece);
        auto_free char *seen = summary(noise);
        CHECK_TEXT(seen, SUMMARY);
        CHECK_INT(asked, 2); /* once for each thread */
    }
}

static void marks_a_thread_that_ended(void)
{
    auto_free struct noise *noise = must_calloc(1, sizeof *noise);
    noise_feed(noise, PIPE, strlen(PIPE));
    noise_mark_own(noise, 32);
    noise_mark_own(noise, 236); /* an interrupt's number */
    for (size_t i = 0; i < noise->count; i++)
        CHECK(noise->source[i].own == (noise->source[i].id == 32));
}

static void is_not_fooled_by_names(void)
{
    auto_free struct noise *noise = must_calloc(1, sizeof *noise);
    static const char TRICKY[] =
        "irq_noise: a:1 s-77      [001] d..2.   1.000002: thread_noise: start 9 durati:77 start 1.000001000 duration 900 ns\n"
        " [009] : : [7]  -78      [001] d..2.   1.000002: thread_noise: a:b: c:12:78 start 1.000001000 duration 100 ns\n";
    noise_feed(noise, TRICKY, strlen(TRICKY));
    auto_free char *seen = summary(noise);
    CHECK_TEXT(seen, "1 thread start 9 durati:77 1/900/900\n1 thread a:b: c:12:78 1/100/100\nlost 0 others 0\n");
}

static void passes_over_what_is_no_event(void)
{
    static const char *const LINES[] = {
        "",
        "# tracer: osnoise",
        "            task-1 no brackets",
        "            task-1    [000] d..2.   1.0: irq_noise:",
        "            task-1    [000] d..2.   1.0: irq_noise: x:1 start 1.0 duration",
        "            task-1    [000] d..2.   1.0: irq_noise: x:1 start 1.0 duration 12 us",
        "            task-1    [000] d..2.   1.0: irq_noise: x start 1.0 duration 12 ns",
        "            task-1    [000] d..2.   1.0: irq_noise: :99999999999 start 1.0 duration 12 ns",
        "            task-1    [000] d..2.   1.0: nmi_noise: start 1.0 duration 99999999999999999999 ns",
        "            task-1    [999999] d..2.   1.0: nmi_noise: start 1.0 duration 5 ns",
        "            task-1    [000] d..2.   1.0: other_event: x:1 start 1.0 duration 12 ns",
        "CPU:x [LOST many]",
    };
    auto_free struct noise *noise = must_calloc(1, sizeof *noise);
    for (size_t i = 0; i < ARRAY_SIZE(LINES); i++) {
        noise_feed(noise, LINES[i], strlen(LINES[i]));
        noise_feed(noise, "\n", 1);
    }
    auto_text tall = {0};
    for (unsigned i = 0; i < 2 * NOISE_LINE_MAX; i++)
        text_append(&tall, "x");
    text_append(&tall, "            task-1    [000] d..2.   1.0: nmi_noise: start 1.0 duration 5 ns\n");
    noise_feed(noise, tall.data, tall.length);
    CHECK_INT(noise->count, 0);
    CHECK_INT(noise->lost, 0);
    noise_feed(noise, "CPU:1 [LOST EVENTS]\n", strlen("CPU:1 [LOST EVENTS]\n"));
    CHECK_INT(noise->lost, 1);
}

static void keeps_within_its_memory(void)
{
    auto_free struct noise *noise = must_calloc(1, sizeof *noise);
    for (unsigned i = 1; i <= LIMIT_NOISE_SOURCES + 3; i++) {
        auto_free char *line =
            must_format("            task-1    [000] d..2.   1.0: thread_noise: t:%u start 1.0 duration %u ns\n", i, i);
        noise_feed(noise, line, strlen(line));
    }
    CHECK_INT(noise->count, LIMIT_NOISE_SOURCES);
    CHECK_INT(noise->others.count, 3);
    auto_json *json = noise_json(noise);
    CHECK_INT(json_array_size(json_object_get(json, "sources")), LIMIT_DISTURBANCES);
    CHECK_INT(json_int_at(json, "sources.0.id", 0), LIMIT_NOISE_SOURCES); /* who took most first */
    CHECK_INT(json_int_at(json, "others.count", 0), LIMIT_NOISE_SOURCES - LIMIT_DISTURBANCES + 3);
    CHECK_INT(json_int_at(json, "others.maxNs", 0), LIMIT_NOISE_SOURCES + 3);
}

int main(void)
{
    RUN(sums_up_by_source_however_the_text_is_cut);
    RUN(marks_a_thread_that_ended);
    RUN(is_not_fooled_by_names);
    RUN(passes_over_what_is_no_event);
    RUN(keeps_within_its_memory);
    return test_end();
}
