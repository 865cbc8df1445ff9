/* The serial port of a guest: whatever it says, the reader must end, stay inside the text, and contradict nothing. */
#include "runtime/latency/probe_report.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
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
