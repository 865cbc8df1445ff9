/* rtvmd latency list, show, compare: stored runs for people. */
#include <stdio.h>
#include <string.h>

#include "rtvmd/verb_latency.h"
#include "runtime/latency/compare.h"
#include "runtime/latency/run_files.h"

enum { DISTURBERS_SHOWN = 8 };

static void write_measurements(const struct run *run, struct text *out)
{
    static const char *const HEAD[] = {"CPU", "KIND", "MIN", "P50", "P99.99", "P99.99 BY TIME", "MAX", "OVER", "LOST"};
    struct text_table table = {.columns = ARRAY_SIZE(HEAD)};
    for (size_t i = 0; i < ARRAY_SIZE(HEAD); i++)
        text_table_cell(&table, "%s", HEAD[i]);
    for (size_t i = 0; i < run->measurements.count; i++) {
        const struct measurement *m = &run->measurements.at[i];
        const struct histogram *h = &m->histogram;
        struct ns_text text;
        const uint64_t values[] = {h->min_ns, histogram_percentile_ns(h, 500000, false),
                                   histogram_percentile_ns(h, HISTOGRAM_TAIL_PPM, false),
                                   histogram_percentile_ns(h, HISTOGRAM_TAIL_PPM, true), h->max_ns};
        bool gaps = m->kind == MEASUREMENT_GAPS;
        text_table_cell(&table, "%u", m->cpu);
        text_table_cell(&table, "%s", MEASUREMENT_KIND[m->kind]);
        for (size_t v = 0; v < ARRAY_SIZE(values); v++)
            text_table_cell(&table, "%s", ns_format(values[v], &text));
        text_table_cell(&table, gaps ? "%llu" : "-", (unsigned long long)h->over);
        if (gaps && m->measured_ns > 0)
            text_table_cell(&table, "%.3f %%", 100.0 * (double)h->lost_ns / (double)m->measured_ns);
        else
            text_table_cell(&table, "-");
    }
    text_table_write(&table, out);
}

static void write_disturbers(const json_t *list, const char *title, const char *name, const char *what,
                             struct text *out)
{
    size_t i;
    json_t *item;
    if (json_array_size(list) == 0)
        return;
    text_printf(out, "\n%s:\n", title);
    json_array_foreach(list, i, item)
    {
        if (i == DISTURBERS_SHOWN) {
            text_printf(out, "  … %zu more with -o json\n", json_array_size(list) - i);
            return;
        }
        text_printf(out, "  CPU %lld: %lld times %s %s%s\n", (long long)json_int_at(item, "cpu", 0),
                    (long long)json_int_at(item, "count", 0), json_text_at(item, name, ""),
                    what ? json_text_at(item, what, "") : "",
                    json_bool_at(item, "own", false) ? "(of the VM itself)" : "");
    }
}

/* Shares of the time and worst cases; the VM's own threads are not noise. */
static void write_noise(const json_t *noise, struct text *out)
{
    static const char *const HEAD[] = {"CPU", "WHAT", "WHO", "TIMES", "ALTOGETHER", "LONGEST"};
    struct text_table table = {.columns = ARRAY_SIZE(HEAD)};
    const json_t *sources = json_object_get(noise, "sources");
    size_t i;
    size_t shown = 0;
    json_t *item;
    for (i = 0; i < ARRAY_SIZE(HEAD); i++)
        text_table_cell(&table, "%s", HEAD[i]);
    json_array_foreach(sources, i, item)
    {
        struct ns_text total;
        struct ns_text max;
        if (json_bool_at(item, "own", false) || shown++ >= DISTURBERS_SHOWN)
            continue;
        text_table_cell(&table, "%lld", (long long)json_int_at(item, "cpu", 0));
        text_table_cell(&table, "%s", json_text_at(item, "kind", ""));
        text_table_cell(&table, "%s:%lld", json_text_at(item, "name", ""), (long long)json_int_at(item, "id", 0));
        text_table_cell(&table, "%lld", (long long)json_int_at(item, "count", 0));
        text_table_cell(&table, "%s", ns_format((uint64_t)json_int_at(item, "totalNs", 0), &total));
        text_table_cell(&table, "%s", ns_format((uint64_t)json_int_at(item, "maxNs", 0), &max));
    }
    text_append(out, "\nWho took the CPU for how long (osnoise tracer):\n");
    text_table_write(&table, out);
    if (shown > DISTURBERS_SHOWN)
        text_printf(out, "… %zu more with -o json\n", shown - DISTURBERS_SHOWN);
    if (json_int_at(noise, "lost", 0) > 0)
        text_printf(out, "%lld events were lost: there was more\n", (long long)json_int_at(noise, "lost", 0));
}

void latency_write_disturbance(const json_t *disturbance, struct text *out)
{
    const json_t *noise = json_object_get(disturbance, "noise");
    if (json_text_at(noise, "because", NULL))
        text_printf(out, "\nCounters only: %s\n", json_text_at(noise, "because", ""));
    else if (noise)
        write_noise(noise, out);
    write_disturbers(json_object_get(disturbance, "interrupts"), "Interrupts meanwhile", "source", "what", out);
    write_disturbers(json_object_get(disturbance, "threads"),
                     "Threads switched in meanwhile (on the CPU they ran on last)", "name", NULL, out);
}

void latency_write(const struct run *run, struct text *out)
{
    const json_t *d = run->document;
    auto_free char *verdict = run_verdict_text(d);
    struct ns_text max;
    text_printf(out, "Run:      %s, %s\n", json_text_at(d, "name", ""), json_text_at(d, "time", ""));
    text_printf(out, "Target:   %s, CPUs %s, %s for %.1f s as %s\n", json_text_at(d, "target", ""),
                json_text_at(d, "cpus", ""), json_text_at(d, "kind", ""),
                (double)json_int_at(d, "durationMs", 0) / 1000, json_text_at(d, "scheduling", ""));
    if (json_bool_at(d, "load", false))
        text_printf(out, "Load:     on CPUs %s\n", json_text_at(d, "loadCpus", ""));
    else
        text_append(out, "Load:     none\n");
    text_printf(out, "Kernel:   %s\n", json_text_at(d, "host.kernel.release", ""));
    text_printf(out, "Verdict:  %s; worst %s (gold 20 µs, silver 40 µs, bronze 100 µs)\n\n", verdict,
                ns_format((uint64_t)json_int_at(d, "verdict.maxNs", 0), &max));
    write_measurements(run, out);
    latency_write_disturbance(json_at(d, "disturbance"), out);
}

static void add_row(struct text_table *table, const char *name, const json_t *run)
{
    struct ns_text max;
    auto_free char *verdict = run_verdict_text(run);
    text_table_cell(table, "%s", name);
    text_table_cell(table, "%s", json_text_at(run, "time", ""));
    text_table_cell(table, "%s", json_text_at(run, "target", ""));
    text_table_cell(table, "%s", json_text_at(run, "kind", ""));
    text_table_cell(table, "%s", json_text_at(run, "cpus", ""));
    text_table_cell(table, "%.1f s", (double)json_int_at(run, "durationMs", 0) / 1000);
    text_table_cell(table, "%s", ns_format((uint64_t)json_int_at(run, "verdict.maxNs", 0), &max));
    text_table_cell(table, "%s", verdict);
}

static int list_runs(const char *state_dir)
{
    static const char *const HEAD[] = {"NAME", "TIME", "TARGET", "KIND", "CPUS", "DURATION", "MAX", "VERDICT"};
    auto_free char *folder = latency_folder(state_dir);
    char **names = run_files_list(folder);
    struct text_table table = {.columns = ARRAY_SIZE(HEAD)};
    int status = 0;
    for (size_t i = 0; i < ARRAY_SIZE(HEAD); i++)
        text_table_cell(&table, "%s", HEAD[i]);
    for (size_t i = 0; names[i]; i++) {
        struct error err;
        auto_json *run = run_files_get(folder, names[i], &err);
        if (run)
            add_row(&table, names[i], run);
        else
            status = verb_fail("latency list", &err);
    }
    run_files_list_free(names);
    auto_text out = {0};
    text_table_write(&table, &out);
    fputs(text_cstr(&out), stdout);
    return status;
}

int latency_list(int argc, char **argv)
{
    const char *state_dir = NULL;
    const struct verb_option options[] = {LATENCY_STATE_OPTION(state_dir)};
    struct error err;
    int positional;
    bool done;
    if (verb_options("latency", argc, argv, options, ARRAY_SIZE(options), &positional, &done, &err) < 0)
        return verb_fail("latency list", &err);
    return done ? 0 : list_runs(state_dir);
}

static int show(const char *state_dir, const char *name, bool json, struct error *err)
{
    auto_free char *folder = latency_folder(state_dir);
    auto_json *document = run_files_get(folder, name, err);
    auto_run run = {0};
    if (!document || run_read(document, &run, err) < 0)
        return -1;
    auto_text out = {0};
    if (json)
        json_write_pretty(document, &out);
    else
        latency_write(&run, &out);
    fputs(text_cstr(&out), stdout);
    return 0;
}

int latency_show(int argc, char **argv)
{
    const char *state_dir = NULL;
    const char *output = "";
    const struct verb_option options[] = {
        {.letter = 'o', .name = "output", .value = "FORMAT", .text = &output, .help = "json"},
        LATENCY_STATE_OPTION(state_dir),
    };
    struct error err;
    int positional;
    bool done;
    if (verb_options("latency", argc, argv, options, ARRAY_SIZE(options), &positional, &done, &err) < 0)
        return verb_fail("latency show", &err);
    if (done)
        return 0;
    if (positional != 1 || (output[0] && strcmp(output, "json") != 0)) {
        fail(&err, ERROR_BAD_REQUEST, "want rtvmd latency show NAME [-o json]");
        return verb_fail("latency show", &err);
    }
    return show(state_dir, argv[0], output[0] != '\0', &err) < 0 ? verb_fail("latency show", &err) : 0;
}

static int compare(const char *state_dir, char *const names[2], bool json, struct error *err)
{
    auto_free char *folder = latency_folder(state_dir);
    auto_json *document_a = run_files_get(folder, names[0], err);
    auto_json *document_b = document_a ? run_files_get(folder, names[1], err) : NULL;
    auto_run a = {0};
    auto_run b = {0};
    if (!document_b || run_read(document_a, &a, err) < 0 || run_read(document_b, &b, err) < 0)
        return -1;
    auto_json *comparison = compare_runs(&a, &b);
    auto_text out = {0};
    if (json)
        json_write_pretty(comparison, &out);
    else
        compare_write(comparison, &out);
    fputs(text_cstr(&out), stdout);
    return 0;
}

int latency_compare(int argc, char **argv)
{
    const char *state_dir = NULL;
    const char *output = "";
    const struct verb_option options[] = {
        {.letter = 'o', .name = "output", .value = "FORMAT", .text = &output, .help = "json"},
        LATENCY_STATE_OPTION(state_dir),
    };
    struct error err;
    int positional;
    bool done;
    if (verb_options("latency", argc, argv, options, ARRAY_SIZE(options), &positional, &done, &err) < 0)
        return verb_fail("latency compare", &err);
    if (done)
        return 0;
    if (positional != 2 || (output[0] && strcmp(output, "json") != 0)) {
        fail(&err, ERROR_BAD_REQUEST, "want rtvmd latency compare A B [-o json]");
        return verb_fail("latency compare", &err);
    }
    return compare(state_dir, argv, output[0] != '\0', &err) < 0 ? verb_fail("latency compare", &err) : 0;
}
