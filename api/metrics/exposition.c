#include "api/metrics/exposition.h"

#include <string.h>

void exposition_begin(struct exposition *e, const char *name, enum exposition_type type, const char *help)
{
    e->name = name;
    e->help = help;
    e->type = type;
    e->is_headed = false;
}

static void escape(struct text *out, const char *value, bool quotes)
{
    for (const char *p = value; *p;) {
        size_t plain = strcspn(p, quotes ? "\\\n\"" : "\\\n");
        text_append_n(out, p, plain);
        p += plain;
        if (*p) {
            text_append(out, *p == '\n' ? "\\n" : *p == '"' ? "\\\"" : "\\\\");
            p++;
        }
    }
}

static void head(struct exposition *e)
{
    static const char *const TYPES[] = {"gauge", "counter", "histogram"};
    if (e->is_headed)
        return;
    e->is_headed = true;
    text_printf(e->out, "# HELP %s ", e->name);
    escape(e->out, e->help, false);
    text_printf(e->out, "\n# TYPE %s %s\n", e->name, TYPES[e->type]);
}

/* Name and labels, up to the blank before the value. */
static void begin_sample(struct exposition *e, const char *suffix, const struct exposition_label *labels,
                         const char *below)
{
    head(e);
    text_printf(e->out, "%s%s", e->name, suffix);
    const char *separator = "{";
    for (; labels->name; labels++) {
        if (!labels->value)
            continue;
        text_printf(e->out, "%s%s=\"", separator, labels->name);
        escape(e->out, labels->value, true);
        text_append(e->out, "\"");
        separator = ",";
    }
    if (below) {
        text_printf(e->out, "%sle=\"%s\"", separator, below);
        separator = ",";
    }
    text_append(e->out, *separator == ',' ? "} " : " ");
}

/* Exact: a double loses nanoseconds after some months. */
static void append_seconds(struct text *out, uint64_t ns)
{
    text_printf(out, "%llu", (unsigned long long)(ns / 1000000000));
    if (ns % 1000000000 == 0)
        return;
    text_printf(out, ".%09llu", (unsigned long long)(ns % 1000000000));
    while (out->data[out->length - 1] == '0')
        out->data[--out->length] = '\0';
}

void exposition_count(struct exposition *e, const struct exposition_label *labels, uint64_t value)
{
    begin_sample(e, "", labels, NULL);
    text_printf(e->out, "%llu\n", (unsigned long long)value);
}

void exposition_seconds(struct exposition *e, const struct exposition_label *labels, uint64_t ns)
{
    begin_sample(e, "", labels, NULL);
    append_seconds(e->out, ns);
    text_append(e->out, "\n");
}

void exposition_histogram(struct exposition *e, const struct exposition_label *labels, const struct buckets *buckets)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i <= BUCKET_COUNT; i++) {
        auto_text bound = {0};
        if (i < BUCKET_COUNT)
            append_seconds(&bound, BUCKET_BOUND_NS[i]);
        sum += buckets->count[i];
        begin_sample(e, "_bucket", labels, i < BUCKET_COUNT ? text_cstr(&bound) : "+Inf");
        text_printf(e->out, "%llu\n", (unsigned long long)sum);
    }
    begin_sample(e, "_sum", labels, NULL);
    append_seconds(e->out, buckets->sum_ns);
    text_append(e->out, "\n");
    begin_sample(e, "_count", labels, NULL);
    text_printf(e->out, "%llu\n", (unsigned long long)sum);
}
