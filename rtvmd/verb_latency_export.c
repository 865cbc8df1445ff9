#include <stdio.h>
#include <string.h>

#include "rtvmd/verb_latency.h"
#include "runtime/latency/export.h"
#include "runtime/latency/run_files.h"

static void export_json(const struct run *run, struct text *out)
{
    json_write_pretty(run->document, out);
}

static const struct {
    const char *name;
    void (*write)(const struct run *run, struct text *out);
} FORMATS[] = {{"json", export_json}, {"csv", export_csv}, {"openmetrics", export_openmetrics}};

static int export(const char *state_dir, const char *name, const char *format, struct error *err)
{
    auto_free char *folder = latency_folder(state_dir);
    for (size_t i = 0; i < ARRAY_SIZE(FORMATS); i++) {
        if (strcmp(format, FORMATS[i].name) != 0)
            continue;
        auto_json *document = run_files_get(folder, name, err);
        auto_run run = {0};
        auto_text out = {0};
        if (!document || run_read(document, &run, err) < 0)
            return -1;
        FORMATS[i].write(&run, &out);
        fputs(text_cstr(&out), stdout);
        return 0;
    }
    return fail(err, ERROR_BAD_REQUEST, "--format %s: want json, csv or openmetrics", format);
}

int latency_export(int argc, char **argv)
{
    const char *state_dir = NULL;
    const char *format = "json";
    const struct verb_option options[] = {
        {.name = "format", .value = "FORMAT", .text = &format, .help = "json, csv or openmetrics"},
        LATENCY_STATE_OPTION(state_dir),
    };
    struct error err;
    int positional;
    bool done;
    if (verb_options("latency", argc, argv, options, ARRAY_SIZE(options), &positional, &done, &err) < 0)
        return verb_fail("latency export", &err);
    if (done)
        return 0;
    if (positional != 1) {
        fail(&err, ERROR_BAD_REQUEST, "want rtvmd latency export NAME [--format json|csv|openmetrics]");
        return verb_fail("latency export", &err);
    }
    return export(state_dir, argv[0], format, &err) < 0 ? verb_fail("latency export", &err) : 0;
}
