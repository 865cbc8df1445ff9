#include "runtime/reconcile_vm.c"

#include "tests/test.h"

enum { NONE, ALIVE, DYING, SUCCEEDED, FAILED_EARLY, FAILED_LATE }; /* what the VMI is like */
enum { NO = VM_REQUEST_NONE, START = VM_REQUEST_START, STOP = VM_REQUEST_STOP };

static struct vm_view view(enum vm_run_strategy strategy, int vmi)
{
    static const enum vmi_phase PHASE[] = {VMI_UNSET, VMI_RUNNING, VMI_RUNNING, VMI_SUCCEEDED, VMI_FAILED, VMI_FAILED};
    return (struct vm_view){.strategy = strategy,
                            .has_vmi = vmi != NONE,
                            .vmi_is_ours = vmi != NONE,
                            .vmi_deleting = vmi == DYING,
                            .vmi_ran = vmi != NONE && vmi != FAILED_EARLY,
                            .phase = PHASE[vmi],
                            .now_s = 1000};
}

static void every_strategy_in_every_situation(void)
{
    static const struct {
        enum vm_run_strategy strategy;
        int vmi;
        int request;
        const char *action;
        bool drops;
    } CASES[] = {
        {VM_RUN_ALWAYS, NONE, NO, "create", false},
        {VM_RUN_ALWAYS, NONE, START, "create", true},
        {VM_RUN_ALWAYS, NONE, STOP, "create", true}, /* void */
        {VM_RUN_ALWAYS, ALIVE, NO, "wait", false},
        {VM_RUN_ALWAYS, ALIVE, STOP, "delete", false},
        {VM_RUN_ALWAYS, ALIVE, START, "wait", true},
        {VM_RUN_ALWAYS, DYING, NO, "wait", false},
        {VM_RUN_ALWAYS, DYING, STOP, "wait", false},
        {VM_RUN_ALWAYS, SUCCEEDED, NO, "delete", false}, /* even after a clean shutdown */
        {VM_RUN_ALWAYS, FAILED_LATE, NO, "delete", false},
        {VM_RUN_HALTED, NONE, NO, "wait", false},
        {VM_RUN_HALTED, NONE, START, "turn on", false},
        {VM_RUN_HALTED, ALIVE, NO, "delete", false},
        {VM_RUN_HALTED, DYING, NO, "wait", false},
        {VM_RUN_HALTED, SUCCEEDED, NO, "delete", false},
        {VM_RUN_MANUAL, NONE, NO, "wait", false},
        {VM_RUN_MANUAL, NONE, START, "create", true},
        {VM_RUN_MANUAL, NONE, STOP, "wait", true},
        {VM_RUN_MANUAL, ALIVE, NO, "wait", false},
        {VM_RUN_MANUAL, ALIVE, STOP, "delete", false},
        {VM_RUN_MANUAL, SUCCEEDED, NO, "wait", false},
        {VM_RUN_MANUAL, SUCCEEDED, STOP, "delete", false}, /* start of a final one queues stop, start */
        {VM_RUN_MANUAL, FAILED_LATE, NO, "wait", false},
        {VM_RUN_RERUN_ON_FAILURE, NONE, NO, "wait", false},
        {VM_RUN_RERUN_ON_FAILURE, NONE, START, "create", true},
        {VM_RUN_RERUN_ON_FAILURE, ALIVE, STOP, "delete", false},
        {VM_RUN_RERUN_ON_FAILURE, SUCCEEDED, NO, "delete", false},
        {VM_RUN_RERUN_ON_FAILURE, FAILED_LATE, NO, "delete and rerun", false},
        {VM_RUN_ONCE, NONE, NO, "create", false},
        {VM_RUN_ONCE, ALIVE, NO, "wait", false},
        {VM_RUN_ONCE, SUCCEEDED, NO, "wait", false},
        {VM_RUN_ONCE, FAILED_LATE, NO, "wait", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct vm_view v = view(CASES[i].strategy, CASES[i].vmi);
        v.request = (enum vm_request)CASES[i].request;
        struct vm_step step = reconcile_vm(&v);
        if (strcmp(vm_action_text(step.action), CASES[i].action) != 0 || step.drop_request != CASES[i].drops)
            printf("# case %zu\n", i);
        CHECK_TEXT(vm_action_text(step.action), CASES[i].action);
        CHECK_INT(step.drop_request, CASES[i].drops);
        v.deleting = true;
        step = reconcile_vm(&v);
        CHECK_INT(step.action, !v.has_vmi ? VM_CLEAN : v.vmi_deleting ? VM_WAIT : VM_DELETE);
    }
    struct vm_view fresh = view(VM_RUN_RERUN_ON_FAILURE, NONE);
    fresh.strategy_is_new = true;
    CHECK_INT(reconcile_vm(&fresh).action, VM_CREATE);
}

static void a_stop_of_an_earlier_vmi_is_void(void)
{
    struct vm_view v = view(VM_RUN_MANUAL, ALIVE);
    v.request = VM_REQUEST_STOP;
    v.request_is_stale = true;
    struct vm_step step = reconcile_vm(&v);
    CHECK_INT(step.action, VM_WAIT);
    CHECK(step.drop_request);
}

static void backs_off_from_crash_loops(void)
{
    struct vm_view v = view(VM_RUN_ALWAYS, FAILED_EARLY);
    v.failures = 2;
    v.jitter = 0.5;
    struct vm_step step = reconcile_vm(&v);
    CHECK_INT(step.action, VM_DELETE);
    CHECK(step.count_failure);
    CHECK_INT(step.failures, 3);
    CHECK_INT(step.retry_after_s, 1000 + 90 + 22);
    v.vmi_is_counted = true; /* once per VMI */
    v.failures = 3;
    v.retry_after_s = 1112;
    step = reconcile_vm(&v);
    CHECK(!step.count_failure);
    CHECK_INT(step.failures, 3);

    v = view(VM_RUN_ALWAYS, NONE);
    v.failures = 3;
    v.retry_after_s = 1112;
    step = reconcile_vm(&v);
    CHECK_INT(step.action, VM_WAIT);
    CHECK_INT(step.wake_s, 1112);
    CHECK(step.wants_claim); /* its CPUs wait for it */
    v.now_s = 1112;
    CHECK_INT(reconcile_vm(&v).action, VM_CREATE);
    CHECK_INT(reconcile_vm(&v).failures, 3);
    v.now_s = 5; /* the clock was set back: not down for years */
    CHECK_INT(reconcile_vm(&v).action, VM_CREATE);

    v = view(VM_RUN_ALWAYS, ALIVE); /* Running ends the series */
    v.failures = 3;
    CHECK_INT(reconcile_vm(&v).failures, 0);
    v = view(VM_RUN_ALWAYS, FAILED_LATE); /* booted, then crashed: again at once */
    CHECK_INT(reconcile_vm(&v).failures, 0);
    v = view(VM_RUN_MANUAL, FAILED_EARLY);
    CHECK(!reconcile_vm(&v).count_failure);
    static const int64_t DELAYS[] = {0, 10, 40, 90, 160, 250, 300, 300};
    for (unsigned n = 0; n < ARRAY_SIZE(DELAYS); n++) {
        CHECK_INT(vm_backoff_s(n, 0), DELAYS[n]);
        CHECK(vm_backoff_s(n, 1) <= 300);
    }
    CHECK_INT(vm_backoff_s(4000000000u, 1), 300);
}

static void keeps_claims_only_for_those_who_come_back(void)
{
    static const struct {
        enum vm_run_strategy strategy;
        int vmi;
        bool keeps;
    } CASES[] = {
        {VM_RUN_ALWAYS, ALIVE, true},           {VM_RUN_ALWAYS, DYING, true},
        {VM_RUN_ALWAYS, FAILED_LATE, true},     {VM_RUN_HALTED, DYING, false},
        {VM_RUN_HALTED, NONE, false},           {VM_RUN_MANUAL, SUCCEEDED, false},
        {VM_RUN_ONCE, FAILED_LATE, false},      {VM_RUN_RERUN_ON_FAILURE, FAILED_LATE, true},
        {VM_RUN_MANUAL, ALIVE, true},           {VM_RUN_RERUN_ON_FAILURE, SUCCEEDED, false},
        {VM_RUN_RERUN_ON_FAILURE, NONE, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct vm_view v = view(CASES[i].strategy, CASES[i].vmi);
        if (reconcile_vm(&v).wants_claim != CASES[i].keeps)
            printf("# case %zu\n", i);
        CHECK_INT(reconcile_vm(&v).wants_claim, CASES[i].keeps);
    }
}

static void respects_ownership(void)
{
    struct vm_view v = view(VM_RUN_ALWAYS, ALIVE);
    v.vmi_is_ours = false;
    CHECK_INT(reconcile_vm(&v).action, VM_ADOPT);
    v.vmi_is_foreign = true;
    CHECK_INT(reconcile_vm(&v).action, VM_BLOCKED);
    v.deleting = v.is_clean = true;
    CHECK_INT(reconcile_vm(&v).action, VM_REMOVE);
    v = view(VM_RUN_ALWAYS, ALIVE);
    v.deleting = v.orphans = true;
    CHECK_INT(reconcile_vm(&v).action, VM_LET_GO);
}

static void prints_a_status(void)
{
    static const struct {
        struct vm_print print;
        const char *word;
    } CASES[] = {
        {{.deleting = true, .has_vmi = true, .phase = VMI_RUNNING}, "Terminating"},
        {{.has_vmi = true, .phase = VMI_RUNNING, .vmi_deleting = true}, "Stopping"},
        {{.has_vmi = true, .phase = VMI_RUNNING, .stop_expected = true}, "Stopping"},
        {{.has_vmi = true, .phase = VMI_RUNNING, .is_paused = true}, "Paused"},
        {{.has_vmi = true, .phase = VMI_RUNNING}, "Running"},
        {{.has_vmi = true, .phase = VMI_SCHEDULING, .is_unschedulable = true}, "ErrorUnschedulable"},
        {{.has_vmi = true, .phase = VMI_SCHEDULED, .volume_is_missing = true}, "ErrorPvcNotFound"},
        {{.has_vmi = true, .phase = VMI_SCHEDULED, .pull_failed = true}, "ErrImagePull"},
        {{.has_vmi = true, .phase = VMI_SCHEDULED, .pull_backs_off = true}, "ImagePullBackOff"},
        {{.has_vmi = true, .phase = VMI_PENDING}, "Starting"},
        {{.start_expected = true}, "Starting"},
        {{.start_expected = true, .backs_off = true}, "CrashLoopBackOff"},
        {{.has_vmi = true, .phase = VMI_FAILED, .vmi_deleting = true, .start_expected = true}, "Starting"},
        {{.has_vmi = true, .phase = VMI_SUCCEEDED}, "Stopped"},
        {{.has_vmi = false}, "Stopped"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++)
        CHECK_TEXT(vm_printable_status(&CASES[i].print), CASES[i].word);
}

int main(void)
{
    RUN(every_strategy_in_every_situation);
    RUN(a_stop_of_an_earlier_vmi_is_void);
    RUN(backs_off_from_crash_loops);
    RUN(keeps_claims_only_for_those_who_come_back);
    RUN(respects_ownership);
    RUN(prints_a_status);
    return test_end();
}
