/* rtvmd/base/worker: a few threads for what blocks (libvirt, images, /proc, the disk). Jobs are taken in order; results
 * come back to the loop thread through one eventfd. Which jobs may run side by side is decided by whoever submits them.
 *
 * A job owns everything it touches while it runs: nothing the loop thread looks at or changes meanwhile. */
#pragma once

#include "rtvmd/base/cpuset.h"
#include "rtvmd/base/loop.h"

struct worker_pool;

struct worker_job {
    /* On a worker thread. */
    void (*run)(struct worker_job *job);
    /* On the loop thread; frees the job. canceled: the pool ends, nothing may be done but free; run may not have been
     * called. */
    void (*done)(struct worker_job *job, bool canceled);
    struct worker_job *next; /* of the pool */
    bool is_note;
};

/* Threads start with the first job; they are SCHED_OTHER and stay on `cpus` (empty: wherever the process may run). No
 * threads at all: jobs run on the loop thread, one per round (tests that must be repeatable). */
struct worker_pool *worker_pool_new(struct loop *loop, unsigned threads, const struct cpuset *cpus);
/* Waits for jobs in hand, drops the others. NULL is fine. */
void worker_pool_free(struct worker_pool *pool);
void worker_submit(struct worker_pool *pool, struct worker_job *job);
/* Blocks until all that was submitted has run, and calls its done functions; what those submit is not waited for. */
void worker_drain(struct worker_pool *pool);
/* From inside a running job: note->done is called on the loop thread, before the job's own. */
void worker_note(struct worker_pool *pool, struct worker_job *note);
/* Keeps the calling thread on `cpus`, too: the loop thread, before it makes others. Logs when that is not allowed. */
void worker_keep_thread_on(const struct cpuset *cpus);
/* Submitted and not done. */
size_t worker_pending(const struct worker_pool *pool);
