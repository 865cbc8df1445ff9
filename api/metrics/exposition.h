/* api/exposition: metrics as Prometheus reads them, text format 0.0.4. Pure: it writes what it is given. */
#pragma once

#include "rtvmd/base/buckets.h"
#include "rtvmd/base/text.h"

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum exposition_type { EXPOSITION_GAUGE, EXPOSITION_COUNTER, EXPOSITION_HISTOGRAM };

struct exposition_label {
    const char *name;
    const char *value; /* NULL: the label is left out */
};
#define LABELS(...) ((const struct exposition_label[]){__VA_ARGS__, {NULL, NULL}})
#define NO_LABELS ((const struct exposition_label[]){{NULL, NULL}})

struct exposition {
    struct text *out;
    const char *name;
    const char *help;
    enum exposition_type type;
    bool is_headed; /* HELP and TYPE are written: they come with the first sample */
};

/* One metric begins; name and help are borrowed until the next one does. */
void exposition_begin(struct exposition *e, const char *name, enum exposition_type type, const char *help);
/* One sample each. Labels end with a NULL name. */
void exposition_count(struct exposition *e, const struct exposition_label *labels, uint64_t value);
void exposition_seconds(struct exposition *e, const struct exposition_label *labels, uint64_t ns);
void exposition_histogram(struct exposition *e, const struct exposition_label *labels, const struct buckets *buckets);
