/* A runtime that admits everything and runs nothing, for the tests of api/. What it was asked last is in `asked`. */
#pragma once

#include <string.h>
#include <unistd.h>

#include "runtime/runtime.h"

static struct {
    char text[256];
    bool refuse;          /* the next admission finds two causes */
    bool unknown;         /* the next admission finds an unknown field */
    struct error failure; /* of actions, when it has a kind */
    const char *socket;   /* what runtime_socket answers */
    int screen_fd;        /* a copy of which runtime_screen answers; 0: none */
} asked;

int runtime_admit_write(struct runtime *runtime, json_t *object, const json_t *before, struct findings *findings,
                        struct error *err)
{
    (void)runtime;
    (void)before;
    (void)err;
    if (asked.refuse) {
        findings->cause_count = 2;
        findings->cause = must_calloc(2, sizeof *findings->cause);
        for (size_t i = 0; i < 2; i++)
            findings->cause[i] =
                (struct cause){"FieldValueInvalid", must_strdup("spec.x"), must_format("x is wrong %zu", i)};
    }
    if (asked.unknown) {
        findings->unknown_count = findings->warning_count = 1;
        findings->unknown = must_calloc(1, sizeof *findings->unknown);
        findings->unknown[0] = must_strdup("spec.foo");
        findings->warning = must_calloc(1, sizeof *findings->warning);
        findings->warning[0] = must_strdup("unknown field \"spec.foo\"");
    }
    if (strcmp(json_text_at(object, "kind", ""), "VirtualMachine") == 0 && !json_at(object, "spec.runStrategy"))
        json_put_at(object, "spec.runStrategy", json_string("Always"));
    return 0;
}

json_t *runtime_plan(struct runtime *runtime, const json_t *object, struct error *err)
{
    (void)runtime;
    (void)object;
    (void)err;
    return json_pack("{s:b, s:[{s:s}], s:[s]}", "admitted", 0, "reasons", "message", "no room", "suggestions",
                     "fits with 1 vCPU");
}

void runtime_act(struct runtime *runtime, enum runtime_action action, const char *namespace_, const char *name,
                 const json_t *options, runtime_done *done, void *arg)
{
    (void)runtime;
    auto_free char *text = json_to_text(options);
    snprintf(asked.text, sizeof asked.text, "%d %s/%s %s", (int)action, namespace_, name, text);
    done(asked.failure.kind ? &asked.failure : NULL, arg);
}

static struct store *fake_store;

int runtime_delete(struct runtime *runtime, const char *kind, const char *namespace_, const char *name, int64_t grace_s,
                   bool orphan, json_t **ret_object, struct error *err)
{
    (void)runtime;
    snprintf(asked.text, sizeof asked.text, "delete %s %s/%s %lld %d", kind, namespace_, name, (long long)grace_s,
             orphan);
    return store_delete(fake_store, kind, namespace_, name, ret_object, err);
}

void runtime_guest(struct runtime *runtime, const char *namespace_, const char *name, const char *what,
                   runtime_answer *answer, void *arg)
{
    (void)runtime;
    (void)namespace_;
    (void)name;
    auto_json *result = json_pack("{s:s}", "asked", what);
    answer(asked.failure.kind ? NULL : result, asked.failure.kind ? &asked.failure : NULL, arg);
}

void runtime_latency_run(struct runtime *runtime, const char *namespace_, const char *name, runtime_answer *answer,
                         void *arg)
{
    (void)runtime;
    auto_json *result = json_pack("{s:s, s:s}", "namespace", namespace_, "name", name);
    answer(result, NULL, arg);
}

void runtime_verify(struct runtime *runtime, const char *namespace_, const char *name, bool repair,
                    runtime_answer *answer, void *arg)
{
    (void)runtime;
    auto_json *result =
        json_pack("{s:b, s:s, s:s, s:b}", "ok", 1, "namespace", namespace_, "name", name, "repair", repair);
    answer(result, NULL, arg);
}

char *runtime_socket(struct runtime *runtime, const char *namespace_, const char *name, const char *device,
                     struct error *err)
{
    (void)runtime;
    (void)namespace_;
    (void)name;
    (void)device;
    if (asked.socket)
        return must_strdup(asked.socket);
    fail(err, ERROR_BAD_REQUEST, "VMI is not running");
    return NULL;
}

void runtime_screen(struct runtime *runtime, const char *namespace_, const char *name, runtime_stream *answer,
                    void *arg)
{
    (void)runtime;
    (void)namespace_;
    (void)name;
    struct error err;
    int fd = asked.screen_fd ? dup(asked.screen_fd) : -1;
    if (fd < 0)
        fail(&err, ERROR_BAD_REQUEST, "No graphics devices are present.");
    answer(fd, fd < 0 ? &err : NULL, arg);
}

void runtime_screenshot(struct runtime *runtime, const char *namespace_, const char *name, runtime_stream *answer,
                        void *arg)
{
    runtime_screen(runtime, namespace_, name, answer, arg);
}

json_t *runtime_host_change(struct runtime *runtime, const char *name)
{
    (void)runtime;
    json_t *change = json_pack("{s:s, s:s, s:{s:s}, s:{s:s, s:{s:s, s:s, s:s}}, s:{s:s, s:s, s:s, s:s}}", "apiVersion",
                               "rtvmd.io/v1alpha1", "kind", "HostChange", "metadata", "name", "statistics-1", "spec",
                               "target", "/sys/x", "owner", "kind", "VirtualMachineInstance", "namespace", "default",
                               "name", "x", "status", "before", "1", "wanted", "10", "found", "10", "state", "Applied");
    if (!name)
        return json_pack("[o]", change);
    if (strcmp(name, "statistics-1") == 0)
        return change;
    json_decref(change);
    return NULL;
}

void runtime_see_host_changes(struct runtime *runtime, void (*done)(void *arg), void *arg)
{
    (void)runtime;
    done(arg);
}

void runtime_undo_host_change(struct runtime *runtime, const char *name, runtime_done *done, void *arg)
{
    (void)runtime;
    snprintf(asked.text, sizeof asked.text, "undo %s", name);
    done(NULL, arg);
}

static json_t *fake_placements; /* an array; NULL: there are none */

json_t *runtime_placement(struct runtime *runtime, const char *namespace_, const char *name)
{
    (void)runtime;
    (void)namespace_;
    return name ? NULL : fake_placements ? json_incref(fake_placements) : json_array();
}

json_t *runtime_node(struct runtime *runtime)
{
    (void)runtime;
    return json_pack("{s:s, s:s, s:{s:s}, s:{s:[{s:s, s:s}]}}", "kind", "Node", "apiVersion", "v1", "metadata", "name",
                     "host", "status", "conditions", "type", "Ready", "status", "True");
}

/* ---- counting: one VM that has used a little of everything */
static struct runtime_counters fake_counters = {.steps[VMI_START] = 3, .steps_failed[VMI_START] = 1, .drifts = 2};
static bool fake_is_silent; /* libvirt does not answer */

const struct runtime_counters *runtime_counters(const struct runtime *runtime)
{
    (void)runtime;
    return &fake_counters;
}

void runtime_statistics(struct runtime *runtime, runtime_statistics_done *done, void *arg)
{
    (void)runtime;
    static char default_[] = "default", one[] = "one";
    static struct vcpu_usage vcpu = {.index = 1, .run_ns = 1500000000, .delay_ns = 7, .last_cpu = 3};
    static struct disk_statistics disk = {.target = "vda", .read_bytes = 4096, .write_bytes = STATISTIC_UNKNOWN};
    static struct interface_statistics interface = {.name = "vnet0", .sent_bytes = 99};
    static struct free_pages pool = {0, 2097152, 5};
    static struct vm_statistics vm = {
        .namespace_ = default_,
        .name = one,
        .has_usage = true,
        .usage = {.user_ns = 2000000000, .system_ns = 1, .vcpu_count = 1, .vcpu = &vcpu},
        .domain = {.memory_bytes = 1 << 20,
                   .unused_bytes = STATISTIC_UNKNOWN,
                   .disk_count = 1,
                   .disk = &disk,
                   .interface_count = 1,
                   .interface = &interface},
    };
    static const struct runtime_statistics statistics = {
        .has_domains = true, .vm_count = 1, .vm = &vm, .pool_count = 1, .pool = &pool};
    done(fake_is_silent ? NULL : &statistics, arg);
}

const struct host *runtime_host(const struct runtime *runtime)
{
    (void)runtime;
    static struct host host;
    host.node_count = 1;
    host.node[0].pool_count = 1;
    host.node[0].pool[0] = (struct host_page_pool){.size_bytes = 2097152, .total = 8};
    cpuset_add(&host.online, 0);
    cpuset_add(&host.online, 1);
    return &host;
}

struct cpuset runtime_housekeeping(const struct runtime *runtime)
{
    (void)runtime;
    struct cpuset first = {0};
    cpuset_add(&first, 0);
    return first;
}
