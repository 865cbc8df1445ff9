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
 * Called on the loop thread only, as the store is. */
#pragma once

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
};
extern const struct tune_machine TUNE_LIVE;

struct tune_change {
    char *target;
    char *before; /* before anybody tuned it; CPU sets as lists */
    char *wanted; /* as the journal says it */
    char *then;   /* what it will be */
    const char *knob;
    const char *why;
};
struct tune_plan {
    size_t count, capacity;
    struct tune_change *change; /* in the order they are made */
    struct text notes;          /* a line for each thing that stands in the way and cannot be changed */
};

/* What tuning for these exclusive CPUs would change as the machine is now. journal (may be NULL): changes that stand
 * already. Reads only. */
void tune_plan(const struct tune_machine *machine, struct store *journal, const struct cpuset *cpus,
               enum tune_level level, struct tune_plan *ret_plan);
void tune_plan_finish(struct tune_plan *plan);
/* [{"knob","target","before","then","why"}] */
json_t *tune_plan_to_json(const struct tune_plan *plan);

struct tune_result {
    unsigned done;     /* changes made, or undone */
    unsigned left;     /* things left as they are, each with a line in notes */
    struct text notes; /* the caller finishes it */
};

/* Undoes what the owner had, then journals and makes the changes. What the kernel refuses (managed interrupts) is not
 * journaled any more and noted. An error: the journal could not be written, and nothing was changed. */
int tune_apply(const struct tune_machine *machine, struct store *store, const char *owner, const struct cpuset *cpus,
               enum tune_level level, struct tune_result *ret_result, struct error *err);
/* The same with one knob, whatever its level, and without undoing first. ERROR_BAD_REQUEST names all there are. */
int tune_apply_knob(const struct tune_machine *machine, struct store *store, const char *owner,
                    const struct cpuset *cpus, const char *knob, struct tune_result *ret_result, struct error *err);
/* Once the VM runs as process pid: an isolated partition (cgroup v2) of its own for each vCPU i with CPUs of its own
 * (cpus[i]), so that the scheduler balances nothing onto them; beside what the owner has already, and undone with it.
 * Why it cannot be is in the notes. */
int tune_isolate(const struct tune_machine *machine, struct store *store, const char *owner, int pid,
                 const struct cpuset *cpus, size_t count, struct tune_result *ret_result, struct error *err);
/* Newest first. What cannot be written now stays in the journal; what is gone or was changed by others does not. */
int tune_undo(const struct tune_machine *machine, struct store *store, const char *owner,
              struct tune_result *ret_result, struct error *err);
/* One entry of the journal, by its id, whoever its owner is. */
int tune_undo_one(const struct tune_machine *machine, struct store *store, int64_t id, struct tune_result *ret_result,
                  struct error *err);
/* After a start: forgets what was changed before the last boot (the kernel forgot, too), and undoes the changes of all
 * owners that do not live. */
int tune_recover(const struct tune_machine *machine, struct store *store, bool (*lives)(const char *owner, void *arg),
                 void *arg, struct tune_result *ret_result, struct error *err);
bool tune_has(struct store *store, const char *owner);

/* What the journal holds, compared with the machine. */
enum tune_state {
    TUNE_APPLIED,     /* as all owners together want it */
    TUNE_PENDING,     /* asked for; whether it was taken is seen later */
    TUNE_NOT_APPLIED, /* as it was before, or as only some owners want it */
    TUNE_OVERRIDDEN,  /* somebody else changed it: it is left as it is, now and when it should be undone */
    TUNE_GONE,        /* the thing itself is no more: nothing to undo */
};
struct tune_entry {
    const struct store_host_change *change;
    const char *knob;
    const char *why;
    char *wanted; /* by all owners together; CPU sets as lists */
    char *found;  /* NULL when gone */
    enum tune_state state;
};
/* Oldest first. */
void tune_each(const struct tune_machine *machine, struct store *store,
               void (*callback)(const struct tune_entry *entry, void *arg), void *arg);
/* The object of kind HostChange. */
json_t *tune_entry_to_json(const struct tune_entry *entry);
