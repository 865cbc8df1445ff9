#include "runtime/latency/guest_run.c"

#include "tests/test.h"

static struct error err;

/* An agent that answers by rows: the command must hold the words. The first row that fits is used; a text that is no
 * JSON object is what libvirt says of a refusal. */
struct row {
    const char *words;
    const char *answer;
};
struct fake_agent {
    const struct row *rows;
    size_t count;
    unsigned looks; /* at a running tool before it is over */
    struct text asked;
};

static char *fake_ask(void *arg, const char *command, struct error *ret_err)
{
    struct fake_agent *agent = arg;
    if (strstr(command, "guest-exec-status") && agent->looks > 0) {
        agent->looks--;
        return must_strdup("{\"return\":{\"exited\":false}}");
    }
    text_printf(&agent->asked, "%s\n", command);
    for (size_t i = 0; i < agent->count; i++)
        if (strstr(command, agent->rows[i].words)) {
            if (agent->rows[i].answer[0] == '{')
                return must_strdup(agent->rows[i].answer);
            fail(ret_err, ERROR_INTERNAL, "guest agent of domain d_a: %s", agent->rows[i].answer);
            return NULL;
        }
    fail(ret_err, ERROR_INTERNAL, "unexpected %s", command);
    return NULL;
}

static char *exited(const char *output)
{
    auto_text data = {0};
    base64_encode(output, strlen(output), &data);
    return must_format("{\"return\":{\"exited\":true,\"exitcode\":0,\"out-data\":\"%s\"}}", text_cstr(&data));
}

static int run_with(struct fake_agent *agent, bool timer, bool gaps, struct measurements *all, struct text *how,
                    struct guest_run *ret_run)
{
    static atomic_bool never;
    static atomic_uint percent;
    *ret_run = (struct guest_run){
        .agent = {fake_ask, agent},
        .vcpu_count = 2,
        .duration_ms = 1000,
        .wanted = {[MEASUREMENT_TIMER] = timer, [MEASUREMENT_GAPS] = gaps},
        .stop = &never,
        .percent = &percent,
    };
    return guest_run(ret_run, all, how, &err);
}

static void runs_both_tools(void)
{
    auto_free char *cyclictest = exited("000004 10\t20\n# Max Latencies: 00004 00004\n");
    auto_free char *oslat = exited("    005 (us):\t 3\n");
    const struct row rows[] = {
        {"\"path\":\"cyclictest\"", "{\"return\":{\"pid\":7}}"},
        {"\"path\":\"oslat\"", "{\"return\":{\"pid\":8}}"},
        {"\"pid\":7", cyclictest},
        {"\"pid\":8", oslat},
    };
    struct fake_agent agent = {.rows = rows, .count = ARRAY_SIZE(rows), .looks = 1};
    struct measurements all = {0};
    struct guest_run run;
    auto_text how = {0};
    CHECK_INT(run_with(&agent, true, true, &all, &how, &run), 0);
    CHECK_INT(all.count, 3);
    CHECK_TEXT(text_cstr(&how), "cyclictest as SCHED_FIFO, oslat as SCHED_FIFO");
    CHECK_INT(atomic_load(run.percent), 100);
    CHECK(strstr(text_cstr(&agent.asked),
                 "{\"execute\":\"guest-exec\",\"arguments\":{\"path\":\"cyclictest\",\"arg\":[\"-q\",\"-m\",\"-i\","
                 "\"1000\",\"-h\",\"1024\",\"-a\",\"0-1\",\"-t\",\"2\",\"-D\",\"1\",\"-p\",\"95\"],\"capture-output\":"
                 "true}}\n") != NULL);
    measurements_finish(&all);
    text_finish(&agent.asked);
}

static const char MISSING[] = "unable to execute QEMU agent command 'guest-exec': Guest agent command failed, error "
                              "was 'Failed to execute child process \"cyclictest\" (No such file or directory)'";

static void takes_the_tool_that_is_there(void)
{
    auto_free char *oslat = exited("    005 (us):\t 3\n");
    const struct row rows[] = {
        {"cyclictest", MISSING},
        {"\"path\":\"oslat\"", "{\"return\":{\"pid\":8}}"},
        {"\"pid\":8", oslat},
    };
    struct fake_agent agent = {.rows = rows, .count = ARRAY_SIZE(rows)};
    struct measurements all = {0};
    struct guest_run run;
    auto_text how = {0};
    CHECK_INT(run_with(&agent, true, true, &all, &how, &run), 0);
    CHECK(!run.wanted[MEASUREMENT_TIMER] && run.wanted[MEASUREMENT_GAPS]);
    CHECK_TEXT(text_cstr(&how), "oslat as SCHED_FIFO");
    measurements_finish(&all);
    CHECK_INT(run_with(&agent, true, false, &all, &how, &run), -1);
    CHECK_TEXT(err.text, "cyclictest is not in the guest: install rt-tests there");
    text_finish(&agent.asked);
}

static void says_what_to_do(void)
{
    static const struct {
        struct row rows[2];
        const char *why;
    } CASES[] = {
        {{{"guest-exec", MISSING}}, "neither cyclictest nor oslat is in the guest: install rt-tests there"},
        {{{"guest-exec", "unable to execute QEMU agent command 'guest-exec': Command guest-exec has been disabled"}},
         "the guest's agent may not run programs: allow guest-exec and guest-exec-status in the guest (qemu-ga's "
         "block-rpcs or allow-rpcs)"},
        {{{"guest-exec", "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"The command guest-exec has not been "
                         "found\"}}"}},
         "the guest's agent may not run programs: allow guest-exec and guest-exec-status in the guest (qemu-ga's "
         "block-rpcs or allow-rpcs)"},
        {{{"guest-exec", "QEMU guest agent is not connected"}},
         "guest agent of domain d_a: QEMU guest agent is not connected"},
        {{{"guest-exec", "{\"return\":{}}"}}, "the guest agent told no process of cyclictest"},
        {{{"guest-exec-status",
           "{\"return\":{\"exited\":true,\"exitcode\":1,\"err-data\":\"VW5hYmxlIHRvIGdldApzY2hlZHVsZXI=\"}}"},
          {"guest-exec", "{\"return\":{\"pid\":7}}"}},
         "cyclictest in the guest ended with 1: Unable to get scheduler"},
        {{{"guest-exec-status", "{\"return\":{\"exited\":true,\"exitcode\":0,\"out-truncated\":true}}"},
          {"guest-exec", "{\"return\":{\"pid\":7}}"}},
         "cyclictest in the guest printed more than its agent keeps"},
        {{{"guest-exec-status", "{\"return\":{\"exited\":true,\"exitcode\":0,\"out-data\":\"!\"}}"},
          {"guest-exec", "{\"return\":{\"pid\":7}}"}},
         "the guest agent's out-data: "},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct fake_agent agent = {.rows = CASES[i].rows, .count = CASES[i].rows[1].words ? 2 : 1};
        struct measurements all = {0};
        struct guest_run run;
        auto_text how = {0};
        CHECK_INT(run_with(&agent, true, true, &all, &how, &run), -1);
        CHECK(text_starts_with(err.text, CASES[i].why));
        if (!text_starts_with(err.text, CASES[i].why))
            CHECK_TEXT(err.text, CASES[i].why);
        CHECK_INT(all.count, 0);
        measurements_finish(&all);
        text_finish(&agent.asked);
    }
}

static void ends_the_tool_when_it_is_called_off(void)
{
    static const struct row rows[] = {{"\"path\":\"kill\",\"arg\":[\"7\"]", "{\"return\":{\"pid\":9}}"},
                                      {"cyclictest", "{\"return\":{\"pid\":7}}"}};
    struct fake_agent agent = {.rows = rows, .count = ARRAY_SIZE(rows), .looks = 1000};
    static atomic_bool stop = true;
    struct measurements all = {0};
    auto_text how = {0};
    struct guest_run run = {.agent = {fake_ask, &agent},
                            .vcpu_count = 1,
                            .duration_ms = 60000,
                            .wanted = {[MEASUREMENT_TIMER] = true},
                            .stop = &stop};
    CHECK_INT(guest_run(&run, &all, &how, &err), -1);
    CHECK_INT(err.kind, ERROR_CONFLICT);
    CHECK(strstr(text_cstr(&agent.asked), "\"kill\"") != NULL);
    text_finish(&agent.asked);
}

int main(void)
{
    RUN(runs_both_tools);
    RUN(takes_the_tool_that_is_there);
    RUN(says_what_to_do);
    RUN(ends_the_tool_when_it_is_called_off);
    return test_end();
}
