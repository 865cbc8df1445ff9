/* runtime: how wanted becomes true. Decide (pure functions over plain values: spec, place, domain, reconcile), then act
 * (hypervisor, image, prove, tune). It never speaks HTTP.
 *
 * This header is the front door: what api/ and the verbs may ask of the running whole. Everything is called on the
 * loop thread; what takes time is done by the worker pool and answered through a callback on the loop thread. */
#pragma once

#include "hostprobe/hostprobe.h"
#include "runtime/image/image.h"
#include "runtime/place/place.h"
#include "runtime/spec/spec.h"
#include "runtime/statistics.h"
#include "runtime/tune/tune.h"
#include "store/store.h"

struct runtime;

struct runtime_config {
    const char *state_dir;   /* images, disks, store */
    const char *run_dir;     /* per-VM sockets */
    const char *libvirt_uri; /* "qemu:///system" */
    struct cpuset reserved_cpus;
    bool emulation_allowed; /* --emulation auto|on */
    bool emulation_forced;  /* --emulation on */
    const char *const *host_disk_dirs;
    enum tune_level tuning; /* the most a VM may ask for */
    bool grow_hugepages;    /* pools may be made larger while a VM runs */
};

/* The host snapshot is copied. Objects already stored are taken up again by runtime_start. */
struct runtime *runtime_new(const struct runtime_config *config, struct loop *loop, struct store *store,
                            const struct host *host);
/* What host_try() found meanwhile: takes longer than a start may. Before runtime_start; until then objects are stored
 * and nothing is begun. */
void runtime_set_host(struct runtime *runtime, const struct host *host);
/* Where hostDisk volumes may point from now on. Borrowed, and so are all earlier ones, until runtime_free: work in hand
 * looks at them. */
void runtime_set_host_disk_dirs(struct runtime *runtime, const char *const *dirs);
/* Connects (in the background) and begins to reconcile. */
void runtime_start(struct runtime *runtime);
/* Stops reconciling, waits for work in hand. Running VMs are left alone. */
void runtime_free(struct runtime *runtime);

const struct host *runtime_host(const struct runtime *runtime);
struct cpuset runtime_housekeeping(const struct runtime *runtime);

/* ---- admission of objects, before api/ stores them. Defaults are written into *object in place. before: the stored
 * state on update, NULL on create. Causes in findings: refuse with 422. Objects of kinds the runtime does not know
 * pass. On create of a VMI and on update the rules of KubeVirt's webhooks apply (a VMI's spec is not updated by users).
 */
int runtime_admit_write(struct runtime *runtime, json_t *object, const json_t *before, struct findings *findings,
                        struct error *err);
/* The answer of the solver for a VM or VMI as the host is now: decision JSON (see place.h). For dryRun and `plan`. */
json_t *runtime_plan(struct runtime *runtime, const json_t *object, struct error *err);

/* ---- lifecycle subresources. The callback gets failure NULL when done (durable), else the error as KubeVirt words it
 * (facts 5.3, 5.4). options is the request body (may be NULL). */
typedef void runtime_done(const struct error *failure, void *arg);
enum runtime_action {
    RUNTIME_VM_START,
    RUNTIME_VM_STOP,
    RUNTIME_VM_RESTART,
    RUNTIME_VMI_PAUSE,
    RUNTIME_VMI_UNPAUSE,
    RUNTIME_VMI_SOFTREBOOT,
    RUNTIME_VMI_RESET,
    RUNTIME_VMI_FREEZE,
    RUNTIME_VMI_UNFREEZE,
    RUNTIME_VM_ADD_VOLUME, /* and to its VMI, when it runs */
    RUNTIME_VM_REMOVE_VOLUME,
    RUNTIME_VMI_ADD_VOLUME, /* until it ends */
    RUNTIME_VMI_REMOVE_VOLUME,
};
void runtime_act(struct runtime *runtime, enum runtime_action action, const char *namespace_, const char *name,
                 const json_t *options, runtime_done *done, void *arg);

/* Deletion of a VM or VMI as a client asked for it: marks deletionTimestamp and lets the controllers finish (graceful
 * shutdown, then removal); api/ calls it after its own preconditions. grace_s < 0: as the spec says. orphan: keep the
 * VMI of a VM. */
int runtime_delete(struct runtime *runtime, const char *kind, const char *namespace_, const char *name, int64_t grace_s,
                   bool orphan, json_t **ret_object, struct error *err);

/* ---- looking. The JSON callback gets a borrowed result, or NULL and the failure. */
typedef void runtime_answer(json_t *result, const struct error *failure, void *arg);
/* Plan against actual, per thread and memory, for a running VMI: {"ok","threads":[…],"memory":{…},"repaired":N}. */
void runtime_verify(struct runtime *runtime, const char *namespace_, const char *name, bool repair,
                    runtime_answer *answer, void *arg);
/* Guest agent: "guestosinfo", "userlist", "filesystemlist" in KubeVirt's shape. */
void runtime_guest(struct runtime *runtime, const char *namespace_, const char *name, const char *what,
                   runtime_answer *answer, void *arg);
/* Path of the unix socket behind the console ("serial0"); the caller frees. Errors as the facts' 5.3. */
char *runtime_socket(struct runtime *runtime, const char *namespace_, const char *name, const char *device,
                     struct error *err);
/* The screen (VNC): a connection of its own for each asking. fd is the callback's to close; -1 with the failure. */
typedef void runtime_stream(int fd, const struct error *failure, void *arg);
void runtime_screen(struct runtime *runtime, const char *namespace_, const char *name, runtime_stream *answer,
                    void *arg);
/* What the screen shows now: fd is a file in memory, PNG or PPM. */
void runtime_screenshot(struct runtime *runtime, const char *namespace_, const char *name, runtime_stream *answer,
                        void *arg);
/* The stored run of a LatencyTest that succeeded. */
void runtime_latency_run(struct runtime *runtime, const char *namespace_, const char *name, runtime_answer *answer,
                         void *arg);
/* The rtvmd.io/v1alpha1 Placement of one VMI (name NULL: an array of all): plan, claims, last proof. New reference. */
json_t *runtime_placement(struct runtime *runtime, const char *namespace_, const char *name);
/* The rtvmd.io/v1alpha1 HostChange of that name (name NULL: an array of all): what tuning changed, for whom, and what
 * was found by the last look (state "Unknown": not read yet, or reading hangs). New reference. */
json_t *runtime_host_change(struct runtime *runtime, const char *name);
/* Looks; done may be called before this returns, and after LIMIT_HOST_CHANGES_MS without progress in any case. */
void runtime_see_host_changes(struct runtime *runtime, void (*done)(void *arg), void *arg);
/* Puts it back at once, whether its VM runs or not; what somebody else changed meanwhile stays. done may be called
 * before this returns; ERROR_TIMEOUT: it hangs, and is tried again when its VM is gone. */
void runtime_undo_host_change(struct runtime *runtime, const char *name, runtime_done *done, void *arg);
/* The one Node object of this host: labels, capacity, allocatable, conditions (facts 3.1). New reference. */
json_t *runtime_node(struct runtime *runtime);

/* ---- counting. What running VMs use: borrowed for the call, never older than LIMIT_STATISTICS_AGE_MS; NULL when they
 * could not be had in LIMIT_STATISTICS_WAIT_MS. The callback may be called before this returns. */
typedef void runtime_statistics_done(const struct runtime_statistics *statistics, void *arg);
void runtime_statistics(struct runtime *runtime, runtime_statistics_done *done, void *arg);
/* Since the daemon was started. */
struct runtime_counters {
    uint64_t steps[VMI_ACTION_COUNT];
    uint64_t steps_failed[VMI_ACTION_COUNT];
    uint64_t drifts;  /* proofs that found something not as planned */
    uint64_t repairs; /* threads put back in place */
};
const struct runtime_counters *runtime_counters(const struct runtime *runtime);
