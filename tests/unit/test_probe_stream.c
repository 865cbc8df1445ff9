#include "runtime/latency/probe_stream.c"

#include "tests/test.h"

/* One report of two vCPUs at 1 GHz; gaps of 20 ns and one long one. */
static void print_report(struct text *out, unsigned number, bool timer, uint64_t samples, uint64_t run_max_ns,
                         uint64_t lost_ns)
{
    text_printf(out,
                "@probe begin format=2 report=%u cpus=2 tsc_khz=1000000 invariant=1 threshold_ns=1000 timer=%d\r\n",
                number, timer);
    for (unsigned i = 0; i < 2; i++)
        text_printf(out,
                    "@probe cpu id=%u apic=%u started=1 measured_ns=%llu samples=%llu min_ns=20 max_ns=9000 "
                    "run_max_ns=%llu over=1 lost_ns=%llu\r\n@probe hist id=%u %u:%llu %u:1\r\n",
                    i, i, (unsigned long long)samples * 100, (unsigned long long)samples,
                    (unsigned long long)run_max_ns, (unsigned long long)lost_ns, i, probe_bucket(20),
                    (unsigned long long)samples - 1, probe_bucket(9000));
    text_printf(out, "@probe end report=%u lines=5\r\n", number);
}

static struct error err;

static void feed_in_pieces(struct probe_stream *stream, const struct text *text, size_t piece)
{
    for (size_t at = 0; at < text->length; at += piece) {
        size_t n = text->length - at < piece ? text->length - at : piece;
        CHECK_INT(probe_stream_feed(stream, text->data + at, n, &err), 0);
    }
}

static void reports_become_measurements_with_blocks(void)
{
    auto_text out = {0};
    text_append(&out, "hist id=0 5:3\r\n@probe end report=7 lines=9\r\nSeaBIOS\r\n"); /* we came in the middle */
    print_report(&out, 1, true, 10, 9000, 9000);
    print_report(&out, 2, true, 20, 500, 9000);
    text_append(&out, "people read this\r\n");
    print_report(&out, 3, false, 1000, 2000, 3000);
    print_report(&out, 4, false, 2000, 9000, 12000);
    for (size_t piece = 1; piece < 200; piece += 33) {
        struct probe_stream *stream = probe_stream_new();
        struct measurements all = {0};
        feed_in_pieces(stream, &out, piece);
        CHECK_INT(probe_stream_reports(stream), 4);
        CHECK_INT(probe_stream_measurements(stream, &all, &err), 0);
        CHECK_INT(all.count, 4);
        const struct measurement *timer = &all.at[1];
        const struct measurement *gaps = &all.at[2];
        CHECK(timer->kind == MEASUREMENT_TIMER && timer->cpu == 1 && gaps->kind == MEASUREMENT_GAPS && gaps->cpu == 0);
        CHECK_INT(timer->histogram.count, 20);
        CHECK_INT(timer->histogram.max_ns, 9000);
        CHECK_INT(gaps->histogram.lost_ns, 12000);
        CHECK_INT(gaps->measured_ns, 200000);
        CHECK_INT(gaps->block_count, 2);
        CHECK_INT(gaps->block[0].max_ns, 2000);
        CHECK_INT(gaps->block[1].lost_ns, 9000); /* what came since the report before */
        CHECK_INT(timer->block[1].lost_ns, 0);
        measurements_finish(&all);
        probe_stream_free(stream);
    }
}

static void a_reset_guest_is_no_measurement(void)
{
    auto_text out = {0};
    print_report(&out, 1, false, 1000, 2000, 3000);
    print_report(&out, 1, false, 500, 2000, 1000);
    struct probe_stream *stream = probe_stream_new();
    CHECK_INT(probe_stream_feed(stream, out.data, out.length, &err), -1);
    CHECK_INT(err.kind, ERROR_INVALID);
    probe_stream_free(stream);
}

static void says_so_when_nothing_came(void)
{
    struct probe_stream *stream = probe_stream_new();
    struct measurements all = {0};
    CHECK_INT(probe_stream_feed(stream, "no probe\n", 9, &err), 0);
    CHECK_INT(probe_stream_measurements(stream, &all, &err), -1);
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    probe_stream_free(stream);
}

static void memory_is_bounded(void)
{
    static char noise[1 << 16];
    struct probe_stream *stream = probe_stream_new();
    memset(noise, 'x', sizeof noise);
    for (size_t done = 0; done < 2 * (size_t)LIMIT_PROBE_REPORT_BYTES; done += sizeof noise) {
        CHECK_INT(probe_stream_feed(stream, noise, sizeof noise, &err), 0);
        CHECK(stream->pending.length <= LIMIT_PROBE_REPORT_BYTES + sizeof noise);
    }
    auto_text out = {0};
    text_append(&out, "\n");
    print_report(&out, 1, false, 1000, 2000, 3000);
    CHECK_INT(probe_stream_feed(stream, out.data, out.length, &err), 0);
    CHECK_INT(probe_stream_reports(stream), 1);
    auto_text many = {0};
    print_report(&many, 2, true, 10, 1, 1000);
    for (unsigned i = 0; i < LIMIT_LATENCY_BLOCKS + 3; i++)
        CHECK_INT(probe_stream_feed(stream, many.data, many.length, &err), 0);
    CHECK_INT(stream->block_count[MEASUREMENT_TIMER], LIMIT_LATENCY_BLOCKS);
    probe_stream_free(stream);
}

int main(void)
{
    RUN(reports_become_measurements_with_blocks);
    RUN(a_reset_guest_is_no_measurement);
    RUN(says_so_when_nothing_came);
    RUN(memory_is_bounded);
    return test_end();
}
