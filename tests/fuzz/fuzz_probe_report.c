/* The serial port of a guest: whatever it says, the reader must end, stay inside the text, and contradict nothing. */
#include "runtime/latency/probe_report.c"
#include "runtime/latency/probe_stream.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As it comes from a socket: in pieces. What the stream makes of it must be readable again. */
static void stream(const uint8_t *data, size_t size)
{
    struct error err;
    struct probe_stream *s = probe_stream_new();
    struct measurements all = {0};
    int r = 0;
    for (size_t at = 0; r == 0 && at < size; at += 61)
        r = probe_stream_feed(s, (const char *)data + at, size - at < 61 ? size - at : 61, &err);
    if (probe_stream_measurements(s, &all, &err) == 0) {
        auto_json *json = measurements_json(&all);
        struct measurements again = {0};
        if (measurements_read(json, &again, &err) < 0)
            abort();
        measurements_finish(&again);
    }
    measurements_finish(&all);
    probe_stream_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    stream(data, size);
    struct error err;
    auto_free struct probe_report *report = probe_report_parse((const char *)data, size, &err);
    if (!report)
        return 0;
    for (uint32_t i = 0; i < report->cpu_count; i++)
        if (probe_gap_by_count_ns(report, i, 990000) > report->cpu[i].max_ns ||
            probe_gap_by_time_ns(report, i, 999999) > report->cpu[i].max_ns)
            abort();
    json_decref(probe_report_json(report));
    return 0;
}
