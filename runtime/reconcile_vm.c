#include "runtime/reconcile.h"

/* A VM decides one thing only: should there be a VMI of its name? One small function per run strategy, for the two
 * questions left after deletion, ownership and requests are dealt with: there is none, or there is one that is over
 * (facts 5.9). */

enum { BACKOFF_UNIT_S = 10, BACKOFF_MAX_S = 300 };

int64_t vm_backoff_s(unsigned failures, double jitter)
{
    if (failures == 0)
        return 0;
    if (failures > 6)
        return BACKOFF_MAX_S;
    int64_t delay = (int64_t)BACKOFF_UNIT_S * failures * failures;
    delay += (int64_t)((double)delay * jitter / 2);
    return delay < BACKOFF_MAX_S ? delay : BACKOFF_MAX_S;
}

static struct vm_step act(struct vm_step step, enum vm_action action)
{
    step.action = action;
    return step;
}

static bool counts_failures(enum vm_run_strategy strategy)
{
    return strategy == VM_RUN_ALWAYS || strategy == VM_RUN_RERUN_ON_FAILURE || strategy == VM_RUN_ONCE;
}

/* Failures before Running count, once per VMI; one that ran, or was taken away, ends the series. */
static void count(const struct vm_view *v, struct vm_step *step)
{
    step->failures = v->failures;
    step->retry_after_s = v->retry_after_s;
    bool user_deletes = v->has_vmi && v->vmi_deleting && !vmi_phase_is_final(v->phase);
    if (!counts_failures(v->strategy) || (v->has_vmi && v->vmi_ran) || user_deletes) {
        step->failures = 0;
        step->retry_after_s = 0;
    } else if (v->has_vmi && v->phase == VMI_FAILED && !v->vmi_is_counted) {
        step->count_failure = true;
        step->failures = v->failures + 1;
        step->retry_after_s = v->now_s + vm_backoff_s(step->failures, v->jitter);
    }
}

static struct vm_step create(const struct vm_view *v, struct vm_step step, bool backs_off)
{
    step.wants_claim = step.wants_run = true;
    int64_t wait = step.retry_after_s - v->now_s;
    /* A clock that jumped back must not keep a VM down. */
    if (backs_off && wait > 0 && wait <= BACKOFF_MAX_S) {
        step.wake_s = step.retry_after_s;
        return act(step, VM_WAIT);
    }
    step.drop_request |= v->request == VM_REQUEST_START;
    return act(step, VM_CREATE);
}

static struct vm_step without_vmi(const struct vm_view *v, struct vm_step step)
{
    bool asked = v->request == VM_REQUEST_START && !step.drop_request;
    switch (v->strategy) {
    case VM_RUN_ALWAYS:
        return create(v, step, !asked);
    case VM_RUN_ONCE:
        return create(v, step, false);
    case VM_RUN_RERUN_ON_FAILURE:
        return asked || v->strategy_is_new ? create(v, step, true) : act(step, VM_WAIT);
    case VM_RUN_MANUAL:
        return asked ? create(v, step, false) : act(step, VM_WAIT);
    case VM_RUN_HALTED:
        return act(step, asked ? VM_TURN_ON : VM_WAIT);
    }
    return act(step, VM_WAIT);
}

static struct vm_step with_final_vmi(const struct vm_view *v, struct vm_step step)
{
    switch (v->strategy) {
    case VM_RUN_ALWAYS:
        step.wants_claim = step.wants_run = true;
        return act(step, VM_DELETE);
    case VM_RUN_RERUN_ON_FAILURE:
        step.wants_claim = step.wants_run = v->phase == VMI_FAILED;
        return act(step, v->phase == VMI_FAILED ? VM_DELETE_AND_RERUN : VM_DELETE);
    case VM_RUN_HALTED:
        return act(step, VM_DELETE);
    case VM_RUN_MANUAL:
    case VM_RUN_ONCE:
        break;
    }
    return act(step, VM_WAIT);
}

static struct vm_step with_vmi(const struct vm_view *v, struct vm_step step)
{
    bool stops = v->request == VM_REQUEST_STOP && !step.drop_request;
    step.wants_claim = true;
    if (v->vmi_deleting) {
        /* What comes after it decides whether its CPUs are kept for it. */
        step.wants_claim = step.wants_run = v->strategy == VM_RUN_ALWAYS || v->request != VM_REQUEST_NONE;
        return act(step, VM_WAIT);
    }
    if (stops)
        return act(step, VM_DELETE);
    if (vmi_phase_is_final(v->phase)) {
        step.wants_claim = false;
        return with_final_vmi(v, step);
    }
    return act(step, v->strategy == VM_RUN_HALTED ? VM_DELETE : VM_WAIT);
}

static struct vm_step leave(const struct vm_view *v, struct vm_step step)
{
    if (!v->has_vmi || !v->vmi_is_ours)
        return act(step, v->is_clean ? VM_REMOVE : VM_CLEAN);
    if (v->orphans) {
        step.wants_claim = true;
        return act(step, VM_LET_GO);
    }
    return act(step, v->vmi_deleting ? VM_WAIT : VM_DELETE);
}

struct vm_step reconcile_vm(const struct vm_view *v)
{
    struct vm_step step = {.action = VM_WAIT};
    count(v, &step);
    if (v->deleting)
        return leave(v, step);
    if (v->has_vmi && !v->vmi_is_ours) {
        step.wants_claim = true; /* it is theirs */
        return act(step, v->vmi_is_foreign ? VM_BLOCKED : VM_ADOPT);
    }
    /* Done or void: a stop without its VMI, a start while one lives. */
    bool lives = v->has_vmi && !v->vmi_deleting && !vmi_phase_is_final(v->phase);
    step.drop_request = (v->request == VM_REQUEST_STOP && (!v->has_vmi || v->request_is_stale)) ||
                        (v->request == VM_REQUEST_START && lives);
    return v->has_vmi ? with_vmi(v, step) : without_vmi(v, step);
}

const char *vm_printable_status(const struct vm_print *p)
{
    bool lives = p->has_vmi && !vmi_phase_is_final(p->phase);
    const struct {
        bool holds;
        const char *word;
    } rows[] = {
        {p->deleting, "Terminating"},
        {lives && (p->vmi_deleting || p->stop_expected), "Stopping"},
        {lives && p->is_paused, "Paused"},
        {p->has_vmi && p->phase == VMI_RUNNING, "Running"},
        {lives && p->volume_is_missing, "ErrorPvcNotFound"},
        {lives && p->is_unschedulable, "ErrorUnschedulable"},
        {lives && p->pull_failed, "ErrImagePull"},
        {lives && p->pull_backs_off, "ImagePullBackOff"},
        {lives || (p->start_expected && !p->backs_off), "Starting"},
        {p->backs_off, "CrashLoopBackOff"},
        {!lives, "Stopped"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].holds)
            return rows[i].word;
    return "Unknown";
}

static const char *const ACTIONS[] = {"wait",    "create", "delete", "delete and rerun", "adopt",
                                      "turn on", "let go", "clean",  "remove",           "blocked"};
_Static_assert(ARRAY_SIZE(ACTIONS) == VM_ACTION_COUNT, "every action has its word");

const char *vm_action_text(enum vm_action action)
{
    return ACTIONS[action];
}
