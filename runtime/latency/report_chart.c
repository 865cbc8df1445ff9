#include "runtime/latency/report_chart.h"

#include <stdio.h>

#include "runtime/latency/run.h"

/* In pixels of the view box; the page scales it. */
enum { WIDTH = 560, HEIGHT = 230, LEFT = 44, RIGHT = 14, TOP = 22, BOTTOM = 26, STRIP_HEIGHT = 92, STRIP_TOP = 8 };
enum { Y_LABELS = 6, DECADES_MAX = 15 };

static const uint64_t GRADE_NS[] = {RUN_GOLD_NS, RUN_SILVER_NS, RUN_BRONZE_NS};

/* No math library for this: linear within each octave is within 9 % of the truth in the worst place; so is the eye. */
static double log2_of(double value)
{
    double whole = 0;
    while (value >= 2) {
        value /= 2;
        whole++;
    }
    while (value < 1) {
        value *= 2;
        whole--;
    }
    double t = value - 1; /* ln(1 + t) / ln 2 by a rational approximation, good to 1e-3 */
    return whole + t * (6 + 3 * t) / (6 + 6 * t + t * t) * 1.442695;
}

static double log10_of(double value)
{
    return value > 0 ? log2_of(value) * 0.30103 : 0;
}

static uint64_t decade_below(uint64_t ns)
{
    uint64_t decade = 1;
    while (decade * 10 <= ns)
        decade *= 10;
    return decade;
}

static void widen(const struct measurements *all, enum measurement_kind kind, uint64_t *from, uint64_t *to)
{
    for (size_t i = 0; all && i < all->count; i++) {
        const struct histogram *h = &all->at[i].histogram;
        if (all->at[i].kind != kind || h->count == 0)
            continue;
        if (h->min_ns < *from)
            *from = h->min_ns ? h->min_ns : 1;
        if (h->max_ns > *to)
            *to = h->max_ns;
    }
}

struct chart_limits chart_limits_of(const struct measurements *measurements, const struct measurements *against,
                                    enum measurement_kind kind, uint64_t gate_ns)
{
    uint64_t from = 1000;
    uint64_t to = gate_ns ? gate_ns : RUN_BRONZE_NS;
    widen(measurements, kind, &from, &to);
    widen(against, kind, &from, &to);
    uint64_t end = decade_below(to);
    return (struct chart_limits){.gate_ns = gate_ns, .from_ns = decade_below(from), .to_ns = end * 10};
}

static double x_of(const struct chart_limits *limits, double ns)
{
    double from = log10_of((double)limits->from_ns);
    double span = log10_of((double)limits->to_ns) - from;
    double at = ns > (double)limits->from_ns ? (log10_of(ns) - from) / span : 0;
    return LEFT + (at < 1 ? at : 1) * (WIDTH - LEFT - RIGHT);
}

/* One is seen: the axis begins half a decade below it. */
static double y_of(double count, double top_decade)
{
    double at = count > 0 ? (log10_of(count) + 0.5) / (top_decade + 0.5) : 0;
    return HEIGHT - BOTTOM - at * (HEIGHT - BOTTOM - TOP);
}

static const char *decade_text(uint64_t ns, struct ns_text *text)
{
    static const struct {
        uint64_t ns;
        const char *unit;
    } UNITS[] = {{1000000000, "s"}, {1000000, "ms"}, {1000, "µs"}, {1, "ns"}};
    size_t i = 0;
    while (ns < UNITS[i].ns)
        i++;
    snprintf(text->text, sizeof text->text, "%llu %s", (unsigned long long)(ns / UNITS[i].ns), UNITS[i].unit);
    return text->text;
}

static void write_line(const char *class, double x1, double y1, double x2, double y2, struct text *out)
{
    text_printf(out, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", class, x1, y1, x2, y2);
}

static void write_x_axis(const struct chart_limits *limits, double bottom, struct text *out)
{
    struct ns_text text;
    for (uint64_t ns = limits->from_ns; ns <= limits->to_ns; ns *= 10) {
        double x = x_of(limits, (double)ns);
        const char *anchor = ns == limits->to_ns ? "end" : "middle";
        write_line("grid", x, TOP, x, bottom, out);
        text_printf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>", x, bottom + 16, anchor,
                    decade_text(ns, &text));
    }
    write_line("axis", LEFT, bottom, WIDTH - RIGHT, bottom, out);
}

static void write_y_axis(unsigned decades, struct text *out)
{
    static const char *const LABEL[] = {"1",     "10",  "100",  "1 k",   "10 k", "100 k", "1 M",  "10 M",
                                        "100 M", "1 G", "10 G", "100 G", "1 T",  "10 T",  "100 T"};
    unsigned step = decades / Y_LABELS + 1;
    double count = 1;
    for (unsigned d = 0; d <= decades && d < ARRAY_SIZE(LABEL); d++, count *= 10) {
        if (d % step != 0)
            continue;
        double y = y_of(count, decades);
        write_line("grid", LEFT, y, WIDTH - RIGHT, y, out);
        text_printf(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>", LEFT - 6, y + 4, LABEL[d]);
    }
}

static void write_limits(const struct chart_limits *limits, struct text *out)
{
    static const char *const NAME[] = {"gold", "silver", "bronze"};
    struct ns_text text;
    double bottom = HEIGHT - BOTTOM;
    if (limits->gate_ns) {
        double x = x_of(limits, (double)limits->gate_ns);
        write_line("gate", x, TOP, x, bottom, out);
        text_printf(out, "<text class=\"gate-text\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">gate %s</text>", x,
                    TOP - 8, ns_format(limits->gate_ns, &text));
        return;
    }
    static const char *const ANCHOR[] = {"end", "middle", "start"};
    for (size_t i = 0; i < ARRAY_SIZE(GRADE_NS); i++) {
        double x = x_of(limits, (double)GRADE_NS[i]);
        write_line("limit", x, TOP, x, bottom, out);
        text_printf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%s</text>", x + ((double)i - 1) * 3, TOP - 8,
                    ANCHOR[i], NAME[i]);
    }
}

static uint64_t highest(const struct measurement *m)
{
    uint64_t most = 1;
    for (uint32_t b = 0; m && b < PROBE_BUCKETS; b++)
        if (m->histogram.bucket[b] > most)
            most = m->histogram.bucket[b];
    return most;
}

static void write_bars(const struct measurement *m, const struct chart_limits *limits, unsigned decades,
                       struct text *out)
{
    struct ns_text from_text;
    struct ns_text to_text;
    for (uint32_t b = 0; b + 1 < PROBE_BUCKETS; b++) {
        uint64_t count = m->histogram.bucket[b];
        if (count == 0)
            continue;
        uint64_t from = probe_bucket_floor(b);
        uint64_t to = probe_bucket_floor(b + 1);
        double x = x_of(limits, (double)from);
        double y = y_of((double)count, decades);
        double width = x_of(limits, (double)to) - x - 0.4;
        text_printf(out,
                    "<rect class=\"b\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>%s to %s: "
                    "%llu</title></rect>",
                    x, y, width > 1 ? width : 1, HEIGHT - BOTTOM - y, ns_format(from, &from_text),
                    ns_format(to, &to_text), (unsigned long long)count);
    }
}

/* Steps; back to the ground where nothing was seen. */
static void write_steps(const struct measurement *m, const struct chart_limits *limits, unsigned decades,
                        struct text *out)
{
    double ground = HEIGHT - BOTTOM;
    bool is_up = false;
    text_append(out, "<path class=\"a\" d=\"");
    for (uint32_t b = 0; b + 1 < PROBE_BUCKETS; b++) {
        uint64_t count = m->histogram.bucket[b];
        double x = x_of(limits, (double)probe_bucket_floor(b));
        if (count > 0 && !is_up)
            text_printf(out, "M%.1f %.1f", x, ground);
        if (count > 0)
            text_printf(out, "V%.1fH%.1f", y_of((double)count, decades),
                        x_of(limits, (double)probe_bucket_floor(b + 1)));
        else if (is_up)
            text_printf(out, "V%.1f", ground);
        is_up = count > 0;
    }
    text_append(out, "\"/>");
}

void chart_histogram(const struct measurement *m, const struct measurement *against, const struct chart_limits *limits,
                     struct text *out)
{
    uint64_t most = highest(m) > highest(against) ? highest(m) : highest(against);
    unsigned decades = 1;
    for (uint64_t top = 10; top < most && decades < DECADES_MAX; top *= 10)
        decades++;
    text_printf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"histogram of CPU %u\">", WIDTH, HEIGHT,
                m->cpu);
    write_y_axis(decades, out);
    write_x_axis(limits, HEIGHT - BOTTOM, out);
    write_bars(m, limits, decades, out);
    if (against)
        write_steps(against, limits, decades, out);
    write_limits(limits, out);
    text_append(out, "</svg>\n");
}

void chart_blocks(const struct measurement *m, const struct chart_limits *limits, struct text *out)
{
    if (m->block_count == 0)
        return;
    double bottom = STRIP_HEIGHT - 16;
    double from = log10_of((double)limits->from_ns);
    double span = log10_of((double)limits->to_ns) - from;
    double width = (double)(WIDTH - LEFT - RIGHT) / (double)m->block_count;
    struct ns_text text;
    text_printf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"worst value over time of CPU %u\">", WIDTH,
                STRIP_HEIGHT, m->cpu);
    for (uint64_t ns = limits->from_ns * 10; ns <= limits->to_ns; ns *= 100) {
        double y = bottom - (log10_of((double)ns) - from) / span * (bottom - STRIP_TOP);
        write_line("grid", LEFT, y, WIDTH - RIGHT, y, out);
        text_printf(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>", LEFT - 6, y + 4,
                    decade_text(ns, &text));
    }
    for (size_t i = 0; i < m->block_count; i++) {
        double ns = (double)m->block[i].max_ns;
        double high = ns > (double)limits->from_ns ? (log10_of(ns) - from) / span * (bottom - STRIP_TOP) : 0;
        text_printf(out,
                    "<rect class=\"b\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>%s</title></rect>",
                    LEFT + (double)i * width, bottom - high, width > 2 ? width - 1 : width, high,
                    ns_format(m->block[i].max_ns, &text));
    }
    write_line("axis", LEFT, bottom, WIDTH - RIGHT, bottom, out);
    text_printf(out,
                "<text x=\"%d\" y=\"%d\">start</text><text x=\"%d\" y=\"%d\" text-anchor=\"end\">%.1f s</text></svg>\n",
                LEFT, STRIP_HEIGHT - 2, WIDTH - RIGHT, STRIP_HEIGHT - 2, (double)m->measured_ns / 1e9);
}
