#include "runtime/latency/probe_stream.h"

#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/limits.h"

static const char END_MARK[] = PROBE_MARK "end ";

struct probe_stream {
    struct text pending; /* since the last complete report */
    size_t line;         /* where its last line starts */
    unsigned reports;
    struct probe_report *last[MEASUREMENT_KINDS];
    size_t block_count[MEASUREMENT_KINDS];
    struct measurement_block *block[MEASUREMENT_KINDS]; /* block_count rows of a vCPU each: [report][vCPU] */
};

struct probe_stream *probe_stream_new(void)
{
    return must_calloc(1, sizeof(struct probe_stream));
}

void probe_stream_free(struct probe_stream *stream)
{
    if (!stream)
        return;
    text_finish(&stream->pending);
    for (size_t kind = 0; kind < MEASUREMENT_KINDS; kind++) {
        free(stream->last[kind]);
        free(stream->block[kind]);
    }
    free(stream);
}

unsigned probe_stream_reports(const struct probe_stream *stream)
{
    return stream->reports;
}

/* Numbers grow: a guest that was reset, or is not the probe, says less than it said before. */
static bool goes_on(const struct probe_report *report, const struct probe_report *before)
{
    if (!before)
        return true;
    if (report->cpu_count != before->cpu_count)
        return false;
    for (uint32_t i = 0; i < report->cpu_count; i++)
        if (report->cpu[i].lost_ns < before->cpu[i].lost_ns || report->cpu[i].samples < before->cpu[i].samples ||
            report->cpu[i].measured_ns < before->cpu[i].measured_ns)
            return false;
    return true;
}

/* Steals the report. */
static int take_report(struct probe_stream *stream, struct probe_report *report, struct error *err)
{
    enum measurement_kind kind = report->timer ? MEASUREMENT_TIMER : MEASUREMENT_GAPS;
    const struct probe_report *before = stream->last[kind];
    uint32_t cpus = report->cpu_count;
    if (!goes_on(report, before)) {
        uint32_t number = report->number;
        free(report);
        return fail(err, ERROR_INVALID, "probe report %u contradicts the one before: was the guest reset?", number);
    }
    size_t at = stream->block_count[kind];
    if (at < LIMIT_LATENCY_BLOCKS) {
        stream->block[kind] = must_realloc(stream->block[kind], (at + 1) * cpus, sizeof *stream->block[kind]);
        for (uint32_t i = 0; i < cpus; i++)
            stream->block[kind][at * cpus + i] = (struct measurement_block){
                .max_ns = report->cpu[i].run_max_ns,
                .lost_ns = report->cpu[i].lost_ns - (before ? before->cpu[i].lost_ns : 0),
            };
        stream->block_count[kind] = at + 1;
    }
    free(stream->last[kind]);
    stream->last[kind] = report;
    stream->reports++;
    return 0;
}

static int end_line(struct probe_stream *stream, struct error *err)
{
    struct error why = {0};
    struct probe_report *report = probe_report_parse(stream->pending.data, stream->pending.length, &why);
    text_clear(&stream->pending);
    if (report)
        return take_report(stream, report, err);
    if (why.kind == ERROR_NOT_FOUND)
        return 0; /* its begin was missed */
    *err = why;
    return -1;
}

int probe_stream_feed(struct probe_stream *stream, const char *bytes, size_t length, struct error *err)
{
    for (size_t done = 0; done < length;) {
        const char *newline = memchr(bytes + done, '\n', length - done);
        size_t end = newline ? (size_t)(newline - bytes) + 1 : length;
        text_append_n(&stream->pending, bytes + done, end - done);
        done = end;
        if (stream->pending.length > LIMIT_PROBE_REPORT_BYTES) {
            text_clear(&stream->pending);
            stream->line = 0;
        }
        if (!newline)
            continue;
        const char *line = text_cstr(&stream->pending) + stream->line;
        bool is_end = text_starts_with(line + strspn(line, "\r"), END_MARK);
        if (is_end && end_line(stream, err) < 0)
            return -1;
        stream->line = stream->pending.length;
    }
    return 0;
}

static void add_measurement(const struct probe_stream *stream, enum measurement_kind kind, uint32_t cpu,
                            struct measurements *into)
{
    const struct probe_report *report = stream->last[kind];
    struct measurement *m = measurements_add(into, stream->block_count[kind]);
    m->kind = kind;
    m->cpu = cpu;
    m->measured_ns = report->cpu[cpu].measured_ns;
    histogram_from_probe(report, cpu, &m->histogram);
    if (kind == MEASUREMENT_TIMER)
        m->histogram.sum_ns = 0;
    for (uint32_t b = 0; kind == MEASUREMENT_TIMER && b < PROBE_BUCKETS; b++)
        m->histogram.sum_ns += m->histogram.bucket[b] * probe_bucket_floor(b);
    for (size_t b = 0; b < m->block_count; b++)
        m->block[b] = stream->block[kind][b * report->cpu_count + cpu];
}

int probe_stream_measurements(const struct probe_stream *stream, struct measurements *into, struct error *err)
{
    if (stream->reports == 0)
        return fail(err, ERROR_NOT_FOUND, "no complete probe report came on the serial port");
    for (unsigned kind = 0; kind < MEASUREMENT_KINDS; kind++)
        for (uint32_t i = 0; stream->last[kind] && i < stream->last[kind]->cpu_count; i++)
            if (stream->last[kind]->cpu[i].started)
                add_measurement(stream, (enum measurement_kind)kind, i, into);
    return 0;
}
