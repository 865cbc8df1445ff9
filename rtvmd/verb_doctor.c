/* rtvmd doctor: is this host fit for real time, and what stands in the way? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostprobe/files.h"
#include "rtvmd/verb.h"
#include "rtvmd/verbs.h"
#include "runtime/tune/doctor.h"

/* Exit status by verdict; 2 is bad input too, told apart by the message on stderr. */
static int exit_status(enum doctor_fit fit)
{
    return fit == DOCTOR_FIT ? 0 : fit == DOCTOR_UNKNOWN ? 1 : 2;
}

struct arguments {
    const char *output;
    const char *recorded;
    bool files;
    bool done;
};

static int read_arguments(int argc, char **argv, struct arguments *ret_arguments, struct error *err)
{
    struct arguments *a = ret_arguments;
    const struct verb_option options[] = {
        {.letter = 'o',
         .name = "output",
         .value = "FORMAT",
         .text = &a->output,
         .help = "json, or wide: every check, not only what is wrong"},
        {.name = "host",
         .value = "DIR",
         .text = &a->recorded,
         .help = "A recorded tree of /sys and /proc instead of this machine"},
        {.name = "files", .flag = &a->files, .help = "Print the list of all files that may be read, and stop"},
    };
    int positional;
    if (verb_options("doctor", argc, argv, options, ARRAY_SIZE(options), &positional, &a->done, err) < 0)
        return -1;
    if (a->done)
        return 0;
    if (positional > 0)
        return fail(err, ERROR_BAD_REQUEST, "unexpected argument \"%s\"; a recorded host is given with --host",
                    argv[0]);
    if (a->output[0] && strcmp(a->output, "json") != 0 && strcmp(a->output, "wide") != 0)
        return fail(err, ERROR_BAD_REQUEST, "-o %s: want json or wide", a->output);
    struct stat status;
    if (a->recorded && stat(a->recorded, &status) == 0 && !S_ISDIR(status.st_mode))
        return fail(err, ERROR_BAD_REQUEST,
                    "--host %s: the doctor reads many files; want a recorded tree of /sys and /proc, not a snapshot",
                    a->recorded);
    return 0;
}

static void print_files(void)
{
    for (size_t i = 0; i < FILES_LIST_COUNT; i++)
        puts(FILES_LIST[i]);
}

int verb_doctor(int argc, char **argv)
{
    enum { SAMPLE_MS = 1000 };
    struct arguments a = {.output = ""};
    struct error err;
    if (read_arguments(argc, argv, &a, &err) < 0)
        return verb_fail("doctor", &err);
    if (a.files && !a.done)
        print_files();
    if (a.done || a.files)
        return 0;
    static struct host host;
    if (host_load(a.recorded, &host, &err) < 0)
        return verb_fail("doctor", &err);
    auto_free char *root = a.recorded ? host_tree_root(a.recorded) : must_strdup("");
    struct doctor_report report;
    doctor_examine(root, &host, SAMPLE_MS, &report);
    auto_text out = {0};
    if (strcmp(a.output, "json") == 0) {
        auto_json *json = doctor_report_to_json(&report);
        json_write_pretty(json, &out);
    } else {
        doctor_report_write(&report, strcmp(a.output, "wide") == 0, &out);
    }
    fputs(text_cstr(&out), stdout);
    if (!a.output[0] && !a.recorded && geteuid() != 0)
        puts("Not root: what only root may read or try counts as unknown.");
    int status = exit_status(report.fit);
    doctor_report_finish(&report);
    return status;
}
