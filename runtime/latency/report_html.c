#include "runtime/latency/report_html.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/latency/compare.h"
#include "runtime/latency/report_chart.h"

static const char STYLE[] =
    ":root{color-scheme:light dark;--page:#f6f6f3;--card:#fcfcfb;--ink:#0b0b0b;--soft:#52514e;--faint:#898781;"
    "--line:#e1e0d9;--axis:#c3c2b7;--one:#2a78d6;--two:#eb6834;--bad:#d03b3b;--edge:rgba(11,11,11,.1)}"
    "@media(prefers-color-scheme:dark){:root{--page:#0d0d0d;--card:#1a1a19;--ink:#fff;--soft:#c3c2b7;--line:#2c2c2a;"
    "--axis:#383835;--one:#3987e5;--two:#d95926;--bad:#e66767;--edge:rgba(255,255,255,.1)}}"
    "*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);"
    "font:15px/1.5 system-ui,-apple-system,\"Segoe UI\",sans-serif}"
    "main{max-width:1240px;margin:0 auto;padding:32px 20px 64px}h1{font-size:26px;line-height:1.2;margin:0 0 6px}"
    "h2{font-size:18px;margin:40px 0 4px}h3{font-size:15px;margin:0}p{margin:0 0 12px;color:var(--soft)}"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(180px,1fr));gap:12px;margin:24px 0}"
    ".tile,.card{background:var(--card);border:1px solid var(--edge);border-radius:10px;padding:14px 16px}"
    ".tile span{display:block;color:var(--soft);font-size:13px}.tile b{font-size:24px;font-weight:600}"
    ".cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,460px),1fr));gap:14px;margin-top:12px}"
    ".numbers{color:var(--soft);font-size:13px;margin:0 0 6px}svg{display:block;width:100%;height:auto}"
    "svg text{fill:var(--faint);font-size:11px;font-variant-numeric:tabular-nums}.b{fill:var(--one)}"
    ".b:hover{opacity:.7}.a{fill:none;stroke:var(--two);stroke-width:2}.grid{stroke:var(--line)}"
    ".axis{stroke:var(--axis)}.gate{stroke:var(--bad);stroke-width:1.5}svg .gate-text{fill:var(--bad)}"
    ".limit{stroke:var(--faint);stroke-dasharray:3 3}.key{display:inline-block;width:12px;height:12px;"
    "border-radius:3px;margin:0 6px 0 14px;vertical-align:-1px}.key:first-child{margin-left:0}.one{background:var(--one)}"
    ".two{height:3px;vertical-align:4px;background:var(--two)}"
    "table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}"
    "th,td{text-align:left;padding:5px 14px 5px 0;border-bottom:1px solid var(--line);vertical-align:top;"
    "overflow-wrap:anywhere}th{color:var(--soft);font-weight:500}.n{text-align:right}.wide{overflow-x:auto}"
    "details{margin-top:14px}summary{cursor:pointer;color:var(--soft)}pre{overflow:auto;font-size:12.5px}"
    "@media print{body{background:none}.card{break-inside:avoid}}";

static void escape(struct text *out, const char *value)
{
    for (; *value; value++) {
        const char *as = *value == '&' ? "&amp;" : *value == '<' ? "&lt;" : *value == '>' ? "&gt;" : NULL;
        as = *value == '"' ? "&quot;" : *value == '\'' ? "&#39;" : as;
        if (as)
            text_append(out, as);
        else
            text_append_n(out, value, 1);
    }
}

static void cell(struct text *out, const char *value)
{
    text_append(out, "<td>");
    escape(out, value);
    text_append(out, "</td>");
}

static void number(struct text *out, const char *value)
{
    text_printf(out, "<td class=\"n\">%s</td>", value);
}

/* ---- the head */

static void tile(struct text *out, const char *what, const char *value)
{
    text_printf(out, "<div class=\"tile\"><span>%s</span><b>", what);
    escape(out, value);
    text_append(out, "</b></div>");
}

static void write_tiles(const struct run *run, struct text *out)
{
    uint64_t tail = 0;
    double lost = -1;
    struct ns_text text;
    for (size_t i = 0; i < run->measurements.count; i++) {
        const struct measurement *m = &run->measurements.at[i];
        bool gaps = m->kind == MEASUREMENT_GAPS && m->measured_ns > 0;
        uint64_t by_time = histogram_percentile_ns(&m->histogram, HISTOGRAM_TAIL_PPM, true);
        double share = gaps ? 100.0 * (double)m->histogram.lost_ns / (double)m->measured_ns : -1;
        tail = gaps && by_time > tail ? by_time : tail;
        lost = share > lost ? share : lost;
    }
    auto_free char *verdict = run_verdict_text(run->document);
    text_append(out, "<div class=\"tiles\">");
    tile(out, "Verdict", verdict);
    tile(out, "Worst value", ns_format((uint64_t)json_int_at(run->document, "verdict.maxNs", 0), &text));
    if (lost >= 0) {
        auto_free char *share = must_format("%.3f %%", lost);
        tile(out, "Gaps: 99.99 % of the time, worst CPU", ns_format(tail, &text));
        tile(out, "Gaps: time lost, worst CPU", share);
    }
    text_append(out, "</div>\n");
}

static void write_head(const struct run *run, const struct run *against, struct text *out)
{
    const json_t *d = run->document;
    text_append(out, "<h1>Latency of ");
    escape(out, json_text_at(d, "target", ""));
    text_append(out, "</h1><p>Run ");
    escape(out, json_text_at(d, "name", ""));
    text_append(out, ", ");
    escape(out, json_text_at(d, "time", ""));
    text_printf(out, ": %.1f s on CPUs ", (double)json_int_at(d, "durationMs", 0) / 1000);
    escape(out, json_text_at(d, "cpus", ""));
    text_append(out, " as ");
    escape(out, json_text_at(d, "scheduling", ""));
    text_append(out, json_bool_at(d, "load", false) ? ", with load on CPUs " : ", without load");
    escape(out, json_text_at(d, "loadCpus", ""));
    text_append(out, ". Kernel ");
    escape(out, json_text_at(d, "host.kernel.release", "unknown"));
    text_append(out, ".</p>\n");
    if (against) {
        text_append(out, "<p><i class=\"key one\"></i>A: ");
        escape(out, json_text_at(d, "name", "A"));
        text_append(out, "<i class=\"key two\"></i>B: ");
        escape(out, json_text_at(against->document, "name", "B"));
        text_append(out, "</p>\n");
    }
    write_tiles(run, out);
}

/* ---- measurements */

static const struct measurement *same_cpu(const struct run *run, const struct measurement *m)
{
    for (size_t i = 0; run && i < run->measurements.count; i++)
        if (run->measurements.at[i].kind == m->kind && run->measurements.at[i].cpu == m->cpu)
            return &run->measurements.at[i];
    return NULL;
}

static void write_card(const struct measurement *m, const struct measurement *against,
                       const struct chart_limits *limits, struct text *out)
{
    struct ns_text max;
    struct ns_text tail;
    text_printf(out, "<div class=\"card\"><h3>CPU %u</h3><p class=\"numbers\">max %s, 99.99 %% %s", m->cpu,
                ns_format(m->histogram.max_ns, &max),
                ns_format(histogram_percentile_ns(&m->histogram, HISTOGRAM_TAIL_PPM, false), &tail));
    if (m->kind == MEASUREMENT_GAPS && m->measured_ns > 0)
        text_printf(out, ", by time %s, lost %.3f %%",
                    ns_format(histogram_percentile_ns(&m->histogram, HISTOGRAM_TAIL_PPM, true), &tail),
                    100.0 * (double)m->histogram.lost_ns / (double)m->measured_ns);
    text_append(out, "</p>\n");
    chart_histogram(m, against, limits, out);
    chart_blocks(m, limits, out);
    text_append(out, "</div>\n");
}

static void write_kind(const struct run *run, const struct run *against, enum measurement_kind kind, uint64_t gate_ns,
                       struct text *out)
{
    static const char *const TITLE[] = {"Timer: how late a sleeping thread woke",
                                        "Gaps: how long a running thread was kept from running"};
    struct chart_limits limits =
        chart_limits_of(&run->measurements, against ? &against->measurements : NULL, kind, gate_ns);
    bool any = false;
    for (size_t i = 0; i < run->measurements.count; i++) {
        const struct measurement *m = &run->measurements.at[i];
        if (m->kind != kind)
            continue;
        if (!any)
            text_printf(
                out,
                "<h2>%s</h2><p>Above, how often each duration was seen; below, the worst of each piece of time. "
                "All axes but time are logarithmic.</p><div class=\"cards\">\n",
                TITLE[kind]);
        any = true;
        write_card(m, same_cpu(against, m), &limits, out);
    }
    if (any)
        text_append(out, "</div>\n");
}

static void write_table(const struct run *run, struct text *out)
{
    struct ns_text text;
    text_append(out, "<h2>Numbers</h2><div class=\"card wide\"><table><tr><th>CPU</th><th>Kind</th><th "
                     "class=\"n\">Values</th><th class=\"n\">Min</th>");
    for (size_t r = 0; r < HISTOGRAM_RANKS; r++)
        text_printf(out, "<th class=\"n\">%s %%</th>", HISTOGRAM_RANK[r].label);
    text_append(out, "<th class=\"n\">99.99 % by time</th><th class=\"n\">Max</th></tr>\n");
    for (size_t i = 0; i < run->measurements.count; i++) {
        const struct measurement *m = &run->measurements.at[i];
        const struct histogram *h = &m->histogram;
        text_printf(out, "<tr><td>%u</td><td>%s</td><td class=\"n\">%llu</td>", m->cpu, MEASUREMENT_KIND[m->kind],
                    (unsigned long long)h->count);
        number(out, ns_format(h->min_ns, &text));
        for (size_t r = 0; r < HISTOGRAM_RANKS; r++)
            number(out, ns_format(histogram_percentile_ns(h, HISTOGRAM_RANK[r].ppm, false), &text));
        number(out, ns_format(histogram_percentile_ns(h, HISTOGRAM_TAIL_PPM, true), &text));
        number(out, ns_format(h->max_ns, &text));
        text_append(out, "</tr>\n");
    }
    text_append(out, "</table></div>\n");
}

/* ---- what was around it */

static void write_disturbers(const json_t *list, const char *title, const char *name, const char *what,
                             struct text *out)
{
    size_t i;
    json_t *item;
    if (json_array_size(list) == 0)
        return;
    text_printf(out,
                "<div class=\"card\"><h3>%s</h3><table><tr><th>CPU</th><th>Source</th><th class=\"n\">Times</th></tr>",
                title);
    json_array_foreach(list, i, item)
    {
        auto_free char *source =
            must_format("%s %s", json_text_at(item, name, ""), what ? json_text_at(item, what, "") : "");
        text_printf(out, "<tr><td>%lld</td>", (long long)json_int_at(item, "cpu", 0));
        cell(out, source);
        text_printf(out, "<td class=\"n\">%lld</td></tr>\n", (long long)json_int_at(item, "count", 0));
    }
    text_append(out, "</table></div>\n");
}

static void write_noise(const json_t *sources, struct text *out)
{
    size_t i;
    json_t *item;
    if (json_array_size(sources) == 0)
        return;
    text_append(out,
                "<div class=\"card\"><h3>Who took the CPU (osnoise tracer)</h3><table><tr><th>CPU</th><th>Source</th>"
                "<th class=\"n\">Times</th><th class=\"n\">Altogether</th><th class=\"n\">Longest</th></tr>");
    json_array_foreach(sources, i, item)
    {
        struct ns_text text;
        if (json_bool_at(item, "own", false))
            continue;
        auto_free char *source = must_format("%s %s:%lld", json_text_at(item, "kind", ""),
                                             json_text_at(item, "name", ""), (long long)json_int_at(item, "id", 0));
        text_printf(out, "<tr><td>%lld</td>", (long long)json_int_at(item, "cpu", 0));
        cell(out, source);
        text_printf(out, "<td class=\"n\">%lld</td>", (long long)json_int_at(item, "count", 0));
        number(out, ns_format((uint64_t)json_int_at(item, "totalNs", 0), &text));
        number(out, ns_format((uint64_t)json_int_at(item, "maxNs", 0), &text));
        text_append(out, "</tr>\n");
    }
    text_append(out, "</table></div>\n");
}

static void write_disturbance(const json_t *disturbance, struct text *out)
{
    if (!disturbance)
        return;
    text_append(out, "<h2>Who disturbed meanwhile</h2><div class=\"cards\">\n");
    write_noise(json_at(disturbance, "noise.sources"), out);
    write_disturbers(json_object_get(disturbance, "interrupts"), "Interrupts", "source", "what", out);
    write_disturbers(json_object_get(disturbance, "threads"), "Threads switched in", "name", NULL, out);
    text_append(out, "</div>\n");
}

static void write_comparison(const struct run *run, const struct run *against, struct text *out)
{
    auto_json *comparison = compare_runs(run, against);
    size_t i;
    json_t *item;
    text_append(out,
                "<h2>The two runs compared</h2><div class=\"card\"><table><tr><th>Tail</th><th class=\"n\">B minus "
                "A</th><th class=\"n\">99 % between</th><th>Verdict</th></tr>\n");
    json_array_foreach(json_object_get(comparison, "tails"), i, item)
    {
        bool lost = strcmp(json_text_at(item, "what", ""), "lostPpm") == 0;
        double scale = lost ? 1e4 : 1e3;
        const char *unit = lost ? "%" : "µs";
        text_printf(out, "<tr><td>%s, %s</td>", json_text_at(item, "kind", ""),
                    lost ? "time lost" : "worst of a piece of time");
        text_printf(out, "<td class=\"n\">%+.3f %s</td><td class=\"n\">%+.3f to %+.3f %s</td><td>%s</td></tr>\n",
                    (double)json_int_at(item, "difference", 0) / scale, unit,
                    (double)json_int_at(item, "low", 0) / scale, (double)json_int_at(item, "high", 0) / scale, unit,
                    !json_bool_at(item, "known", false) ? "too little to tell"
                    : json_bool_at(item, "real", false) ? "real"
                                                        : "within noise");
    }
    text_append(out, "</table></div>\n<div class=\"card\" style=\"margin-top:14px\"><h3>What was different</h3><table>"
                     "<tr><th>What</th><th>A</th><th>B</th></tr>\n");
    json_array_foreach(json_object_get(comparison, "differences"), i, item)
    {
        text_append(out, "<tr>");
        cell(out, json_text_at(item, "what", ""));
        cell(out, json_text_at(item, "a", ""));
        cell(out, json_text_at(item, "b", ""));
        text_append(out, "</tr>\n");
    }
    text_append(out, "</table></div>\n");
}

static void write_facts(const json_t *facts, const char *title, struct text *out)
{
    const char *key;
    json_t *value;
    if (json_object_size(facts) == 0)
        return;
    text_printf(out, "<details><summary>%s (%zu)</summary><div class=\"card\"><table>\n", title,
                json_object_size(facts));
    json_object_foreach((json_t *)facts, key, value)
    {
        auto_free char *text = json_is_string(value) ? must_strdup(json_string_value(value)) : json_to_text(value);
        text_append(out, "<tr>");
        cell(out, key);
        cell(out, text);
        text_append(out, "</tr>\n");
    }
    text_append(out, "</table></div></details>\n");
}

static void write_vm(const json_t *vm, struct text *out)
{
    auto_text pretty = {0};
    if (!vm)
        return;
    json_write_pretty(vm, &pretty);
    text_append(out, "<details><summary>Virtual machine and placement</summary><div class=\"card\"><pre>");
    escape(out, text_cstr(&pretty));
    text_append(out, "</pre></div></details>\n");
}

void report_html(const struct run *run, const struct run *against, uint64_t gate_ns, struct text *out)
{
    const json_t *d = run->document;
    text_append(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
                     "content=\"width=device-width,initial-scale=1\"><title>Latency of ");
    escape(out, json_text_at(d, "target", ""));
    text_printf(out, "</title><style>%s</style></head><body><main>\n", STYLE);
    write_head(run, against, out);
    for (unsigned kind = 0; kind < MEASUREMENT_KINDS; kind++)
        write_kind(run, against, (enum measurement_kind)kind, gate_ns, out);
    if (against)
        write_comparison(run, against, out);
    write_table(run, out);
    write_disturbance(json_object_get(d, "disturbance"), out);
    text_append(out, "<h2>The machine</h2>\n");
    write_facts(json_object_get(d, "host"), "Host", out);
    write_facts(json_object_get(d, "knobs"), "Knobs as the doctor found them", out);
    write_vm(json_object_get(d, "vm"), out);
    text_append(out, "</main></body></html>\n");
}
