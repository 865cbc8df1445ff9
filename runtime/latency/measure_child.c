/* The child is this same program started anew (/proc/self/exe with the hidden verb). It gets
 *   argv: KINDS CPUS LOAD-CPUS DURATION-MS PARENT-PID, lists empty for none
 *   1: a pipe for a dot for each twentieth that is done, and one JSON object   2: one for an error
 * and runs on every CPU the machine lets it, not on the daemon's few. It dies with the thread that made it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rtvmd/base/limits.h"
#include "rtvmd/base/process.h"
#include "runtime/latency/load.h"
#include "runtime/latency/measure.h"

enum { LOOK_MS = 100, ARGUMENTS = 6, DOT_PERCENT = 5 };

struct child {
    pid_t pid;
    int out;
    int error_out;
};

static int start(const struct measure_request *request, struct child *ret_child, struct error *err)
{
    auto_free struct cpuset_text *cpus = must_calloc(1, sizeof *cpus);
    auto_free struct cpuset_text *load = must_calloc(1, sizeof *load);
    auto_free char *kind = must_strdup(measure_kind_text(request->wanted));
    auto_free char *duration = must_format("%" PRIu64, request->duration_ms);
    auto_free char *parent = must_format("%d", getpid());
    char program[] = "rtvmd";
    char verb[] = MEASURE_VERB;
    cpuset_format(&request->cpus, cpus);
    cpuset_format(&request->load_cpus, load);
    char *argv[] = {program, verb, kind, cpus->text, load->text, duration, parent, NULL};
    int out[2];
    int error_out[2];
    if (pipe2(out, O_CLOEXEC) < 0)
        return fail_errno(err, "start the measuring child");
    int r = pipe2(error_out, O_CLOEXEC) < 0 ? fail_errno(err, "start the measuring child") : 0;
    if (r == 0) {
        const int told[] = {out[1], error_out[1]};
        if (process_spawn_self(argv, environ, told, ARRAY_SIZE(told), &ret_child->pid) < 0)
            r = fail_errno(err, "start the measuring child");
        close(error_out[1]);
        ret_child->error_out = error_out[0];
    }
    close(out[1]);
    ret_child->out = out[0];
    if (r < 0)
        close(out[0]);
    return r;
}

static void finish(struct child *child, int *ret_status)
{
    kill(child->pid, SIGKILL);
    while (waitpid(child->pid, ret_status, 0) < 0 && errno == EINTR)
        ;
    close(child->out);
    close(child->error_out);
}

/* Until the child closes its pipe: everything it says, within limits. */
static int collect(const struct child *child, uint64_t deadline_ms, const atomic_bool *stop, atomic_uint *percent,
                   struct text *out, struct error *err)
{
    struct pollfd ready = {.fd = child->out, .events = POLLIN};
    char chunk[16384];
    for (;;) {
        if (stop && atomic_load(stop))
            return fail(err, ERROR_CONFLICT, "the measurement was called off");
        if (now_monotonic_ms() > deadline_ms)
            return fail(err, ERROR_TIMEOUT, "the measuring child did not finish in time");
        if (poll(&ready, 1, LOOK_MS) <= 0)
            continue;
        ssize_t n = read(child->out, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return 0;
        if (out->length + (size_t)n > LIMIT_LATENCY_RUN_BYTES)
            return fail(err, ERROR_TOO_LARGE, "the measuring child says more than %u bytes", LIMIT_LATENCY_RUN_BYTES);
        text_append_n(out, chunk, (size_t)n);
        if (percent)
            atomic_store(percent, (unsigned)strspn(text_cstr(out), ".") * DOT_PERCENT);
    }
}

static int read_answer(const char *out, const struct child *child, struct measure_result *result, struct error *err)
{
    char why[512];
    ssize_t n = out[0] ? 0 : read(child->error_out, why, sizeof why - 1);
    if (n > 0) {
        why[n] = '\0';
        why[strcspn(why, "\n")] = '\0';
        return fail(err, ERROR_UNAVAILABLE, "measuring: %s", why);
    }
    auto_json *answer = json_from_text(out, strlen(out), err);
    if (!answer)
        return error_prefix(err, "the measuring child's answer");
    result->fifo = json_bool_at(answer, "fifo", false);
    result->disturbance = json_incref(json_at(answer, "disturbance"));
    return measurements_read(json_at(answer, "measurements"), &result->measurements, err);
}

int measure_apart(const struct measure_request *request, const atomic_bool *stop, atomic_uint *percent,
                  struct measure_result *ret_result, struct error *err)
{
    struct child child = {.out = -1, .error_out = -1};
    int status;
    *ret_result = (struct measure_result){0};
    if (start(request, &child, err) < 0)
        return -1;
    auto_text out = {0};
    uint64_t deadline_ms = now_monotonic_ms() + request->duration_ms + LIMIT_LATENCY_GRACE_MS;
    int r = collect(&child, deadline_ms, stop, percent, &out, err);
    if (r == 0)
        r = read_answer(text_cstr(&out) + strspn(text_cstr(&out), "."), &child, ret_result, err);
    finish(&child, &status);
    if (r < 0)
        measure_result_finish(ret_result);
    return r;
}

int measure_load_start(const struct cpuset *cpus, uint64_t duration_ms, pid_t *ret_pid, struct error *err)
{
    struct child child = {.out = -1, .error_out = -1};
    *ret_pid = 0;
    if (cpuset_is_empty(cpus))
        return 0;
    if (start(&(struct measure_request){.load_cpus = *cpus, .duration_ms = duration_ms}, &child, err) < 0)
        return -1;
    close(child.out);
    close(child.error_out);
    *ret_pid = child.pid;
    return 0;
}

void measure_load_end(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGKILL); /* its processes die with it */
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* ---- the child */

static void run_everywhere(void)
{
    size_t size = CPU_ALLOC_SIZE(CPUSET_MAX);
    cpu_set_t *all = CPU_ALLOC(CPUSET_MAX);
    memset(all, 0xff, size);
    sched_setaffinity(0, size, all); /* the kernel leaves what is there and allowed */
    CPU_FREE(all);
}

static int read_request(int argc, char **argv, struct measure_request *request, struct error *err)
{
    *request = (struct measure_request){0};
    if (argc != ARGUMENTS || measure_kind_parse(argv[1], request->wanted, err) < 0)
        return fail(err, ERROR_BAD_REQUEST, "%s is for rtvmd itself", MEASURE_VERB);
    if ((argv[2][0] && cpuset_parse(argv[2], &request->cpus, err) < 0) ||
        (argv[3][0] && cpuset_parse(argv[3], &request->load_cpus, err) < 0))
        return -1;
    if (!text_to_u64(argv[4], &request->duration_ms) || request->duration_ms > LIMIT_LATENCY_S * UINT64_C(1000))
        return fail(err, ERROR_BAD_REQUEST, "duration %s: too long", argv[4]);
    return 0;
}

static int only_load(const struct measure_request *request, struct error *err)
{
    auto_free struct load *load = must_calloc(1, sizeof *load);
    if (load_start(&request->load_cpus, request->duration_ms, load, err) < 0)
        return -1;
    for (size_t i = 0; i < load->count; i++)
        while (waitpid(load->pid[i], NULL, 0) < 0 && errno == EINTR)
            ;
    return 0;
}

static bool print_dots(unsigned percent, const char *what, void *arg)
{
    unsigned *dots = arg;
    (void)what;
    for (; *dots < percent / DOT_PERCENT && *dots < 100 / DOT_PERCENT; ++*dots)
        putchar('.');
    fflush(stdout);
    return true;
}

static int measure_and_tell(const struct measure_request *request, struct error *err)
{
    auto_measure_result result = {0};
    unsigned dots = 0;
    if (measure_here(request, print_dots, &dots, &result, err) < 0)
        return -1;
    auto_json *answer = json_pack("{s:b, s:O, s:o}", "fifo", (int)result.fifo, "disturbance", result.disturbance,
                                  "measurements", measurements_json(&result.measurements));
    auto_free char *text = json_to_text(answer);
    fputs(text, stdout);
    return fflush(stdout) == 0 ? 0 : fail_errno(err, "write the answer");
}

static bool is_parent_there(const char *pid)
{
    uint64_t parent;
    return text_to_u64(pid, &parent) && parent == (uint64_t)getppid();
}

int measure_child(int argc, char **argv)
{
    struct measure_request request;
    struct error err;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int r = read_request(argc, argv, &request, &err);
    if (r == 0 && !is_parent_there(argv[5]))
        return 1; /* killed before we could ask for the signal: nobody wants to know */
    run_everywhere();
    if (r == 0)
        r = cpuset_is_empty(&request.cpus) ? only_load(&request, &err) : measure_and_tell(&request, &err);
    if (r == 0)
        return 0;
    fprintf(stderr, "%s\n", err.text);
    return 1;
}
