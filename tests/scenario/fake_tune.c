#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rtvmd/base/file.h"
#include "runtime/tune/tunable.h"
#include "tests/scenario/fake.h"

/* The machine host tuning changes: a few files that outlive the daemon. Each write is a call a fault may be due at, and
 * the process may die before it. One of them may hang. */

static char folder[64];
static char hanging[256];

static const struct {
    const char *path;
    const char *text;
} FILES[] = {
    {"/sys/devices/system/cpu/online", "0-7\n"}, {"/sys/devices/virtual/workqueue/cpumask", "ff\n"},
    {"/proc/irq/default_smp_affinity", "ff\n"},  {"/proc/irq/9/smp_affinity_list", "0-7\n"},
    {"/proc/sys/vm/stat_interval", "1\n"},       {"/proc/sys/kernel/sched_rt_runtime_us", "950000\n"},
};

void fake_tune_put(const char *path, const char *text)
{
    struct error err;
    auto_free char *full = must_format("%s%s", folder, path);
    auto_free char *above = must_strndup(full, (size_t)(strrchr(full, '/') - full));
    FILE *file = file_make_folders(above, 0755, &err) == 0 ? fopen(full, "w") : NULL;
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        abort();
}

void fake_tune_begin(void)
{
    snprintf(folder, sizeof folder, "%s/rtvmd-tuned-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    if (!mkdtemp(folder))
        abort();
    hanging[0] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(FILES); i++)
        fake_tune_put(FILES[i].path, FILES[i].text);
}

void fake_tune_end(void)
{
    struct error err;
    file_remove_tree(folder, &err);
    folder[0] = '\0';
}

void fake_tune_hang(const char *path)
{
    snprintf(hanging, sizeof hanging, "%s", path);
}

char *fake_tune_changed(void)
{
    auto_text all = {0};
    for (size_t i = 0; i < ARRAY_SIZE(FILES); i++) {
        struct error err;
        auto_text text = {0};
        if (file_read(folder, FILES[i].path, 4096, &text, &err) < 0)
            abort();
        if (strcmp(text_cstr(&text), FILES[i].text) != 0)
            text_printf(&all, "%s ", strrchr(FILES[i].path, '/') + 1);
    }
    return text_take(&all);
}

/* ---- the machine */
static bool is_stuck;

static int write_fake(const struct tune_machine *machine, const char *path, const char *value, struct error *err)
{
    (void)machine;
    if (is_stuck || strcmp(path, hanging) == 0) {
        is_stuck = true;
        return 0;
    }
    if (!fake_call("tune", err))
        return -1;
    auto_free char *line = must_format("%s\n", value);
    fake_tune_put(path, line);
    return 0;
}

static int move_fake(const struct tune_machine *machine, int tid, const struct cpuset *cpus, struct error *err)
{
    (void)machine;
    (void)cpus;
    return fail(err, ERROR_NOT_FOUND, "no thread %d", tid);
}

/* Who is stuck says nothing any more. */
static void pass_on(const json_t *line, void *arg)
{
    if (!is_stuck && !fake_died())
        json_array_append(arg, (json_t *)line);
}

int tune_apart(const char *state_dir, const json_t *order, const atomic_bool *stop, json_t *lines, struct error *err)
{
    (void)state_dir;
    (void)stop;
    const struct tune_machine machine = {.root = folder, .write_file = write_fake, .move_thread = move_fake};
    is_stuck = false;
    if (!folder[0] || fake_died())
        return fail(err, ERROR_INTERNAL, "nothing to tune");
    tune_order_run(&machine, order, pass_on, lines);
    return is_stuck ? fail(err, ERROR_TIMEOUT, "no answer") : 0;
}

int tune_take_turn(const char *state_dir, struct error *err)
{
    (void)state_dir;
    return fail(err, ERROR_INTERNAL, "no verb runs here");
}
