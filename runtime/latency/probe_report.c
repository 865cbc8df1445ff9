#include "runtime/latency/probe_report.h"

#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/limits.h"

#define MARK_LENGTH (sizeof PROBE_MARK - 1)

/* One line, without its end; blanks and control characters around it are the terminal's. */
struct line {
    char text[LIMIT_PROBE_LINE_BYTES + 1];
    bool ours;
};

/* Copies the line that starts at `at` and returns where the next one starts. Lines that are not the probe's, hold NUL
 * or are too long come back as not ours. */
static size_t take_line(const char *text, size_t length, size_t at, struct line *ret_line)
{
    const char *newline = memchr(text + at, '\n', length - at);
    size_t end = newline ? (size_t)(newline - text) : length;
    size_t next = newline ? end + 1 : length;
    while (end > at && text[end - 1] == '\r')
        end--;
    while (at < end && text[at] == '\r')
        at++;
    size_t n = end - at;
    ret_line->ours = n <= LIMIT_PROBE_LINE_BYTES && n > MARK_LENGTH &&
                     memcmp(text + at, PROBE_MARK, MARK_LENGTH) == 0 && !memchr(text + at, '\0', n);
    if (ret_line->ours) {
        memcpy(ret_line->text, text + at + MARK_LENGTH, n - MARK_LENGTH);
        ret_line->text[n - MARK_LENGTH] = '\0';
    }
    return next;
}

struct field {
    const char *key;
    uint64_t max;
    uint64_t *value;
};

/* "WORD key=N key=N …": exactly the fields of the table, in its order. */
static bool read_fields(const char *s, const char *word, const struct field *fields, size_t count)
{
    size_t n = strlen(word);
    if (strncmp(s, word, n) != 0)
        return false;
    s += n;
    for (size_t i = 0; i < count; i++) {
        size_t key = strlen(fields[i].key);
        if (s[0] != ' ' || strncmp(s + 1, fields[i].key, key) != 0 || s[1 + key] != '=')
            return false;
        s = text_number(s + 2 + key, fields[i].max, fields[i].value);
        if (!s)
            return false;
    }
    return *s == '\0';
}

/* Finds the last end line that has a begin line of the same number before it, with nothing of another report between.
 */
static bool find_last(const char *text, size_t length, size_t *ret_begin, size_t *ret_end)
{
    bool found = false;
    bool open = false;
    size_t begin = 0;
    uint64_t number = 0;
    uint64_t lines = 0;
    struct line line;
    for (size_t at = 0; at < length;) {
        size_t next = take_line(text, length, at, &line);
        uint64_t end_number;
        uint64_t end_lines;
        const struct field end_fields[] = {{"report", UINT32_MAX, &end_number}, {"lines", UINT32_MAX, &end_lines}};
        if (line.ours && text_starts_with(line.text, "begin ")) {
            const char *report = strstr(line.text, " report=");
            open = report && text_number(report + strlen(" report="), UINT32_MAX, &number);
            begin = at;
            lines = 1;
        } else if (line.ours && open && read_fields(line.text, "end", end_fields, ARRAY_SIZE(end_fields))) {
            if (end_number == number && end_lines == lines) {
                *ret_begin = begin;
                *ret_end = at;
                found = true;
            }
            open = false;
        } else if (line.ours) {
            lines++;
        }
        at = next;
    }
    return found;
}

static struct probe_report *read_begin(const char *s, struct error *err)
{
    uint64_t format;
    uint64_t number;
    uint64_t cpus;
    uint64_t khz;
    uint64_t invariant;
    uint64_t threshold;
    uint64_t timer;
    const struct field fields[] = {
        {"format", UINT32_MAX, &format},
        {"report", UINT32_MAX, &number},
        {"cpus", UINT32_MAX, &cpus},
        {"tsc_khz", UINT32_MAX, &khz},
        {"invariant", 1, &invariant},
        {"threshold_ns", UINT32_MAX, &threshold},
        {"timer", 1, &timer},
    };
    if (!read_fields(s, "begin", fields, ARRAY_SIZE(fields)) || khz == 0) {
        fail(err, ERROR_INVALID, "probe report: malformed begin line \"%.100s\"", s);
        return NULL;
    }
    if (format != PROBE_FORMAT || cpus == 0 || cpus > PROBE_CPUS_MAX) {
        fail(err, ERROR_INVALID, "probe report: format %llu with %llu vCPUs; want format %d and 1 to %d vCPUs",
             (unsigned long long)format, (unsigned long long)cpus, PROBE_FORMAT, PROBE_CPUS_MAX);
        return NULL;
    }
    struct probe_report *report = must_calloc(1, sizeof *report + cpus * sizeof report->cpu[0]);
    report->number = (uint32_t)number;
    report->cpu_count = (uint32_t)cpus;
    report->tsc_khz = (uint32_t)khz;
    report->tsc_invariant = invariant;
    report->threshold_ns = (uint32_t)threshold;
    report->timer = timer;
    return report;
}

static bool read_cpu(struct probe_report *report, const char *s, uint64_t wanted_id)
{
    uint64_t id;
    uint64_t apic;
    uint64_t started;
    struct probe_cpu_report cpu = {0};
    const struct field fields[] = {
        {"id", UINT32_MAX, &id},
        {"apic", UINT32_MAX, &apic},
        {"started", 1, &started},
        {"measured_ns", INT64_MAX, &cpu.measured_ns},
        {"samples", INT64_MAX, &cpu.samples},
        {"min_ns", INT64_MAX, &cpu.min_ns},
        {"max_ns", INT64_MAX, &cpu.max_ns},
        {"run_max_ns", INT64_MAX, &cpu.run_max_ns},
        {"over", INT64_MAX, &cpu.over},
        {"lost_ns", INT64_MAX, &cpu.lost_ns},
    };
    if (!read_fields(s, "cpu", fields, ARRAY_SIZE(fields)) || id != wanted_id)
        return false;
    cpu.started = started;
    report->cpu[id] = cpu;
    return cpu.min_ns <= cpu.max_ns && cpu.run_max_ns <= cpu.max_ns && cpu.over <= cpu.samples &&
           (cpu.started || cpu.samples == 0);
}

/* "hist id=N BUCKET:COUNT …" for the vCPU whose line came last; buckets rise over its lines. */
static bool read_histogram(struct probe_report *report, const char *s, uint64_t wanted_id, uint64_t *next_bucket)
{
    uint64_t id;
    s += strlen("hist");
    if (!text_starts_with(s, " id="))
        return false;
    s = text_number(s + strlen(" id="), UINT32_MAX, &id);
    if (!s || id != wanted_id || *s == '\0')
        return false;
    while (*s) {
        uint64_t bucket;
        uint64_t count;
        if (*s++ != ' ' || !(s = text_number(s, PROBE_BUCKETS - 1, &bucket)) || *s++ != ':' ||
            !(s = text_number(s, INT64_MAX, &count)) || bucket < *next_bucket)
            return false;
        report->cpu[id].bucket[bucket] = count;
        *next_bucket = bucket + 1;
    }
    return true;
}

static bool counts_add_up(const struct probe_cpu_report *cpu)
{
    uint64_t left = cpu->samples;
    for (unsigned b = 0; b < PROBE_BUCKETS; b++) {
        if (cpu->bucket[b] > left)
            return false;
        left -= cpu->bucket[b];
    }
    return left == 0;
}

static bool read_body(struct probe_report *report, const char *text, size_t end, size_t at, struct line *line)
{
    uint64_t cpus_seen = 0;
    uint64_t next_bucket = 0;
    while (at < end) {
        at = take_line(text, end, at, line);
        if (!line->ours)
            continue;
        if (text_starts_with(line->text, "cpu ") && cpus_seen < report->cpu_count) {
            if (!read_cpu(report, line->text, cpus_seen++))
                return false;
            next_bucket = 0;
        } else if (!text_starts_with(line->text, "hist ") || cpus_seen == 0 ||
                   !read_histogram(report, line->text, cpus_seen - 1, &next_bucket)) {
            return false;
        }
    }
    line->text[0] = '\0';
    for (uint32_t i = 0; i < report->cpu_count; i++)
        if (!counts_add_up(&report->cpu[i]))
            return false;
    return cpus_seen == report->cpu_count;
}

struct probe_report *probe_report_parse(const char *text, size_t length, struct error *err)
{
    size_t begin = 0;
    size_t end = 0;
    if (!find_last(text, length, &begin, &end)) {
        fail(err, ERROR_NOT_FOUND, "no complete probe report on the serial port yet");
        return NULL;
    }
    struct line line;
    size_t body = take_line(text, end, begin, &line);
    struct probe_report *report = read_begin(line.text, err);
    if (report && !read_body(report, text, end, body, &line)) {
        fail(err, ERROR_INVALID, "probe report %u contradicts itself at \"%.100s\"", report->number, line.text);
        free(report);
        return NULL;
    }
    return report;
}

static uint64_t bucket_end_ns(const struct probe_report *report, uint32_t cpu, uint32_t bucket)
{
    uint64_t max_ns = report->cpu[cpu].max_ns;
    if (bucket + 1 >= PROBE_BUCKETS)
        return max_ns;
    unsigned __int128 ns = (unsigned __int128)probe_bucket_floor(bucket + 1) * 1000000u / report->tsc_khz;
    return ns < max_ns ? (uint64_t)ns : max_ns;
}

static double bucket_weight(const struct probe_cpu_report *cpu, uint32_t bucket, bool by_time)
{
    double count = (double)cpu->bucket[bucket];
    if (!by_time)
        return count;
    uint64_t floor = probe_bucket_floor(bucket);
    return count * ((double)floor + (double)(probe_bucket_floor(bucket + 1) - floor - 1) / 2);
}

static uint64_t percentile(const struct probe_report *report, uint32_t cpu, uint32_t ppm, bool by_time)
{
    const struct probe_cpu_report *c = &report->cpu[cpu];
    double total = 0;
    for (uint32_t b = 0; b < PROBE_BUCKETS; b++)
        total += bucket_weight(c, b, by_time);
    double wanted = total * ppm / 1e6;
    double sum = 0;
    for (uint32_t b = 0; b < PROBE_BUCKETS; b++) {
        sum += bucket_weight(c, b, by_time);
        if (c->bucket[b] && sum >= wanted)
            return bucket_end_ns(report, cpu, b);
    }
    return c->max_ns;
}

uint64_t probe_gap_by_count_ns(const struct probe_report *report, uint32_t cpu, uint32_t ppm)
{
    return percentile(report, cpu, ppm, false);
}

uint64_t probe_gap_by_time_ns(const struct probe_report *report, uint32_t cpu, uint32_t ppm)
{
    return percentile(report, cpu, ppm, true);
}

static json_t *percentiles_json(const struct probe_report *report, uint32_t cpu, bool by_time)
{
    static const struct {
        const char *key;
        uint32_t ppm;
    } WANTED[] = {{"p50Ns", 500000}, {"p99Ns", 990000}, {"p999Ns", 999000}, {"p99999Ns", 999990}};
    json_t *object = json_object();
    for (size_t i = 0; i < ARRAY_SIZE(WANTED); i++)
        json_object_set_new(object, WANTED[i].key,
                            json_integer((json_int_t)percentile(report, cpu, WANTED[i].ppm, by_time)));
    return object;
}

static json_t *cpu_json(const struct probe_report *report, uint32_t id)
{
    const struct probe_cpu_report *cpu = &report->cpu[id];
    if (!cpu->started)
        return json_pack("{s:i, s:b}", "id", (int)id, "started", 0);
    json_t *buckets = json_array();
    for (uint32_t b = 0; b < PROBE_BUCKETS; b++) {
        if (!cpu->bucket[b])
            continue;
        unsigned __int128 from = (unsigned __int128)probe_bucket_floor(b) * 1000000u / report->tsc_khz;
        json_array_append_new(buckets, json_pack("[I, I]", (json_int_t)from, (json_int_t)cpu->bucket[b]));
    }
    return json_pack("{s:i, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "id", (int)id, "started", 1,
                     "measuredNs", (json_int_t)cpu->measured_ns, "samples", (json_int_t)cpu->samples, "minNs",
                     (json_int_t)cpu->min_ns, "maxNs", (json_int_t)cpu->max_ns, "lastMaxNs",
                     (json_int_t)cpu->run_max_ns, "over", (json_int_t)cpu->over, "lostNs", (json_int_t)cpu->lost_ns,
                     "byCount", percentiles_json(report, id, false), "byTime", percentiles_json(report, id, true),
                     "buckets", buckets);
}

json_t *probe_report_json(const struct probe_report *report)
{
    json_t *vcpus = json_array();
    for (uint32_t i = 0; i < report->cpu_count; i++)
        json_array_append_new(vcpus, cpu_json(report, i));
    return json_pack("{s:I, s:I, s:b, s:I, s:o}", "report", (json_int_t)report->number, "tscKhz",
                     (json_int_t)report->tsc_khz, "invariantTsc", (int)report->tsc_invariant, "thresholdNs",
                     (json_int_t)report->threshold_ns, "vcpus", vcpus);
}
