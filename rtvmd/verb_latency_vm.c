/* rtvmd latency vm: the probe guest in place of a VM; rtvmd latency guest: tools inside of one that runs. The daemon
 * does it (a LatencyTest object); here it is asked for, watched, shown and cleared away. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rtvmd/base/limits.h"
#include "rtvmd/remote.h"
#include "rtvmd/verb_latency.h"
#include "runtime/latency/duration.h"

enum { LOOK_MS = 250 };

struct vm_arguments {
    struct latency_common common;
    const char *file;
    const char *kind;
    const char *name;
    const char *machine; /* of a VM; NULL: the file */
    bool load;
    bool inside; /* tools in the guest that runs */
};

#define KIND_OPTION(a)                                                                     \
    {                                                                                      \
        .name = "kind", .value = "KIND", .text = &(a)->kind, .help = "timer, gaps or both" \
    }
#define LOAD_OPTION(a)                                                                                     \
    {                                                                                                      \
        .name = "load", .flag = &(a)->load, .help = "Load the housekeeping CPUs; else there is no verdict" \
    }
#define NAME_OPTION(a)                                                                   \
    {                                                                                    \
        .name = "name", .value = "NAME", .text = &(a)->name, .help = "Of the stored run" \
    }

static int read_vm_arguments(int argc, char **argv, struct vm_arguments *a, struct error *err)
{
    const struct verb_option options[] = {
        {.letter = 'f',
         .name = "file",
         .value = "FILE",
         .text = &a->file,
         .help = "A manifest, in place of a VM's name"},
        KIND_OPTION(a),
        LOAD_OPTION(a),
        NAME_OPTION(a),
        LATENCY_COMMON_OPTIONS(a->common),
    };
    int positional;
    if (latency_read_common(argc, argv, options, ARRAY_SIZE(options), &a->common, &positional, err) < 0)
        return -1;
    if (!a->common.done && (positional > 1 || (positional == 1) == (a->file != NULL)))
        return fail(err, ERROR_BAD_REQUEST, "want rtvmd latency vm NAME, or rtvmd latency vm -f FILE");
    a->machine = positional == 1 ? argv[0] : NULL;
    return 0;
}

static int read_guest_arguments(int argc, char **argv, struct vm_arguments *a, struct error *err)
{
    const struct verb_option options[] = {
        KIND_OPTION(a),
        LOAD_OPTION(a),
        NAME_OPTION(a),
        LATENCY_COMMON_OPTIONS(a->common),
    };
    int positional;
    if (latency_read_common(argc, argv, options, ARRAY_SIZE(options), &a->common, &positional, err) < 0)
        return -1;
    if (!a->common.done && positional != 1)
        return fail(err, ERROR_BAD_REQUEST, "say which: rtvmd latency guest NAME");
    a->machine = argv[0];
    a->inside = true;
    return 0;
}

/* The VMI of a file: as it is, or the template of a VM. */
static json_t *read_template(const char *file, struct error *err)
{
    const char *const files[] = {file, NULL};
    auto_json *objects = remote_read_files(files, err);
    const json_t *object = json_array_get(objects, 0);
    const char *kind = json_text_at(object, "kind", "");
    if (!objects)
        return NULL;
    if (json_array_size(objects) != 1 || !text_starts_with(kind, "VirtualMachine")) {
        fail(err, ERROR_BAD_REQUEST, "%s: want one VirtualMachine or VirtualMachineInstance", file);
        return NULL;
    }
    bool is_vm = strcmp(kind, "VirtualMachine") == 0;
    const json_t *from = is_vm ? json_at(object, "spec.template") : object;
    json_t *template = json_object();
    json_t *metadata = json_object();
    if (json_at(from, "metadata.annotations"))
        json_object_set(metadata, "annotations", json_at(from, "metadata.annotations"));
    json_object_set_new(template, "metadata", metadata);
    if (json_at(from, "spec"))
        json_object_set(template, "spec", json_at(from, "spec"));
    return template;
}

static json_t *object_of(const struct vm_arguments *a, struct error *err)
{
    json_t *template = a->file ? read_template(a->file, err) : NULL;
    if (a->file && !template)
        return NULL;
    json_t *spec = json_pack("{s:s, s:s, s:b}", "kind", a->kind, "duration", a->common.duration, "load", (int)a->load);
    if (template)
        json_object_set_new(spec, "template", template);
    else
        json_object_set_new(spec, "virtualMachine", json_string(a->machine));
    if (a->inside)
        json_object_set_new(spec, "insideGuest", json_true());
    if (a->name)
        json_object_set_new(spec, "runName", json_string(a->name));
    return json_pack("{s:s, s:s, s:{s:s}, s:o}", "apiVersion", "rtvmd.io/v1alpha1", "kind", "LatencyTest", "metadata",
                     "generateName", "latency-", "spec", spec);
}

static int call(const struct client *client, const char *method, const char *path, const json_t *body,
                struct client_reply *reply, struct error *err)
{
    auto_free char *text = body ? json_to_text(body) : NULL;
    const struct client_request request = {
        .method = method,
        .path = path,
        .content_type = text ? "application/json" : NULL,
        .body = text,
        .body_length = text ? strlen(text) : 0,
    };
    return client_call(client, &request, reply, err);
}

static void show_progress(const struct vm_arguments *a, const json_t *test, char *last_message)
{
    const char *message = json_text_at(test, "status.message", "");
    if (strcmp(json_text_at(test, "status.phase", ""), "Running") == 0) {
        latency_progress((unsigned)json_int_at(test, "status.progress", 0), a->inside ? "guest" : "probe", NULL);
    } else if (message[0] && strncmp(message, last_message, ERROR_TEXT_MAX - 1) != 0) {
        fprintf(stderr, "%s\n", message);
        snprintf(last_message, ERROR_TEXT_MAX, "%s", message);
    }
}

static int follow(const struct vm_arguments *a, const struct client *client, const char *path, struct error *err)
{
    char message[ERROR_TEXT_MAX] = "";
    while (!latency_is_interrupted()) {
        auto_reply reply = {0};
        if (call(client, "GET", path, NULL, &reply, err) < 0)
            return -1;
        const char *phase = json_text_at(reply.body, "status.phase", "");
        if (strcmp(phase, "Succeeded") == 0) {
            latency_progress(100, a->inside ? "guest" : "probe", NULL);
            return 0;
        }
        if (strcmp(phase, "Failed") == 0)
            return fail(err, ERROR_UNAVAILABLE, "%s", json_text_at(reply.body, "status.message", "it failed"));
        show_progress(a, reply.body, message);
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
    }
    return fail(err, ERROR_CONFLICT, "interrupted");
}

static int show_run(const struct vm_arguments *a, const struct client *client, const char *path, struct error *err)
{
    auto_reply reply = {0};
    auto_run run = {0};
    auto_text out = {0};
    auto_free char *whole = must_format("%s/run", path);
    if (call(client, "GET", whole, NULL, &reply, err) < 0 || run_read(reply.body, &run, err) < 0)
        return -1;
    if (a->common.remote.output)
        json_write_pretty(reply.body, &out);
    else
        latency_write(&run, &out);
    fputs(text_cstr(&out), stdout);
    return 0;
}

static int run_test(const struct vm_arguments *a, struct error *err)
{
    auto_client client;
    client_init(&client, a->common.remote.socket);
    auto_json *object = object_of(a, err);
    auto_reply made = {0};
    auto_free char *collection =
        must_format("/apis/rtvmd.io/v1alpha1/namespaces/%s/latencytests", a->common.remote.namespace_);
    latency_catch_interrupts();
    if (!object || call(&client, "POST", collection, object, &made, err) < 0)
        return -1;
    auto_free char *path = must_format("%s/%s", collection, json_text_at(made.body, "metadata.name", ""));
    int r = follow(a, &client, path, err);
    if (r == 0)
        r = show_run(a, &client, path, err);
    auto_reply gone = {0};
    struct error ignored; /* the run is stored; an object left behind says so itself */
    call(&client, "DELETE", path, NULL, &gone, &ignored);
    return r;
}

static int start(const char *verb, int argc, char **argv,
                 int (*read)(int argc, char **argv, struct vm_arguments *a, struct error *err))
{
    struct vm_arguments a = {.common = {.remote = {.namespace_ = "default"}, .duration = "10s"}, .kind = "both"};
    struct error err;
    if (read(argc, argv, &a, &err) < 0)
        return verb_fail(verb, &err);
    if (a.common.done)
        return 0;
    return run_test(&a, &err) < 0 ? verb_fail(verb, &err) : 0;
}

int latency_vm(int argc, char **argv)
{
    return start("latency vm", argc, argv, read_vm_arguments);
}

int latency_guest(int argc, char **argv)
{
    return start("latency guest", argc, argv, read_guest_arguments);
}
