/* Host tuning on a small made-up machine of four CPUs: what is planned, that it is undone, in any order and after a
 * crash at any step. */
#include "runtime/tune/irqbalance.h"
#include "runtime/tune/tunable.h"
#include "runtime/tune/tune.c"

#include <sys/wait.h>

#include "tests/test.h"
#include "tests/unit/tree.h"

#define VM_SCOPE "/machine.slice/machine-qemu\\x2d1\\x2dns.scope"
#define VM_GROUP VM_SCOPE "/libvirt"
#define PARTITION "/sys/fs/cgroup" VM_GROUP "/vcpu0/cpuset.cpus.partition"
#define SLICE "/sys/fs/cgroup/machine.slice/cpuset.cpus.exclusive"

static const struct {
    const char *path;
    const char *text;
} FILES[] = {
    {"/sys/devices/system/cpu/online", "0-3\n"},
    {"/sys/devices/system/cpu/cpu1/power/pm_qos_resume_latency_us", "0\n"},
    {"/sys/devices/system/cpu/cpu2/power/pm_qos_resume_latency_us", "n/a\n"},
    {"/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "schedutil\n"},
    {"/sys/devices/system/cpu/cpu2/cpufreq/scaling_governor", "performance\n"},
    {"/sys/devices/virtual/workqueue/cpumask", "f\n"},
    {"/sys/kernel/debug/sched/fair_server/cpu1/runtime", "50000000\n"},
    {"/proc/irq/default_smp_affinity", "f\n"},
    {"/proc/irq/9/smp_affinity_list", "0-3\n"},
    {"/proc/irq/10/smp_affinity_list", "1\n"},
    {"/proc/irq/11/smp_affinity_list", "0\n"},
    {"/proc/irq/2000/smp_affinity_list", "1-2\n"},
    {"/proc/sys/kernel/watchdog_cpumask", "0-3\n"},
    {"/proc/sys/kernel/sched_rt_runtime_us", "950000\n"},
    {"/proc/sys/vm/stat_interval", "1\n"},
    {"/proc/sys/kernel/random/boot_id", "boot-1\n"},
    {"/proc/7/task/7/stat",
     "7 (kswapd0) S 2 0 0 0 -1 2228224 0 0 0 0 0 0 0 0 20 0 1 0 9 0 0 18446744073709551615 0 0 0 0 0 0 0 2147483647 0 "
     "0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"},
    {"/proc/7/task/7/status", "Name:\tkswapd0\nCpus_allowed_list:\t0-3\n"},
    {"/proc/50/task/50/stat",
     "50 (irqbalance) S 1 0 0 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 9 0 0 18446744073709551615 0 0 0 0 0 0 0 2147483647 "
     "0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"},
    {"/proc/50/task/50/status", "Name:\tirqbalance\nCpus_allowed_list:\t0-3\n"},
    {"/proc/90/cgroup", "0::" VM_GROUP "/emulator\n"},
    {"/proc/91/cgroup", "2:cpuset:/machine/x\n0::/machine.slice/x/libvirt/emulator\n"},
    {"/proc/92/cgroup", "0::/user.slice\n"},
    {"/sys/fs/cgroup/machine.slice/cpuset.cpus.exclusive", "\n"},
    {"/sys/fs/cgroup" VM_SCOPE "/cpuset.cpus.exclusive", "\n"},
    {"/sys/fs/cgroup" VM_GROUP "/cpuset.cpus.exclusive", "\n"},
    {"/sys/fs/cgroup" VM_GROUP "/vcpu0/cpuset.cpus.exclusive", "\n"},
    {"/sys/fs/cgroup" VM_GROUP "/vcpu0/cpuset.cpus.partition", "member\n"},
    {"/sys/fs/cgroup" VM_GROUP "/vcpu1/cpuset.cpus.exclusive", "\n"},
    {"/sys/fs/cgroup" VM_GROUP "/vcpu1/cpuset.cpus.partition", "member\n"},
    {"/run/irqbalance/banned", "00000004\n"}, /* as it is */
    {"/run/irqbalance/told", "2-2\n"},        /* and will be after its next round */
};

/* Made hundreds of times: nothing here need survive a power cut. */
static void put(const char *path, const char *text);

static struct tree tree;
static char state_dir[64];
static int steps_left = -1; /* < 0: no crash */

static int move_fake(const struct tune_machine *machine, int tid, const struct cpuset *cpus, struct error *err)
{
    (void)machine;
    struct cpuset_text buffer;
    if (tid != 7)
        return fail(err, ERROR_NOT_FOUND, "no thread %d", tid);
    auto_free char *text = must_format("Name:\tkswapd0\nCpus_allowed_list:\t%s\n", cpuset_format(cpus, &buffer));
    put("/proc/7/task/7/status", text);
    return 0;
}

static void count_step(void *arg)
{
    (void)arg;
    if (steps_left >= 0 && steps_left-- == 0)
        _exit(9);
}

static const char *refused = "";  /* the file that answers EIO */
static const char *stubborn = ""; /* the file that makes something else of it */

static int write_fake(const struct tune_machine *machine, const char *path, const char *value, struct error *err)
{
    (void)machine;
    if (strcmp(path, refused) == 0)
        return fail(err, ERROR_INTERNAL, "write %s: Input/output error", path);
    bool is_stubborn = strcmp(path, stubborn) == 0;
    if (is_stubborn && strcmp(value, "0,2-3") == 0)
        value = "0";
    if (is_stubborn && strcmp(value, "isolated") == 0)
        value = "isolated invalid (Cpu list in cpuset.cpus not exclusive)";
    auto_free char *line = must_format("%s\n", strcmp(value, "\n") == 0 ? "" : value);
    put(path, line);
    return 0;
}

static bool is_mute; /* irqbalance has no socket */
static char *found(const char *path);

static int ask_fake(const struct tune_machine *machine, int pid, const char *line, struct text *ret_answer,
                    struct error *err)
{
    static const char SET[] = "settings cpus ";
    (void)machine;
    if (pid != 50 || is_mute)
        return fail(err, ERROR_NOT_FOUND, "no socket");
    auto_free char *banned = found("/run/irqbalance/banned");
    auto_free char *told = text_starts_with(line, SET) ? must_format("%s\n", line + strlen(SET)) : must_strdup("");
    if (told[0])
        put("/run/irqbalance/told", told);
    else if (strcmp(line, "setup") == 0)
        text_printf(ret_answer, "SLEEP 10 IRQ 4 LOAD 0 DIFF 0 CLASS 0 BANNED %s", banned);
    return 0;
}

static struct tune_machine MACHINE = {.root = tree.root,
                                      .write_file = write_fake,
                                      .move_thread = move_fake,
                                      .ask_irqbalance = ask_fake,
                                      .step = count_step};

static void put(const char *path, const char *text)
{
    struct error err;
    auto_free char *full = must_format("%s%s", tree.root, path);
    auto_free char *folder = must_strndup(full, (size_t)(strrchr(full, '/') - full));
    FILE *file = file_make_folders(folder, 0755, &err) == 0 ? fopen(full, "w") : NULL;
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        abort();
}

static void begin(void)
{
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(tree.root, sizeof tree.root, "%s/rtvmd-tree-XXXXXX", base);
    snprintf(state_dir, sizeof state_dir, "%s/rtvmd-tune-XXXXXX", base);
    CHECK(mkdtemp(tree.root));
    for (size_t i = 0; i < ARRAY_SIZE(FILES); i++)
        put(FILES[i].path, FILES[i].text);
    CHECK(mkdtemp(state_dir));
}

static void finish(void)
{
    struct error err;
    tree_remove(&tree);
    file_remove_tree(state_dir, &err);
}

static char *found(const char *path)
{
    struct error err;
    auto_text text = {0};
    CHECK(file_read(tree.root, path, 1 << 20, &text, &err) == 0);
    return must_strndup(text_cstr(&text), strcspn(text_cstr(&text), "\n"));
}

static void check_file(const char *path, const char *wanted)
{
    auto_free char *text = found(path);
    CHECK_TEXT(text, wanted);
}

static void check_as_found(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(FILES); i++) {
        struct error err;
        auto_text text = {0};
        CHECK(file_read(tree.root, FILES[i].path, 1 << 20, &text, &err) == 0);
        CHECK_TEXT(text_cstr(&text), FILES[i].text);
    }
}

static struct store *open_store(void)
{
    struct error err;
    struct store *store = store_open(state_dir, NULL, &err);
    if (!store) {
        printf("# %s\n", err.text);
        abort();
    }
    return store;
}

static void count_entry(const struct store_host_change *change, void *arg)
{
    (void)change;
    ++*(unsigned *)arg;
}

static unsigned journal_count(struct store *store)
{
    unsigned count = 0;
    store_journal_each(store, count_entry, &count);
    return count;
}

static void apply(struct store *store, const char *owner, const char *cpus, enum tune_level level, unsigned done,
                  unsigned left)
{
    struct error err;
    struct cpuset set;
    struct tune_result result;
    CHECK(cpuset_parse(cpus, &set, &err) == 0);
    CHECK(tune_apply(&MACHINE, store, owner, &set, level, &result, &err) == 0);
    CHECK_INT(result.done, done);
    CHECK_INT(result.left, left);
    if (result.left != left)
        printf("# %s\n", text_cstr(&result.notes));
    text_finish(&result.notes);
}

static void undo(struct store *store, const char *owner, unsigned left)
{
    struct error err;
    struct tune_result result;
    CHECK(tune_undo(&MACHINE, store, owner, &result, &err) == 0);
    CHECK_INT(result.left, left);
    text_finish(&result.notes);
}

static bool nobody(const char *owner, void *arg)
{
    (void)owner;
    (void)arg;
    return false;
}

static void recover(struct store *store)
{
    struct error err;
    struct tune_result result;
    CHECK(tune_recover(&MACHINE, store, nobody, NULL, &result, &err) == 0);
    CHECK_INT(result.left, 0);
    text_finish(&result.notes);
    CHECK_INT(journal_count(store), 0);
}

/* ---- cases */
static void what_is_in_the_way_is_planned(void)
{
    static const char *const SAFE[][3] = {
        {"affinity:7:kswapd0", "0-3", "0,2-3"},
        {"mask:/sys/devices/virtual/workqueue/cpumask", "0-3", "0,2-3"},
        {"mask:/proc/irq/default_smp_affinity", "0-3", "0,2-3"},
        {"irqbalance:50", "2", "1-2"},
        {"list:/proc/irq/9/smp_affinity_list", "0-3", "0,2-3"},
        {"list:/proc/irq/10/smp_affinity_list", "1", "0,2-3"},
        {"list:/proc/irq/2000/smp_affinity_list", "1-2", "2"},
        {"value:/proc/sys/vm/stat_interval", "1", "10"},
        {"value:/sys/devices/system/cpu/cpu1/power/pm_qos_resume_latency_us", "0", "2"},
        {"value:/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "schedutil", "performance"},
    };
    begin();
    struct tune_plan plan;
    struct cpuset cpus = cpuset_of(1);
    tune_plan(&MACHINE, NULL, &cpus, TUNE_SAFE, &plan);
    CHECK_INT(plan.count, ARRAY_SIZE(SAFE));
    for (size_t i = 0; i < ARRAY_SIZE(SAFE); i++) {
        const struct tune_change *change = NULL; /* folders have no order */
        for (size_t k = 0; k < plan.count; k++)
            if (strcmp(plan.change[k].target, SAFE[i][0]) == 0)
                change = &plan.change[k];
        CHECK(change != NULL);
        CHECK_TEXT(change ? change->before : NULL, SAFE[i][1]);
        CHECK_TEXT(change ? change->then : NULL, SAFE[i][2]);
    }
    tune_plan_finish(&plan);
    tune_plan(&MACHINE, NULL, &cpus, TUNE_FULL, &plan);
    CHECK_INT(plan.count, ARRAY_SIZE(SAFE) + 3);
    auto_json *json = tune_plan_to_json(&plan);
    CHECK_INT(json_array_size(json), plan.count);
    tune_plan_finish(&plan);
    struct cpuset none = {0};
    tune_plan(&MACHINE, NULL, &none, TUNE_FULL, &plan);
    CHECK_INT(plan.count, 0);
    tune_plan_finish(&plan);
    finish();
}

static void changes_are_made_and_undone(void)
{
    begin();
    struct store *store = open_store();
    apply(store, "ns/a", "1", TUNE_FULL, 13, 0);
    CHECK(tune_has(store, "ns/a"));
    CHECK_INT(journal_count(store), 13);
    check_file("/proc/sys/kernel/sched_rt_runtime_us", "-1");
    check_file("/proc/irq/10/smp_affinity_list", "0,2-3");
    check_file("/sys/devices/virtual/workqueue/cpumask", "d");
    apply(store, "ns/a", "1", TUNE_FULL, 13, 0); /* once more: as if for the first time */
    undo(store, "ns/a", 0);
    check_as_found();
    CHECK_INT(journal_count(store), 0);
    undo(store, "ns/a", 0);
    store_close(store);
    finish();
}

static void owners_come_and_go_in_any_order(void)
{
    for (int first = 0; first < 2; first++) {
        begin();
        struct store *store = open_store();
        apply(store, "ns/a", "1", TUNE_FULL, 13, 0);
        apply(store, "ns/b", "2", TUNE_FULL, 6, 0);
        check_file("/sys/devices/virtual/workqueue/cpumask", "9");
        check_file("/proc/irq/2000/smp_affinity_list", "0,3");
        undo(store, first ? "ns/b" : "ns/a", 0);
        check_file("/sys/devices/virtual/workqueue/cpumask", first ? "d" : "b");
        check_file("/proc/irq/2000/smp_affinity_list", first ? "2" : "1");
        check_file("/proc/sys/kernel/sched_rt_runtime_us", "-1");
        undo(store, first ? "ns/a" : "ns/b", 0);
        check_as_found();
        CHECK_INT(journal_count(store), 0);
        store_close(store);
        finish();
    }
}

static void one_change_is_undone_by_its_name(void)
{
    begin();
    struct store *store = open_store();
    struct tune_result result;
    struct error err;
    apply(store, "ns/a", "1", TUNE_SAFE, 10, 0);
    struct tune_journal journal;
    tune_journal_read(store, &journal);
    for (size_t i = 0; i < journal.count; i++) {
        if (strcmp(journal.at[i].target, "value:/proc/sys/vm/stat_interval") == 0)
            CHECK(tune_undo_one(&MACHINE, store, journal.at[i].id, &result, &err) == 0);
    }
    tune_journal_finish(&journal);
    CHECK_INT(journal_count(store), 9);
    check_file("/proc/sys/vm/stat_interval", "1");
    check_file("/proc/irq/9/smp_affinity_list", "0,2-3");
    undo(store, "ns/a", 0);
    check_as_found();
    store_close(store);
    finish();
}

static void what_others_changed_is_left_alone(void)
{
    begin();
    struct store *store = open_store();
    apply(store, "ns/a", "1", TUNE_FULL, 13, 0);
    put("/proc/irq/9/smp_affinity_list", "3\n");
    put("/proc/sys/kernel/sched_rt_runtime_us", "980000\n");
    undo(store, "ns/a", 2);
    check_file("/proc/irq/9/smp_affinity_list", "3");
    check_file("/proc/sys/kernel/sched_rt_runtime_us", "980000");
    check_file("/proc/sys/vm/stat_interval", "1");
    CHECK_INT(journal_count(store), 0);
    store_close(store);
    finish();
}

/* A locked-down kernel shows the file and lets nobody read it. */
static void what_the_kernel_hides_is_said(void)
{
    begin();
    struct error err;
    auto_free char *path = must_format("%s/sys/kernel/debug/sched/fair_server/cpu1/runtime", tree.root);
    CHECK_INT(unlink(path), 0);
    CHECK_INT(file_make_folders(path, 0755, &err), 0); /* reading a folder fails, too */
    struct tune_plan plan;
    struct cpuset cpus = cpuset_of(1);
    tune_plan(&MACHINE, NULL, &cpus, TUNE_FULL, &plan);
    CHECK(strstr(text_cstr(&plan.notes), "fair_server/cpu1/runtime: ") != NULL);
    tune_plan_finish(&plan);
    finish();
}

static void what_the_kernel_refuses_is_not_journaled(void)
{
    begin();
    struct store *store = open_store();
    refused = "/proc/irq/9/smp_affinity_list";
    stubborn = "/proc/irq/10/smp_affinity_list";
    apply(store, "", "1", TUNE_SAFE, 8, 2);
    CHECK_INT(journal_count(store), 8);
    undo(store, "", 0);
    check_as_found();
    refused = stubborn = "";
    store_close(store);
    finish();
}

static void what_cannot_be_undone_now_stays_in_the_journal(void)
{
    begin();
    struct store *store = open_store();
    apply(store, "ns/a", "1", TUNE_SAFE, 10, 0);
    refused = "/proc/irq/9/smp_affinity_list";
    undo(store, "ns/a", 1);
    CHECK_INT(journal_count(store), 1);
    refused = "";
    recover(store);
    check_as_found();
    store_close(store);
    finish();
}

static void what_is_gone_needs_no_undoing(void)
{
    begin();
    struct store *store = open_store();
    apply(store, "ns/a", "1", TUNE_SAFE, 10, 0);
    auto_free char *path = must_format("%s/proc/irq/9/smp_affinity_list", tree.root);
    CHECK(unlink(path) == 0);
    put("/proc/7/task/7/status", "Name:\tbash\nCpus_allowed_list:\t0-3\n"); /* the number was used again */
    undo(store, "ns/a", 0);
    CHECK_INT(journal_count(store), 0);
    check_file("/proc/7/task/7/status", "Name:\tbash");
    store_close(store);
    finish();
}

static void irqbalance_is_told_and_told_back(void)
{
    begin();
    struct store *store = open_store();
    apply(store, "ns/a", "1", TUNE_SAFE, 10, 0);
    check_file("/run/irqbalance/told", "1-2");
    apply(store, "ns/b", "3", TUNE_SAFE, 5, 0); /* before its next round */
    check_file("/run/irqbalance/told", "1-3");
    undo(store, "ns/a", 0);
    check_file("/run/irqbalance/told", "2-3");
    put("/run/irqbalance/banned", "0000000e\n"); /* the round comes late: still ours to take back */
    undo(store, "ns/b", 0);
    check_file("/run/irqbalance/told", "2-2");
    CHECK_INT(journal_count(store), 0);
    put("/run/irqbalance/banned", "00000000,00000000\n");
    apply(store, "ns/a", "1", TUNE_SAFE, 10, 0);
    undo(store, "ns/a", 0);
    check_file("/run/irqbalance/told", "NULL");
    put("/run/irqbalance/banned", "00000000\n");
    struct irqbalance_memory memory = {0};
    MACHINE.memory = &memory;
    apply(store, "ns/a", "1", TUNE_SAFE, 10, 0);
    put("/run/irqbalance/banned", "00000002\n");
    undo(store, "ns/a", 0);
    apply(store, "ns/a", "1", TUNE_SAFE, 10, 0); /* again, before it took the undoing */
    undo(store, "ns/a", 0);
    check_file("/run/irqbalance/told", "NULL");
    memory.until_ms = 1; /* long ago */
    put("/run/irqbalance/banned", "00000004\n");
    apply(store, "ns/a", "1", TUNE_SAFE, 10, 0);
    check_file("/run/irqbalance/told", "1-2");
    undo(store, "ns/a", 0);
    MACHINE.memory = NULL;
    is_mute = true;
    apply(store, "ns/a", "1", TUNE_SAFE, 9, 1);
    undo(store, "ns/a", 0);
    is_mute = false;
    store_close(store);
    finish();
}

static void remove_file(const char *path)
{
    auto_free char *full = must_format("%s%s", tree.root, path);
    CHECK_INT(unlink(full), 0);
}

/* Its successor keeps off nothing. */
static void a_restarted_irqbalance_is_told_again(void)
{
    struct tune_lost lost;
    struct tune_result result;
    struct error err;
    begin();
    struct store *store = open_store();
    put("/proc/50/comm", "irqbalance\n");
    apply(store, "ns/a", "1", TUNE_SAFE, 10, 0);
    CHECK(!tune_lost_irqbalance(store, tree.root, &lost));
    put("/proc/50/comm", "bash\n"); /* the number was used again */
    CHECK(tune_lost_irqbalance(store, tree.root, &lost));
    CHECK_TEXT(lost.owner, "ns/a");
    CHECK(lost.id > 0 && cpuset_has(&lost.cpus, 1) && cpuset_count(&lost.cpus) == 1);
    struct tune_task none = {
        .kind = TUNE_TASK_KNOB, .owner = lost.owner, .cpus = lost.cpus, .knob = "irqbalance", .id = lost.id};
    struct tune_task again = none;
    again.owner = must_strdup(lost.owner);
    is_mute = true; /* nothing runs in its place yet: the row stays to remind us */
    CHECK_INT(run(&MACHINE, store, &none, &result, &err), 0);
    is_mute = false;
    text_finish(&result.notes);
    CHECK_INT(journal_count(store), 10);
    put("/run/irqbalance/told", "2-2\n");
    put("/proc/50/comm", "irqbalance\n");
    CHECK_INT(run(&MACHINE, store, &again, &result, &err), 0);
    text_finish(&result.notes);
    check_file("/run/irqbalance/told", "1-2");
    CHECK_INT(journal_count(store), 10);
    CHECK(!tune_lost_irqbalance(store, tree.root, &lost));
    undo(store, "ns/a", 0);
    remove_file("/proc/50/comm");
    check_as_found();
    store_close(store);
    finish();
}

static void a_list_longer_than_its_buffer_is_refused(void)
{
    struct cpuset many = {0};
    struct error err;
    for (unsigned cpu = 1; cpu < 1000; cpu += 2)
        cpuset_add(&many, cpu);
    CHECK(irqbalance_write(&MACHINE, 50, &many, &err) < 0 && err.kind == ERROR_TOO_LARGE);
}

static unsigned seen[TUNE_UNKNOWN + 1];

static void count_state(const struct tune_entry *entry, void *arg)
{
    seen[entry->state]++;
    if (strcmp(entry->knob, arg) == 0) {
        auto_json *object = tune_entry_to_json(entry);
        CHECK_TEXT(json_text_at(object, "spec.owner.name", NULL), "a");
        CHECK_TEXT(json_text_at(object, "status.before", NULL), entry->change->old_value);
        CHECK(text_starts_with(json_text_at(object, "metadata.name", ""), arg));
    }
    CHECK(strcmp(entry->knob, "other") != 0);
}

static void the_journal_is_shown_beside_the_machine(void)
{
    begin();
    struct store *store = open_store();
    apply(store, "ns/a", "1", TUNE_FULL, 13, 0);
    char knob[] = "interrupts";
    memset(seen, 0, sizeof seen);
    tune_each(&MACHINE, store, count_state, knob);
    CHECK_INT(seen[TUNE_APPLIED], 12);
    CHECK_INT(seen[TUNE_PENDING], 1);
    put("/run/irqbalance/banned", "00000006\n");
    put("/proc/irq/9/smp_affinity_list", "3\n");
    put("/proc/irq/10/smp_affinity_list", "1\n");
    put("/proc/7/task/7/status", "Name:\tbash\nCpus_allowed_list:\t0-3\n");
    memset(seen, 0, sizeof seen);
    tune_each(&MACHINE, store, count_state, knob);
    CHECK_INT(seen[TUNE_APPLIED], 10);
    CHECK_INT(seen[TUNE_OVERRIDDEN], 1);
    CHECK_INT(seen[TUNE_NOT_APPLIED], 1);
    CHECK_INT(seen[TUNE_GONE], 1);
    struct error err;
    int64_t id;
    const struct store_host_change pool = {.path = "pages:/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
                                           .old_value = "0",
                                           .new_value = "4 more",
                                           .owner = "ns/a",
                                           .boot_id = "boot-1"};
    put("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "4\n");
    CHECK(store_journal_add(store, &pool, &id, &err) == 0);
    tune_each(&MACHINE, store, count_state, knob);
    CHECK_INT(seen[TUNE_APPLIED], 21); /* both times */
    struct tune_result result;
    CHECK(tune_undo_one(&MACHINE, store, id, &result, &err) < 0 && err.kind == ERROR_CONFLICT);
    store_close(store);
    finish();
}

static bool nobody_lives(const char *owner, void *arg)
{
    (void)owner;
    (void)arg;
    return false;
}

static void see_pool(const struct tune_entry *entry, void *arg)
{
    (void)arg;
    seen[entry->state]++;
    CHECK_TEXT(entry->knob, "hugepages");
    CHECK_TEXT(entry->found, "144");
}

/* Pages added to a pool are in the same journal, and are taken out by who put them there. */
static void pools_are_shown_and_left_alone(void)
{
    begin();
    struct store *store = open_store();
    struct error err;
    struct tune_result result;
    struct store_host_change change = {.path = "pages:/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
                                       .old_value = "128",
                                       .new_value = "16 more",
                                       .owner = "ns/a",
                                       .boot_id = "boot-0"};
    put("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "144\n");
    CHECK_INT(store_journal_add(store, &change, NULL, &err), 0);
    change.new_value = "up to 16 more";
    CHECK_INT(store_journal_add(store, &change, NULL, &err), 0);
    CHECK_INT(tune_undo(&MACHINE, store, "ns/a", &result, &err), 0);
    CHECK_INT(tune_recover(&MACHINE, store, nobody_lives, NULL, &result, &err), 0);
    memset(seen, 0, sizeof seen);
    tune_each(&MACHINE, store, see_pool, NULL);
    CHECK_INT(seen[TUNE_APPLIED], 1);
    CHECK_INT(seen[TUNE_PENDING], 1);
    store_close(store);
    finish();
}

static void isolate(struct store *store, int pid, unsigned done, unsigned left, const char *because)
{
    struct error err;
    struct tune_result result;
    struct cpuset cpus[2] = {cpuset_of(1)};
    cpuset_add(&cpus[0], 3); /* its parked sibling */
    CHECK(tune_isolate(&MACHINE, store, "ns/a", pid, cpus, 2, &result, &err) == 0);
    CHECK_INT(result.done, done);
    CHECK_INT(result.left, left);
    CHECK(strstr(text_cstr(&result.notes), because));
    text_finish(&result.notes);
}

static void a_vcpu_becomes_an_isolated_partition(void)
{
    begin();
    struct store *store = open_store();
    apply(store, "ns/a", "1", TUNE_SAFE, 10, 0);
    put(SLICE, "2\n"); /* of another VM, which somebody else set aside */
    isolate(store, 90, 5, 0, "");
    check_file(SLICE, "1-3");
    check_file("/sys/fs/cgroup" VM_GROUP "/vcpu0/cpuset.cpus.exclusive", "1,3");
    check_file(PARTITION, "isolated");
    check_file("/sys/fs/cgroup" VM_GROUP "/vcpu1/cpuset.cpus.partition", "member");
    CHECK_INT(journal_count(store), 15);
    isolate(store, 90, 0, 0, ""); /* it is so already */
    CHECK_INT(journal_count(store), 15);
    undo(store, "ns/a", 0);
    check_file(SLICE, "2");
    put(SLICE, "\n");
    check_as_found();
    store_close(store);
    finish();
}

static void a_partition_the_kernel_finds_invalid_is_put_back(void)
{
    begin();
    struct store *store = open_store();
    stubborn = PARTITION;
    isolate(store, 90, 4, 1, "isolated invalid (Cpu list in cpuset.cpus not exclusive)");
    check_file(PARTITION, "member");
    stubborn = "";
    undo(store, "ns/a", 0);
    check_as_found();
    isolate(store, 90, 5, 0, "");
    put(PARTITION, "isolated invalid (no cpus available)\n"); /* a CPU was switched off meanwhile */
    undo(store, "ns/a", 0);
    check_as_found();
    store_close(store);
    finish();
}

static void where_no_partition_can_be_it_is_said(void)
{
    begin();
    struct store *store = open_store();
    isolate(store, 91, 0, 1, "no cpuset.cpus.exclusive");
    isolate(store, 92, 0, 1, "in no cgroup v2 group with cpusets");
    isolate(store, 93, 0, 1, "in no cgroup v2 group with cpusets");
    CHECK_INT(journal_count(store), 0);
    auto_free char *path = must_format("%s%s", tree.root, PARTITION);
    CHECK(unlink(path) == 0);
    isolate(store, 90, 4, 1, "vCPU 0: libvirt gave it no control group");
    undo(store, "ns/a", 0);
    CHECK_INT(journal_count(store), 0);
    store_close(store);
    finish();
}

static bool everybody(const char *owner, void *arg)
{
    (void)arg;
    return strcmp(owner, "ns/a") == 0;
}

static void a_reboot_forgets(void)
{
    begin();
    struct store *store = open_store();
    apply(store, "ns/a", "1", TUNE_SAFE, 10, 0);
    struct tune_result result;
    struct error err;
    CHECK(tune_recover(&MACHINE, store, everybody, NULL, &result, &err) == 0);
    CHECK_INT(journal_count(store), 10); /* it lives: nothing is undone */
    CHECK_INT(result.done, 0);
    put("/proc/sys/kernel/random/boot_id", "boot-2\n");
    put("/proc/sys/vm/stat_interval", "10\n"); /* as sysctl.d says now: not ours to change */
    recover(store);
    check_file("/proc/sys/vm/stat_interval", "10");
    store_close(store);
    finish();
}

/* Everything, in a child that ends at the given step. True: it came to its end. */
static bool crash_at(int step, bool two_owners)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct error err;
        struct tune_result result;
        struct cpuset one = cpuset_of(1);
        struct cpuset two = cpuset_of(2);
        struct store *store = open_store();
        steps_left = step;
        tune_apply(&MACHINE, store, "ns/a", &one, TUNE_FULL, &result, &err);
        tune_isolate(&MACHINE, store, "ns/a", 90, &one, 1, &result, &err);
        if (two_owners) {
            const struct cpuset second[2] = {[1] = two};
            tune_apply(&MACHINE, store, "ns/b", &two, TUNE_FULL, &result, &err);
            tune_isolate(&MACHINE, store, "ns/b", 90, second, 2, &result, &err);
        }
        tune_undo(&MACHINE, store, "ns/a", &result, &err);
        if (two_owners)
            tune_undo(&MACHINE, store, "ns/b", &result, &err);
        _exit(0);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 9);
    return WEXITSTATUS(status) == 0;
}

static void a_crash_at_any_step_leaves_no_trace(void)
{
    for (int two = 0; two < 2; two++) {
        bool ended = false;
        int step = 0;
        for (; !ended && step < 1000; step++) {
            begin();
            ended = crash_at(step, two);
            struct store *store = open_store();
            recover(store);
            store_close(store);
            check_as_found();
            finish();
        }
        CHECK(ended);
        CHECK(step > (two ? 70 : 50)); /* all of it was gone through */
    }
}

int main(void)
{
    RUN(what_is_in_the_way_is_planned);
    RUN(changes_are_made_and_undone);
    RUN(owners_come_and_go_in_any_order);
    RUN(one_change_is_undone_by_its_name);
    RUN(what_others_changed_is_left_alone);
    RUN(what_the_kernel_hides_is_said);
    RUN(what_the_kernel_refuses_is_not_journaled);
    RUN(what_cannot_be_undone_now_stays_in_the_journal);
    RUN(what_is_gone_needs_no_undoing);
    RUN(irqbalance_is_told_and_told_back);
    RUN(a_restarted_irqbalance_is_told_again);
    RUN(a_list_longer_than_its_buffer_is_refused);
    RUN(a_vcpu_becomes_an_isolated_partition);
    RUN(a_partition_the_kernel_finds_invalid_is_put_back);
    RUN(where_no_partition_can_be_it_is_said);
    RUN(the_journal_is_shown_beside_the_machine);
    RUN(pools_are_shown_and_left_alone);
    RUN(a_reboot_forgets);
    RUN(a_crash_at_any_step_leaves_no_trace);
    return test_end();
}
