#include <stdio.h>
#include <string.h>

#include "rtvmd/verb_latency.h"
#include "runtime/latency/duration.h"
#include "runtime/latency/export.h"
#include "runtime/latency/report_html.h"
#include "runtime/latency/run_files.h"

struct export_arguments {
    const char *state_dir;
    const char *format;
    const char *against; /* html: the name of another run; NULL: none */
    const char *gate;    /* html; NULL: none */
};

static void export_json(const struct run *run, struct text *out)
{
    json_write_pretty(run->document, out);
}

static const struct {
    const char *name;
    void (*write)(const struct run *run, struct text *out);
} FORMATS[] = {{"json", export_json}, {"csv", export_csv}, {"openmetrics", export_openmetrics}};

static int read_stored(const struct export_arguments *a, const char *name, struct run *ret_run, struct error *err)
{
    auto_free char *folder = latency_folder(a->state_dir);
    auto_json *document = run_files_get(folder, name, err);
    return document ? run_read(document, ret_run, err) : -1;
}

static int export_html(const struct export_arguments *a, const struct run *run, struct text *out, struct error *err)
{
    auto_run against = {0};
    uint64_t gate_ns = 0;
    if (a->gate && latency_gate_parse(a->gate, &gate_ns, err) < 0)
        return error_prefix(err, "--gate");
    if (a->against && read_stored(a, a->against, &against, err) < 0)
        return error_prefix(err, "--against");
    report_html(run, a->against ? &against : NULL, gate_ns, out);
    return 0;
}

static int export(const struct export_arguments *a, const char *name, struct error *err)
{
    bool html = strcmp(a->format, "html") == 0;
    size_t i = 0;
    while (i < ARRAY_SIZE(FORMATS) && strcmp(a->format, FORMATS[i].name) != 0)
        i++;
    if (!html && i == ARRAY_SIZE(FORMATS))
        return fail(err, ERROR_BAD_REQUEST, "--format %s: want json, csv, openmetrics or html", a->format);
    if (!html && (a->against || a->gate))
        return fail(err, ERROR_BAD_REQUEST, "--against, --gate: only for --format html");
    auto_run run = {0};
    auto_text out = {0};
    if (read_stored(a, name, &run, err) < 0 || (html && export_html(a, &run, &out, err) < 0))
        return -1;
    if (!html)
        FORMATS[i].write(&run, &out);
    fputs(text_cstr(&out), stdout);
    return 0;
}

int latency_export(int argc, char **argv)
{
    struct export_arguments a = {.format = "json"};
    const struct verb_option options[] = {
        {.name = "format", .value = "FORMAT", .text = &a.format, .help = "json, csv, openmetrics or html"},
        {.name = "against", .value = "NAME", .text = &a.against, .help = "html: another run to compare with"},
        {.name = "gate", .value = "TIME", .text = &a.gate, .help = "html: a limit to draw, like 40us"},
        LATENCY_STATE_OPTION(a.state_dir),
    };
    struct error err;
    int positional;
    bool done;
    if (verb_options("latency", argc, argv, options, ARRAY_SIZE(options), &positional, &done, &err) < 0)
        return verb_fail("latency export", &err);
    if (done)
        return 0;
    if (positional != 1) {
        fail(&err, ERROR_BAD_REQUEST, "want rtvmd latency export NAME [--format json|csv|openmetrics|html]");
        return verb_fail("latency export", &err);
    }
    return export(&a, argv[0], &err) < 0 ? verb_fail("latency export", &err) : 0;
}
