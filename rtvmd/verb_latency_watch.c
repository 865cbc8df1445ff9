/* rtvmd latency watch: who disturbs the CPUs of a running VM. By the kernel's osnoise tracer on this machine where that
 * can be had, which the VM's CPUs feel for some microseconds when it is turned on and off; and by the kernel's counters
 * before and after, which nobody notices. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "rtvmd/host_map.h"
#include "rtvmd/remote.h"
#include "rtvmd/verb_latency.h"
#include "runtime/latency/disturbance.h"
#include "runtime/latency/duration.h"

enum { PROGRESS_MS = 200 };

struct watch_arguments {
    struct latency_common common;
    const char *machine;
    bool counters;
};

static int read_arguments(int argc, char **argv, struct watch_arguments *a, struct error *err)
{
    const struct verb_option options[] = {
        {.name = "counters",
         .flag = &a->counters,
         .help = "Look at counters only, without the kernel's osnoise tracer"},
        LATENCY_COMMON_OPTIONS(a->common),
    };
    int positional;
    if (latency_read_common(argc, argv, options, ARRAY_SIZE(options), &a->common, &positional, err) < 0)
        return -1;
    if (!a->common.done && positional != 1)
        return fail(err, ERROR_BAD_REQUEST, "say which: rtvmd latency watch NAME");
    a->machine = argv[0];
    return 0;
}

static int find_cpus(const struct watch_arguments *a, struct client_reply *placement, struct cpuset *ret_cpus,
                     struct error *err)
{
    auto_client client;
    client_init(&client, a->common.remote.socket);
    auto_free char *path =
        must_format("/apis/rtvmd.io/v1alpha1/namespaces/%s/placements/%s", a->common.remote.namespace_, a->machine);
    const struct client_request request = {.method = "GET", .path = path};
    if (client_call(&client, &request, placement, err) < 0)
        return -1;
    *ret_cpus = host_map_vm_of(placement->body).vcpus;
    if (strcmp(json_text_at(placement->body, "status.phase", ""), "Running") != 0)
        return fail(err, ERROR_CONFLICT, "%s does not run", a->machine);
    if (cpuset_is_empty(ret_cpus))
        return fail(err, ERROR_BAD_REQUEST, "%s has no CPUs of its own; whoever runs beside it is meant to",
                    a->machine);
    return 0;
}

/* The VM's own threads are who should be there: marked, and shown as such. */
static void mark_own(json_t *list, const char *id, const json_t *proof)
{
    size_t i;
    size_t k;
    json_t *thread;
    json_t *own;
    json_array_foreach(list, i, thread)
    {
        bool is_own = false;
        json_array_foreach(json_object_get(proof, "threads"), k, own) is_own =
            is_own || json_int_at(own, "tid", -1) == json_int_at(thread, id, 0);
        if (strcmp(json_text_at(thread, "kind", "thread"), "thread") == 0)
            json_object_set_new(thread, "own", json_boolean(is_own));
    }
}

static void wait_and_show(uint64_t duration_ms, struct disturbance *started)
{
    uint64_t start_ms = now_monotonic_ms();
    for (uint64_t gone; (gone = now_monotonic_ms() - start_ms) < duration_ms && !latency_is_interrupted();) {
        latency_progress((unsigned)(gone * 100 / duration_ms), "watch", NULL);
        disturbance_poll(started);
        uint64_t left = duration_ms - gone;
        nanosleep(&(struct timespec){.tv_nsec = (long)((left < PROGRESS_MS ? left : PROGRESS_MS) * 1000000)}, NULL);
    }
    latency_progress(100, "watch", NULL);
}

static int watch(const struct watch_arguments *a, struct error *err)
{
    auto_reply placement = {0};
    struct cpuset cpus;
    auto_free struct cpuset_text *list = must_calloc(1, sizeof *list);
    if (find_cpus(a, &placement, &cpus, err) < 0)
        return -1;
    latency_catch_interrupts();
    struct disturbance *started = disturbance_start(&cpus, !a->counters);
    wait_and_show(a->common.duration_ms, started);
    auto_json *disturbance = disturbance_end(started);
    if (latency_is_interrupted())
        return fail(err, ERROR_CONFLICT, "interrupted");
    const json_t *proof = json_at(placement.body, "status.proof");
    mark_own(json_at(disturbance, "threads"), "tid", proof);
    mark_own(json_at(disturbance, "noise.sources"), "id", proof);
    auto_json *answer = json_pack("{s:s, s:s, s:I, s:O}", "target", a->machine, "cpus", cpuset_format(&cpus, list),
                                  "durationMs", (json_int_t)a->common.duration_ms, "disturbance", disturbance);
    auto_text out = {0};
    if (a->common.remote.output) {
        json_write_pretty(answer, &out);
    } else {
        text_printf(&out, "%s, vCPUs on CPUs %s, %.1f s\n", a->machine, list->text,
                    (double)a->common.duration_ms / 1000);
        latency_write_disturbance(disturbance, &out);
    }
    fputs(text_cstr(&out), stdout);
    return 0;
}

int latency_watch(int argc, char **argv)
{
    struct watch_arguments a = {.common = {.remote = {.namespace_ = "default"}, .duration = "10s"}};
    struct error err;
    if (read_arguments(argc, argv, &a, &err) < 0)
        return verb_fail("latency watch", &err);
    if (a.common.done)
        return 0;
    return watch(&a, &err) < 0 ? verb_fail("latency watch", &err) : 0;
}
