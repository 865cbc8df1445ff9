#include "runtime/latency/disturbance.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rtvmd/base/file.h"
#include "rtvmd/base/limits.h"
#include "runtime/latency/tracer.h"

/* ---- interrupts: "CPU0 CPU2 …" names the columns; a row is "NAME: COUNT COUNT … WHAT". */

enum { NAME_MAX_BYTES = 16 };

struct columns {
    size_t count;
    unsigned cpu[CPUSET_MAX];
};

static const char *read_columns(const char *text, struct columns *ret_columns)
{
    ret_columns->count = 0;
    const char *end = text + strcspn(text, "\n");
    for (const char *at = strstr(text, "CPU"); at && at < end; at = strstr(at + 3, "CPU"))
        if (ret_columns->count < CPUSET_MAX)
            ret_columns->cpu[ret_columns->count++] = (unsigned)strtoul(at + 3, NULL, 10);
    return *end ? end + 1 : end;
}

struct row {
    char name[NAME_MAX_BYTES];
    const char *what;
    size_t what_length;
    size_t count;
    uint64_t value[CPUSET_MAX];
};

/* False: not a row. */
static bool read_row(const char *line, size_t columns, struct row *row)
{
    const char *end = line + strcspn(line, "\n");
    line += strspn(line, " ");
    size_t name = strcspn(line, ":\n");
    if (line[name] != ':' || name == 0 || name >= sizeof row->name)
        return false;
    memcpy(row->name, line, name);
    row->name[name] = '\0';
    const char *at = line + name + 1;
    for (row->count = 0; row->count < columns; row->count++) {
        at += strspn(at, " ");
        size_t digits = strspn(at, "0123456789");
        if (digits == 0 || (at[digits] != ' ' && at[digits] != '\n' && at[digits] != '\0'))
            break;
        row->value[row->count] = strtoull(at, NULL, 10);
        at += digits;
    }
    at += strspn(at, " ");
    row->what = at < end ? at : end;
    row->what_length = (size_t)(end - row->what);
    return row->count > 0;
}

static bool find_row(const char *text, const char *name, struct row *row)
{
    struct columns columns;
    for (const char *line = read_columns(text, &columns); *line; line += strcspn(line, "\n"), line += *line != '\0')
        if (read_row(line, columns.count, row) && strcmp(row->name, name) == 0)
            return true;
    return false;
}

/* Several blanks in the kernel's column are one for people. */
static char *squeezed(const char *text, size_t length)
{
    struct text out = {0};
    for (size_t i = 0; i < length; i++)
        if (isprint((unsigned char)text[i]) && (text[i] != ' ' || (i > 0 && text[i - 1] != ' ')))
            text_append_n(&out, &text[i], 1);
    return text_take(&out);
}

static int by_count(const void *a, const void *b)
{
    int64_t x = json_int_at(*(json_t *const *)a, "count", 0);
    int64_t y = json_int_at(*(json_t *const *)b, "count", 0);
    return x < y ? 1 : x > y ? -1 : 0;
}

/* Steals list; gives a new one: the largest first, the smallest dropped. */
static json_t *largest(json_t *list)
{
    size_t count = json_array_size(list);
    auto_free json_t **sorted = must_calloc(count + 1, sizeof(void *));
    for (size_t i = 0; i < count; i++)
        sorted[i] = json_array_get(list, i);
    qsort(sorted, count, sizeof(void *), by_count);
    json_t *out = json_array();
    for (size_t i = 0; i < count && i < LIMIT_DISTURBANCES; i++)
        json_array_append(out, sorted[i]);
    json_decref(list);
    return out;
}

json_t *disturbance_interrupts(const char *before, const char *after, const struct cpuset *cpus)
{
    json_t *list = json_array();
    auto_free struct columns *columns = must_calloc(1, sizeof *columns);
    auto_free struct row *row = must_calloc(1, sizeof *row);
    auto_free struct row *old = must_calloc(1, sizeof *old);
    for (const char *line = read_columns(after, columns); *line; line += strcspn(line, "\n"), line += *line != '\0') {
        if (!read_row(line, columns->count, row))
            continue;
        bool known = find_row(before, row->name, old) && old->count == row->count;
        auto_free char *what = squeezed(row->what, row->what_length);
        for (size_t i = 0; i < row->count; i++) {
            uint64_t was = known ? old->value[i] : 0;
            if (cpuset_has(cpus, columns->cpu[i]) && row->value[i] > was)
                json_array_append_new(list,
                                      json_pack("{s:i, s:s, s:s, s:I}", "cpu", (int)columns->cpu[i], "source",
                                                row->name, "what", what, "count", (json_int_t)(row->value[i] - was)));
        }
    }
    return largest(list);
}

/* ---- threads */

struct thread {
    int tid;
    int cpu;
    uint64_t switches;
    char name[32];
};

struct threads {
    size_t count;
    size_t capacity;
    struct thread *at;
};

struct disturbance {
    struct cpuset cpus;
    struct text interrupts;
    struct threads threads; /* by tid */
    bool trace;
    struct tracer *tracer; /* NULL: why_not says why */
    struct error why_not;
};

static uint64_t number_after(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

/* /proc/PID/task/TID/stat: "TID (NAME) S …"; the CPU is the 39th field, the 37th after the name. */
static bool read_thread(const char *pid, const char *tid, struct thread *ret_thread)
{
    enum { FIELDS_TO_CPU = 37, SMALL = 8192 };
    struct error err;
    auto_text stat = {0};
    auto_text status = {0};
    auto_free char *stat_path = must_format("/proc/%s/task/%s/stat", pid, tid);
    auto_free char *status_path = must_format("/proc/%s/task/%s/status", pid, tid);
    if (file_read(NULL, stat_path, SMALL, &stat, &err) < 0 || file_read(NULL, status_path, SMALL, &status, &err) < 0)
        return false;
    const char *open = strchr(text_cstr(&stat), '(');
    const char *close = strrchr(text_cstr(&stat), ')');
    if (!open || !close || close < open)
        return false;
    const char *at = close + 1;
    for (int i = 1; at && i < FIELDS_TO_CPU; i++)
        at = strchr(at + 1, ' ');
    if (!at)
        return false;
    *ret_thread = (struct thread){
        .tid = (int)strtol(tid, NULL, 10),
        .cpu = (int)strtol(at, NULL, 10),
        .switches = number_after(text_cstr(&status), "\nvoluntary_ctxt_switches:") +
                    number_after(text_cstr(&status), "\nnonvoluntary_ctxt_switches:"),
    };
    snprintf(ret_thread->name, sizeof ret_thread->name, "%.*s", (int)(close - open - 1), open + 1);
    for (char *c = ret_thread->name; *c; c++)
        if (!isprint((unsigned char)*c))
            *c = '?';
    return true;
}

static void add_threads(const char *pid, struct threads *threads)
{
    auto_free char *path = must_format("/proc/%s/task", pid);
    DIR *folder = opendir(path);
    if (!folder)
        return; /* it ended meanwhile */
    const struct dirent *entry;
    while ((entry = readdir(folder))) {
        struct thread thread;
        if (!isdigit((unsigned char)entry->d_name[0]) || !read_thread(pid, entry->d_name, &thread))
            continue;
        if (threads->count == threads->capacity) {
            threads->capacity = threads->capacity ? 2 * threads->capacity : 256;
            threads->at = must_realloc(threads->at, threads->capacity, sizeof *threads->at);
        }
        threads->at[threads->count++] = thread;
    }
    closedir(folder);
}

static int by_tid(const void *a, const void *b)
{
    int x = ((const struct thread *)a)->tid;
    int y = ((const struct thread *)b)->tid;
    return (x > y) - (x < y);
}

static void read_threads(struct threads *ret_threads)
{
    *ret_threads = (struct threads){0};
    DIR *folder = opendir("/proc");
    if (!folder)
        return;
    const struct dirent *entry;
    while ((entry = readdir(folder)))
        if (isdigit((unsigned char)entry->d_name[0]) && strtol(entry->d_name, NULL, 10) != getpid())
            add_threads(entry->d_name, ret_threads);
    closedir(folder);
    if (ret_threads->count > 0)
        qsort(ret_threads->at, ret_threads->count, sizeof *ret_threads->at, by_tid);
}

static bool is_of_this_process(int tid, void *arg)
{
    (void)arg;
    auto_free char *path = must_format("/proc/self/task/%d", tid);
    return access(path, F_OK) == 0;
}

struct disturbance *disturbance_start(const struct cpuset *cpus, bool trace)
{
    struct error err;
    struct disturbance *d = must_calloc(1, sizeof *d);
    d->cpus = *cpus;
    read_threads(&d->threads);
    if (file_read(NULL, "/proc/interrupts", LIMIT_SYSFILE_BYTES, &d->interrupts, &err) < 0)
        text_clear(&d->interrupts);
    d->trace = trace;
    if (trace)
        d->tracer = tracer_start(&TRACEFS_LIVE, cpus, is_of_this_process, NULL, &d->why_not);
    return d;
}

void disturbance_poll(struct disturbance *d)
{
    if (d->tracer)
        tracer_poll(d->tracer);
}

void disturbance_mark_own(struct disturbance *d, int tid)
{
    if (d->tracer)
        tracer_mark_own(d->tracer, tid);
}

static json_t *switched_threads(const struct disturbance *d)
{
    struct threads now;
    read_threads(&now);
    json_t *list = json_array();
    for (size_t i = 0; i < now.count; i++) {
        const struct thread *t = &now.at[i];
        const struct thread *old =
            d->threads.count ? bsearch(t, d->threads.at, d->threads.count, sizeof *t, by_tid) : NULL;
        uint64_t was = old ? old->switches : 0;
        if (t->cpu >= 0 && cpuset_has(&d->cpus, (unsigned)t->cpu) && t->switches > was)
            json_array_append_new(list, json_pack("{s:i, s:s, s:i, s:I}", "cpu", t->cpu, "name", t->name, "tid", t->tid,
                                                  "count", (json_int_t)(t->switches - was)));
    }
    free(now.at);
    return largest(list);
}

json_t *disturbance_end(struct disturbance *d)
{
    struct error err;
    auto_text interrupts = {0};
    json_t *noise = d->tracer ? tracer_end(d->tracer) : json_pack("{s:s}", "because", d->why_not.text);
    if (file_read(NULL, "/proc/interrupts", LIMIT_SYSFILE_BYTES, &interrupts, &err) < 0)
        text_clear(&interrupts);
    json_t *both = json_pack("{s:o, s:o}", "interrupts",
                             disturbance_interrupts(text_cstr(&d->interrupts), text_cstr(&interrupts), &d->cpus),
                             "threads", switched_threads(d));
    if (d->trace)
        json_object_set(both, "noise", noise);
    json_decref(noise);
    text_finish(&d->interrupts);
    free(d->threads.at);
    free(d);
    return both;
}
