/* rtvmd latency: measures, keeps what was measured, compares. The host is measured by this very process; the daemon is
 * asked only which CPUs belong to VMs, for a measuring thread would take them away from these. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rtvmd/base/limits.h"
#include "rtvmd/client.h"
#include "rtvmd/host_map.h"
#include "rtvmd/paths.h"
#include "rtvmd/verb_latency.h"
#include "rtvmd/verbs.h"
#include "rtvmd/version.h"
#include "runtime/latency/duration.h"
#include "runtime/latency/measure.h"
#include "runtime/latency/run_files.h"

enum { BAR_WIDTH = 30 };

char *latency_folder(const char *state_dir)
{
    auto_free char *own = state_dir ? must_strdup(state_dir) : paths_state_dir();
    return must_format("%s/latency", own);
}

static volatile sig_atomic_t is_interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    is_interrupted = 1;
}

void latency_catch_interrupts(void)
{
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
}

bool latency_is_interrupted(void)
{
    return is_interrupted;
}

int latency_read_common(int argc, char **argv, const struct verb_option *options, size_t count,
                        struct latency_common *common, int *ret_positional, struct error *err)
{
    if (verb_options("latency", argc, argv, options, count, ret_positional, &common->done, err) < 0)
        return -1;
    if (common->done)
        return 0;
    if (common->remote.output && strcmp(common->remote.output, "json") != 0)
        return fail(err, ERROR_BAD_REQUEST, "-o %s: want json", common->remote.output);
    return latency_duration_parse(common->duration, &common->duration_ms, err) < 0 ? error_prefix(err, "--duration")
                                                                                   : 0;
}

bool latency_progress(unsigned percent, const char *what, void *arg)
{
    (void)arg;
    if (!isatty(STDERR_FILENO))
        return true;
    int full = (int)percent * BAR_WIDTH / 100;
    fprintf(stderr, "\r\033[K%-5s [%.*s%*s] %u %%%s", what, full, "##############################", BAR_WIDTH - full,
            "", percent, percent >= 100 ? "\n" : "");
    return true;
}

int latency_keep(const char *state_dir, const char *name, bool json, json_t *document, struct error *err)
{
    auto_free char *folder = latency_folder(state_dir);
    auto_free char *stored = run_files_add(folder, name, document, err);
    if (!stored)
        return -1;
    auto_text out = {0};
    auto_run run = {0};
    if (run_read(document, &run, err) < 0)
        return -1;
    if (json)
        json_write_pretty(document, &out);
    else
        latency_write(&run, &out);
    fputs(text_cstr(&out), stdout);
    return 0;
}

struct host_arguments {
    const char *cpus;
    const char *duration;
    const char *kind;
    const char *name;
    const char *output;
    const char *state_dir;
    const char *socket;
    bool load;
    bool trace;
    bool done;
    uint64_t duration_ms;
    struct cpuset measured;
    bool wanted[MEASUREMENT_KINDS];
};

static int read_host_arguments(int argc, char **argv, struct host_arguments *a, struct error *err)
{
    const struct verb_option options[] = {
        {.name = "cpus", .value = "LIST", .text = &a->cpus, .help = "CPUs to measure; else all that VMs may get"},
        {.name = "duration", .value = "TIME", .text = &a->duration, .help = "10s; both kinds share it"},
        {.name = "kind", .value = "KIND", .text = &a->kind, .help = "timer, gaps or both"},
        {.name = "load", .flag = &a->load, .help = "Load all other CPUs meanwhile; else there is no verdict"},
        {.name = "trace", .flag = &a->trace, .help = "Who disturbs for how long, by the kernel's osnoise tracer"},
        {.name = "name", .value = "NAME", .text = &a->name, .help = "Of the stored run"},
        {.letter = 'o', .name = "output", .value = "FORMAT", .text = &a->output, .help = "json"},
        LATENCY_STATE_OPTION(a->state_dir),
        {.name = "socket", .value = "PATH", .text = &a->socket, .help = "The daemon's, to ask which CPUs VMs have"},
    };
    int positional;
    if (verb_options("latency", argc, argv, options, ARRAY_SIZE(options), &positional, &a->done, err) < 0)
        return -1;
    if (a->done)
        return 0;
    if (positional > 0)
        return fail(err, ERROR_BAD_REQUEST, "unexpected argument \"%s\"", argv[0]);
    if (measure_kind_parse(a->kind, a->wanted, err) < 0)
        return error_prefix(err, "--kind");
    if (a->output[0] && strcmp(a->output, "json") != 0)
        return fail(err, ERROR_BAD_REQUEST, "-o %s: want json", a->output);
    if (a->cpus && cpuset_parse(a->cpus, &a->measured, err) < 0)
        return error_prefix(err, "--cpus");
    return latency_duration_parse(a->duration, &a->duration_ms, err) < 0 ? error_prefix(err, "--duration") : 0;
}

/* Measuring threads never sleep, and a vCPU of the same priority would wait for them. No daemon, no VMs. */
static int refuse_cpus_of_vms(const char *socket, const struct cpuset *cpus, struct error *err)
{
    auto_client client;
    auto_reply reply = {0};
    struct error ignored;
    struct client_request request = {.method = "GET", .path = "/apis/rtvmd.io/v1alpha1/placements"};
    client_init(&client, socket);
    if (client_call(&client, &request, &reply, &ignored) < 0)
        return 0;
    size_t i;
    json_t *item;
    json_array_foreach(json_at(reply.body, "items"), i, item)
    {
        struct host_map_vm vm = host_map_vm_of(item);
        struct cpuset all = cpuset_or(&vm.vcpus, &vm.others);
        struct cpuset both = cpuset_and(&all, cpus);
        auto_free struct cpuset_text *text = must_calloc(1, sizeof *text);
        if (!cpuset_is_empty(&both))
            return fail(err, ERROR_CONFLICT, "cpus: %s belong to the running VM %s; measure others, or stop it",
                        cpuset_format(&both, text), vm.name);
    }
    return 0;
}

/* Refuses what cannot be measured before any load starts. */
static int choose_cpus(const struct host *host, struct host_arguments *a, struct cpuset *ret_others, struct error *err)
{
    struct cpuset nobody = {{0}};
    struct cpuset allowed = host_test_allowed();
    if (cpuset_is_empty(&a->measured)) {
        struct cpuset housekeeping = host_housekeeping(host, &nobody);
        a->measured = cpuset_minus(&allowed, &housekeeping);
    }
    struct host_test test = {
        .kind = strcmp(a->kind, "timer") == 0 ? MEASUREMENT_TIMER : MEASUREMENT_GAPS,
        .cpus = a->measured,
        .duration_ms = a->duration_ms,
        .interval_ns = HOST_TEST_INTERVAL_NS,
    };
    *ret_others = cpuset_minus(&allowed, &a->measured);
    if (host_test_check(&test, err) < 0 || refuse_cpus_of_vms(a->socket, &a->measured, err) < 0)
        return -1;
    if (a->load && cpuset_is_empty(ret_others))
        return fail(err, ERROR_BAD_REQUEST, "--load: no CPU is left for it; measure fewer with --cpus");
    return 0;
}

static bool show_until_interrupted(unsigned percent, const char *what, void *arg)
{
    return latency_progress(percent, what, arg) && !latency_is_interrupted();
}

static int run_on_host(struct host_arguments *a, struct error *err)
{
    static struct host host;
    struct cpuset others;
    struct cpuset nobody = {{0}};
    if (host_load(NULL, &host, err) < 0 || choose_cpus(&host, a, &others, err) < 0)
        return -1;
    auto_json *knobs = run_knobs(&host);
    struct measure_request request = {
        .cpus = a->measured,
        .load_cpus = a->load ? others : nobody,
        .duration_ms = a->duration_ms,
        .trace = a->trace,
    };
    memcpy(request.wanted, a->wanted, sizeof request.wanted);
    auto_measure_result result = {0};
    latency_catch_interrupts();
    if (measure_here(&request, show_until_interrupted, NULL, &result, err) < 0)
        return -1;
    if (latency_is_interrupted())
        return fail(err, ERROR_CONFLICT, "interrupted; nothing is stored");
    struct run_facts facts = {
        .target = "host",
        .kind = measure_kind_text(request.wanted),
        .scheduling = run_scheduling(result.fifo),
        .version = RTVMD_VERSION,
        .duration_ms = a->duration_ms,
        .load = a->load,
        .cpus = request.cpus,
        .load_cpus = request.load_cpus,
        .host = &host,
        .knobs = knobs,
        .disturbance = result.disturbance,
    };
    auto_json *run = run_new(&facts, &result.measurements);
    return latency_keep(a->state_dir, a->name, a->output[0] != '\0', run, err);
}

int latency_host(int argc, char **argv)
{
    struct host_arguments a = {.duration = "10s", .kind = "both", .output = ""};
    struct error err;
    if (read_host_arguments(argc, argv, &a, &err) < 0)
        return verb_fail("latency host", &err);
    if (a.done)
        return 0;
    return run_on_host(&a, &err) < 0 ? verb_fail("latency host", &err) : 0;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} PARTS[] = {
    {"host", latency_host},   {"vm", latency_vm},           {"guest", latency_guest},
    {"watch", latency_watch}, {"ab", latency_ab},           {"list", latency_list},
    {"show", latency_show},   {"compare", latency_compare}, {"export", latency_export},
};

int verb_latency(int argc, char **argv)
{
    struct error err;
    int positional;
    bool done;
    for (size_t i = 0; i < ARRAY_SIZE(PARTS); i++)
        if (argc > 1 && strcmp(argv[1], PARTS[i].name) == 0)
            return PARTS[i].run(argc - 1, argv + 1);
    if (verb_options("latency", argc, argv, NULL, 0, &positional, &done, &err) < 0)
        return verb_fail("latency", &err);
    if (done)
        return 0;
    auto_text words = {0};
    for (size_t i = 0; i < ARRAY_SIZE(PARTS); i++)
        text_printf(&words, "%s%s", i ? ", " : "", PARTS[i].name);
    fail(&err, ERROR_BAD_REQUEST, "want one of %s", text_cstr(&words));
    return verb_fail("latency", &err);
}
