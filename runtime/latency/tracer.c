#include "runtime/latency/tracer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rtvmd/base/file.h"
#include "rtvmd/base/log.h"
#include "runtime/latency/noise.h"

static const char INSTANCES[] = "/instances";
static const char INSTANCE[] = "/instances/rtvmd-noise";
static const char INSTANCE_WORKLOAD[] = "/instances/rtvmd-noise-workload"; /* the option is to be on again */
static const char OPTIONS[] = "/osnoise/options";
static const char WORKLOAD[] = "OSNOISE_WORKLOAD";
static const char NO_WORKLOAD[] = "NO_OSNOISE_WORKLOAD";
enum { SMALL_BYTES = 65536 };

struct tracer {
    const struct tracefs *tracefs;
    const char *instance;
    int lock;
    int pipe;
    struct noise noise;
};

/* ---- tracefs itself */
static int live_write(const struct tracefs *tracefs, const char *path, const char *value, struct error *err)
{
    auto_free char *full = must_format("%s%s", tracefs->root, path);
    return file_write_value(full, value, err);
}

static int live_make(const struct tracefs *tracefs, const char *path, struct error *err)
{
    auto_free char *full = must_format("%s%s", tracefs->root, path);
    return mkdir(full, 0700) < 0 ? fail_errno(err, "make %s", full) : 0;
}

static int live_remove(const struct tracefs *tracefs, const char *path, struct error *err)
{
    auto_free char *full = must_format("%s%s", tracefs->root, path);
    return rmdir(full) < 0 ? fail_errno(err, "remove %s", full) : 0;
}

const struct tracefs TRACEFS_LIVE = {
    .root = "/sys/kernel/tracing", .write_file = live_write, .make = live_make, .remove = live_remove};

static bool has_word(const char *text, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = text; *at; at += strcspn(at, " \n"), at += strspn(at, " \n"))
        if (strncmp(at, word, length) == 0 && (at[length] == '\0' || strchr(" \n", at[length])))
            return true;
    return false;
}

static bool file_has_word(const struct tracefs *tracefs, const char *path, const char *word)
{
    struct error err;
    auto_text text = {0};
    return file_read(tracefs->root, path, SMALL_BYTES, &text, &err) == 0 && has_word(text_cstr(&text), word);
}

static int put(const struct tracefs *tracefs, const char *instance, const char *file, const char *value,
               struct error *err)
{
    auto_free char *path = must_format("%s/%s", instance, file);
    return tracefs->write_file(tracefs, path, value, err);
}

/* One who traces at a time; given back by the kernel when a process ends in whatever way. */
static int take_lock(const struct tracefs *tracefs, struct error *err)
{
    auto_free char *path = must_format("%s%s", tracefs->root, INSTANCES);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(err, "open %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    close(fd);
    return fail(err, ERROR_CONFLICT, "another rtvmd uses the osnoise tracer");
}

/* ---- putting back */
static bool is_there(const struct tracefs *tracefs, const char *path)
{
    auto_free char *full = must_format("%s%s", tracefs->root, path);
    return access(full, F_OK) == 0;
}

/* The tracer first: the option turned on under a running tracer would start its threads on the CPUs. */
static int put_back(const struct tracefs *tracefs, const char *instance, struct error *err)
{
    if (put(tracefs, instance, "current_tracer", "nop", err) < 0)
        return -1;
    if (strcmp(instance, INSTANCE_WORKLOAD) == 0 && tracefs->write_file(tracefs, OPTIONS, WORKLOAD, err) < 0)
        return -1;
    return tracefs->remove(tracefs, instance, err);
}

static int sweep(const struct tracefs *tracefs, struct error *err)
{
    if (is_there(tracefs, INSTANCE_WORKLOAD) && put_back(tracefs, INSTANCE_WORKLOAD, err) < 0)
        return -1;
    return is_there(tracefs, INSTANCE) ? put_back(tracefs, INSTANCE, err) : 0;
}

int tracer_sweep(const struct tracefs *tracefs, struct error *err)
{
    if (!is_there(tracefs, INSTANCE) && !is_there(tracefs, INSTANCE_WORKLOAD))
        return 0;
    auto_close int lock = take_lock(tracefs, err);
    if (lock < 0)
        return err->kind == ERROR_CONFLICT ? 0 : -1; /* it is in use */
    return sweep(tracefs, err);
}

/* ---- may we? */

/* The option counts for every instance: somebody else's tracer would change under his hands. */
static int refuse_others(const struct tracefs *tracefs, struct error *err)
{
    static const char *const TRACERS[] = {"osnoise", "timerlat"};
    auto_free char *path = must_format("%s%s", tracefs->root, INSTANCES);
    bool used = false;
    for (size_t i = 0; i < ARRAY_SIZE(TRACERS); i++)
        used = used || file_has_word(tracefs, "/current_tracer", TRACERS[i]);
    DIR *folder = opendir(path);
    const struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        auto_free char *file = must_format("%s/%s/current_tracer", INSTANCES, entry->d_name);
        for (size_t i = 0; i < ARRAY_SIZE(TRACERS) && entry->d_name[0] != '.'; i++)
            used = used || file_has_word(tracefs, file, TRACERS[i]);
    }
    if (folder)
        closedir(folder);
    return used ? fail(err, ERROR_CONFLICT, "somebody else uses the osnoise or timerlat tracer") : 0;
}

/* What the tracer watches at all; as the administrator set it. */
static int check_cpus(const struct tracefs *tracefs, const struct cpuset *cpus, struct error *err)
{
    auto_text text = {0};
    struct cpuset watched;
    auto_free struct cpuset_text *missing_text = must_calloc(1, sizeof *missing_text);
    if (file_read(tracefs->root, "/osnoise/cpus", SMALL_BYTES, &text, err) < 0)
        return -1;
    if (text.length && text.data[text.length - 1] == '\n')
        text.data[text.length - 1] = '\0';
    if (cpuset_parse(text_cstr(&text), &watched, err) < 0)
        return error_prefix(err, "%s/osnoise/cpus", tracefs->root);
    struct cpuset missing = cpuset_minus(cpus, &watched);
    return cpuset_is_empty(&missing) ? 0
                                     : fail(err, ERROR_CONFLICT, "%s/osnoise/cpus leaves out CPUs %s", tracefs->root,
                                            cpuset_format(&missing, missing_text));
}

static int check(const struct tracefs *tracefs, const struct cpuset *cpus, struct error *err)
{
    if (!is_there(tracefs, "/available_tracers"))
        return fail(err, ERROR_UNAVAILABLE, "tracefs is not there, or not for this user (%s)", tracefs->root);
    if (!file_has_word(tracefs, "/available_tracers", "osnoise"))
        return fail(err, ERROR_UNAVAILABLE, "this kernel has no osnoise tracer (CONFIG_OSNOISE_TRACER)");
    if (!file_has_word(tracefs, OPTIONS, WORKLOAD) && !file_has_word(tracefs, OPTIONS, NO_WORKLOAD))
        return fail(err, ERROR_UNAVAILABLE,
                    "this kernel's osnoise tracer always runs threads of its own (no option OSNOISE_WORKLOAD: Linux "
                    "6.2)");
    return check_cpus(tracefs, cpus, err) < 0 || refuse_others(tracefs, err) < 0 ? -1 : 0;
}

/* ---- setting up */

/* In this order: a CPU must not be recorded before it is chosen, the option must be off before the tracer runs,
 * and the tracer is not changed while somebody reads the pipe (EBUSY). */
static int set_up(struct tracer *t, const struct cpuset *cpus, struct error *err)
{
    auto_free char *mask = cpuset_mask(cpus);
    const struct {
        const char *file;
        const char *value;
    } steps[] = {
        {"tracing_on", "0"},
        {"tracing_cpumask", mask},
        {"events/osnoise/nmi_noise/enable", "1"},
        {"events/osnoise/irq_noise/enable", "1"},
        {"events/osnoise/softirq_noise/enable", "1"},
        {"events/osnoise/thread_noise/enable", "1"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
        if (put(t->tracefs, t->instance, steps[i].file, steps[i].value, err) < 0)
            return -1;
    if (strcmp(t->instance, INSTANCE_WORKLOAD) == 0 &&
        t->tracefs->write_file(t->tracefs, OPTIONS, NO_WORKLOAD, err) < 0)
        return -1;
    if (put(t->tracefs, t->instance, "current_tracer", "osnoise", err) < 0)
        return -1;
    auto_free char *pipe = must_format("%s%s/trace_pipe", t->tracefs->root, t->instance);
    t->pipe = open(pipe, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (t->pipe < 0)
        return fail_errno(err, "open %s", pipe);
    return put(t->tracefs, t->instance, "tracing_on", "1", err);
}

static void finish(struct tracer *t)
{
    struct error err;
    if (t->pipe >= 0)
        close(t->pipe);
    if (t->instance && put_back(t->tracefs, t->instance, &err) < 0)
        log_warn("the osnoise tracer is not put back, the next measurement tries again: %s", err.text);
    if (t->lock >= 0)
        close(t->lock);
    free(t);
}

static int start(struct tracer *t, const struct cpuset *cpus, struct error *err)
{
    if (check(t->tracefs, cpus, err) < 0)
        return -1;
    const char *instance = file_has_word(t->tracefs, OPTIONS, WORKLOAD) ? INSTANCE_WORKLOAD : INSTANCE;
    if (t->tracefs->make(t->tracefs, instance, err) < 0)
        return -1;
    t->instance = instance;
    return set_up(t, cpus, err);
}

struct tracer *tracer_start(const struct tracefs *tracefs, const struct cpuset *cpus,
                            bool (*is_own)(int tid, void *arg), void *arg, struct error *err)
{
    struct tracer *t = must_calloc(1, sizeof *t);
    *t = (struct tracer){.tracefs = tracefs, .lock = -1, .pipe = -1, .noise = {.is_own = is_own, .arg = arg}};
    if (!is_there(tracefs, "/available_tracers")) {
        check(tracefs, cpus, err); /* says why */
        finish(t);
        return NULL;
    }
    t->lock = take_lock(tracefs, err);
    if (t->lock >= 0 && sweep(tracefs, err) == 0 && start(t, cpus, err) == 0)
        return t;
    finish(t);
    return NULL;
}

void tracer_poll(struct tracer *t)
{
    char chunk[16384];
    for (;;) {
        ssize_t n = read(t->pipe, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        noise_feed(&t->noise, chunk, (size_t)n);
    }
}

void tracer_mark_own(struct tracer *t, int tid)
{
    tracer_poll(t);
    noise_mark_own(&t->noise, tid);
}

json_t *tracer_end(struct tracer *t)
{
    struct error ignored;
    put(t->tracefs, t->instance, "tracing_on", "0", &ignored);
    tracer_poll(t);
    json_t *noise = noise_json(&t->noise);
    json_object_set_new(noise, "name", json_string("osnoise"));
    finish(t);
    return noise;
}
