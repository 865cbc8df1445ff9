#include "runtime/latency/guest_tools.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/limits.h"
#include "rtvmd/base/text.h"

static const uint64_t NS_PER_US = 1000;
static const uint64_t NS_PER_S = 1000000000u;
static const uint64_t SUM_MAX_NS = INT64_MAX / 4; /* more time than any measurement has */
enum { VALUE_MAX_US = 1000000000 };               /* a gap of 1000 seconds */

/* ---- what a column of either output says of one vCPU */
struct column {
    struct histogram histogram;
    uint64_t shortest; /* values in oslat's first bucket, which ends at its threshold */
    uint64_t overflows;
    uint64_t min_us;
    uint64_t max_us;
    uint64_t measured_ns;
};

struct output {
    size_t count;
    struct column *column;
};

/* Moves *at behind blanks and one number of at most max. */
static bool read_number(const char **at, uint64_t max, uint64_t *ret_number)
{
    const char *end = text_number(*at + strspn(*at, " \t"), max, ret_number);
    if (end)
        *at = end;
    return end != NULL;
}

static int add_values(struct column *column, uint64_t us, uint64_t count, struct error *err)
{
    uint64_t ns = us * NS_PER_US;
    if (count > SUM_MAX_NS - column->histogram.count ||
        (count > 0 && ns > 0 && count > (SUM_MAX_NS - column->histogram.sum_ns) / ns))
        return fail(err, ERROR_INVALID, "more time than there was");
    histogram_add_many(&column->histogram, ns, count);
    return 0;
}

/* A number for each column, and nothing but `unit` behind them. */
static int read_row(const char *at, struct output *output, const char *unit, uint64_t max, uint64_t *ret_values,
                    struct error *err)
{
    for (size_t i = 0; i < output->count; i++)
        if (!read_number(&at, max, &ret_values[i]))
            return fail(err, ERROR_INVALID, "want %zu numbers a line", output->count);
    at += strspn(at, " \t\r");
    return strncmp(at, unit, strlen(unit)) == 0 && (unit[0] || *at == '\n' || *at == '\0')
               ? 0
               : fail(err, ERROR_INVALID, "want %zu numbers a line", output->count);
}

/* The text behind a word at the start of a line, or NULL. */
static const char *behind(const char *line, const char *word)
{
    line += strspn(line, " \t");
    return strncmp(line, word, strlen(word)) == 0 ? line + strlen(word) : NULL;
}

/* Which member of a column a line tells, for both tools. */
static const struct {
    const char *word;
    size_t offset;
} TOTALS[] = {
    {"# Min Latencies:", offsetof(struct column, min_us)},
    {"# Max Latencies:", offsetof(struct column, max_us)},
    {"# Histogram Overflows:", offsetof(struct column, overflows)},
    {"Minimum:", offsetof(struct column, min_us)},
    {"Maximum:", offsetof(struct column, max_us)},
};

static bool read_totals(const char *line, struct output *output, const char *unit, uint64_t *values)
{
    struct error ignored;
    for (size_t t = 0; t < ARRAY_SIZE(TOTALS); t++) {
        const char *at = behind(line, TOTALS[t].word);
        if (!at || read_row(at, output, unit, VALUE_MAX_US, values, &ignored) < 0)
            continue;
        for (size_t i = 0; i < output->count; i++)
            memcpy((char *)&output->column[i] + TOTALS[t].offset, &values[i], sizeof values[i]);
        return true;
    }
    return false;
}

static const char *next_line(const char *line)
{
    line += strcspn(line, "\n");
    return *line ? line + 1 : line;
}

/* Of several values that are only known to be at least `us`, one is the longest. */
static int add_overflows(struct column *column, uint64_t us, struct error *err)
{
    if (column->overflows == 0)
        return 0;
    uint64_t max_us = column->max_us > us ? column->max_us : us;
    return add_values(column, us, column->overflows - 1, err) < 0 || add_values(column, max_us, 1, err) < 0 ? -1 : 0;
}

/* The first bucket holds whatever is shorter than a microsecond, too: together they took the time that is left. */
static int add_shortest(struct column *c, struct error *err)
{
    uint64_t left_ns = c->measured_ns > c->histogram.sum_ns ? c->measured_ns - c->histogram.sum_ns : 0;
    if (c->shortest == 0)
        return 0;
    if (c->shortest > SUM_MAX_NS / NS_PER_US)
        return fail(err, ERROR_INVALID, "more time than there was");
    uint64_t each_ns = left_ns / c->shortest;
    histogram_add_many(&c->histogram, each_ns < NS_PER_US ? each_ns : NS_PER_US, c->shortest);
    return 0;
}

static int keep(struct output *output, enum measurement_kind kind, const struct cpuset *vcpus,
                struct measurements *into, struct error *err)
{
    size_t i = 0;
    for (i = 0; i < output->count; i++)
        if (output->column[i].histogram.count == 0)
            return fail(err, ERROR_INVALID, "nothing was measured");
    i = 0;
    cpuset_foreach(cpu, vcpus)
    {
        const struct column *column = &output->column[i++];
        struct measurement *m = measurements_add(into, 1);
        m->kind = kind;
        m->cpu = (unsigned)cpu;
        m->measured_ns = column->measured_ns;
        m->histogram = column->histogram;
        m->block[0] = (struct measurement_block){column->histogram.max_ns, column->histogram.lost_ns};
    }
    return 0;
}

/* A whole output: its lines into columns, what they leave open made up, then kept. */
static int read_output(const char *text,
                       int (*read_lines)(const char *text, struct output *output, uint64_t *values, struct error *err),
                       enum measurement_kind kind, uint64_t threshold_ns, const struct cpuset *vcpus, unsigned seconds,
                       struct measurements *into, struct error *err)
{
    struct output output = {.count = cpuset_count(vcpus)};
    auto_free struct column *columns = must_calloc(output.count, sizeof *columns);
    auto_free uint64_t *values = must_calloc(output.count, sizeof *values);
    output.column = columns;
    for (size_t i = 0; i < output.count; i++) {
        columns[i].histogram.threshold_ns = threshold_ns;
        columns[i].measured_ns = seconds * NS_PER_S;
    }
    if (read_lines(text, &output, values, err) < 0)
        return -1;
    for (size_t i = 0; i < output.count; i++)
        if (add_overflows(&columns[i], GUEST_BUCKETS, err) < 0 || add_shortest(&columns[i], err) < 0)
            return -1;
    return keep(&output, kind, vcpus, into, err);
}

/* Steals value. */
static void add_argument(json_t *arguments, const char *option, json_t *value)
{
    json_array_append_new(arguments, json_string(option));
    json_array_append_new(arguments, value);
}

/* ---- cyclictest -q -h: "000012 000003\t000005" is three times 12 µs in the first thread, five times in the second. */

static json_t *cyclictest_arguments(const struct cpuset *vcpus, unsigned seconds, bool fifo)
{
    auto_free struct cpuset_text *list = must_calloc(1, sizeof *list);
    json_t *arguments = json_pack("[s, s, s, s, s, s]", "-q", "-m", "-i", "1000", "-h", "1024");
    add_argument(arguments, "-a", json_string(cpuset_format(vcpus, list)));
    add_argument(arguments, "-t", json_sprintf("%u", cpuset_count(vcpus)));
    add_argument(arguments, "-D", json_sprintf("%u", seconds));
    if (fifo)
        add_argument(arguments, "-p", json_string("95"));
    return arguments;
}

static int read_cyclictest_lines(const char *text, struct output *output, uint64_t *values, struct error *err)
{
    for (const char *line = text; *line; line = next_line(line)) {
        const char *at = line;
        uint64_t us;
        if (!isdigit((unsigned char)*line)) {
            read_totals(line, output, "", values);
            continue;
        }
        if (!read_number(&at, GUEST_BUCKETS, &us) || read_row(at, output, "", INT64_MAX / 16, values, err) < 0)
            return fail(err, ERROR_INVALID, "histogram: want microseconds and %zu numbers a line", output->count);
        for (size_t i = 0; i < output->count; i++)
            if (add_values(&output->column[i], us, values[i], err) < 0)
                return -1;
    }
    return 0;
}

static int read_cyclictest(const char *text, const struct cpuset *vcpus, unsigned seconds, struct measurements *into,
                           struct error *err)
{
    /* the threshold: as our own timer test has it */
    return read_output(text, read_cyclictest_lines, MEASUREMENT_TIMER, NS_PER_US, vcpus, seconds, into, err) < 0
               ? error_prefix(err, "cyclictest")
               : 0;
}

/* ---- oslat -z: "    012 (us):\t 3 5" is three gaps of 12 µs on the first core, five on the second. */

static json_t *oslat_arguments(const struct cpuset *vcpus, unsigned seconds, bool fifo)
{
    auto_free struct cpuset_text *list = must_calloc(1, sizeof *list);
    json_t *arguments = json_pack("[s, s, s]", "-z", "-b", "1024");
    add_argument(arguments, "-c", json_string(cpuset_format(vcpus, list)));
    add_argument(arguments, "-D", json_sprintf("%u", seconds));
    if (fifo)
        add_argument(arguments, "-f", json_string("1"));
    return arguments;
}

/* "2.987 3.000 (sec)" */
static void read_durations(const char *at, struct output *output)
{
    for (size_t i = 0; i < output->count; i++) {
        uint64_t whole;
        uint64_t thousandths = 0;
        if (!read_number(&at, UINT64_C(2) * LIMIT_LATENCY_S, &whole))
            return;
        if (*at == '.' && (at++, !read_number(&at, 999, &thousandths)))
            return;
        output->column[i].measured_ns = whole * NS_PER_S + thousandths * NS_PER_US * 1000;
    }
}

static int read_gaps(const char *line, struct output *output, uint64_t *values, struct error *err)
{
    static const char UNIT[] = " (us):";
    const char *at = line;
    uint64_t us;
    struct error ignored;
    if (!read_number(&at, GUEST_BUCKETS, &us) || us == 0 || strncmp(at, UNIT, strlen(UNIT)) != 0)
        return 0;
    at += strlen(UNIT);
    bool is_last = us == GUEST_BUCKETS;
    if (read_row(at, output, is_last ? "(including overflows)" : "", INT64_MAX / 16, values, &ignored) < 0)
        return fail(err, ERROR_INVALID, "histogram: want %zu numbers a line", output->count);
    for (size_t i = 0; i < output->count; i++) {
        struct column *c = &output->column[i];
        if (us == 1)
            c->shortest = values[i];
        else if (is_last)
            c->overflows = values[i];
        else if (add_values(c, us, values[i], err) < 0)
            return -1;
    }
    return 0;
}

static int read_oslat_lines(const char *text, struct output *output, uint64_t *values, struct error *err)
{
    for (const char *line = text; *line; line = next_line(line)) {
        const char *durations = behind(line, "Duration:");
        if (durations)
            read_durations(durations, output);
        else if (!read_totals(line, output, "(us)", values) && read_gaps(line, output, values, err) < 0)
            return -1;
    }
    return 0;
}

static int read_oslat(const char *text, const struct cpuset *vcpus, unsigned seconds, struct measurements *into,
                      struct error *err)
{
    return read_output(text, read_oslat_lines, MEASUREMENT_GAPS, GUEST_GAP_NS, vcpus, seconds, into, err) < 0
               ? error_prefix(err, "oslat")
               : 0;
}

const struct guest_tool GUEST_TOOL[MEASUREMENT_KINDS] = {
    [MEASUREMENT_TIMER] = {"cyclictest", cyclictest_arguments, read_cyclictest},
    [MEASUREMENT_GAPS] = {"oslat", oslat_arguments, read_oslat},
};

struct cpuset guest_tool_vcpus(enum measurement_kind kind, const struct cpuset *meant, unsigned vcpu_count,
                               bool *ret_fifo)
{
    struct cpuset all = cpuset_range(0, vcpu_count - 1);
    struct cpuset vcpus = cpuset_and(meant, &all);
    if (cpuset_is_empty(&vcpus))
        vcpus = all;
    bool stops_everybody = kind == MEASUREMENT_GAPS && cpuset_equal(&vcpus, &all);
    if (stops_everybody && vcpu_count > 1)
        cpuset_remove(&vcpus, 0);
    *ret_fifo = !stops_everybody || vcpu_count > 1;
    return vcpus;
}
