#include "runtime/latency/guest_run.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rtvmd/base/bytes.h"
#include "rtvmd/base/limits.h"

enum { LOOK_MS = 100, ASK_MS = 500, PATIENCE_TIMES = 4, PATIENCE_MS = 60000 };

/* The agent's answer under "return"; NULL with an error. New reference. */
static json_t *ask(const struct guest_run *run, json_t *command, struct error *err)
{
    auto_json *owned = command;
    auto_free char *text = json_to_text(owned);
    auto_free char *answer = run->agent.ask(run->agent.arg, text, err);
    if (!answer)
        return NULL;
    size_t length = strlen(answer);
    if (length > LIMIT_GUEST_OUTPUT_BYTES) {
        fail(err, ERROR_TOO_LARGE, "the guest agent says more than %u bytes", LIMIT_GUEST_OUTPUT_BYTES);
        return NULL;
    }
    auto_json *whole = json_from_text(answer, length, err);
    if (!whole) {
        error_prefix(err, "the guest agent's answer");
        return NULL;
    }
    json_t *value = json_object_get(whole, "return");
    if (!value)
        fail(err, ERROR_UNAVAILABLE, "the guest agent: %.200s",
             json_text_at(whole, "error.desc", "an answer without a result"));
    return json_incref(value);
}

/* What people can do about a refusal; the texts are QEMU's (6 to 10). */
static int explain(const char *program, bool *ret_missing, struct error *err)
{
    *ret_missing = strstr(err->text, "Failed to execute child") || strstr(err->text, "No such file");
    if (*ret_missing)
        return fail(err, ERROR_UNAVAILABLE, "%s is not in the guest: install rt-tests there", program);
    if (strstr(err->text, "disabled") || strstr(err->text, "not allowed") || strstr(err->text, "not been found") ||
        strstr(err->text, "not found"))
        return fail(err, ERROR_UNAVAILABLE,
                    "the guest's agent may not run programs: allow guest-exec and guest-exec-status in the guest "
                    "(qemu-ga's block-rpcs or allow-rpcs)");
    return -1;
}

static int start(const struct guest_run *run, const struct guest_tool *tool, json_t *arguments, int64_t *ret_pid,
                 bool *ret_missing, struct error *err)
{
    *ret_missing = false;
    auto_json *answer = ask(run,
                            json_pack("{s:s, s:{s:s, s:o, s:b}}", "execute", "guest-exec", "arguments", "path",
                                      tool->program, "arg", arguments, "capture-output", 1),
                            err);
    if (!answer)
        return explain(tool->program, ret_missing, err);
    *ret_pid = json_int_at(answer, "pid", 0);
    return *ret_pid > 0 ? 0 : fail(err, ERROR_UNAVAILABLE, "the guest agent told no process of %s", tool->program);
}

/* Nobody waits for it; that it may fail is fine. */
static void end_tool(const struct guest_run *run, int64_t pid)
{
    struct error ignored;
    json_decref(ask(run,
                    json_pack("{s:s, s:{s:s, s:[o]}}", "execute", "guest-exec", "arguments", "path", "kill", "arg",
                              json_sprintf("%lld", (long long)pid)),
                    &ignored));
}

static int decode(const json_t *status, const char *key, struct text *ret_text, struct error *err)
{
    const char *data = json_text_at(status, key, "");
    return base64_decode(data, strlen(data), ret_text, err) < 0 ? error_prefix(err, "the guest agent's %s", key) : 0;
}

static int look_at_end(const struct guest_tool *tool, const json_t *status, struct text *ret_output, struct error *err)
{
    auto_text why = {0};
    struct error ignored;
    int64_t code = json_int_at(status, "exitcode", -1);
    if (code != 0) {
        decode(status, "err-data", &why, &ignored);
        for (size_t i = 0; i < why.length; i++)
            if ((unsigned char)why.data[i] < ' ' || (unsigned char)why.data[i] > '~')
                why.data[i] = ' ';
        return fail(err, ERROR_UNAVAILABLE, "%s in the guest ended with %lld: %.300s", tool->program, (long long)code,
                    text_cstr(&why));
    }
    if (json_bool_at(status, "out-truncated", false))
        return fail(err, ERROR_TOO_LARGE, "%s in the guest printed more than its agent keeps", tool->program);
    return decode(status, "out-data", ret_output, err);
}

struct wait {
    unsigned done; /* of the tools before, in percent */
    unsigned parts;
    uint64_t start_ms;
    uint64_t duration_ms;
};

static void tell(const struct guest_run *run, const struct wait *wait)
{
    uint64_t gone = now_monotonic_ms() - wait->start_ms;
    unsigned own = gone < wait->duration_ms ? (unsigned)(gone * 100 / wait->duration_ms) : 100;
    if (run->percent)
        atomic_store(run->percent, wait->done + own / wait->parts);
}

/* The agent is asked now and then only: it lives on the guest's CPUs. */
static int wait_for(const struct guest_run *run, const struct guest_tool *tool, int64_t pid, const struct wait *wait,
                    struct text *ret_output, struct error *err)
{
    uint64_t next_ms = wait->start_ms + ASK_MS;
    uint64_t end_ms = wait->start_ms + wait->duration_ms;
    uint64_t deadline_ms = end_ms + wait->duration_ms * PATIENCE_TIMES + PATIENCE_MS;
    for (;;) {
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
        uint64_t now_ms = now_monotonic_ms();
        tell(run, wait);
        if (atomic_load(run->stop) || now_ms > deadline_ms) {
            end_tool(run, pid);
            return atomic_load(run->stop)
                       ? fail(err, ERROR_CONFLICT, "the measurement was called off")
                       : fail(err, ERROR_TIMEOUT, "%s in the guest did not end in time", tool->program);
        }
        if (now_ms < next_ms)
            continue;
        auto_json *status = ask(
            run, json_pack("{s:s, s:{s:I}}", "execute", "guest-exec-status", "arguments", "pid", (json_int_t)pid), err);
        if (!status)
            return -1;
        if (json_bool_at(status, "exited", false))
            return look_at_end(tool, status, ret_output, err);
        next_ms = now_ms < end_ms ? end_ms : now_ms + ASK_MS;
    }
}

static int run_tool(const struct guest_run *run, unsigned kind, const struct wait *parts, struct measurements *into,
                    struct text *how, bool *ret_missing, struct error *err)
{
    const struct guest_tool *tool = &GUEST_TOOL[kind];
    bool fifo;
    int64_t pid = 0;
    struct wait wait = *parts;
    unsigned seconds = (unsigned)((run->duration_ms / wait.parts + 999) / 1000);
    struct cpuset vcpus = guest_tool_vcpus((enum measurement_kind)kind, &run->vcpus, run->vcpu_count, &fifo);
    seconds = seconds ? seconds : 1;
    if (start(run, tool, tool->arguments(&vcpus, seconds, fifo), &pid, ret_missing, err) < 0)
        return -1;
    wait.start_ms = now_monotonic_ms();
    wait.duration_ms = seconds * UINT64_C(1000);
    auto_text output = {0};
    if (wait_for(run, tool, pid, &wait, &output, err) < 0)
        return -1;
    text_printf(how, "%s%s as %s", how->length ? ", " : "", tool->program, fifo ? "SCHED_FIFO" : "SCHED_OTHER");
    return tool->read(text_cstr(&output), &vcpus, seconds, into, err);
}

int guest_run(struct guest_run *run, struct measurements *into, struct text *ret_how, struct error *err)
{
    struct wait wait = {0};
    for (unsigned k = 0; k < MEASUREMENT_KINDS; k++)
        wait.parts += run->wanted[k];
    bool alone = wait.parts == 1;
    for (unsigned k = 0; k < MEASUREMENT_KINDS; k++) {
        bool missing;
        if (!run->wanted[k])
            continue;
        if (run_tool(run, k, &wait, into, ret_how, &missing, err) < 0) {
            if (!missing || alone)
                return -1;
            run->wanted[k] = false;
        }
        wait.done += 100 / wait.parts;
        if (run->percent)
            atomic_store(run->percent, wait.done);
    }
    if (into->count == 0)
        return fail(err, ERROR_UNAVAILABLE, "neither cyclictest nor oslat is in the guest: install rt-tests there");
    return 0;
}
