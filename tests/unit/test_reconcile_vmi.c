#include "runtime/reconcile_vmi.c"

#include "tests/test.h"

static struct vmi_view view(enum vmi_phase phase, enum domain_state domain)
{
    return (struct vmi_view){.phase = phase,
                             .claimed = phase >= VMI_SCHEDULED,
                             .grace_s = 30,
                             .acpi = true,
                             .is_observed = true,
                             .is_taken_up = true,
                             .domain = domain,
                             .now_s = 1000};
}

static void one_cell_at_a_time(void)
{
    static const struct {
        enum vmi_phase phase;
        bool deleting;
        enum domain_state domain;
        enum domain_reason reason;
        const char *action;
    } CASES[] = {
        {VMI_PENDING, false, DOMAIN_ABSENT, 0, "plan"},
        {VMI_SCHEDULING, false, DOMAIN_ABSENT, 0, "plan"},
        {VMI_SCHEDULED, false, DOMAIN_ABSENT, 0, "start"},
        {VMI_SCHEDULED, false, DOMAIN_OFF, DOMAIN_REASON_UNKNOWN, "start"},
        {VMI_SCHEDULED, false, DOMAIN_OFF, DOMAIN_REASON_FAILED, "start"},
        {VMI_SCHEDULED, false, DOMAIN_OFF, DOMAIN_REASON_SHUTDOWN, "end"}, /* quicker than our notes */
        {VMI_SCHEDULED, false, DOMAIN_OFF, DOMAIN_REASON_CRASHED, "end"},
        {VMI_SCHEDULED, false, DOMAIN_PAUSED, DOMAIN_REASON_PAUSED_STARTING, "take up"},
        {VMI_SCHEDULED, false, DOMAIN_RUNNING, 0, "take up"}, /* daemon killed between resume and note */
        {VMI_RUNNING, false, DOMAIN_RUNNING, 0, "wait"},
        {VMI_RUNNING, false, DOMAIN_PAUSED, DOMAIN_REASON_PAUSED_USER, "take up"}, /* after a daemon restart */
        {VMI_RUNNING, false, DOMAIN_SHUTTING_DOWN, 0, "wait"},
        {VMI_RUNNING, false, DOMAIN_OFF, DOMAIN_REASON_UNKNOWN, "end"}, /* host reboot */
        {VMI_RUNNING, false, DOMAIN_ABSENT, 0, "end"},
        {VMI_RUNNING, false, DOMAIN_CRASHED, DOMAIN_REASON_CRASHED, "end"},
        {VMI_FAILED, false, DOMAIN_CRASHED, DOMAIN_REASON_CRASHED, "destroy"},
        {VMI_SUCCEEDED, false, DOMAIN_OFF, DOMAIN_REASON_SHUTDOWN, "clean"},
        {VMI_SUCCEEDED, false, DOMAIN_ABSENT, 0, "clean"},
        {VMI_RUNNING, true, DOMAIN_RUNNING, 0, "signal"},
        {VMI_RUNNING, true, DOMAIN_PAUSED, DOMAIN_REASON_PAUSED_USER, "signal"},
        {VMI_RUNNING, true, DOMAIN_OFF, DOMAIN_REASON_SHUTDOWN, "end"},
        {VMI_SUCCEEDED, true, DOMAIN_OFF, DOMAIN_REASON_SHUTDOWN, "clean"},
        {VMI_SUCCEEDED, true, DOMAIN_ABSENT, 0, "clean"},
        {VMI_RUNNING, true, DOMAIN_ABSENT, 0, "clean"},
        {VMI_SCHEDULED, true, DOMAIN_PAUSED, DOMAIN_REASON_PAUSED_STARTING, "destroy"},
        {VMI_SCHEDULED, true, DOMAIN_ABSENT, 0, "clean"},
        {VMI_PENDING, true, DOMAIN_ABSENT, 0, "clean"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct vmi_view v = view(CASES[i].phase, CASES[i].domain);
        v.deleting = CASES[i].deleting;
        v.reason = CASES[i].reason;
        v.expires_s = 1030;
        v.is_taken_up = false;
        if (v.domain == DOMAIN_RUNNING && v.phase == VMI_RUNNING)
            v.is_taken_up = true;
        struct vmi_step step = reconcile_vmi(&v);
        CHECK_TEXT(vmi_action_text(step.action), CASES[i].action);
        v.is_busy = true;
        CHECK_INT(reconcile_vmi(&v).action, VMI_WAIT);
        v.is_busy = v.is_observed = false;
        CHECK_INT(reconcile_vmi(&v).action, VMI_WAIT); /* libvirt does not answer: nothing is concluded from it */
    }
}

static void asks_then_insists(void)
{
    struct vmi_view v = view(VMI_RUNNING, DOMAIN_RUNNING);
    v.deleting = true;
    v.expires_s = v.now_s + 12;
    v.grace_s = 12;
    CHECK_INT(reconcile_vmi(&v).action, VMI_SIGNAL);
    v.signaled_s = 1000;
    v.now_s = 1001;
    struct vmi_step step = reconcile_vmi(&v);
    CHECK_INT(step.action, VMI_WAIT);
    CHECK_INT(step.wake_s, 1005);
    v.now_s = 1005;
    CHECK_INT(reconcile_vmi(&v).action, VMI_SIGNAL); /* again every 5 s */
    v.signaled_s = 1010;
    v.now_s = 1010;
    step = reconcile_vmi(&v);
    CHECK_INT(step.wake_s, 1012); /* not beyond the end of patience */
    v.domain = DOMAIN_SHUTTING_DOWN;
    CHECK_INT(reconcile_vmi(&v).wake_s, 1012);
    v.now_s = 1012;
    CHECK_INT(reconcile_vmi(&v).action, VMI_DESTROY);
    v.domain = DOMAIN_RUNNING;
    CHECK_INT(reconcile_vmi(&v).action, VMI_DESTROY);

    v = view(VMI_RUNNING, DOMAIN_RUNNING);
    v.deleting = true;
    v.expires_s = v.now_s;
    v.grace_s = 0;
    CHECK_INT(reconcile_vmi(&v).action, VMI_DESTROY); /* grace 0 */
    v.grace_s = 30;
    v.expires_s = v.now_s + 30;
    v.acpi = false;
    CHECK_INT(reconcile_vmi(&v).action, VMI_DESTROY); /* nobody to ask */
}

static void a_clock_set_back_does_not_stretch_patience(void)
{
    struct vmi_view v = view(VMI_RUNNING, DOMAIN_RUNNING);
    v.deleting = true;
    v.grace_s = 30;
    v.now_s = 1000;
    v.expires_s = 1700000000;
    v.signaled_s = 1699999990; /* in the future: signal again, do not wait for it */
    CHECK_INT(reconcile_vmi(&v).action, VMI_SIGNAL);
    v.signaled_s = 1000;
    CHECK(reconcile_vmi(&v).wake_s <= 1030);
    v.domain = DOMAIN_ABSENT;
    v.deleting = false;
    v.phase = VMI_SCHEDULED;
    v.retry_s = 1700000000;
    CHECK_INT(reconcile_vmi(&v).action, VMI_START);
}

static void waits_after_failures(void)
{
    struct vmi_view v = view(VMI_SCHEDULED, DOMAIN_ABSENT);
    v.retry_s = v.now_s + 8;
    struct vmi_step step = reconcile_vmi(&v);
    CHECK_INT(step.action, VMI_WAIT);
    CHECK_INT(step.wake_s, v.retry_s);
    v.phase = VMI_RUNNING; /* but what is only written down is not held up */
    v.domain = DOMAIN_OFF;
    CHECK_INT(reconcile_vmi(&v).action, VMI_END);
    int64_t before = 0;
    for (unsigned n = 1; n < 20; n++) {
        int64_t delay = vmi_retry_delay_s(n);
        CHECK(delay >= before && delay <= VMI_RETRY_MAX_S);
        before = delay;
    }
    CHECK_INT(vmi_retry_delay_s(1), 2);
    CHECK_INT(vmi_retry_delay_s(1000), 300);
}

static void classifies_the_end(void)
{
    static const struct {
        enum domain_state domain;
        enum domain_reason reason;
        int64_t grace_s;
        bool acpi;
        const char *phase;
    } CASES[] = {
        {DOMAIN_OFF, DOMAIN_REASON_SHUTDOWN, 30, true, "Succeeded"},
        {DOMAIN_OFF, DOMAIN_REASON_CRASHED, 30, true, "Failed"},
        {DOMAIN_OFF, DOMAIN_REASON_FAILED, 30, true, "Failed"},
        {DOMAIN_OFF, DOMAIN_REASON_DESTROYED, 30, true, "Failed"},
        {DOMAIN_OFF, DOMAIN_REASON_DESTROYED, 0, true, "Succeeded"},
        {DOMAIN_OFF, DOMAIN_REASON_DESTROYED, 30, false, "Succeeded"},
        {DOMAIN_OFF, DOMAIN_REASON_UNKNOWN, 30, true, "Failed"},
        {DOMAIN_ABSENT, DOMAIN_REASON_UNKNOWN, 30, true, "Failed"},
        {DOMAIN_CRASHED, DOMAIN_REASON_CRASHED, 0, true, "Failed"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct vmi_view v = {
            .domain = CASES[i].domain, .reason = CASES[i].reason, .grace_s = CASES[i].grace_s, .acpi = CASES[i].acpi};
        CHECK_TEXT(vmi_phase_text(vmi_final_phase(&v)), CASES[i].phase);
    }
}

static void keeps_a_claim_for_the_next_start(void)
{
    struct vmi_view v = view(VMI_FAILED, DOMAIN_ABSENT);
    v.claim_is_kept = v.is_clean = true;
    CHECK_INT(reconcile_vmi(&v).action, VMI_WAIT);
    v.claim_is_kept = false;
    CHECK_INT(reconcile_vmi(&v).action, VMI_RELEASE);
    v.claimed = false;
    CHECK_INT(reconcile_vmi(&v).action, VMI_WAIT);
}

/* What an action does to the world, when it works. false: the object is gone. */
static bool apply(struct vmi_view *v, struct vmi_step step)
{
    switch (step.action) {
    case VMI_WAIT:
        if (step.wake_s)
            v->now_s = step.wake_s;
        return true;
    case VMI_PLAN:
        v->phase = VMI_SCHEDULED;
        v->claimed = true;
        return true;
    case VMI_START:
        v->domain = DOMAIN_RUNNING;
        v->is_taken_up = true;
        return true;
    case VMI_TAKE_UP:
        v->is_taken_up = true;
        return true;
    case VMI_BEGIN:
        v->phase = VMI_RUNNING;
        return true;
    case VMI_ATTACH:
    case VMI_DETACH:
        v->volumes = VMI_VOLUMES_SETTLED;
        return true;
    case VMI_SIGNAL:
        v->signaled_s = v->now_s; /* the guest is deaf */
        return true;
    case VMI_DESTROY:
        v->domain = DOMAIN_OFF;
        v->reason = DOMAIN_REASON_DESTROYED;
        return true;
    case VMI_END:
        v->phase = step.phase;
        return true;
    case VMI_CLEAN:
        v->domain = DOMAIN_ABSENT;
        v->is_clean = true;
        return true;
    case VMI_RELEASE:
        v->claimed = false;
        return true;
    case VMI_REMOVE:
    case VMI_ACTION_COUNT:
        break;
    }
    return false;
}

static bool is_up(enum domain_state domain)
{
    return domain == DOMAIN_RUNNING || domain == DOMAIN_PAUSED || domain == DOMAIN_SHUTTING_DOWN;
}

/* From every combination: comes to rest; a running domain is never stopped unless asked; a claim is never dropped
 * while the domain is up; final phases stay. */
static void every_combination_comes_to_rest(void)
{
    unsigned tried = 0;
    for (unsigned bits = 0; bits < 16; bits++)
        for (int phase = VMI_UNSET; phase < VMI_PHASE_COUNT; phase++)
            for (int domain = 0; domain < DOMAIN_STATE_COUNT; domain++)
                for (int reason = 0; reason <= DOMAIN_REASON_PAUSED_STARTING; reason++) {
                    struct vmi_view v = view((enum vmi_phase)phase, (enum domain_state)domain);
                    v.reason = (enum domain_reason)reason;
                    v.deleting = bits & 1;
                    v.claimed = bits & 2;
                    v.acpi = bits & 4;
                    v.is_taken_up = bits & 8;
                    v.expires_s = v.now_s + 30;
                    bool alive = true, rests = false;
                    for (int round = 0; alive && !rests && round < 40; round++) {
                        struct vmi_step step = reconcile_vmi(&v);
                        bool wanted = !v.deleting && !vmi_phase_is_final(v.phase);
                        CHECK(!(wanted && v.domain == DOMAIN_RUNNING && step.action == VMI_DESTROY));
                        CHECK(!(wanted && is_up(v.domain) && (step.action == VMI_START || step.action == VMI_SIGNAL)));
                        CHECK(!(is_up(v.domain) &&
                                (step.action == VMI_RELEASE || step.action == VMI_REMOVE || step.action == VMI_CLEAN)));
                        CHECK(!(vmi_phase_is_final(v.phase) && step.action == VMI_END));
                        rests = step.action == VMI_WAIT && step.wake_s == 0;
                        alive = apply(&v, step);
                    }
                    CHECK(rests || !alive);
                    CHECK(alive || v.deleting);
                    tried++;
                }
    CHECK_INT(tried, 16 * VMI_PHASE_COUNT * DOMAIN_STATE_COUNT * (DOMAIN_REASON_PAUSED_STARTING + 1));
}

static void knows_its_words(void)
{
    for (int phase = 0; phase < VMI_PHASE_COUNT; phase++)
        CHECK_INT(vmi_phase_from_text(vmi_phase_text((enum vmi_phase)phase)), phase);
    CHECK_INT(vmi_phase_from_text("WaitingForSync"), VMI_UNSET);
}

static void volumes_come_and_go_while_it_runs(void)
{
    static const enum domain_state UP[] = {DOMAIN_RUNNING, DOMAIN_PAUSED};
    for (size_t i = 0; i < ARRAY_SIZE(UP); i++) {
        struct vmi_view v = view(VMI_RUNNING, UP[i]);
        CHECK_INT(reconcile_vmi(&v).action, VMI_WAIT);
        v.volumes = VMI_VOLUMES_ATTACH;
        CHECK_INT(reconcile_vmi(&v).action, VMI_ATTACH);
        v.volumes = VMI_VOLUMES_DETACH;
        CHECK_INT(reconcile_vmi(&v).action, VMI_DETACH);
        v.retry_s = v.now_s + 3; /* it failed: not at once again */
        CHECK_INT(reconcile_vmi(&v).action, VMI_WAIT);
        CHECK_INT(reconcile_vmi(&v).wake_s, v.now_s + 3);
        v.retry_s = 0;
        v.is_taken_up = false; /* proof comes first */
        CHECK_INT(reconcile_vmi(&v).action, VMI_TAKE_UP);
    }
    struct vmi_view v = view(VMI_RUNNING, DOMAIN_RUNNING);
    v.volumes = VMI_VOLUMES_ATTACH;
    v.deleting = true;
    v.expires_s = v.now_s + 30;
    CHECK_INT(reconcile_vmi(&v).action, VMI_SIGNAL); /* who leaves gets nothing more */
    v = view(VMI_SCHEDULED, DOMAIN_ABSENT);
    v.volumes = VMI_VOLUMES_ATTACH;
    CHECK_INT(reconcile_vmi(&v).action, VMI_START);
}

int main(void)
{
    RUN(one_cell_at_a_time);
    RUN(asks_then_insists);
    RUN(a_clock_set_back_does_not_stretch_patience);
    RUN(waits_after_failures);
    RUN(classifies_the_end);
    RUN(keeps_a_claim_for_the_next_start);
    RUN(every_combination_comes_to_rest);
    RUN(knows_its_words);
    RUN(volumes_come_and_go_while_it_runs);
    return test_end();
}
