#include "runtime/latency/export.h"

void export_csv(const struct run *run, struct text *out)
{
    text_append(out, "kind,cpu,from_ns,count\n");
    for (size_t i = 0; i < run->measurements.count; i++) {
        const struct measurement *m = &run->measurements.at[i];
        for (uint32_t b = 0; b < PROBE_BUCKETS; b++)
            if (m->histogram.bucket[b])
                text_printf(out, "%s,%u,%llu,%llu\n", MEASUREMENT_KIND[m->kind], m->cpu,
                            (unsigned long long)probe_bucket_floor(b), (unsigned long long)m->histogram.bucket[b]);
    }
}

/* As label values want it: backslash, quote and line feed escaped. */
static void label(struct text *out, const char *value)
{
    for (const char *c = value; *c; c++) {
        if (*c == '\\' || *c == '"')
            text_append(out, "\\");
        text_append_n(out, *c == '\n' ? "\\n" : c, *c == '\n' ? 2 : 1);
    }
}

static void sample(const struct run *run, const struct measurement *m, const char *name, const char *more, uint64_t ns,
                   struct text *out)
{
    text_printf(out, "rtvmd_latency_%s_seconds{run=\"", name);
    label(out, json_text_at(run->document, "name", ""));
    text_printf(out, "\",kind=\"%s\",cpu=\"%u\"%s} %.9f\n", MEASUREMENT_KIND[m->kind], m->cpu, more, (double)ns / 1e9);
}

static uint64_t max_of(const struct measurement *m)
{
    return m->histogram.max_ns;
}

static uint64_t lost_of(const struct measurement *m)
{
    return m->histogram.lost_ns;
}

static uint64_t measured_of(const struct measurement *m)
{
    return m->measured_ns;
}

static void family(const char *name, const char *help, struct text *out)
{
    text_printf(out, "# TYPE rtvmd_latency_%s_seconds gauge\n# UNIT rtvmd_latency_%s_seconds seconds\n", name, name);
    text_printf(out, "# HELP rtvmd_latency_%s_seconds %s\n", name, help);
}

void export_openmetrics(const struct run *run, struct text *out)
{
    static const struct {
        const char *name;
        const char *help;
        uint64_t (*value)(const struct measurement *m);
    } FAMILIES[] = {
        {"max", "Longest delay seen.", max_of},
        {"lost", "Sum of delays of at least the threshold.", lost_of},
        {"measured", "Time measured.", measured_of},
    };
    for (size_t f = 0; f < ARRAY_SIZE(FAMILIES); f++) {
        family(FAMILIES[f].name, FAMILIES[f].help, out);
        for (size_t i = 0; i < run->measurements.count; i++)
            sample(run, &run->measurements.at[i], FAMILIES[f].name, "", FAMILIES[f].value(&run->measurements.at[i]),
                   out);
    }
    family("quantile", "Percentiles, weighted by count or by time.", out);
    for (size_t i = 0; i < run->measurements.count; i++)
        for (size_t rank = 0; rank < HISTOGRAM_RANKS; rank++)
            for (unsigned by_time = 0; by_time < 2; by_time++) {
                const struct measurement *m = &run->measurements.at[i];
                auto_free char *more = must_format(",quantile=\"%s\",weight=\"%s\"", HISTOGRAM_RANK[rank].label,
                                                   by_time ? "time" : "count");
                sample(run, m, "quantile", more,
                       histogram_percentile_ns(&m->histogram, HISTOGRAM_RANK[rank].ppm, by_time), out);
            }
    text_append(out, "# EOF\n");
}
