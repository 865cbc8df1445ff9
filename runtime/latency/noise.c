#include "runtime/latency/noise.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/base.h"
#include "rtvmd/base/cpuset.h"
#include "rtvmd/base/text.h"

const char *const NOISE_KIND[NOISE_KINDS] = {"nmi", "irq", "softirq", "thread"};
static const uint64_t NS_PER_S = 1000000000u;
static const char *const EVENT[NOISE_KINDS] = {"nmi_noise", "irq_noise", "softirq_noise", "thread_noise"};

struct event {
    enum noise_kind kind;
    unsigned cpu;
    int id;
    const char *name;
    size_t name_length;
    uint64_t duration_ns;
};

/* "            bash-1234    [003] d.h2.   123.456789: irq_noise: …": the first 16 bytes are the task's name, whatever
 * is in it. Gives what stands behind the time. */
static const char *read_head(const char *line, unsigned *ret_cpu)
{
    enum { TASK_BYTES = 16 };
    uint64_t number;
    if (strlen(line) <= TASK_BYTES || line[TASK_BYTES] != '-')
        return NULL;
    const char *at = line + TASK_BYTES + 1;
    at = text_number(at, INT32_MAX, &number);
    at = at ? strchr(at, '[') : NULL;
    at = at ? text_number(at + 1, CPUSET_MAX - 1, &number) : NULL;
    if (!at || *at != ']')
        return NULL;
    *ret_cpu = (unsigned)number;
    at = strstr(at, ": ");
    return at ? at + 2 : NULL;
}

/* "start 12.000000345 duration 678 ns"; the last " start " counts, for a thread may be called anything. */
static const char *find_start(const char *text)
{
    static const char WORD[] = "start ";
    const char *found = NULL;
    for (const char *at = strstr(text, WORD); at; at = strstr(at + 1, WORD))
        found = at;
    return found;
}

static bool read_duration(const char *start, uint64_t *ret_ns)
{
    static const char WORD[] = " duration ";
    const char *at = strstr(start, WORD);
    if (!at)
        return false;
    at = text_number(at + strlen(WORD), LIMIT_LATENCY_S * NS_PER_S, ret_ns);
    return at && strncmp(at, " ns", 3) == 0;
}

/* "NAME:ID " in front of the start; NAME may hold colons and blanks. */
static bool read_name(const char *text, const char *start, struct event *event)
{
    uint64_t id;
    text += strspn(text, " ");
    const char *end = start;
    while (end > text && end[-1] == ' ')
        end--;
    const char *colon = end;
    while (colon > text && isdigit((unsigned char)colon[-1]))
        colon--;
    if (colon == text || colon[-1] != ':' || !text_number(colon, INT32_MAX, &id))
        return false;
    event->id = (int)id;
    event->name = text;
    event->name_length = (size_t)(colon - 1 - text);
    return true;
}

static bool read_event(const char *line, struct event *event)
{
    const char *at = read_head(line, &event->cpu);
    size_t word = at ? strcspn(at, ":") : 0;
    unsigned kind = 0;
    while (kind < NOISE_KINDS && (word != strlen(EVENT[kind]) || strncmp(at, EVENT[kind], word) != 0))
        kind++;
    if (kind == NOISE_KINDS || at[word] != ':')
        return false;
    event->kind = (enum noise_kind)kind;
    const char *start = find_start(at + word + 1);
    if (!start || !read_duration(start, &event->duration_ns))
        return false;
    return kind == NOISE_NMI || read_name(at + word + 1, start, event);
}

static struct noise_source *new_source(struct noise *noise, const struct event *event)
{
    if (noise->count == LIMIT_NOISE_SOURCES)
        return NULL;
    struct noise_source *s = &noise->source[noise->count++];
    *s = (struct noise_source){.kind = event->kind, .cpu = event->cpu, .id = event->id};
    for (size_t i = 0; i < event->name_length && i + 1 < sizeof s->name; i++)
        s->name[i] = isprint((unsigned char)event->name[i]) ? event->name[i] : '?';
    s->own = event->kind == NOISE_THREAD && noise->is_own && noise->is_own(event->id, noise->arg);
    return s;
}

static void add_sum(struct noise_sum *sum, const struct noise_sum *more)
{
    sum->count += more->count;
    sum->total_ns = sum->total_ns < INT64_MAX - more->total_ns ? sum->total_ns + more->total_ns : INT64_MAX;
    if (more->max_ns > sum->max_ns)
        sum->max_ns = more->max_ns;
}

static void add(struct noise *noise, const struct event *event)
{
    if (event->kind == NOISE_THREAD && event->id == 0)
        return; /* idle: nobody wanted the CPU */
    struct noise_source *s = NULL;
    for (size_t i = 0; i < noise->count && !s; i++)
        if (noise->source[i].kind == event->kind && noise->source[i].cpu == event->cpu &&
            noise->source[i].id == event->id)
            s = &noise->source[i];
    if (!s)
        s = new_source(noise, event);
    const struct noise_sum one = {1, event->duration_ns, event->duration_ns};
    add_sum(s ? &s->sum : &noise->others, &one);
}

/* "CPU:2 [LOST 123 EVENTS]"; "[LOST EVENTS]" when the kernel does not know how many. */
static bool read_lost(struct noise *noise, const char *line)
{
    static const char WORD[] = " [LOST ";
    if (strncmp(line, "CPU:", 4) != 0)
        return false;
    const char *at = line + 4 + strspn(line + 4, "0123456789");
    if (strncmp(at, WORD, strlen(WORD)) != 0)
        return false;
    uint64_t number;
    noise->lost += text_number(at + strlen(WORD), UINT32_MAX, &number) ? number : 1;
    return true;
}

static void end_line(struct noise *noise)
{
    struct event event = {0};
    noise->line[noise->partial] = '\0';
    if (!noise->skips && !read_lost(noise, noise->line) && read_event(noise->line, &event))
        add(noise, &event);
    noise->partial = 0;
    noise->skips = false;
}

void noise_feed(struct noise *noise, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\n')
            end_line(noise);
        else if (noise->partial + 1 == NOISE_LINE_MAX || bytes[i] == '\0')
            noise->skips = true;
        else
            noise->line[noise->partial++] = bytes[i];
    }
}

void noise_mark_own(struct noise *noise, int tid)
{
    for (size_t i = 0; i < noise->count; i++)
        if (noise->source[i].kind == NOISE_THREAD && noise->source[i].id == tid)
            noise->source[i].own = true;
}

static int by_total(const void *a, const void *b)
{
    uint64_t x = (*(const struct noise_source *const *)a)->sum.total_ns;
    uint64_t y = (*(const struct noise_source *const *)b)->sum.total_ns;
    return (x < y) - (x > y);
}

static json_t *sum_json(const struct noise_sum *sum)
{
    return json_pack("{s:I, s:I, s:I}", "count", (json_int_t)sum->count, "totalNs", (json_int_t)sum->total_ns, "maxNs",
                     (json_int_t)sum->max_ns);
}

static json_t *source_json(const struct noise_source *s)
{
    json_t *item = json_pack("{s:i, s:s, s:s, s:i, s:b}", "cpu", (int)s->cpu, "kind", NOISE_KIND[s->kind], "name",
                             s->name, "id", s->id, "own", (int)s->own);
    auto_json *sum = sum_json(&s->sum);
    json_object_update(item, sum);
    return item;
}

json_t *noise_json(const struct noise *noise)
{
    auto_free const struct noise_source **sorted = must_calloc(LIMIT_NOISE_SOURCES, sizeof(void *));
    for (size_t i = 0; i < noise->count; i++)
        sorted[i] = &noise->source[i];
    qsort(sorted, noise->count, sizeof(void *), by_total);
    struct noise_sum others = noise->others;
    json_t *list = json_array();
    for (size_t i = 0; i < noise->count; i++) {
        const struct noise_source *s = sorted[i];
        if (i < LIMIT_DISTURBANCES)
            json_array_append_new(list, source_json(s));
        else
            add_sum(&others, &s->sum);
    }
    return json_pack("{s:I, s:o, s:o}", "lost", (json_int_t)noise->lost, "sources", list, "others", sum_json(&others));
}
