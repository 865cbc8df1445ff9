/* rtvmd latency vm: the probe guest in place of a VM. The daemon does it (a LatencyTest object); here it is asked for,
 * watched, shown and cleared away. */
#include <signal.h>
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
    struct remote_options remote;
    const char *file;
    const char *duration;
    const char *kind;
    const char *name;
    const char *output;
    const char *machine; /* of a VM; NULL: the file */
    bool load;
    bool done;
    uint64_t duration_ms;
};

static volatile sig_atomic_t is_interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    is_interrupted = 1;
}

static int read_arguments(int argc, char **argv, struct vm_arguments *a, struct error *err)
{
    const struct verb_option options[] = {
        {.letter = 'f',
         .name = "file",
         .value = "FILE",
         .text = &a->file,
         .help = "A manifest, in place of a VM's name"},
        {.name = "duration", .value = "TIME", .text = &a->duration, .help = "10s; both kinds share it"},
        {.name = "kind", .value = "KIND", .text = &a->kind, .help = "timer, gaps or both"},
        {.name = "load", .flag = &a->load, .help = "Load the housekeeping CPUs; else there is no verdict"},
        {.name = "name", .value = "NAME", .text = &a->name, .help = "Of the stored run"},
        {.letter = 'o', .name = "output", .value = "FORMAT", .text = &a->remote.output, .help = "json"},
        REMOTE_NAMESPACE_OPTION(a->remote),
        REMOTE_SOCKET_OPTION(a->remote),
    };
    int positional;
    if (verb_options("latency", argc, argv, options, ARRAY_SIZE(options), &positional, &a->done, err) < 0)
        return -1;
    if (a->done)
        return 0;
    if (positional > 1 || (positional == 1) == (a->file != NULL))
        return fail(err, ERROR_BAD_REQUEST, "want rtvmd latency vm NAME, or rtvmd latency vm -f FILE");
    if (a->remote.output && strcmp(a->remote.output, "json") != 0)
        return fail(err, ERROR_BAD_REQUEST, "-o %s: want json", a->remote.output);
    a->machine = positional == 1 ? argv[0] : NULL;
    return latency_duration_parse(a->duration, &a->duration_ms, err) < 0 ? error_prefix(err, "--duration") : 0;
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
    json_t *spec = json_pack("{s:s, s:s, s:b}", "kind", a->kind, "duration", a->duration, "load", (int)a->load);
    if (template)
        json_object_set_new(spec, "template", template);
    else
        json_object_set_new(spec, "virtualMachine", json_string(a->machine));
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

/* The daemon writes down progress now and then; in between we know the time ourselves. */
static void show_progress(const struct vm_arguments *a, const json_t *test, uint64_t *started_ms, char *last_message)
{
    const char *message = json_text_at(test, "status.message", "");
    bool runs = strcmp(json_text_at(test, "status.phase", ""), "Running") == 0;
    if (runs && *started_ms == 0)
        *started_ms = now_monotonic_ms();
    if (runs) {
        uint64_t percent = (now_monotonic_ms() - *started_ms) * 100 / a->duration_ms;
        latency_progress(percent < 99 ? (unsigned)percent : 99, "probe", NULL);
    } else if (message[0] && strncmp(message, last_message, ERROR_TEXT_MAX - 1) != 0) {
        fprintf(stderr, "%s\n", message);
        snprintf(last_message, ERROR_TEXT_MAX, "%s", message);
    }
}

static int follow(const struct vm_arguments *a, const struct client *client, const char *path, struct error *err)
{
    uint64_t started_ms = 0;
    char message[ERROR_TEXT_MAX] = "";
    while (!is_interrupted) {
        auto_reply reply = {0};
        if (call(client, "GET", path, NULL, &reply, err) < 0)
            return -1;
        const char *phase = json_text_at(reply.body, "status.phase", "");
        if (strcmp(phase, "Succeeded") == 0) {
            latency_progress(100, "probe", NULL);
            return 0;
        }
        if (strcmp(phase, "Failed") == 0)
            return fail(err, ERROR_UNAVAILABLE, "%s", json_text_at(reply.body, "status.message", "it failed"));
        show_progress(a, reply.body, &started_ms, message);
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
    if (a->remote.output)
        json_write_pretty(reply.body, &out);
    else
        latency_write(&run, &out);
    fputs(text_cstr(&out), stdout);
    return 0;
}

static int run_test(const struct vm_arguments *a, struct error *err)
{
    auto_client client;
    client_init(&client, a->remote.socket);
    auto_json *object = object_of(a, err);
    auto_reply made = {0};
    auto_free char *collection =
        must_format("/apis/rtvmd.io/v1alpha1/namespaces/%s/latencytests", a->remote.namespace_);
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
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

int latency_vm(int argc, char **argv)
{
    struct vm_arguments a = {.remote = {.namespace_ = "default"}, .duration = "10s", .kind = "both"};
    struct error err;
    if (read_arguments(argc, argv, &a, &err) < 0)
        return verb_fail("latency vm", &err);
    if (a.done)
        return 0;
    return run_test(&a, &err) < 0 ? verb_fail("latency vm", &err) : 0;
}
