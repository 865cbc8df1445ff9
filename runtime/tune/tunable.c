/* Wishes about CPU sets are kept as the CPUs to stay away from, not as results: then their order does not matter, any
 * of them can be withdrawn first, and every state a crash may leave behind is recognized as some of them together. */
#include "runtime/tune/tunable.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "hostprobe/files.h"
#include "hostprobe/task_stat.h"
#include "rtvmd/base/file.h"
#include "runtime/tune/irqbalance.h"

static const char WITHOUT[] = "without ";
static const char WITH[] = "with ";

bool tunable_is_late(const struct tunable *target)
{
    return target->kind == TUNABLE_IRQBALANCE;
}

static bool is_added_to(const struct tunable *target)
{
    return target->kind == TUNABLE_ADD || target->kind == TUNABLE_IRQBALANCE;
}

char *tunable_wish(const struct tunable *target, const struct cpuset *cpus)
{
    struct cpuset_text buffer;
    return must_format("%s%s", is_added_to(target) ? WITH : WITHOUT, cpuset_format(cpus, &buffer));
}

bool tunable_parse(const char *text, struct tunable *ret_target)
{
    static const struct {
        const char *prefix;
        enum tunable_kind kind;
    } KINDS[] = {{"list:/", TUNABLE_LIST},        {"mask:/", TUNABLE_MASK}, {"value:/", TUNABLE_VALUE},
                 {"affinity:", TUNABLE_AFFINITY}, {"add:/", TUNABLE_ADD},   {"irqbalance:", TUNABLE_IRQBALANCE}};
    for (size_t i = 0; i < ARRAY_SIZE(KINDS); i++) {
        if (!text_starts_with(text, KINDS[i].prefix))
            continue;
        *ret_target = (struct tunable){.kind = KINDS[i].kind, .path = strchr(text, ':') + 1};
        if (KINDS[i].kind != TUNABLE_AFFINITY && KINDS[i].kind != TUNABLE_IRQBALANCE)
            return true;
        char *end;
        long tid = strtol(ret_target->path, &end, 10);
        ret_target->tid = (int)tid;
        ret_target->path = end + (*end == ':');
        return *end == (KINDS[i].kind == TUNABLE_AFFINITY ? ':' : '\0') && tid > 0 && tid <= INT32_MAX;
    }
    return false;
}

/* ---- reading and writing */
static int read_file(const struct tune_machine *machine, const char *path, struct text *text, struct error *err)
{
    return file_read(machine->root, path, LIMIT_SYSFILE_BYTES, text, err);
}

static int read_affinity(const struct tune_machine *machine, const struct tunable *target, struct cpuset *ret_set,
                         struct error *err)
{
    static const char NAME[] = "Name:\t";
    auto_text status = {0};
    auto_free char *path = must_format("/proc/%d/task/%d/status", target->tid, target->tid);
    if (read_file(machine, path, &status, err) < 0)
        return -1;
    const char *text = text_cstr(&status);
    size_t length = strlen(target->path);
    if (!text_starts_with(text, NAME) || strncmp(text + strlen(NAME), target->path, length) != 0 ||
        text[strlen(NAME) + length] != '\n')
        return fail(err, ERROR_NOT_FOUND, "thread %d is not \"%s\" any more", target->tid, target->path);
    return task_status_cpus(text, ret_set, err);
}

char *tunable_read(const struct tune_machine *machine, const struct tunable *target, struct error *err)
{
    struct cpuset set = {0};
    struct cpuset_text buffer;
    if (target->kind == TUNABLE_AFFINITY)
        return read_affinity(machine, target, &set, err) < 0 ? NULL : must_strdup(cpuset_format(&set, &buffer));
    if (target->kind == TUNABLE_IRQBALANCE)
        return irqbalance_read(machine, target->tid, &set, err) < 0 ? NULL : must_strdup(cpuset_format(&set, &buffer));
    auto_text text = {0};
    if (read_file(machine, target->path, &text, err) < 0)
        return NULL;
    auto_free char *line = must_strndup(text_cstr(&text), strcspn(text_cstr(&text), "\n"));
    if (target->kind == TUNABLE_VALUE)
        return take(line);
    if (target->kind == TUNABLE_MASK ? !files_parse_mask(line, &set) : cpuset_parse(line, &set, err) < 0) {
        fail(err, ERROR_INVALID, "%s: \"%s\" is no set of CPUs", target->path, line);
        return NULL;
    }
    return must_strdup(cpuset_format(&set, &buffer));
}

static int move_live(const struct tune_machine *machine, int tid, const struct cpuset *cpus, struct error *err)
{
    (void)machine;
    cpu_set_t set;
    CPU_ZERO(&set);
    cpuset_foreach(cpu, cpus)
    {
        CPU_SET((size_t)cpu, &set);
    }
    return sched_setaffinity(tid, sizeof set, &set) == 0 ? 0 : fail_errno(err, "thread %d", tid);
}

static int write_live(const struct tune_machine *machine, const char *path, const char *value, struct error *err)
{
    (void)machine;
    return file_write_value(path, value, err);
}

static struct irqbalance_memory live_memory;
const struct tune_machine TUNE_LIVE = {.memory = &live_memory,
                                       .root = "",
                                       .write_file = write_live,
                                       .move_thread = move_live,
                                       .ask_irqbalance = irqbalance_ask};

int tunable_write(const struct tune_machine *machine, const struct tunable *target, const char *value,
                  struct error *err)
{
    struct cpuset set = {0};
    if (target->kind != TUNABLE_VALUE && cpuset_parse(value, &set, err) < 0)
        return -1;
    if (target->kind == TUNABLE_AFFINITY)
        return machine->move_thread(machine, target->tid, &set, err);
    if (target->kind == TUNABLE_IRQBALANCE)
        return irqbalance_write(machine, target->tid, &set, err);
    auto_free char *text = target->kind == TUNABLE_MASK ? cpuset_mask(&set) : must_strdup(value[0] ? value : "\n");
    return machine->write_file(machine, target->path, text, err);
}

/* ---- what wishes come to */
static struct cpuset set_of(const char *list)
{
    struct cpuset set = {0};
    struct error err;
    size_t word = text_starts_with(list, WITHOUT) ? strlen(WITHOUT) : text_starts_with(list, WITH) ? strlen(WITH) : 0;
    if (cpuset_parse(list + word, &set, &err) < 0)
        set = (struct cpuset){0};
    return set;
}

/* What before becomes by a wish for these CPUs. */
static struct cpuset granted(const struct tunable *target, const struct cpuset *before, const struct cpuset *cpus,
                             const struct cpuset *online)
{
    if (is_added_to(target))
        return cpuset_or(before, cpus);
    struct cpuset rest = cpuset_minus(before, cpus);
    return cpuset_is_empty(&rest) && !cpuset_is_empty(before) ? cpuset_minus(online, cpus) : rest;
}

char *tunable_value(const struct tunable *target, const char *before, const char *const *wish, size_t count,
                    const struct cpuset *online)
{
    if (count == 0 || target->kind == TUNABLE_VALUE)
        return must_strdup(count ? wish[count - 1] : before);
    struct cpuset all = {0};
    for (size_t i = 0; i < count; i++) {
        struct cpuset one = set_of(wish[i]);
        all = cpuset_or(&all, &one);
    }
    struct cpuset old = set_of(before);
    struct cpuset result = granted(target, &old, &all, online);
    struct cpuset_text buffer;
    return must_strdup(cpuset_format(&result, &buffer));
}

bool tunable_is_ours(const struct tunable *target, const char *present, const char *before, const char *const *wish,
                     size_t count, const struct cpuset *online)
{
    if (strcmp(present, before) == 0)
        return true;
    if (target->kind == TUNABLE_VALUE) {
        /* A comment of the kernel's may follow the word: "isolated invalid (…)". */
        for (size_t i = 0; i < count; i++)
            if (text_starts_with(present, wish[i]) && strchr(" ", present[strlen(wish[i])]))
                return true;
        return false;
    }
    struct cpuset now = set_of(present);
    struct cpuset old = set_of(before);
    /* Those wishes that are kept now: together they must explain it. */
    struct cpuset kept = {0};
    for (size_t i = 0; i < count; i++) {
        struct cpuset one = set_of(wish[i]);
        if (is_added_to(target) ? cpuset_is_subset(&one, &now) : !cpuset_intersects(&one, &now))
            kept = cpuset_or(&kept, &one);
    }
    struct cpuset explained = granted(target, &old, &kept, online);
    return cpuset_equal(&now, &explained);
}
