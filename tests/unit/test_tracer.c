#include "runtime/latency/tracer.c"

#include <sys/wait.h>

#include "tests/test.h"
#include "tests/unit/tree.h"

/* A tracefs of plain files. Every step is counted; the one that is asked for fails, or ends the process. */
struct fake {
    struct tracefs tracefs; /* first */
    struct tree tree;
    struct text steps;
    unsigned step;
    unsigned fails_at;
    unsigned dies_at;
};

static struct error err;

static int count_step(struct fake *fake, const char *what, const char *value, struct error *ret_err)
{
    text_printf(&fake->steps, "%s%s%s\n", what, value[0] ? " " : "", value);
    fake->step++;
    if (fake->step == fake->dies_at)
        _exit(0);
    return fake->step == fake->fails_at ? fail(ret_err, ERROR_FORBIDDEN, "step %u", fake->step) : 0;
}

static int fake_write(const struct tracefs *tracefs, const char *path, const char *value, struct error *ret_err)
{
    struct fake *fake = (struct fake *)tracefs;
    if (count_step(fake, path, value, ret_err) < 0)
        return -1;
    auto_free char *full = must_format("%s%s", tracefs->root, path);
    if (access(full, W_OK) < 0)
        return fail_errno(ret_err, "open %s", full);
    auto_free char *options = must_format("DEFAULTS %s PANIC_ON_STOP\n", value);
    tree_put(&fake->tree, path, strcmp(path, OPTIONS) == 0 ? options : value);
    return 0;
}

static int fake_make(const struct tracefs *tracefs, const char *path, struct error *ret_err)
{
    static const char *const FILES[] = {"tracing_on",
                                        "tracing_cpumask",
                                        "current_tracer",
                                        "events/osnoise/nmi_noise/enable",
                                        "events/osnoise/irq_noise/enable",
                                        "events/osnoise/softirq_noise/enable",
                                        "events/osnoise/thread_noise/enable"};
    struct fake *fake = (struct fake *)tracefs;
    if (count_step(fake, "make", path, ret_err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_SIZE(FILES); i++) {
        auto_free char *file = must_format("%s/%s", path, FILES[i]);
        tree_put(&fake->tree, file, "");
    }
    auto_free char *pipe = must_format("%s/trace_pipe", path);
    tree_put(
        &fake->tree, pipe,
        "           rtvmd-2231    [002] d.h..   102.44: irq_noise: local_timer:236 start 102.4 duration 3310 ns\n");
    return 0;
}

static int fake_remove(const struct tracefs *tracefs, const char *path, struct error *ret_err)
{
    struct fake *fake = (struct fake *)tracefs;
    auto_free char *full = must_format("%s%s", tracefs->root, path);
    return count_step(fake, "remove", path, ret_err) < 0 ? -1 : file_remove_tree(full, ret_err);
}

static void fake_start(struct fake *fake, const char *options)
{
    *fake = (struct fake){.tracefs = {.write_file = fake_write, .make = fake_make, .remove = fake_remove}};
    tree_make(&fake->tree);
    fake->tracefs.root = fake->tree.root;
    tree_put(&fake->tree, "/available_tracers", "timerlat osnoise hwlat blk function nop\n");
    tree_put(&fake->tree, "/current_tracer", "nop\n");
    tree_put(&fake->tree, "/osnoise/options", options);
    tree_put(&fake->tree, "/osnoise/cpus", "0-7\n");
    tree_put(&fake->tree, "/instances/theirs/current_tracer", "function\n");
}

static void fake_end(struct fake *fake)
{
    text_finish(&fake->steps);
    tree_remove(&fake->tree);
}

static bool is_as_found(const struct fake *fake, const char *word)
{
    return !is_there(&fake->tracefs, INSTANCE) && !is_there(&fake->tracefs, INSTANCE_WORKLOAD) &&
           file_has_word(&fake->tracefs, OPTIONS, word) && is_there(&fake->tracefs, "/instances/theirs");
}

static const char ON[] = "NO_DEFAULTS OSNOISE_WORKLOAD NO_PANIC_ON_STOP\n";
static const char OFF[] = "NO_DEFAULTS NO_OSNOISE_WORKLOAD NO_PANIC_ON_STOP\n";

static void records_into_an_instance_of_its_own(void)
{
    struct fake fake;
    fake_start(&fake, ON);
    struct cpuset cpus = cpuset_range(2, 3);
    struct tracer *tracer = tracer_start(&fake.tracefs, &cpus, NULL, NULL, &err);
    CHECK(tracer != NULL);
    if (tracer) {
        CHECK(tracer_start(&fake.tracefs, &cpus, NULL, NULL, &err) == NULL);
        CHECK(strstr(err.text, "another rtvmd") != NULL);
        CHECK_INT(tracer_sweep(&fake.tracefs, &err), 0); /* it is in use: left alone */
        auto_json *noise = tracer_end(tracer);
        CHECK_TEXT(json_text_at(noise, "name", ""), "osnoise");
        CHECK_TEXT(json_text_at(noise, "sources.0.name", ""), "local_timer");
    }
    CHECK(is_as_found(&fake, WORKLOAD));
    CHECK_TEXT(text_cstr(&fake.steps), "make /instances/rtvmd-noise-workload\n"
                                       "/instances/rtvmd-noise-workload/tracing_on 0\n"
                                       "/instances/rtvmd-noise-workload/tracing_cpumask c\n"
                                       "/instances/rtvmd-noise-workload/events/osnoise/nmi_noise/enable 1\n"
                                       "/instances/rtvmd-noise-workload/events/osnoise/irq_noise/enable 1\n"
                                       "/instances/rtvmd-noise-workload/events/osnoise/softirq_noise/enable 1\n"
                                       "/instances/rtvmd-noise-workload/events/osnoise/thread_noise/enable 1\n"
                                       "/osnoise/options NO_OSNOISE_WORKLOAD\n"
                                       "/instances/rtvmd-noise-workload/current_tracer osnoise\n"
                                       "/instances/rtvmd-noise-workload/tracing_on 1\n"
                                       "/instances/rtvmd-noise-workload/tracing_on 0\n"
                                       "/instances/rtvmd-noise-workload/current_tracer nop\n"
                                       "/osnoise/options OSNOISE_WORKLOAD\n"
                                       "remove /instances/rtvmd-noise-workload\n");
    fake_end(&fake);
}

static void leaves_an_option_that_is_off(void)
{
    struct fake fake;
    fake_start(&fake, OFF);
    struct cpuset cpus = cpuset_of(0);
    struct tracer *tracer = tracer_start(&fake.tracefs, &cpus, NULL, NULL, &err);
    CHECK(tracer != NULL);
    if (tracer)
        json_decref(tracer_end(tracer));
    CHECK(strstr(text_cstr(&fake.steps), OPTIONS) == NULL);
    CHECK(is_as_found(&fake, NO_WORKLOAD));
    fake_end(&fake);
}

/* What the kernel refuses at one step, and all later ones of the way in, changes nothing for good. */
static void a_refusal_at_any_step_changes_nothing(void)
{
    for (unsigned n = 1; n <= 10; n++) {
        struct fake fake;
        fake_start(&fake, ON);
        fake.fails_at = n;
        struct cpuset cpus = cpuset_of(1);
        CHECK(tracer_start(&fake.tracefs, &cpus, NULL, NULL, &err) == NULL);
        CHECK_INT(err.kind, ERROR_FORBIDDEN);
        CHECK(is_as_found(&fake, WORKLOAD));
        fake_end(&fake);
    }
}

static void run_and_die(struct fake *fake, unsigned step)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct cpuset cpus = cpuset_of(1);
        fake->step = 0;
        fake->dies_at = step;
        struct tracer *tracer = tracer_start(&fake->tracefs, &cpus, NULL, NULL, &err);
        if (tracer)
            json_decref(tracer_end(tracer));
        _exit(1); /* there are fewer steps */
    }
    int status = 0;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK_INT(WEXITSTATUS(status), step <= 14 ? 0 : 1);
}

static void a_death_at_any_step_is_put_back(void)
{
    for (unsigned n = 1; n <= 15; n++) {
        struct fake fake;
        fake_start(&fake, ON);
        run_and_die(&fake, n);
        CHECK_INT(tracer_sweep(&fake.tracefs, &err), 0);
        CHECK(is_as_found(&fake, WORKLOAD));
        run_and_die(&fake, n); /* the next measurement does it as well */
        struct cpuset cpus = cpuset_of(1);
        struct tracer *tracer = tracer_start(&fake.tracefs, &cpus, NULL, NULL, &err);
        CHECK(tracer != NULL);
        if (tracer)
            json_decref(tracer_end(tracer));
        CHECK(is_as_found(&fake, WORKLOAD));
        fake_end(&fake);
    }
}

static void says_why_it_cannot_be(void)
{
    static const struct {
        const char *path;
        const char *text;
        const char *why;
    } CASES[] = {
        {"/available_tracers", "function nop\n", "no osnoise tracer"},
        {"/osnoise/options", "NO_DEFAULTS\n", "Linux 6.2"},
        {"/osnoise/cpus", "0,2-7\n", "leaves out CPUs 1"},
        {"/osnoise/cpus", "what\n", "osnoise/cpus"},
        {"/current_tracer", "timerlat\n", "somebody else"},
        {"/instances/theirs/current_tracer", "osnoise\n", "somebody else"},
    };
    struct cpuset cpus = cpuset_of(1);
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct fake fake;
        fake_start(&fake, ON);
        tree_put(&fake.tree, CASES[i].path, CASES[i].text);
        CHECK(tracer_start(&fake.tracefs, &cpus, NULL, NULL, &err) == NULL);
        CHECK(strstr(err.text, CASES[i].why) != NULL);
        CHECK_TEXT(text_cstr(&fake.steps), "");
        fake_end(&fake);
    }
    struct tracefs nowhere = TRACEFS_LIVE;
    nowhere.root = "/nonexistent";
    CHECK(tracer_start(&nowhere, &cpus, NULL, NULL, &err) == NULL);
    CHECK(strstr(err.text, "tracefs is not there") != NULL);
    CHECK_INT(tracer_sweep(&nowhere, &err), 0);
}

int main(void)
{
    RUN(records_into_an_instance_of_its_own);
    RUN(leaves_an_option_that_is_off);
    RUN(a_refusal_at_any_step_changes_nothing);
    RUN(a_death_at_any_step_is_put_back);
    RUN(says_why_it_cannot_be);
    return test_end();
}
