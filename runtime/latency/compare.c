#include "runtime/latency/compare.h"

#include <stdlib.h>
#include <string.h>

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static double resampled_mean(const double *values, size_t count, uint64_t *state)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[(next_random(state) >> 16) % count];
    return sum / (double)count;
}

static double mean(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return sum / (double)count;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

struct compare_interval compare_bootstrap(const double *a, size_t a_count, const double *b, size_t b_count)
{
    if (a_count < COMPARE_BLOCKS_MIN || b_count < COMPARE_BLOCKS_MIN)
        return (struct compare_interval){0};
    uint64_t state = 0x9e3779b97f4a7c15u; /* the same every time: an answer that changes when asked again is none */
    auto_free double *difference = must_calloc(COMPARE_RESAMPLES, sizeof *difference);
    for (size_t i = 0; i < COMPARE_RESAMPLES; i++) {
        double of_b = resampled_mean(b, b_count, &state);
        difference[i] = of_b - resampled_mean(a, a_count, &state);
    }
    qsort(difference, COMPARE_RESAMPLES, sizeof *difference, by_value);
    struct compare_interval interval = {
        .known = true,
        .difference = mean(b, b_count) - mean(a, a_count),
        .low = difference[COMPARE_RESAMPLES / 200],
        .high = difference[COMPARE_RESAMPLES - 1 - COMPARE_RESAMPLES / 200],
    };
    interval.real = interval.low > 0 || interval.high < 0;
    return interval;
}

/* ---- blocks of a run: the worst of all CPUs, or the share of the time lost, in millionths. */

static size_t block_values(const struct run *run, enum measurement_kind kind, bool lost, double **ret_values)
{
    size_t count = 0;
    *ret_values = NULL;
    for (size_t i = 0; i < run->measurements.count; i++) {
        const struct measurement *m = &run->measurements.at[i];
        if (m->kind != kind)
            continue;
        if (m->block_count > count) {
            *ret_values = must_realloc(*ret_values, m->block_count, sizeof **ret_values);
            for (; count < m->block_count; count++)
                (*ret_values)[count] = 0;
        }
        double block_ns = m->block_count && m->measured_ns ? (double)m->measured_ns / (double)m->block_count : 1;
        for (size_t b = 0; b < m->block_count; b++) {
            double value = lost ? (double)m->block[b].lost_ns * 1e6 / block_ns : (double)m->block[b].max_ns;
            if (value > (*ret_values)[b])
                (*ret_values)[b] = value;
        }
    }
    return count;
}

static json_int_t rounded(double value)
{
    return (json_int_t)(value < 0 ? value - 0.5 : value + 0.5);
}

static void add_tail(json_t *tails, const struct run *a, const struct run *b, enum measurement_kind kind, bool lost)
{
    auto_free double *of_a = NULL;
    auto_free double *of_b = NULL;
    size_t a_count = block_values(a, kind, lost, &of_a);
    size_t b_count = block_values(b, kind, lost, &of_b);
    if (a_count == 0 && b_count == 0)
        return;
    struct compare_interval i = compare_bootstrap(of_a, a_count, of_b, b_count);
    json_array_append_new(tails,
                          json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:b}", "kind", MEASUREMENT_KIND[kind], "what",
                                    lost ? "lostPpm" : "maxNs", "known", i.known, "difference", rounded(i.difference),
                                    "low", rounded(i.low), "high", rounded(i.high), "real", i.real));
}

/* ---- CPUs side by side */

static json_t *side(const struct run *run, enum measurement_kind kind, unsigned cpu)
{
    for (size_t i = 0; i < run->measurements.count; i++) {
        const struct measurement *m = &run->measurements.at[i];
        if (m->kind == kind && m->cpu == cpu)
            return json_pack(
                "{s:I, s:I, s:I, s:I}", "p50Ns", (json_int_t)histogram_percentile_ns(&m->histogram, 500000, false),
                "p9999Ns", (json_int_t)histogram_percentile_ns(&m->histogram, HISTOGRAM_TAIL_PPM, false),
                "byTimeP9999Ns", (json_int_t)histogram_percentile_ns(&m->histogram, HISTOGRAM_TAIL_PPM, true), "maxNs",
                (json_int_t)m->histogram.max_ns);
    }
    return NULL;
}

static json_t *cpus_json(const struct run *a, const struct run *b)
{
    json_t *list = json_array();
    for (unsigned kind = 0; kind < MEASUREMENT_KINDS; kind++)
        for (unsigned cpu = 0; cpu < CPUSET_MAX; cpu++) {
            json_t *of_a = side(a, (enum measurement_kind)kind, cpu);
            json_t *of_b = side(b, (enum measurement_kind)kind, cpu);
            if (of_a || of_b)
                json_array_append_new(list, json_pack("{s:s, s:i, s:o*, s:o*}", "kind", MEASUREMENT_KIND[kind], "cpu",
                                                      (int)cpu, "a", of_a, "b", of_b));
        }
    return list;
}

/* ---- configuration: every value in one that is not the same in the other */

static char *value_text(const json_t *value)
{
    if (json_is_string(value))
        return must_strdup(json_string_value(value));
    if (!value || json_is_null(value))
        return must_strdup("-");
    return json_is_object(value) || json_is_array(value) || json_is_integer(value) || json_is_boolean(value)
               ? json_to_text(value)
               : must_strdup("?");
}

static void add_differences(json_t *list, const char *prefix, const json_t *a, const json_t *b);

static void add_difference(json_t *list, const char *prefix, const char *key, const json_t *a, const json_t *b)
{
    auto_free char *name = must_format("%s%s%s", prefix, prefix[0] ? "." : "", key);
    if (json_is_object(a) && json_is_object(b)) {
        add_differences(list, name, a, b);
        return;
    }
    auto_free char *of_a = value_text(a);
    auto_free char *of_b = value_text(b);
    if (strcmp(of_a, of_b) != 0)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "what", name, "a", of_a, "b", of_b));
}

static void add_differences(json_t *list, const char *prefix, const json_t *a,
                            const json_t *b) // NOLINT(misc-no-recursion)
{
    void *at;
    for (at = json_object_iter((json_t *)a); at; at = json_object_iter_next((json_t *)a, at))
        add_difference(list, prefix, json_object_iter_key(at), json_object_iter_value(at),
                       json_object_get(b, json_object_iter_key(at)));
    for (at = json_object_iter((json_t *)b); at; at = json_object_iter_next((json_t *)b, at))
        if (!json_object_get(a, json_object_iter_key(at)))
            add_difference(list, prefix, json_object_iter_key(at), NULL, json_object_iter_value(at));
}

json_t *compare_runs(const struct run *a, const struct run *b)
{
    static const char *const CONFIGURATION[] = {"target",      "kind",    "durationMs",  "load", "loadCpus",
                                                "cpus",        "rtvmd",   "scheduling",  "host", "knobs",
                                                "vm.metadata", "vm.spec", "vm.placement"};
    json_t *tails = json_array();
    json_t *differences = json_array();
    for (unsigned kind = 0; kind < MEASUREMENT_KINDS; kind++) {
        add_tail(tails, a, b, (enum measurement_kind)kind, false);
        if (kind == MEASUREMENT_GAPS)
            add_tail(tails, a, b, MEASUREMENT_GAPS, true);
    }
    for (size_t i = 0; i < ARRAY_SIZE(CONFIGURATION); i++)
        add_difference(differences, "", CONFIGURATION[i], json_at(a->document, CONFIGURATION[i]),
                       json_at(b->document, CONFIGURATION[i]));
    return json_pack("{s:s, s:s, s:o, s:o, s:o}", "a", json_text_at(a->document, "name", ""), "b",
                     json_text_at(b->document, "name", ""), "tails", tails, "cpus", cpus_json(a, b), "differences",
                     differences);
}

/* ---- for people */

static void write_tail(const json_t *tail, struct text *out)
{
    bool lost = strcmp(json_text_at(tail, "what", ""), "lostPpm") == 0;
    double scale = lost ? 1e4 : 1e3;
    text_printf(out, "%s, %s: ", json_text_at(tail, "kind", ""), lost ? "time lost" : "worst of a block");
    if (!json_bool_at(tail, "known", false)) {
        text_printf(out, "too few blocks of time to tell; want %d on both sides\n", COMPARE_BLOCKS_MIN);
        return;
    }
    text_printf(out, "B minus A %+.3f %s (99 %% between %+.3f and %+.3f): %s\n",
                (double)json_int_at(tail, "difference", 0) / scale, lost ? "%" : "µs",
                (double)json_int_at(tail, "low", 0) / scale, (double)json_int_at(tail, "high", 0) / scale,
                json_bool_at(tail, "real", false) ? "real" : "within noise");
}

static void write_cpus(const json_t *cpus, struct text *out)
{
    static const char *const HEAD[] = {
        "CPU", "KIND", "MAX A", "MAX B", "P99.99 A", "P99.99 B", "BY TIME P99.99 A", "BY TIME P99.99 B"};
    static const char *const PATH[] = {"a.maxNs",   "b.maxNs",         "a.p9999Ns",
                                       "b.p9999Ns", "a.byTimeP9999Ns", "b.byTimeP9999Ns"};
    struct text_table table = {.columns = ARRAY_SIZE(HEAD)};
    size_t i;
    json_t *cpu;
    for (i = 0; i < ARRAY_SIZE(HEAD); i++)
        text_table_cell(&table, "%s", HEAD[i]);
    json_array_foreach(cpus, i, cpu)
    {
        text_table_cell(&table, "%lld", (long long)json_int_at(cpu, "cpu", 0));
        text_table_cell(&table, "%s", json_text_at(cpu, "kind", ""));
        for (size_t p = 0; p < ARRAY_SIZE(PATH); p++) {
            struct ns_text text;
            int64_t ns = json_int_at(cpu, PATH[p], -1);
            text_table_cell(&table, "%s", ns < 0 ? "-" : ns_format((uint64_t)ns, &text));
        }
    }
    text_table_write(&table, out);
}

void compare_write(const json_t *comparison, struct text *out)
{
    size_t i;
    json_t *item;
    text_printf(out, "A: %s\nB: %s\n\n", json_text_at(comparison, "a", ""), json_text_at(comparison, "b", ""));
    write_cpus(json_object_get(comparison, "cpus"), out);
    text_append(out, "\n");
    json_array_foreach(json_object_get(comparison, "tails"), i, item)
    {
        write_tail(item, out);
    }
    const json_t *differences = json_object_get(comparison, "differences");
    text_printf(out, "\n%s\n", json_array_size(differences) ? "What was different:" : "Same configuration.");
    json_array_foreach(differences, i, item)
    {
        text_printf(out, "  %s: %s -> %s\n", json_text_at(item, "what", ""), json_text_at(item, "a", ""),
                    json_text_at(item, "b", ""));
    }
}
