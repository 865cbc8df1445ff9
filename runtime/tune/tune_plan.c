/* The knobs: a row each. Order as they are turned: first everything is moved away, then what runs by itself is made
 * rare, then the CPUs are kept awake, and last the kernel's right to take them from real-time threads goes.
 *
 * Facts: Documentation/core-api/irq/irq-affinity, core-api/workqueue, power/pm_qos_interface (a per-CPU latency of "0"
 * means no constraint at all), scheduler/sched-rt-group, admin-guide/sysctl/kernel. */
#include <stdlib.h>
#include <string.h>

#include "hostprobe/files.h"
#include "runtime/tune/irqbalance.h"
#include "runtime/tune/tasks.h"
#include "runtime/tune/tunable.h"

enum scope { ONE, EACH_CPU, EACH_IRQ, EACH_KERNEL_THREAD, IRQBALANCE };

struct knob {
    const char *id;
    enum tune_level level;
    enum scope scope;
    const char *target;                   /* '#': the number of the CPU or interrupt */
    const char *value;                    /* NULL: as tunable_wish() says for the CPUs */
    bool (*is_fine)(const char *present); /* before anybody tuned it, good enough as it is; may be NULL */
    const char *why;
};

static bool is_rare(const char *present)
{
    uint64_t seconds;
    return text_to_u64(present, &seconds) && seconds >= 10;
}

/* A number of microseconds other than 0, or "n/a": no latency is accepted. */
static bool is_short_latency(const char *present)
{
    uint64_t us;
    return strcmp(present, "n/a") == 0 || (text_to_u64(present, &us) && us > 0 && us <= 2);
}

static const struct knob KNOBS[] = {
    {"kernel-threads", TUNE_SAFE, EACH_KERNEL_THREAD, NULL, NULL, NULL,
     "a kernel thread that may run elsewhere takes time from the vCPU"},
    {"workqueues", TUNE_SAFE, ONE, "mask:/sys/devices/virtual/workqueue/cpumask", NULL, NULL,
     "deferred kernel work that is bound to no CPU runs on any of these"},
    {"writeback", TUNE_SAFE, ONE, "mask:/sys/devices/virtual/workqueue/writeback/cpumask", NULL, NULL,
     "writing dirty pages back takes milliseconds"},
    {"new-interrupts", TUNE_SAFE, ONE, "mask:/proc/irq/default_smp_affinity", NULL, NULL,
     "an interrupt set up while the VM runs starts here"},
    {"irqbalance", TUNE_SAFE, IRQBALANCE, NULL, NULL, NULL,
     "irqbalance puts interrupts back every ten seconds on CPUs that were not isolated at boot"},
    {"interrupts", TUNE_SAFE, EACH_IRQ, "list:/proc/irq/#/smp_affinity_list", NULL, NULL,
     "a device interrupt preempts every thread, real-time or not"},
    {"statistics", TUNE_SAFE, ONE, "value:/proc/sys/vm/stat_interval", "10", is_rare,
     "the memory statistics worker visits every CPU that often"},
    {"rcu", TUNE_SAFE, ONE, "value:/sys/kernel/rcu_normal", "1", NULL,
     "expedited grace periods interrupt every busy CPU at once"},
    {"watchdogs", TUNE_FULL, ONE, "list:/proc/sys/kernel/watchdog_cpumask", NULL, NULL,
     "the lockup detector's timer fires every few seconds on each of these CPUs"},
    {"latency-limit", TUNE_SAFE, EACH_CPU, "value:/sys/devices/system/cpu/cpu#/power/pm_qos_resume_latency_us", "2",
     is_short_latency, "waking from a deep idle state takes longer than the whole latency budget"},
    {"governor", TUNE_SAFE, EACH_CPU, "value:/sys/devices/system/cpu/cpu#/cpufreq/scaling_governor", "performance",
     NULL, "a change of frequency stops the CPU for microseconds, and a low one is slow"},
    {"throttling", TUNE_FULL, ONE, "value:/proc/sys/kernel/sched_rt_runtime_us", "-1", NULL,
     "real-time threads are stopped for the rest of each period once they used this"},
    /* After throttling, and undone before it: while that limit is set, Linux 6.12 was seen to answer EBUSY. */
    {"fair-server", TUNE_FULL, EACH_CPU, "value:/sys/kernel/debug/sched/fair_server/cpu#/runtime", "0", NULL,
     "kernels since 6.12 give waiting ordinary threads 50 ms of each second of this CPU"},
};

const char *tune_knob_name(size_t index)
{
    return index < ARRAY_SIZE(KNOBS) ? KNOBS[index].id : NULL;
}

static bool is_turned_by(const struct knob *knob, const char *target)
{
    if (knob->scope == EACH_KERNEL_THREAD)
        return text_starts_with(target, "affinity:");
    if (knob->scope == IRQBALANCE)
        return text_starts_with(target, "irqbalance:");
    size_t head = strcspn(knob->target, "#");
    if (strncmp(knob->target, target, head) != 0)
        return false;
    size_t number = knob->target[head] ? strspn(target + head, "0123456789") : 0;
    return strcmp(knob->target + head + (knob->target[head] != '\0'), target + head + number) == 0;
}

void tune_describe(const char *target, const char **ret_knob, const char **ret_why)
{
    bool is_partition = strstr(target, "/cpuset.cpus.");
    bool is_pool = text_ends_with(target, "/nr_hugepages");
    *ret_knob = is_partition ? TUNE_PARTITION.knob : is_pool ? "huge-pages" : "other";
    *ret_why = is_partition ? TUNE_PARTITION.why
               : is_pool    ? "the pool was too small for the VM's memory"
                            : "changed by another version of rtvmd";
    for (size_t i = 0; i < ARRAY_SIZE(KNOBS); i++)
        if (is_turned_by(&KNOBS[i], target)) {
            *ret_knob = KNOBS[i].id;
            *ret_why = KNOBS[i].why;
            return;
        }
}

/* ---- what the journal says about a target */
struct book {
    const char *target;
    const char *owner;
    const char *wanted;
    int64_t row; /* of the owner with that very wish; 0: none */
    char *before;
    size_t count;
    char **wish; /* oldest first */
};

static void look_up(const struct tune_row *row, struct book *book)
{
    if (strcmp(row->target, book->target) != 0)
        return;
    if (!book->before)
        book->before = must_strdup(row->before);
    if (text_equal(row->owner, book->owner) && strcmp(row->wish, book->wanted) == 0)
        book->row = row->id;
    book->wish = must_realloc(book->wish, book->count + 2, sizeof *book->wish);
    memmove(book->wish + 1, book->wish, book->count++ * sizeof *book->wish);
    book->wish[0] = must_strdup(row->wish);
}

static void append(struct tune_plan *plan, const struct tune_change *change)
{
    if (plan->count == plan->capacity) {
        plan->capacity = plan->capacity ? plan->capacity * 2 : 64;
        plan->change = must_realloc(plan->change, plan->capacity, sizeof *plan->change);
    }
    plan->change[plan->count++] = *change;
}

/* Stopped and started again within one round of irqbalance's: what it says now was ours. */
static void recall(const struct tune_machine *machine, const struct tunable *target, char **present)
{
    struct cpuset banned;
    struct error err;
    struct cpuset_text buffer;
    if (cpuset_parse(*present, &banned, &err) < 0)
        return;
    irqbalance_recall(machine, target->tid, &banned);
    free(*present);
    *present = must_strdup(cpuset_format(&banned, &buffer));
}

bool tune_plan_add(const struct tune_machine *machine, const struct tune_journal *journal, const char *text,
                   const struct tune_wish *wish, struct tune_plan *plan)
{
    const struct files files = {machine->root};
    struct tunable target;
    struct error err;
    struct cpuset online = {0};
    if (!tunable_parse(text, &target))
        return false;
    if (machine->at)
        machine->at(text, machine->at_arg);
    auto_free char *present = tunable_read(machine, &target, &err);
    if (!present && err.kind != ERROR_NOT_FOUND) /* debugfs of a locked-down kernel, say */
        text_printf(&plan->notes, "%s: %s\n", text, err.text);
    if (!present)
        return false; /* this kernel has no such thing, or hides it */
    if (tunable_is_late(&target))
        recall(machine, &target, &present);
    files_set(&files, &online, "/sys/devices/system/cpu/online");
    char *wanted = wish->value ? must_strdup(wish->value) : tunable_wish(&target, wish->cpus);
    struct book book = {.target = text, .owner = wish->owner, .wanted = wanted};
    for (size_t i = 0; journal && i < journal->count; i++)
        look_up(&journal->at[i], &book);
    if (!book.before)
        book.before = must_strdup(present);
    book.wish = must_realloc(book.wish, book.count + 1, sizeof *book.wish);
    book.wish[book.count++] = wanted;
    auto_free char *alone = tunable_value(&target, book.before, (const char *const *)&wanted, 1, &online);
    auto_free char *then = tunable_value(&target, book.before, (const char *const *)book.wish, book.count, &online);
    bool is_fine = (wish->is_fine && wish->is_fine(book.before)) || (book.row && strcmp(present, then) == 0);
    if (strcmp(alone, book.before) != 0 && !is_fine && alone[0])
        append(plan, &(struct tune_change){
                         .target = must_strdup(text),
                         .before = must_strdup(book.before),
                         .wanted = must_strdup(wanted),
                         .then = take(then),
                         .row = book.row,
                         .knob = wish->knob,
                         .why = wish->why,
                     });
    for (size_t i = 0; i < book.count; i++)
        free(book.wish[i]);
    free(book.wish);
    free(book.before);
    return true;
}

struct planning {
    const struct tune_machine *machine;
    struct files files;
    const struct tune_journal *journal;
    const struct cpuset *cpus;
    const struct knob *knob;
    struct tune_plan *plan;
};

static void plan_target(const struct planning *p, const char *text)
{
    const struct tune_wish wish = {.knob = p->knob->id,
                                   .why = p->knob->why,
                                   .value = p->knob->value,
                                   .cpus = p->cpus,
                                   .is_fine = p->knob->is_fine};
    tune_plan_add(p->machine, p->journal, text, &wish, p->plan);
}

static void plan_number(const struct planning *p, int number)
{
    const char *hash = strchr(p->knob->target, '#');
    auto_free char *text = must_format("%.*s%d%s", (int)(hash - p->knob->target), p->knob->target, number, hash + 1);
    plan_target(p, text);
}

static void plan_irq(const char *name, void *arg)
{
    uint64_t number;
    if (text_to_u64(name, &number) && number <= INT32_MAX)
        plan_number(arg, (int)number);
}

static void plan_cpus(const struct planning *p)
{
    cpuset_foreach(cpu, p->cpus)
    {
        plan_number(p, cpu);
    }
}

static void plan_threads(const struct planning *p)
{
    struct task_list tasks;
    tasks_read(&p->files, &tasks);
    for (size_t i = 0; i < tasks.count; i++) {
        const struct task *task = &tasks.at[i];
        if (!task->kernel || task->bound)
            continue;
        auto_free char *text = must_format("affinity:%d:%s", task->tid, task->name);
        plan_target(p, text);
    }
    tasks_finish(&tasks);
}

static void plan_irqbalance(const struct planning *p)
{
    struct task_list tasks;
    struct cpuset banned;
    struct error err;
    tasks_read(&p->files, &tasks);
    const struct task *task = tasks_named(&tasks, "irqbalance");
    auto_free char *text = task ? must_format("irqbalance:%d", task->pid) : NULL;
    tasks_finish(&tasks);
    if (!text)
        return;
    if (irqbalance_read(p->machine, (int)strtol(strchr(text, ':') + 1, NULL, 10), &banned, &err) < 0)
        text_printf(&p->plan->notes, "%s: cannot be told to keep off the CPUs: %s; stop it, or boot with isolcpus\n",
                    text, err.text);
    else
        plan_target(p, text);
}

void tune_plan(const struct tune_machine *machine, const struct tune_journal *journal, const struct cpuset *cpus,
               enum tune_level level, struct tune_plan *ret_plan)
{
    *ret_plan = (struct tune_plan){0};
    struct planning p = {
        .machine = machine, .files = {machine->root}, .journal = journal, .cpus = cpus, .plan = ret_plan};
    for (size_t i = 0; i < ARRAY_SIZE(KNOBS) && !cpuset_is_empty(cpus); i++) {
        p.knob = &KNOBS[i];
        if (p.knob->level > level)
            continue;
        if (p.knob->scope == ONE)
            plan_target(&p, p.knob->target);
        else if (p.knob->scope == EACH_IRQ)
            files_each(&p.files, plan_irq, &p, "/proc/irq/");
        else if (p.knob->scope == EACH_KERNEL_THREAD)
            plan_threads(&p);
        else if (p.knob->scope == IRQBALANCE)
            plan_irqbalance(&p);
        else
            plan_cpus(&p);
    }
}

void tune_plan_finish(struct tune_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        free(plan->change[i].target);
        free(plan->change[i].before);
        free(plan->change[i].wanted);
        free(plan->change[i].then);
    }
    free(plan->change);
    text_finish(&plan->notes);
    *plan = (struct tune_plan){0};
}

json_t *tune_plan_to_json(const struct tune_plan *plan)
{
    json_t *list = json_array();
    for (size_t i = 0; i < plan->count; i++) {
        const struct tune_change *c = &plan->change[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s}", "knob", c->knob, "target", c->target,
                                              "before", c->before, "then", c->then, "why", c->why));
    }
    return list;
}
