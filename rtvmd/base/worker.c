#include "rtvmd/base/worker.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "rtvmd/base/log.h"

/* Two lists under one lock: waiting (with a condition to sleep on) and finished (with an eventfd to wake the loop).
 * Idle threads sleep in the condition for ever: they cost no wake-up. */

struct list {
    struct worker_job *first;
    struct worker_job **end;
};

struct worker_pool {
    struct loop *loop;
    unsigned wanted; /* threads, from the first job on */
    struct cpuset cpus;
    unsigned thread_count;
    pthread_t *thread;
    pthread_mutex_t lock;
    pthread_cond_t more;
    pthread_cond_t fewer; /* a job has run: for worker_drain() */
    bool ending;
    struct list waiting;
    struct list finished;
    size_t unfinished; /* jobs on `waiting` or in the hands of a thread */
    size_t pending;
    int event_fd;
    struct loop_watch *event;
    struct loop_watch *inline_timer; /* without threads */
};

static void list_init(struct list *list)
{
    list->first = NULL;
    list->end = &list->first;
}

static void list_add(struct list *list, struct worker_job *job)
{
    job->next = NULL;
    *list->end = job;
    list->end = &job->next;
}

static struct worker_job *list_pop(struct list *list)
{
    struct worker_job *job = list->first;
    if (!job)
        return NULL;
    list->first = job->next;
    if (!list->first)
        list->end = &list->first;
    return job;
}

static void *work(void *arg)
{
    struct worker_pool *pool = arg;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->ending && !pool->waiting.first)
            pthread_cond_wait(&pool->more, &pool->lock);
        if (pool->ending)
            break;
        struct worker_job *job = list_pop(&pool->waiting);
        pthread_mutex_unlock(&pool->lock);
        job->run(job);
        pthread_mutex_lock(&pool->lock);
        list_add(&pool->finished, job);
        pool->unfinished--;
        pthread_mutex_unlock(&pool->lock);
        pthread_cond_signal(&pool->fewer);
        eventfd_write(pool->event_fd, 1); /* without the lock: whoever wakes would only sleep again, for it */
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* With the lock, which it gives back. */
static void take_finished(struct worker_pool *pool)
{
    struct worker_job *job = pool->finished.first;
    list_init(&pool->finished);
    pthread_mutex_unlock(&pool->lock);
    while (job) {
        struct worker_job *next = job->next;
        pool->pending -= !job->is_note;
        job->done(job, false);
        job = next;
    }
}

static void on_finished(int fd, int what, void *arg)
{
    (void)what;
    struct worker_pool *pool = arg;
    eventfd_t count;
    eventfd_read(fd, &count);
    pthread_mutex_lock(&pool->lock);
    take_finished(pool);
}

static void run_inline(void *arg)
{
    struct worker_pool *pool = arg;
    struct worker_job *job = list_pop(&pool->waiting);
    if (pool->waiting.first)
        loop_timer_arm(pool->inline_timer, 0);
    if (!job)
        return;
    job->run(job);
    pool->pending--;
    job->done(job, false);
}

static void to_kernel_set(const struct cpuset *cpus, cpu_set_t *set)
{
    CPU_ZERO(set);
    cpuset_foreach(cpu, cpus) CPU_SET((size_t)cpu, set);
}

void worker_keep_thread_on(const struct cpuset *cpus)
{
    cpu_set_t set;
    to_kernel_set(cpus, &set);
    if (!cpuset_is_empty(cpus) && sched_setaffinity(0, sizeof set, &set))
        log_warn("cannot stay on the housekeeping CPUs; check the cpuset of the service");
}

/* With the first job, so that what the process gives up before (capabilities: each thread has its own) is given up by
 * all of them. */
static void start_threads(struct worker_pool *pool)
{
    const struct cpuset *cpus = &pool->cpus;
    _Static_assert(CPU_SETSIZE >= CPUSET_MAX, "a cpu_set_t holds every CPU we know");
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED); /* SCHED_OTHER, whoever started us */
    cpu_set_t set;
    to_kernel_set(cpus, &set);
    if (!cpuset_is_empty(cpus))
        pthread_attr_setaffinity_np(&attributes, sizeof set, &set);
    /* Signals are the loop's business. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pool->thread = must_calloc(pool->wanted, sizeof *pool->thread);
    for (unsigned i = 0; i < pool->wanted; i++) {
        int r = pthread_create(&pool->thread[i], &attributes, work, pool);
        if (r != 0 && !cpuset_is_empty(cpus)) {
            /* The wanted CPUs are outside of what this process may use (a cpuset cgroup): the rest of it then. */
            log_warn("worker threads cannot be kept on housekeeping CPUs; check the cpuset of the service");
            r = pthread_create(&pool->thread[i], NULL, work, pool);
        }
        if (r != 0)
            abort(); /* no threads, no daemon */
        pthread_setname_np(pool->thread[i], "rtvmd-worker");
        pool->thread_count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
}

struct worker_pool *worker_pool_new(struct loop *loop, unsigned threads, const struct cpuset *cpus)
{
    struct worker_pool *pool = must_calloc(1, sizeof *pool);
    pool->loop = loop;
    list_init(&pool->waiting);
    list_init(&pool->finished);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->more, NULL);
    pthread_cond_init(&pool->fewer, NULL);
    pool->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pool->event_fd < 0)
        abort();
    pool->wanted = threads;
    pool->cpus = *cpus;
    if (threads)
        pool->event = loop_watch_fd(loop, pool->event_fd, LOOP_READ, on_finished, pool);
    else
        pool->inline_timer = loop_timer(loop, run_inline, pool);
    return pool;
}

static void cancel_all(struct list *list)
{
    for (struct worker_job *job; (job = list_pop(list));)
        job->done(job, true);
}

void worker_pool_free(struct worker_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->ending = true;
    pthread_cond_broadcast(&pool->more);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->thread_count; i++)
        pthread_join(pool->thread[i], NULL);
    cancel_all(&pool->finished);
    cancel_all(&pool->waiting);
    loop_watch_free(pool->event);
    loop_watch_free(pool->inline_timer);
    close(pool->event_fd);
    pthread_cond_destroy(&pool->more);
    pthread_cond_destroy(&pool->fewer);
    pthread_mutex_destroy(&pool->lock);
    free(pool->thread);
    free(pool);
}

void worker_submit(struct worker_pool *pool, struct worker_job *job)
{
    pool->pending++;
    if (!pool->thread && pool->wanted)
        start_threads(pool);
    pthread_mutex_lock(&pool->lock);
    list_add(&pool->waiting, job);
    pool->unfinished++;
    pthread_mutex_unlock(&pool->lock);
    pthread_cond_signal(&pool->more);
    if (pool->inline_timer)
        loop_timer_arm(pool->inline_timer, 0);
}

void worker_drain(struct worker_pool *pool)
{
    for (size_t left = pool->inline_timer ? pool->pending : 0; left > 0; left--)
        run_inline(pool);
    if (pool->inline_timer)
        return;
    pthread_mutex_lock(&pool->lock);
    while (pool->unfinished > 0)
        pthread_cond_wait(&pool->fewer, &pool->lock);
    take_finished(pool);
}

void worker_note(struct worker_pool *pool, struct worker_job *note)
{
    note->is_note = true;
    if (pool->inline_timer) { /* jobs run on the loop thread */
        note->done(note, false);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    list_add(&pool->finished, note);
    pthread_mutex_unlock(&pool->lock);
    eventfd_write(pool->event_fd, 1);
}

size_t worker_pending(const struct worker_pool *pool)
{
    return pool->pending;
}
