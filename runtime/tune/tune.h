/* Host tuning that undoes itself: what stands in the way of real-time vCPUs is moved off their CPUs while their VM
 * runs, and put back after it. Every change is in the store's journal, on disk, before it is made.
 *
 * The journal holds, for one owner ("namespace/name" of a VM, or "" for whoever types), what a thing was before anybody
 * tuned it and what this owner wants of it. What it should be now follows from all owners together, so VMs may come and
 * go in any order. A thing that is neither as it was nor as some of the owners wanted it was changed by somebody else:
 * it is reported and left alone.
 *
 * Things ("targets") are named by how they are changed: "list:/proc/irq/9/smp_affinity_list" (CPU list), "mask:FILE"
 * (CPU mask), "value:FILE" (a word), "affinity:TID:NAME" (a kernel thread), "add:FILE" (a CPU list that grows),
 * "irqbalance:PID" (the CPUs it keeps off). Of CPU sets the journal says what an owner wants as "without CPUS" or "with
 * CPUS".
 *
 * A write to the machine may wait in the kernel for a CPU that a real-time vCPU never gives up. So who decides and who
 * writes are apart: a task (tune_task) says, step by step, what is to be done on the machine as an order, a plain JSON
 * value; somebody carries the order out (tune_order_run, in the daemon in a child process) and reports line by line;
 * the task takes the lines in and writes the journal. The functions that take a store do all of it at once, for verbs.
 */
#pragma once

#include <stdatomic.h>

#include "hostprobe/hostprobe.h"
#include "rtvmd/base/text.h"
#include "store/store.h"

/* safe: nothing but latency and power is affected. full: also what watches over the machine (lockup detector, the
 * limits that keep a runaway real-time thread from starving the rest). */
enum tune_level { TUNE_NONE, TUNE_SAFE, TUNE_FULL };

/* Where things are; tests bring their own. */
struct tune_machine {
    const char *root; /* "": the live machine */
    int (*write_file)(const struct tune_machine *machine, const char *path, const char *value, struct error *err);
    int (*move_thread)(const struct tune_machine *machine, int tid, const struct cpuset *cpus, struct error *err);
    /* What the process answers to one line; the caller finishes it. */
    int (*ask_irqbalance)(const struct tune_machine *machine, int pid, const char *line, struct text *ret_answer,
                          struct error *err);
    /* What irqbalance was told last and may not say yet; NULL: nothing is remembered. */
    struct irqbalance_memory {
        int pid;
        struct cpuset told;
        uint64_t until_ms; /* of the monotonic clock */
    } * memory;
    bool is_patient;         /* may wait seconds until irqbalance says what it was told */
    void (*step)(void *arg); /* before and after everything that is done; may be NULL */
    void *arg;
    void (*at)(const char *target, void *arg); /* before something is read for a plan; may be NULL */
    void *at_arg;
};
extern const struct tune_machine TUNE_LIVE;

struct tune_change {
    char *target;
    char *before; /* before anybody tuned it; CPU sets as lists */
    char *wanted; /* as the journal says it */
    char *then;   /* what it will be */
    int64_t row;  /* of the journal, which says so already: it was not made, or not kept; 0: new */
    const char *knob;
    const char *why;
};
struct tune_plan {
    size_t count, capacity;
    struct tune_change *change; /* in the order they are made */
    struct text notes;          /* a line for each thing that stands in the way and cannot be changed */
};

/* The journal's rows about tuning, in memory: for who may not touch the store. */
struct tune_row {
    int64_t id; /* 0: not in the journal any more */
    char *target;
    char *before;
    char *wish;
    char *owner;
    char *boot_id;
};
struct tune_journal {
    size_t count;
    struct tune_row *at; /* newest first */
};

/* What tuning for these exclusive CPUs would change as the machine is now. journal (may be NULL): changes that stand
 * already. Reads only. */
void tune_plan(const struct tune_machine *machine, const struct tune_journal *journal, const struct cpuset *cpus,
               enum tune_level level, struct tune_plan *ret_plan);
void tune_plan_finish(struct tune_plan *plan);
/* [{"knob","target","before","then","why"}] */
json_t *tune_plan_to_json(const struct tune_plan *plan);

struct tune_result {
    unsigned done;     /* changes made, or undone */
    unsigned left;     /* things left as they are, each with a line in notes */
    struct text notes; /* the caller finishes it */
};

/* ---- tasks, on the loop thread; nothing waits in them. At most one task at a time may be between its first step and
 * its end: each rests on the journal as it was left by the one before. */
enum tune_task_kind {
    TUNE_TASK_APPLY,   /* undoes what the owner had, then journals and makes the changes of a level */
    TUNE_TASK_KNOB,    /* one knob, whatever its level, and without undoing first */
    TUNE_TASK_ISOLATE, /* partitions for the vCPUs of a running VM */
    TUNE_TASK_UNDO,    /* all of an owner, newest first */
    TUNE_TASK_UNDO_ONE,
    TUNE_TASK_RECOVER, /* forgets what was changed before the last boot, undoes all of owners that do not live */
};
struct tune_task {
    enum tune_task_kind kind;
    char *owner;
    struct cpuset cpus; /* APPLY, KNOB */
    enum tune_level level;
    const char *knob;
    int pid;              /* ISOLATE */
    struct cpuset *vcpus; /* allocated; of each vCPU its own CPUs */
    size_t vcpu_count;
    int64_t id; /* UNDO_ONE; KNOB: the row its changes take the place of, whose thing is gone; 0: none */
    bool (*lives)(const char *owner, void *arg); /* RECOVER */
    void *lives_arg;
    struct irqbalance_memory *memory; /* may be NULL */

    /* Out. */
    struct tune_result result;
    char *at;        /* what was in hand when the last line came: when none comes any more, what blocks */
    bool is_blocked; /* the task was given up there */

    unsigned step; /* private, as all that follows */
    json_t *order;
    json_t *planned; /* changes to be journaled */
    json_t *drops;   /* ids */
};
/* Writes down what the lines so far say. 1: *ret_order (borrowed) is to be carried out once everything written to the
 * store is durable; 0: the task is done; an error: the journal could not be written. root: of the machine, for its boot
 * id. */
int tune_task_next(struct tune_task *task, struct store *store, const char *root, json_t **ret_order,
                   struct error *err);
/* One line of the report. seen (may be NULL): object of id → what was found, kept for tune_show(). */
void tune_task_take(struct tune_task *task, const json_t *line, json_t *seen);
/* The order was not carried out to its end. The journal keeps what may have been done; no more orders follow. */
void tune_task_give_up(struct tune_task *task);
void tune_task_finish(struct tune_task *task);

/* Carries an order out and reports; anywhere but on the loop thread. report gets borrowed lines. */
void tune_order_run(const struct tune_machine *machine, const json_t *order,
                    void (*report)(const json_t *line, void *arg), void *arg);
/* The same on the live machine in a child process of its own, which dies with the calling thread: also when a write
 * never returns, this does, after LIMIT_TUNING_STEP_MS without a line, or as soon as *stop is set. Children of one
 * state folder write one after the other: whoever is left behind, also by a daemon that was killed, keeps the others
 * out (LIMIT_TUNING_TURN_MS). The lines of the report are appended to `lines`, also when it fails. ERROR_TIMEOUT: it
 * hangs, the child may still make the one change in hand. */
int tune_apart(const char *state_dir, const json_t *order, const atomic_bool *stop, json_t *lines, struct error *err);
#define TUNE_VERB "tune-child"
int tune_child(int argc, char **argv);
/* Keeps such children out while the descriptor is open; -1 when one is left behind and does not end in time. */
int tune_take_turn(const char *state_dir, struct error *err);

/* ---- all at once: for verbs, and for tests */
/* What the kernel refuses (managed interrupts) is not journaled any more and noted. An error: the journal could not be
 * written, and nothing was changed. */
int tune_apply(const struct tune_machine *machine, struct store *store, const char *owner, const struct cpuset *cpus,
               enum tune_level level, struct tune_result *ret_result, struct error *err);
/* ERROR_BAD_REQUEST names all knobs there are. */
int tune_apply_knob(const struct tune_machine *machine, struct store *store, const char *owner,
                    const struct cpuset *cpus, const char *knob, struct tune_result *ret_result, struct error *err);
int tune_check_knob(const char *knob, struct error *err);
/* Once the VM runs as process pid: an isolated partition (cgroup v2) of its own for each vCPU i with CPUs of its own
 * (cpus[i]), so that the scheduler balances nothing onto them; beside what the owner has already, and undone with it.
 * Why it cannot be is in the notes. */
int tune_isolate(const struct tune_machine *machine, struct store *store, const char *owner, int pid,
                 const struct cpuset *cpus, size_t count, struct tune_result *ret_result, struct error *err);
/* What cannot be written now stays in the journal; what is gone or was changed by others does not. */
int tune_undo(const struct tune_machine *machine, struct store *store, const char *owner,
              struct tune_result *ret_result, struct error *err);
/* One entry of the journal, by its id, whoever its owner is. */
int tune_undo_one(const struct tune_machine *machine, struct store *store, int64_t id, struct tune_result *ret_result,
                  struct error *err);
int tune_recover(const struct tune_machine *machine, struct store *store, bool (*lives)(const char *owner, void *arg),
                 void *arg, struct tune_result *ret_result, struct error *err);
bool tune_has(struct store *store, const char *owner);
/* An irqbalance that was told something does not run any more: its successor knows nothing of it. The first such row,
 * with what its owner wants irqbalance to keep off. False: there is none. Looks at one file in /proc for each such row.
 */
struct tune_lost {
    int64_t id;
    char *owner; /* the caller frees */
    struct cpuset cpus;
};
bool tune_lost_irqbalance(struct store *store, const char *root, struct tune_lost *ret_lost);
/* Is that row of the journal one of tuning's? */
bool tune_is_ours(struct store *store, int64_t id);

/* What the journal holds, compared with the machine. */
enum tune_state {
    TUNE_APPLIED,     /* as all owners together want it */
    TUNE_PENDING,     /* asked for; whether it was taken is seen later */
    TUNE_NOT_APPLIED, /* as it was before, or as only some owners want it */
    TUNE_OVERRIDDEN,  /* somebody else changed it: it is left as it is, now and when it should be undone */
    TUNE_GONE,        /* the thing itself is no more: nothing to undo */
    TUNE_UNKNOWN,     /* it could not be read: something hangs */
};
struct tune_entry {
    const struct store_host_change *change;
    const char *knob;
    const char *why;
    char *wanted; /* by all owners together; CPU sets as lists */
    char *found;  /* NULL when gone, or unknown */
    enum tune_state state;
};
/* The order to look at all of them; NULL when there are none. The lines of its report go to tune_seen_take(). A new
 * reference. */
json_t *tune_look_order(struct store *store);
void tune_seen_take(json_t *seen, const json_t *line);
/* Oldest first, beside what was seen; only_id: that one alone (0: all). Reads nothing but the store. */
void tune_show(struct store *store, const json_t *seen, int64_t only_id,
               void (*callback)(const struct tune_entry *entry, void *arg), void *arg);
/* Looks, then shows. */
void tune_each(const struct tune_machine *machine, struct store *store,
               void (*callback)(const struct tune_entry *entry, void *arg), void *arg);
/* The object of kind HostChange. */
json_t *tune_entry_to_json(const struct tune_entry *entry);
