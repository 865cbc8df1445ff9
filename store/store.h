/* store: what is wanted and what was promised, and where it is kept: objects, claims, the journal of host changes,
 * latency runs. SQLite (WAL, synchronous=FULL) in one folder; the only place that includes it. It knows nothing of
 * libvirt, HTTP or what an object means, and decides nothing.
 *
 * All of it is used from the loop thread only. Objects are also held parsed in memory: reads never touch the disk.
 * Writes of one loop round share one transaction (group commit): they are on disk when the function given to
 * store_after_commit() is called, never answer a client before. A failed commit puts memory back as it was, with all
 * that was written since. */
#pragma once

#include "rtvmd/base/buckets.h"
#include "rtvmd/base/cpuset.h"
#include "rtvmd/base/json.h"
#include "rtvmd/base/loop.h"
#include "rtvmd/base/text.h"

struct store;

/* Opens or makes DIR/rtvmd.db; migrates the schema forwards; a newer schema is ERROR_CONFLICT with a remedy. One
 * process per folder (lock): ERROR_CONFLICT. With a loop, commits happen once per loop round; without (NULL), each
 * write commits before it returns (after store_mark(): at the next store_flush()). */
struct store *store_open(const char *dir, struct loop *loop, struct error *err);
/* From now on a thread of the store's own, kept on `cpus`, makes the commits (of a store with a loop): whatever the
 * disk takes, the loop goes on. It starts with the first commit. */
void store_commit_beside(struct store *store, const struct cpuset *cpus);
void store_close(struct store *store);
const char *store_dir(const struct store *store);

/* ---- objects: Kubernetes objects as JSON, keyed by kind ("VirtualMachine"), namespace ("" if cluster-scoped), name.
 * The store owns metadata.uid, resourceVersion, creationTimestamp and generation. Versions are one growing sequence
 * over all kinds. */

/* New reference, or NULL when there is none. Do not change it: json_deep_copy first. */
json_t *store_get(struct store *store, const char *kind, const char *namespace_, const char *name);
/* New JSON array of objects ordered by namespace, then name; namespace_ NULL: all. ret_version: the list's
 * resourceVersion. */
json_t *store_list(struct store *store, const char *kind, const char *namespace_, uint64_t *ret_version);
uint64_t store_version(const struct store *store);
/* The JSON text of an object; the caller releases it. For the objects that are stored it is made once and kept (the
 * same text goes to the disk, to readers and to watchers); for any other value it is made for this call. */
struct shared_text *store_text(struct store *store, const json_t *object);

/* Inserts (steals object). ERROR_ALREADY_EXISTS. *ret_stored (may be NULL) is a new reference to what is stored. */
int store_create(struct store *store, json_t *object, json_t **ret_stored, struct error *err);
/* Replaces (steals object). metadata.resourceVersion, when not empty, and metadata.uid, when given, must match the
 * stored ones: ERROR_CONFLICT in Kubernetes' words. bump_generation: the caller saw the spec change. An object equal to
 * the stored one is not written and keeps its version. */
int store_update(struct store *store, json_t *object, bool bump_generation, json_t **ret_stored, struct error *err);
/* The same for what nobody waits for (a status): its commit may wait LIMIT_COMMIT_PATIENCE_MS, to share its fsync with
 * a write that somebody does wait for. */
int store_update_patiently(struct store *store, json_t *object, struct error *err);
/* Removes. ERROR_NOT_FOUND. The removal takes a version of its own; *ret_last (may be NULL) is the last state. */
int store_delete(struct store *store, const char *kind, const char *namespace_, const char *name, json_t **ret_last,
                 struct error *err);

/* Several writes that belong together: all of them or, after store_rollback(), none. Marks nest by value; a mark is
 * good until the next commit. */
size_t store_mark(struct store *store);
void store_rollback(struct store *store, size_t mark);

/* Called on the loop thread once everything written so far is durable (failure NULL), or was undone (failure set). */
void store_after_commit(struct store *store, void (*callback)(const struct error *failure, void *arg), void *arg);
/* The same without hastening what was written patiently. False when nothing waits to be committed: the callback will
 * not be called. */
bool store_notice_commit(struct store *store, void (*callback)(const struct error *failure, void *arg), void *arg);
/* Commits now, here, after what is being committed beside the loop; fails when either does. */
int store_flush(struct store *store, struct error *err);

/* Since the store was opened. A commit is one transaction: as many writes as one round of the loop made. */
struct store_statistics {
    uint64_t failures; /* commits the disk refused */
    uint64_t writes;   /* objects, claims and other rows that became durable */
    struct buckets commits;
};
const struct store_statistics *store_statistics(const struct store *store);

/* Changes, after they are durable, in version order. */
enum store_change_type { STORE_ADDED, STORE_MODIFIED, STORE_DELETED };
struct store_change {
    enum store_change_type type;
    uint64_t version;
    const char *kind;
    const char *namespace_;
    json_t *object; /* borrowed: the new state; for STORE_DELETED the last state with the version of the removal */
    json_t *before; /* borrowed: the state before, NULL for STORE_ADDED */
};
struct store_watch;
struct store_watch *store_watch(struct store *store, void (*callback)(const struct store_change *change, void *arg),
                                void *arg);
void store_unwatch(struct store_watch *watch); /* NULL is fine; allowed inside the callback */
/* The oldest version that can be replayed from. */
uint64_t store_replay_begin(const struct store *store);
/* Replays changes after `since` from the bounded in-memory log. ERROR_EXPIRED when they are no longer all there. */
int store_replay(struct store *store, uint64_t since, void (*callback)(const struct store_change *change, void *arg),
                 void *arg, struct error *err);
/* Drops what came so long ago from that log, whatever room it has; returns how many are left. */
size_t store_forget_changes(struct store *store, uint64_t age_ms);

/* ---- claims: what is promised to a VM, by its uid. One CPU is claimed once (primary key). */
struct store_pages {
    int node;
    uint64_t page_bytes;
    uint64_t pages;
};
struct store_claim {
    const char *uid;
    const char *owner; /* "namespace/name" */
    struct cpuset cpus;
    size_t page_count;
    const struct store_pages *pages;
    uint64_t memory_bytes;
    json_t *placement; /* as it was decided */
};
/* Puts the claim of a uid in place of what it had. A CPU of somebody else: ERROR_CONFLICT naming both. */
int store_claim_put(struct store *store, const struct store_claim *claim, struct error *err);
int store_claim_drop(struct store *store, const char *uid, struct error *err); /* missing is fine */
/* Each claim, borrowed for the call; and the one of a uid, NULL when it has none, borrowed until claims change. */
void store_claim_each(struct store *store, void (*callback)(const struct store_claim *claim, void *arg), void *arg);
const struct store_claim *store_claim_find(struct store *store, const char *uid);
/* New reference to the placement of a uid, or NULL. */
json_t *store_claim_placement(struct store *store, const char *uid);
/* Remembered beyond the claim, so a VM keeps its CPUs over restarts: by "namespace/name". */
json_t *store_last_placement(struct store *store, const char *owner);
int store_last_placement_forget(struct store *store, const char *owner, struct error *err); /* missing is fine */

/* ---- journal of host changes: written before the change is made, dropped after it is undone. */
struct store_host_change {
    int64_t id;       /* given by the store */
    const char *path; /* what was changed: a file, or a word the tuner knows ("affinity:1234") */
    const char *old_value;
    const char *new_value;
    const char *owner; /* "namespace/name", or "" for `rtvmd tune` */
    const char *boot_id;
    int64_t made_s;
};
int store_journal_add(struct store *store, const struct store_host_change *change, int64_t *ret_id, struct error *err);
int store_journal_drop(struct store *store, int64_t id, struct error *err);
void store_journal_each(struct store *store, void (*callback)(const struct store_host_change *change, void *arg),
                        void *arg); /* newest first */

/* ---- small values of the program itself (tokens' hashes, counters). */
int store_value_put(struct store *store, const char *key, const char *value, struct error *err); /* NULL removes */
char *store_value_get(struct store *store, const char *key); /* the caller frees; NULL when there is none */

/* ---- copies (backup.c) */

/* An online copy of the whole store: one private file (objects hold secrets), there only when it is complete. */
int store_backup(struct store *store, const char *file, struct error *err);

/* Puts a backup in the place of the store in DIR, in one step: a crash leaves the old one or the new one. Nobody may
 * have it open (ERROR_CONFLICT). The file is checked first: ERROR_CONFLICT when a newer rtvmd or another program wrote
 * it, ERROR_INVALID when it is damaged. An older schema is brought up to date. Two things are not taken from it:
 * versions go on above both stores, so that every watch starts anew, and the journal of host changes stays this
 * host's, as far as the old store can be read. */
struct store_restored {
    size_t objects;
    bool journal_kept; /* true also when there was no store */
    char *replaced;    /* where the old store is now; NULL: there was none. The caller frees. */
};
int store_restore(const char *dir, const char *file, struct store_restored *ret_restored, struct error *err);
