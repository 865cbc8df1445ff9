#include "runtime/tune/doctor.c"

#include "tests/test.h"
#include "tests/unit/tree.h"

static struct tree tree;
static struct host host;
static struct doctor_report report;
static unsigned opened;
static unsigned strangers;

static void observe(const char *path)
{
    opened++;
    strangers += !files_listed(path) || strstr(path, "cur_freq");
}

/* Four CPUs, the last two isolated, on a real-time kernel. */
static void begin(void)
{
    tree_make(&tree);
    for (unsigned cpu = 0; cpu < 4; cpu++) {
        auto_free char *core = must_format("/sys/devices/system/cpu/cpu%u/topology/core_id", cpu);
        auto_free char *number = must_format("%u", cpu);
        tree_put(&tree, core, number);
    }
    tree_put(&tree, "/sys/devices/system/cpu/isolated", "2-3\n");
    tree_put(&tree, "/sys/kernel/realtime", "1\n");
    tree_put(&tree, "/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu lm constant_tsc nonstop_tsc\n");
}

static void examine(void)
{
    struct error err;
    CHECK_INT(host_probe(tree.root, &host, &err), 0);
    doctor_report_finish(&report);
    doctor_examine(tree.root, &host, 0, &report);
    tree_remove(&tree);
}

static const struct doctor_finding *finding(const char *id)
{
    for (size_t i = 0; i < report.count; i++)
        if (strcmp(report.finding[i].id, id) == 0)
            return &report.finding[i];
    CHECK(!"no such check");
    return &report.finding[0];
}

static void every_row_is_complete(void)
{
    unsigned total = 0;
    for (size_t t = 0; t < ARRAY_SIZE(TABLES); t++)
        for (size_t i = 0; i < TABLES[t]->count; i++, total++) {
            const struct check *c = &TABLES[t]->check[i];
            if (!c->wanted[0] || !c->why[0] || !c->source[0] || !(c->fix[0] || c->fix_for_good[0]) || !c->look)
                CHECK_TEXT(c->id, "a complete row");
            if (!text_ends_with(c->why, "."))
                CHECK_TEXT(c->why, "a sentence");
            for (size_t u = 0; u <= t; u++)
                for (size_t k = 0; k < (u == t ? i : TABLES[u]->count); k++)
                    if (strcmp(TABLES[u]->check[k].id, c->id) == 0)
                        CHECK_TEXT(c->id, "used once");
        }
    CHECK(total >= 60);
}

static void reads_only_what_is_listed(void)
{
    files_observer = observe;
    opened = strangers = 0;
    begin();
    examine();
    CHECK(opened > 150);
    CHECK_INT(strangers, 0);
    /* The live machine as well, all of it. */
    struct error err;
    opened = 0;
    CHECK_INT(host_probe(NULL, &host, &err), 0);
    doctor_report_finish(&report);
    doctor_examine("", &host, 1, &report);
    CHECK(opened > 150);
    CHECK_INT(strangers, 0);
    files_observer = NULL;
}

static void fixes_name_the_cpus(void)
{
    begin();
    examine();
    CHECK(strstr(finding("fair-server")->fix, "for c in 2 3; do"));
    CHECK(strstr(finding("irq-default")->fix, "echo 3 >"));
    CHECK(strstr(finding("irq-default")->fix_for_good, "irqaffinity=0-1"));
    CHECK(strstr(finding("nohz-full")->fix_for_good, "nohz_full=2-3"));
    for (size_t i = 0; i < report.count; i++) {
        const struct doctor_finding *f = &report.finding[i];
        CHECK(!strstr(f->fix, "{rt") && !strstr(f->fix, "{hk") && !strstr(f->fix_for_good, "{") &&
              !strstr(f->cost, "{"));
    }
}

static void the_mask_is_grouped(void)
{
    struct patient p = {.housekeeping = cpuset_of(33)};
    cpuset_add(&p.housekeeping, 0);
    auto_free char *text = expand("<{hk mask}>", &p);
    CHECK_TEXT(text, "<2,00000001>");
    p.housekeeping = cpuset_of(5);
    auto_free char *small = expand("{hk mask} { {hk}", &p);
    CHECK_TEXT(small, "20 "); /* an unknown token says nothing */
}

static void the_verdict_follows_the_critical_checks(void)
{
    char fine[] = "fine";
    char bad[] = "bad";
    struct doctor_finding findings[] = {
        {.id = "a", .critical = true, .state = DOCTOR_OK, .found = fine},
        {.id = "b", .state = DOCTOR_WARNING, .found = bad},
        {.id = "c", .critical = true, .state = DOCTOR_OK, .found = bad},
    };
    struct doctor_report r = {.finding = findings, .count = ARRAY_SIZE(findings)};
    static const struct {
        enum doctor_state state;
        enum host_answer virtualized;
        enum doctor_fit fit;
        const char *because;
    } CASES[] = {
        {DOCTOR_OK, HOST_NO, DOCTOR_FIT, "nothing critical stands in the way; 1 warning"},
        {DOCTOR_OK, HOST_YES, DOCTOR_UNKNOWN, "this machine is itself virtual: not real hardware"},
        {DOCTOR_OK, HOST_UNKNOWN, DOCTOR_UNKNOWN, "it is not known whether this is real hardware"},
        {DOCTOR_UNREADABLE, HOST_NO, DOCTOR_UNKNOWN, "c (bad)"},
        {DOCTOR_UNREADABLE, HOST_YES, DOCTOR_UNKNOWN, "this machine is itself virtual: not real hardware"},
        {DOCTOR_CRITICAL, HOST_NO, DOCTOR_NOT_FIT, "c (bad)"},
        {DOCTOR_CRITICAL, HOST_YES, DOCTOR_NOT_FIT, "c (bad)"},
        {DOCTOR_NOT_APPLICABLE, HOST_NO, DOCTOR_FIT, "nothing critical stands in the way; 1 warning"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        findings[2].state = CASES[i].state;
        host.virtualized = CASES[i].virtualized;
        conclude(&r, &host);
        CHECK_INT(r.fit, CASES[i].fit);
        CHECK_TEXT(r.because, CASES[i].because);
        free(r.because);
    }
}

static void zero_means_no_latency_request(void)
{
    static const struct {
        const char *request;
        enum doctor_state idle;
        enum doctor_state request_state;
    } CASES[] = {{"0", DOCTOR_WARNING, DOCTOR_INFO},
                 {"n/a", DOCTOR_OK, DOCTOR_OK},
                 {"10", DOCTOR_OK, DOCTOR_OK},
                 {"500", DOCTOR_WARNING, DOCTOR_INFO}};
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        begin();
        for (unsigned cpu = 2; cpu < 4; cpu++) {
            auto_free char *at = must_format("/sys/devices/system/cpu/cpu%u", cpu);
            auto_free char *shallow = must_format("%s/cpuidle/state0/latency", at);
            auto_free char *deep = must_format("%s/cpuidle/state1/latency", at);
            auto_free char *request = must_format("%s/power/pm_qos_resume_latency_us", at);
            tree_put(&tree, shallow, "2\n");
            tree_put(&tree, deep, "133\n");
            tree_put(&tree, request, CASES[i].request);
        }
        examine();
        CHECK_INT(finding("idle-states")->state, CASES[i].idle);
        CHECK_INT(finding("latency-request")->state, CASES[i].request_state);
    }
}

static void masks_and_lists_are_not_mixed_up(void)
{
    begin();
    tree_put(&tree, "/proc/sys/kernel/watchdog_cpumask", "0-1\n"); /* a list */
    tree_put(&tree, "/proc/irq/default_smp_affinity", "3\n");      /* a mask */
    tree_put(&tree, "/sys/devices/virtual/workqueue/cpumask", "4\n");
    examine();
    CHECK_INT(finding("watchdog-cpus")->state, DOCTOR_OK);
    CHECK_INT(finding("irq-default")->state, DOCTOR_OK);
    CHECK_INT(finding("workqueues")->state, DOCTOR_WARNING);
    CHECK_TEXT(finding("workqueues")->found, "CPU 2");
    CHECK_INT(finding("writeback")->state, DOCTOR_UNREADABLE);
}

static void effective_affinity_decides(void)
{
    begin();
    tree_put(&tree, "/proc/irq/9/smp_affinity_list", "0-3\n");
    tree_put(&tree, "/proc/irq/9/effective_affinity_list", "1\n");
    tree_put(&tree, "/proc/irq/10/smp_affinity_list", "0-1\n");
    tree_put(&tree, "/proc/irq/10/effective_affinity_list", "\n");
    examine();
    CHECK_INT(finding("irq-effective")->state, DOCTOR_OK);
    CHECK_TEXT(finding("irq-effective")->found, "0 of 2");
    CHECK_INT(finding("irq-allowed")->state, DOCTOR_INFO);
    CHECK_TEXT(finding("irq-allowed")->found, "1 of 2, the first is 9");
}

static void throttling_by_feature(void)
{
    begin();
    tree_put(&tree, "/proc/sys/kernel/sched_rt_runtime_us", "950000\n");
    tree_put(&tree, "/sys/kernel/debug/sched/features", "\n");
    examine();
    CHECK_INT(finding("rt-throttling")->state, DOCTOR_CRITICAL);
    CHECK_INT(finding("fair-server")->state, DOCTOR_NOT_APPLICABLE);
    begin();
    tree_put(&tree, "/proc/sys/kernel/sched_rt_runtime_us", "950000\n");
    tree_put(&tree, "/sys/kernel/debug/sched/fair_server/cpu2/runtime", "0\n");
    tree_put(&tree, "/sys/kernel/debug/sched/fair_server/cpu3/runtime", "50000000\n");
    examine();
    CHECK_INT(finding("rt-throttling")->state, DOCTOR_OK);
    CHECK_INT(finding("fair-server")->state, DOCTOR_CRITICAL);
    CHECK_TEXT(finding("fair-server")->found, "on, on CPU 3");
}

int main(void)
{
    RUN(every_row_is_complete);
    RUN(reads_only_what_is_listed);
    RUN(fixes_name_the_cpus);
    RUN(the_mask_is_grouped);
    RUN(the_verdict_follows_the_critical_checks);
    RUN(zero_means_no_latency_request);
    RUN(masks_and_lists_are_not_mixed_up);
    RUN(effective_affinity_decides);
    RUN(throttling_by_feature);
    doctor_report_finish(&report);
    return test_end();
}
