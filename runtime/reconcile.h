/* runtime/reconcile: what to do next. Pure functions over plain values: wanted (the stored object), promised (the
 * claim), observed (the domain) and the time come in, one step comes out. They remember nothing, so a daemon that was
 * killed, a host that was rebooted and a domain that was destroyed by hand are all the same case: the next look
 * differs.
 *
 * One step per machine and round. No step ever restarts a running domain to bring it in line with a changed object. */
#pragma once

#include "runtime/hypervisor/hypervisor.h"

/* ---- phases of a VirtualMachineInstance (facts 5.6) */
enum vmi_phase {
    VMI_UNSET,
    VMI_PENDING,    /* accepted, not looked at */
    VMI_SCHEDULING, /* wants a placement, there is none now */
    VMI_SCHEDULED,  /* has a claim; to be started */
    VMI_RUNNING,
    VMI_SUCCEEDED,
    VMI_FAILED,
    VMI_PHASE_COUNT,
};
const char *vmi_phase_text(enum vmi_phase phase);     /* "Running"; "" for VMI_UNSET */
enum vmi_phase vmi_phase_from_text(const char *text); /* VMI_UNSET for anything unknown */
static inline bool vmi_phase_is_final(enum vmi_phase phase)
{
    return phase == VMI_SUCCEEDED || phase == VMI_FAILED;
}

/* ---- one VirtualMachineInstance */
/* What its volumes ask for while it runs; one at a time. */
enum vmi_volumes { VMI_VOLUMES_SETTLED, VMI_VOLUMES_ATTACH, VMI_VOLUMES_DETACH };

struct vmi_view {
    enum vmi_phase phase;
    bool deleting;
    int64_t expires_s; /* deleting: when patience with the guest ends */
    int64_t grace_s;   /* as wanted; 0: the guest is not asked */
    bool acpi;         /* the guest can be asked */
    bool claimed;
    bool claim_is_kept;       /* by a VM that will start again */
    bool is_busy;             /* work is in hand */
    bool is_observed;         /* domain and reason are from a look after the last work; else nobody knows */
    enum domain_state domain; /* DOMAIN_ABSENT also when the name belongs to another incarnation */
    enum domain_reason reason;
    bool is_clean;    /* domain forgotten, the run's disks given back */
    bool is_taken_up; /* the running domain was proven by this process, or needs no proof */
    enum vmi_volumes volumes;
    int64_t signaled_s; /* last power button signal, 0: none */
    int64_t retry_s;    /* the last step failed: not before */
    int64_t now_s;
};

enum vmi_action {
    VMI_WAIT,
    VMI_PLAN,    /* find a placement and claim it, or say why not; → Scheduled or Scheduling */
    VMI_START,   /* prepare volumes, render, start paused, prove, resume */
    VMI_TAKE_UP, /* a running domain is there: prove, and resume it if its start was cut short */
    VMI_BEGIN,   /* → Running */
    VMI_SIGNAL,  /* press the power button */
    VMI_DESTROY,
    VMI_END,     /* → step.phase: Succeeded or Failed */
    VMI_CLEAN,   /* forget the domain, give back the run's disks */
    VMI_RELEASE, /* drop the claim */
    VMI_REMOVE,  /* drop claim (unless kept) and object */
    VMI_ATTACH,  /* a volume was added to the running VMI */
    VMI_DETACH,  /* … or taken away */
    VMI_ACTION_COUNT,
};
struct vmi_step {
    enum vmi_action action;
    enum vmi_phase phase; /* VMI_END only */
    int64_t wake_s;       /* look again then, at the latest; 0: when something changes */
};
struct vmi_step reconcile_vmi(const struct vmi_view *view);
const char *vmi_action_text(enum vmi_action action);
/* Succeeded or Failed: how a run ended, from what is left of the domain. */
enum vmi_phase vmi_final_phase(const struct vmi_view *view);
/* Seconds until a failed step is tried again, after `failures` in a row (1 and up). */
int64_t vmi_retry_delay_s(unsigned failures);
enum { VMI_SIGNAL_EVERY_S = 5, VMI_RETRY_MAX_S = 300 };

/* ---- one VirtualMachine */
enum vm_request { VM_REQUEST_NONE, VM_REQUEST_START, VM_REQUEST_STOP };

struct vm_view {
    enum vm_run_strategy strategy;
    bool strategy_is_new; /* not yet the one recorded in the status */
    bool deleting;
    bool orphans;  /* deletion leaves the VMI */
    bool is_clean; /* deleting, and nothing of it is left on disk */
    bool has_vmi;
    bool vmi_is_ours;    /* controlled by this VM */
    bool vmi_is_foreign; /* controlled by somebody else */
    bool vmi_deleting;
    enum vmi_phase phase;
    bool vmi_ran;            /* reached Running once */
    bool vmi_is_counted;     /* its failure is in `failures` already */
    enum vm_request request; /* the oldest of status.stateChangeRequests */
    bool request_is_stale;   /* a stop of another incarnation */
    unsigned failures;       /* consecutive, as stored in status.startFailure */
    int64_t retry_after_s;   /* as stored; 0: none */
    double jitter;           /* 0 … 1, fresh */
    int64_t now_s;
};

enum vm_action {
    VM_WAIT,
    VM_CREATE,           /* make the VMI */
    VM_DELETE,           /* delete the VMI */
    VM_DELETE_AND_RERUN, /* … and put a start request behind it */
    VM_ADOPT,            /* take over a VMI of that name without a controller */
    VM_TURN_ON,          /* a start request for a halted VM: its strategy becomes Always */
    VM_LET_GO,           /* deletion: the VMI loses its owner, then the VM goes */
    VM_CLEAN,            /* give back everything the VM has on disk */
    VM_REMOVE,           /* drop the object */
    VM_BLOCKED,          /* the name is taken by somebody else's VMI */
    VM_ACTION_COUNT,
};
struct vm_step {
    enum vm_action action;
    bool drop_request;  /* the oldest request is done, or void */
    bool count_failure; /* record the uid of the VMI as counted */
    unsigned failures;  /* to be stored; 0: no status.startFailure */
    int64_t retry_after_s;
    bool wants_claim; /* the claim outlives this VMI */
    bool wants_run;   /* a start is expected */
    int64_t wake_s;
};
struct vm_step reconcile_vm(const struct vm_view *view);
const char *vm_action_text(enum vm_action action);
/* 10 s × n² plus up to half of it, at most 300 s (facts 5.9). */
int64_t vm_backoff_s(unsigned failures, double jitter);

/* Which printableStatus (facts 5.8); first match wins. */
struct vm_print {
    bool deleting;
    bool has_vmi;
    bool vmi_deleting;
    bool stop_expected;
    bool start_expected;
    bool is_paused;
    bool is_unschedulable;
    bool pull_failed;    /* Synchronized False, ErrImagePull */
    bool pull_backs_off; /* … ImagePullBackOff */
    bool backs_off;      /* start failures, waiting */
    bool volume_is_missing;
    enum vmi_phase phase;
};
const char *vm_printable_status(const struct vm_print *print);
