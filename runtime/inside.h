/* What the files of the running whole share; nobody outside of runtime/ itself includes it.
 *
 * A machine is what the loop thread knows about one name (NAMESPACE/NAME) beyond the stored objects: the domain as it
 * was last seen, the work in hand, when to look again. None of it needs to survive: it is found out again. */
#pragma once

#include "rtvmd/base/timestamp.h"
#include "rtvmd/base/worker.h"
#include "runtime/reconcile.h"
#include "runtime/runtime.h"
#include "runtime/statistics.h"
#include "runtime/tune/tune.h"
#include "runtime/work.h"

struct act; /* a lifecycle action of a user, waiting its turn (act_vmi.c) */

struct machine {
    char *key; /* "namespace/name" */
    char *namespace_;
    char *name;
    char *domain_name;

    bool is_queued;
    struct machine *next_queued;
    bool is_busy;        /* one job in the worker pool, or about to be */
    bool waits_for_host; /* for a fresh look at the host before planning */
    struct act *act;     /* first of those waiting */

    char uid[64];                  /* of the VMI all that follows is about; "" when there is none */
    struct observed_domain domain; /* DOMAIN_ABSENT when not there */
    uint64_t observed_at;          /* sequence number of that look */
    uint64_t settled_at;           /* of the end of the last work: looks begun before it say nothing */
    bool is_clean;
    bool is_all_clean; /* with what the VM has beside its runs */
    int taken_up_pid;  /* the process that was proven; -1: none */
    bool keeps_claim;  /* the VM will start again */
    bool is_unschedulable;
    int64_t waits_since_s; /* unschedulable: since the VMI was made */
    int64_t signaled_s;
    int64_t retry_s;
    unsigned failures; /* of steps, in a row */
    int64_t wake_s;    /* of the VMI; 0: none */
    int64_t vm_wake_s;
    bool has_failure;
    struct error failure; /* of the last step */
    enum vmi_action failed_action;
    bool failed_at_volumes;

    json_t *proof; /* as proof_to_json(), or NULL */
    int64_t proved_s;
    int repaired;

    json_t *gate; /* what was measured before this start, as latency_gate_judge() says it, or NULL */

    json_t *guest; /* what its agent told last: {"os","interfaces"}, or NULL */
    int64_t guest_asked_s;

    char *reported_orphan; /* uid already complained about */

    bool is_audited;           /* its placement was held against the host as it is now (audit.c) */
    char *untrue;              /* what is no longer true of it; NULL: all is */
    const char *untrue_reason; /* "CPUOffline" */
};

/* Where time and the machine come from; tests bring their own. */
struct runtime_hooks {
    int64_t (*now_s)(void *arg);
    double (*jitter)(void *arg);
    /* Reads what may have changed on the host into *host; on a worker thread. NULL: the host never changes. */
    int (*refresh_host)(struct host *host, struct error *err);
    void *arg;
    unsigned threads;
};
struct runtime *runtime_new_with(const struct runtime_config *config, struct loop *loop, struct store *store,
                                 const struct host *host, const struct runtime_hooks *hooks);

struct event_note;       /* events.c */
struct statistics_wait;  /* statistics.c */
struct host_change_wait; /* host_changes.c */
struct tuning;           /* tuning.c */

struct runtime {
    struct runtime_config config;
    char *state_dir;
    char *run_dir;
    char *libvirt_uri;
    char *node_name;
    struct loop *loop;
    struct store *store;
    struct runtime_hooks hooks;
    struct work_host *host; /* the snapshot in use; jobs hold references to older ones */
    int64_t host_read_s;
    bool host_is_being_read;
    uint64_t host_changes; /* counts what we did to the host ourselves: a reading begun before is old */
    uint64_t claim_changes;
    char *page_alarm;      /* huge pages that do not add up, in words; NULL: they do (audit.c) */
    bool gives_pages_back; /* a job is in hand (growth.c) */
    bool gives_back_again;
    size_t pool_limit_count; /* what the kernel could not do lately (growth.c): known until then */
    struct pool_limit *pool_limit;
    int64_t pool_limits_until_s;
    struct hypervisor *hypervisor;
    struct worker_pool *pool;
    struct store_watch *watch;
    struct loop_watch *round_timer; /* the queue is not empty */
    struct loop_watch *wake_timer;
    bool is_started;
    bool is_ending;

    size_t machine_count, machine_capacity;
    struct machine **machine; /* ordered by key */
    struct machine *queue_first, **queue_end;

    uint64_t sequence;
    bool asks_waiting; /* a look told news of who waits for room */
    bool is_looking;   /* an observation is in hand */
    bool look_again;
    bool is_connected;
    int64_t began_s, connection_changed_s, page_alarm_changed_s; /* what the conditions of the Node tell */
    bool has_swept;
    uint64_t looked_at; /* sequence of the last complete look; 0: none since the connection came */
    unsigned look_failures;
    int64_t look_s;        /* when to look at the latest; 0: when told to */
    bool waits_for_commit; /* of what the last rounds decided */
    int64_t retry_s;       /* a commit failed: decide anew then; 0: none */
    int64_t resync_s;      /* the next slow look at everything */
    int64_t armed_s;       /* when the wake timer rings: not later than anybody wants; 0: it is not armed */
    bool has_facts;
    struct hypervisor_facts facts;
    json_t *cpu; /* hypervisor_cpu(); NULL until it is known */
    struct error connection_error;

    struct work *submit_first, **submit_end; /* jobs that wait for the commit of what they rest on */

    struct tuning *tuning_first, **tuning_end; /* tasks of host tuning, one in hand at a time (tuning.c) */
    bool tunes;                                /* an order is being written down or carried out */
    int64_t tuning_retry_s;                    /* something hung: what is owed then is undone; 0: nothing is */
    json_t *tuning_seen;                       /* what was found of what was changed, by the last look */
    struct irqbalance_memory irqbalance;
    atomic_bool tuning_stop;
    struct host_change_wait *host_change_waits; /* for a look (host_changes.c) */
    bool host_changes_are_seen;                 /* that look is in hand */

    struct latency_run *latency_run; /* the one in hand, or NULL */
    struct worker_pool *latency_pool;
    struct loop_watch *latency_timer; /* while one runs: its progress */
    bool latency_is_queued;
    atomic_bool latency_stop; /* all measurements: the daemon ends */

    size_t event_count, event_capacity;
    struct event_note *event;

    struct runtime_counters counters;
    struct runtime_statistics *statistics; /* the last ones, or NULL */
    bool statistics_are_coming;
    struct statistics_wait *statistics_waits; /* who waits for them */
    struct loop_watch *statistics_timer;      /* armed while somebody waits */
};

static inline int64_t runtime_now_s(const struct runtime *runtime)
{
    return runtime->hooks.now_s(runtime->hooks.arg);
}
bool runtime_emulates(const struct runtime *runtime);
/* Looks at all domains soon. */
void runtime_look(struct runtime *runtime);
/* One round: decides for what is queued. Called by a timer. */
void runtime_round(void *arg);
/* What is due by now. Called by a timer. runtime_next_wake_s: when that is, 0: never. */
void runtime_wake(void *arg);
int64_t runtime_next_wake_s(const struct runtime *runtime);
void runtime_arm(struct runtime *runtime);

/* ---- machines.c */
struct machine *machine_find(struct runtime *runtime, const char *namespace_, const char *name);
struct machine *machine_get(struct runtime *runtime, const char *namespace_, const char *name);
struct machine *machine_by_key(struct runtime *runtime, const char *key);
void machine_queue(struct runtime *runtime, struct machine *machine);
struct machine *machine_next(struct runtime *runtime);
/* Frees it when nothing is known by its name any more. */
void machine_drop_if_empty(struct runtime *runtime, struct machine *machine);
void machine_free(struct machine *machine);
/* Forgets what was about an earlier incarnation. */
void machine_adopt_uid(struct machine *machine, const char *uid);
bool machine_is_observed(const struct runtime *runtime, const struct machine *machine);
/* The state of the domain of this incarnation. */
enum domain_state machine_domain_state(const struct machine *machine);
void machine_failed(struct runtime *runtime, struct machine *machine, enum vmi_action action, const struct error *err);
void machine_worked(struct machine *machine);

/* ---- controllers */
void vm_control(struct runtime *runtime, struct machine *machine);
void vmi_control(struct runtime *runtime, struct machine *machine);
/* Writes next in place of what is stored when it differs; logs and leaves it when that fails. Steals next. */
void object_store(struct runtime *runtime, json_t *next, bool bump_generation);

/* ---- jobs.c: sending work off and taking results in */
void job_submit(struct runtime *runtime, struct machine *machine, enum work_kind kind, const json_t *vmi);
/* The slow second look at a running VM: threads only. */
void job_look_at_threads(struct runtime *runtime, struct machine *machine, const json_t *vmi);
/* The same for a job filled by the caller (actions of users). Steals work. */
void job_send(struct runtime *runtime, struct machine *machine, struct work *work);
/* Everything a job of that kind needs. */
struct work *job_for(struct runtime *runtime, struct machine *machine, enum work_kind kind, const json_t *vmi,
                     struct error *err);
/* The host is tuned, or that failed: the rest of a start. Takes the work. */
void job_start(struct runtime *runtime, struct machine *machine, struct work *work, const json_t *vmi,
               const struct error *failure);
/* Beside the machine's one job: for what changes nothing. */
void job_send_aside(struct runtime *runtime, struct work *work);
/* An event about what the work found out of place, unless the same was said before. */
void job_record_drift(struct runtime *runtime, const json_t *vmi, const json_t *before, const struct work *work);
char *job_run_dir(const struct runtime *runtime, const struct machine *machine);
struct work *job_new(struct runtime *runtime, struct machine *machine, enum work_kind kind);
struct work_host *job_hold_host(struct runtime *runtime);
void job_drop_host(struct work_host *host);

/* ---- observe.c */
void observe_start(struct runtime *runtime);
/* Without a way to read the host: only those who wait for it are queued. */
void host_read_start(struct runtime *runtime);
/* We did it ourselves: what was read before is old. */
static inline void host_was_changed(struct runtime *runtime)
{
    runtime->host_changes++;
    runtime->host_read_s = 0;
}

/* ---- statistics.c */
void statistics_late(void *runtime);
void statistics_end(struct runtime *runtime);

/* ---- volumes.c: volumes that come and go while a VMI runs */
/* What is to be done next, and for which volume (borrowed from the VMI; may be NULL). Pure. */
enum vmi_volumes volumes_need(const json_t *vmi, const char **ret_name);
/* Completes a job of WORK_ATTACH or WORK_DETACH. */
void volumes_fill(struct work *work, const json_t *vmi);
void volumes_note_done(struct runtime *runtime, const json_t *vmi, const struct work *work);
void volumes_note_failure(struct runtime *runtime, const json_t *vmi, const struct work *work);

/* ---- admit.c: a VM or VMI as it would be after an update by us. */
int admit_update(json_t *object, const json_t *before, struct findings *findings, struct error *err);

/* ---- tuning.c */
/* Before the start of a domain whose job is filled. True: the job was taken, and goes on in job_start() when the host
 * is tuned, or when that hung and was given up. The machine is busy meanwhile. */
bool tuning_begin(struct runtime *runtime, struct work *work, const json_t *vmi);
/* Before the guest goes on: a scheduler partition for each vCPU of the paused domain. Never while it runs: making one
 * waits for threads that busy real-time vCPUs may keep from their CPU for ever. True: that is done now, and the machine
 * is busy meanwhile; sends: the job was taken, and is sent then. */
bool tuning_wants_isolation(struct runtime *runtime, const struct work *work);
bool tuning_isolate(struct runtime *runtime, struct work *work, int pid, bool sends);
/* Soon; the machine is busy until then. */
void tuning_undo(struct runtime *runtime, const char *owner);
/* done may be called before this returns. */
void tuning_undo_one(struct runtime *runtime, int64_t id, runtime_done *done, void *arg);
/* After the first look, and when something hung: undoes what was changed for nobody who lives. */
void tuning_recover(struct runtime *runtime);
/* At a slow look at everything: what a service forgot when it was restarted is said again. One owner at a time. */
void tuning_resync(struct runtime *runtime);
/* What is in hand ends as soon as it can. Then, without workers: forgets what waits. */
void tuning_stop(struct runtime *runtime);
void tuning_free_all(struct runtime *runtime);

/* ---- host_changes.c */
void host_changes_end(struct runtime *runtime);

/* ---- latency_tests.c */
#define LATENCY_CLAIM "latency-test:" /* uids of claims begin with this that are no machine's */
bool latency_test_has_claim(const struct store_claim *claim);
/* Forgets what an earlier process measured. */
void latency_tests_start(struct runtime *runtime);
void latency_tests_end(struct runtime *runtime);
/* Looks soon at which of them may run. */
void latency_tests_queue(struct runtime *runtime);
void latency_tests_changed(struct runtime *runtime, const struct store_change *change);
void latency_tests_control(struct runtime *runtime);
void latency_tests_tick(void *runtime);
/* What the gate of a start needs, when its spec has one. */
void gate_fill(struct runtime *runtime, struct work *work);

/* ---- plan.c */
/* Finds and claims a placement for an admitted VMI. True: claimed. False: *ret_refusal tells why (all reasons). */
bool plan_and_claim(struct runtime *runtime, struct machine *machine, const json_t *vmi, struct text *ret_refusal);
void plan_release(struct runtime *runtime, const struct machine *machine);
/* The solver's answer for a decoded VM; suggests: with what would fit instead. The caller frees. */
struct decision *plan_decide(struct runtime *runtime, const char *key, const struct vm_spec *spec, bool suggests);
/* A placement as it is kept with its claim. */
json_t *plan_document(const struct placement *placement);
/* Is its placement true on the host as it is? False also without a claim; the reasons are in *decision. */
bool plan_audit(struct runtime *runtime, const struct machine *machine, struct decision *decision);
/* Of the whole host: warnings. */
void plan_audit_pages(struct runtime *runtime, struct decision *decision);
bool plan_is_claimed(const struct runtime *runtime, const struct machine *machine);
/* Whoever waits for room should try again. */
void plan_retry_all(struct runtime *runtime);

/* ---- reserve.c: what a changed VM needs at its next start is promised beside what it runs on, until the switch. */
/* vm: as it is now, other than its VMI runs. ret_refusal: why that start would not find its place, if so. */
void reserve_next(struct runtime *runtime, struct machine *machine, const json_t *vm, struct text *ret_refusal);
/* The VM is again what runs. */
void reserve_forget(struct runtime *runtime, struct machine *machine);
/* The switch, or the end: the reservation only. */
int reserve_drop(struct runtime *runtime, const struct machine *machine, struct error *err);

/* ---- audit.c */
/* The host was read anew. is_settled: none of our changes came in between, so what is in use can be held against what
 * is promised. */
void audit_host(struct runtime *runtime, bool is_settled);
/* Is the VM of a claim up, or was it at the last look? */
static inline bool machine_is_up(const struct machine *machine)
{
    return machine && machine->domain.state != DOMAIN_ABSENT && machine->domain.state != DOMAIN_OFF;
}

/* ---- status (pure) */
struct vmi_report {
    int64_t now_s;
    const char *node_name;
    enum vmi_phase phase;
    bool deleting;
    bool is_observed;
    enum domain_state domain;
    enum domain_reason reason;
    bool has_agent;
    bool emulated;
    bool proof_is_wanted;
    const json_t *proof; /* NULL: none yet */
    int repaired;
    bool is_audited;
    const char *untrue; /* not NULL: the placement is not true any more, and what of it */
    const char *untrue_reason;
    const char *refusal; /* not NULL: cannot be placed now, and why */
    const char *failure; /* not NULL: the last step failed */
    const char *failure_reason;
    int64_t runtime_user; /* < 0: unknown */
    const json_t *gate;   /* NULL: none, or measured by an earlier process */
    const json_t *guest;  /* NULL: its agent has told nothing */
};
void vmi_status_first(json_t *vmi); /* at creation */
void vmi_status_update(json_t *vmi, const struct vmi_report *report);
void vmi_status_set_phase(json_t *vmi, enum vmi_phase phase, int64_t now_s);
enum vmi_phase vmi_status_phase(const json_t *vmi);
bool vmi_status_ran(const json_t *vmi);
/* What is not as planned, in words: threads, then memory. */
void vmi_describe_drift(const json_t *proof, struct text *out);

struct vm_report {
    int64_t now_s;
    const json_t *vmi; /* NULL: none */
    bool stop_expected;
    bool start_expected;
    bool backs_off;
    bool needs_restart;
    const char *next_refusal; /* needs_restart: the changed VM would not find its place now */
    const char *failure;      /* creating or deleting the VMI */
    const char *failure_reason;
};
void vm_status_update(json_t *vm, const struct vm_report *report);
json_t *vm_status_request(const json_t *vm, size_t index); /* borrowed, or NULL */
void vm_status_add_request(json_t *vm, const char *action, const char *uid, bool paused);
void vm_status_drop_request(json_t *vm);

/* ---- guest_report.c */
/* Asks the agent when there is one and it was not asked lately. */
void guest_report_refresh(struct runtime *runtime, struct machine *machine);
void guest_report_write(json_t *vmi, const json_t *guest);

/* ---- conditions.c */
void condition_set(json_t *object, const char *type, const char *status, const char *reason, const char *message,
                   int64_t now_s);
void condition_drop(json_t *object, const char *type);
json_t *condition_get(const json_t *object, const char *type);
bool condition_is(const json_t *object, const char *type, const char *status);

/* ---- objects.c: small facts about stored objects */
bool object_is_deleting(const json_t *object);
/* Seconds of grace as the spec of a VMI says. */
int64_t vmi_grace_s(const json_t *vmi);
void object_mark_deleted(json_t *object, int64_t grace_s, int64_t now_s);
bool object_has_finalizer(const json_t *object, const char *finalizer);
void object_add_finalizer(json_t *object, const char *finalizer);
void object_drop_finalizer(json_t *object, const char *finalizer);
/* The controlling owner's uid, or NULL. */
const char *object_controller(const json_t *object);
void object_set_controller(json_t *object, const json_t *owner);
/* Fields of a VM and a VMI have the same paths below their template; this is where they start. */
json_t *object_vmi_spec(const json_t *object);
#define FINALIZER_VM "kubevirt.io/virtualMachineControllerFinalize"
#define FINALIZER_VMI "kubevirt.io/foregroundDeleteVirtualMachine"
#define ANNOTATION_VM_GENERATION "kubevirt.io/vm-generation"
/* Keys with dots are out of reach for json_at(). */
const char *object_annotation(const json_t *object, const char *key);
void object_set_annotation(json_t *object, const char *key, const char *value);
void object_set_label(json_t *object, const char *key, const char *value);

/* ---- events.c */
void events_load(struct runtime *runtime);
void events_forget(struct runtime *runtime, const json_t *event); /* it was deleted */
void events_free(struct runtime *runtime);
void event_record(struct runtime *runtime, const json_t *object, const char *type, const char *reason,
                  const char *format, ...) PRINTF_LIKE(5, 6);

/* ---- act_vmi.c */
/* Sends the next waiting action off; true when one was. */
bool act_next(struct runtime *runtime, struct machine *machine, const json_t *vmi);
void act_cancel_all(struct machine *machine, const struct error *failure);
