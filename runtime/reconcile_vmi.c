#include "runtime/reconcile.h"

#include <string.h>

/* The table: how far we have come with a VMI (stage) × what is really there (domain) → what to do. Every cell leads
 * to a cell further on; scenario tests check that each pair of wanted and seen comes to rest. */

enum stage { WAITING, PROMISED, RUNNING, OVER, LEAVING, STAGE_COUNT };

/* Cells that need a second look at the view. */
enum cell {
    C_WAIT = VMI_WAIT,
    C_PLAN = VMI_PLAN,
    C_DESTROY = VMI_DESTROY,
    C_END = VMI_END,
    C_CLEAN = VMI_CLEAN,
    C_START = VMI_START,
    C_START_OR_END = VMI_ACTION_COUNT, /* off: never ran, or ran and ended before we could write it down? */
    C_TAKE_UP,                         /* running; may we say so? */
    C_WATCH,                           /* running as it should */
    C_STOP,                            /* ask the guest, then insist */
    C_INSIST,                          /* it is on its way down */
    C_RELEASE,                         /* nothing is left but the claim */
    C_REMOVE,
};

static const unsigned char TABLE[STAGE_COUNT][DOMAIN_STATE_COUNT] = {
    /*             ABSENT     OFF             RUNNING    PAUSED     SHUTTING_DOWN CRASHED */
    [WAITING] = {C_PLAN, C_PLAN, C_PLAN, C_PLAN, C_PLAN, C_DESTROY},
    [PROMISED] = {C_START, C_START_OR_END, C_TAKE_UP, C_TAKE_UP, C_WAIT, C_END},
    [RUNNING] = {C_END, C_END, C_WATCH, C_WATCH, C_WAIT, C_END},
    [OVER] = {C_RELEASE, C_CLEAN, C_DESTROY, C_DESTROY, C_INSIST, C_DESTROY},
    [LEAVING] = {C_REMOVE, C_CLEAN, C_STOP, C_STOP, C_INSIST, C_DESTROY},
};

static enum stage stage_of(const struct vmi_view *v)
{
    if (v->deleting)
        /* The end of a run is written down before what is left of it goes. */
        return v->phase == VMI_RUNNING && (v->domain == DOMAIN_OFF || v->domain == DOMAIN_CRASHED) ? RUNNING : LEAVING;
    if (vmi_phase_is_final(v->phase))
        return OVER;
    if (v->phase == VMI_RUNNING)
        return RUNNING;
    return v->phase == VMI_SCHEDULED && v->claimed ? PROMISED : WAITING;
}

enum vmi_phase vmi_final_phase(const struct vmi_view *v)
{
    if (v->domain != DOMAIN_OFF)
        return VMI_FAILED; /* vanished, or crashed and kept */
    if (v->reason == DOMAIN_REASON_SHUTDOWN)
        return VMI_SUCCEEDED;
    /* Killed: a failure only if the guest had been asked before and did not answer. */
    if (v->reason == DOMAIN_REASON_DESTROYED && (v->grace_s == 0 || !v->acpi))
        return VMI_SUCCEEDED;
    return VMI_FAILED;
}

/* Clocks jump (an edge box boots in 1970 and is set later): never be patient for longer than was asked. */
static int64_t patience_s(const struct vmi_view *v)
{
    int64_t left = v->expires_s - v->now_s;
    return left > v->grace_s ? v->grace_s : left;
}

static struct vmi_step stop(const struct vmi_view *v)
{
    int64_t left = patience_s(v);
    /* Before Running the guest has not been let go: nothing to lose, nobody to ask. */
    if (left <= 0 || v->grace_s == 0 || !v->acpi || v->phase != VMI_RUNNING)
        return (struct vmi_step){.action = VMI_DESTROY};
    int64_t since = v->now_s - v->signaled_s;
    if (v->signaled_s == 0 || since >= VMI_SIGNAL_EVERY_S || since < 0)
        return (struct vmi_step){.action = VMI_SIGNAL};
    int64_t next = v->signaled_s + VMI_SIGNAL_EVERY_S;
    return (struct vmi_step){.action = VMI_WAIT, .wake_s = next < v->now_s + left ? next : v->now_s + left};
}

static struct vmi_step insist(const struct vmi_view *v)
{
    int64_t left = v->deleting ? patience_s(v) : 0;
    if (left <= 0)
        return (struct vmi_step){.action = VMI_DESTROY};
    return (struct vmi_step){.action = VMI_WAIT, .wake_s = v->now_s + left};
}

static struct vmi_step end(const struct vmi_view *v)
{
    return (struct vmi_step){.action = VMI_END, .phase = vmi_final_phase(v)};
}

static enum vmi_action watch(const struct vmi_view *v)
{
    if (v->volumes == VMI_VOLUMES_SETTLED)
        return VMI_WAIT;
    return v->volumes == VMI_VOLUMES_ATTACH ? VMI_ATTACH : VMI_DETACH;
}

static struct vmi_step decide(const struct vmi_view *v)
{
    unsigned cell = TABLE[stage_of(v)][v->domain];
    switch (cell) {
    case C_END:
        return end(v);
    case C_START_OR_END:
        if (v->reason == DOMAIN_REASON_UNKNOWN || v->reason == DOMAIN_REASON_FAILED)
            return (struct vmi_step){.action = VMI_START};
        return end(v);
    case C_TAKE_UP:
        return (struct vmi_step){.action = v->is_taken_up ? VMI_BEGIN : VMI_TAKE_UP};
    case C_WATCH:
        return (struct vmi_step){.action = v->is_taken_up ? watch(v) : VMI_TAKE_UP};
    case C_STOP:
        return stop(v);
    case C_INSIST:
        return insist(v);
    case C_RELEASE:
        if (!v->is_clean)
            return (struct vmi_step){.action = VMI_CLEAN};
        return (struct vmi_step){.action = v->claimed && !v->claim_is_kept ? VMI_RELEASE : VMI_WAIT};
    case C_REMOVE:
        return (struct vmi_step){.action = v->is_clean ? VMI_REMOVE : VMI_CLEAN};
    default:
        return (struct vmi_step){.action = (enum vmi_action)cell};
    }
}

struct vmi_step reconcile_vmi(const struct vmi_view *v)
{
    if (v->is_busy || !v->is_observed)
        return (struct vmi_step){.action = VMI_WAIT};
    struct vmi_step step = decide(v);
    bool is_only_writing = step.action != VMI_START && step.action != VMI_TAKE_UP && step.action != VMI_SIGNAL &&
                           step.action != VMI_DESTROY && step.action != VMI_CLEAN && step.action != VMI_ATTACH &&
                           step.action != VMI_DETACH;
    int64_t wait = v->retry_s - v->now_s;
    if (wait <= 0 || wait > VMI_RETRY_MAX_S || is_only_writing)
        return step;
    return (struct vmi_step){.action = VMI_WAIT, .wake_s = v->retry_s};
}

int64_t vmi_retry_delay_s(unsigned failures)
{
    return failures > 8 ? VMI_RETRY_MAX_S : (int64_t)(1u << failures);
}

/* ---- words */
static const char *const PHASES[] = {"", "Pending", "Scheduling", "Scheduled", "Running", "Succeeded", "Failed"};
_Static_assert(ARRAY_SIZE(PHASES) == VMI_PHASE_COUNT, "every phase has its word");

const char *vmi_phase_text(enum vmi_phase phase)
{
    return (unsigned)phase < VMI_PHASE_COUNT ? PHASES[phase] : "";
}

enum vmi_phase vmi_phase_from_text(const char *text)
{
    for (unsigned i = 0; i < VMI_PHASE_COUNT; i++)
        if (strcmp(PHASES[i], text) == 0)
            return (enum vmi_phase)i;
    return VMI_UNSET;
}

static const char *const ACTIONS[] = {"wait", "plan",  "start",   "take up", "begin",  "signal", "destroy",
                                      "end",  "clean", "release", "remove",  "attach", "detach"};
_Static_assert(ARRAY_SIZE(ACTIONS) == VMI_ACTION_COUNT, "every action has its word");

const char *vmi_action_text(enum vmi_action action)
{
    return ACTIONS[action];
}
