#include "rtvmd/base/worker.c"

#include <string.h>

#include "tests/test.h"

static struct loop *loop;
static unsigned done_count, canceled_count;
static bool done_elsewhere;
static _Atomic bool ran_here;
static pthread_t loop_thread;

struct task {
    struct worker_job job;
    unsigned sleep_ms;
    unsigned number;
    cpu_set_t cpus;
    int policy;
    bool has_run;
};
static unsigned order[64];

static void run_task(struct worker_job *job)
{
    struct task *task = (struct task *)job;
    ran_here |= pthread_equal(pthread_self(), loop_thread) != 0;
    struct sched_param parameter;
    pthread_getschedparam(pthread_self(), &task->policy, &parameter);
    pthread_getaffinity_np(pthread_self(), sizeof task->cpus, &task->cpus);
    if (task->sleep_ms)
        usleep(task->sleep_ms * 1000);
    task->has_run = true;
}

static cpu_set_t last_cpus;
static int last_policy;

static void task_done(struct worker_job *job, bool canceled)
{
    struct task *task = (struct task *)job;
    done_elsewhere |= !pthread_equal(pthread_self(), loop_thread);
    if (canceled) {
        canceled_count++;
    } else {
        CHECK(task->has_run);
        last_cpus = task->cpus;
        last_policy = task->policy;
        order[done_count++ % ARRAY_SIZE(order)] = task->number;
    }
    free(task);
}

static void submit(struct worker_pool *pool, unsigned number, unsigned sleep_ms)
{
    struct task *task = must_calloc(1, sizeof *task);
    task->job = (struct worker_job){.run = run_task, .done = task_done};
    task->number = number;
    task->sleep_ms = sleep_ms;
    worker_submit(pool, &task->job);
}

static void reset(void)
{
    done_count = canceled_count = 0;
    done_elsewhere = ran_here = false;
    loop_thread = pthread_self();
    loop = loop_new();
}

static void brings_results_to_the_loop_thread(void)
{
    reset();
    struct cpuset cpus = cpuset_of(0);
    struct worker_pool *pool = worker_pool_new(loop, 3, &cpus);
    for (unsigned i = 0; i < 200; i++)
        submit(pool, i, i % 50 == 0);
    while (worker_pending(pool))
        loop_run_once(loop, true);
    CHECK_INT(done_count, 200);
    CHECK(!done_elsewhere && !ran_here);
    CHECK_INT(CPU_COUNT(&last_cpus), 1); /* on the CPUs it was given, and nothing above SCHED_OTHER */
    CHECK(CPU_ISSET(0, &last_cpus));
    CHECK_INT(last_policy, SCHED_OTHER);
    worker_pool_free(pool);
    loop_free(loop);
}

static void keeps_the_calling_thread_on_its_cpus(void)
{
    cpu_set_t before, now;
    sched_getaffinity(0, sizeof before, &before);
    struct cpuset cpus = cpuset_of(0), nowhere = {0}, forbidden = cpuset_of(CPUSET_MAX - 1);
    worker_keep_thread_on(&nowhere);
    worker_keep_thread_on(&forbidden); /* logged, not fatal */
    sched_getaffinity(0, sizeof now, &now);
    CHECK(CPU_EQUAL(&now, &before));
    worker_keep_thread_on(&cpus);
    sched_getaffinity(0, sizeof now, &now);
    CHECK_INT(CPU_COUNT(&now), 1);
    sched_setaffinity(0, sizeof before, &before);
}

static void starts_even_where_the_cpus_are_forbidden(void)
{
    reset();
    log_set_level(LOG_LEVEL_ERROR);
    struct cpuset cpus = cpuset_of(CPUSET_MAX - 1);
    struct worker_pool *pool = worker_pool_new(loop, 1, &cpus);
    submit(pool, 0, 0);
    while (worker_pending(pool))
        loop_run_once(loop, true);
    CHECK_INT(done_count, 1);
    worker_pool_free(pool);
    loop_free(loop);
}

static struct worker_pool *noted_pool;
static char heard[32];

static void hear(struct worker_job *job, bool canceled)
{
    heard[strlen(heard)] = canceled ? 'x' : 'n';
    free(job);
}

static void run_noting(struct worker_job *job)
{
    (void)job;
    for (int i = 0; i < 2; i++) {
        struct worker_job *note = must_calloc(1, sizeof *note);
        note->done = hear;
        worker_note(noted_pool, note);
    }
}

static void noting_done(struct worker_job *job, bool canceled)
{
    (void)canceled;
    heard[strlen(heard)] = 'd';
    free(job);
}

static void hears_a_job_before_it_is_done(void)
{
    for (unsigned threads = 0; threads < 2; threads++) {
        reset();
        memset(heard, 0, sizeof heard);
        struct cpuset anywhere = {0};
        noted_pool = worker_pool_new(loop, threads, &anywhere);
        struct worker_job *job = must_calloc(1, sizeof *job);
        *job = (struct worker_job){.run = run_noting, .done = noting_done};
        worker_submit(noted_pool, job);
        while (worker_pending(noted_pool))
            loop_run_once(loop, true);
        CHECK_TEXT(heard, "nnd");
        worker_pool_free(noted_pool);
        loop_free(loop);
    }
}

static void waits_for_work_in_hand_and_cancels_the_rest(void)
{
    reset();
    struct cpuset anywhere = {0};
    struct worker_pool *pool = worker_pool_new(loop, 1, &anywhere);
    for (unsigned i = 0; i < 5; i++)
        submit(pool, i, 20);
    usleep(5000);
    worker_pool_free(pool); /* no loop round in between: nothing is delivered, everything is freed */
    CHECK_INT(done_count, 0);
    CHECK_INT(canceled_count, 5);
    worker_pool_free(NULL);
    loop_free(loop);
}

static void drains_without_a_round_of_the_loop(void)
{
    for (unsigned threads = 0; threads < 2; threads++) {
        reset();
        struct cpuset anywhere = {0};
        struct worker_pool *pool = worker_pool_new(loop, threads, &anywhere);
        worker_drain(pool); /* nothing to wait for */
        for (unsigned i = 0; i < 5; i++)
            submit(pool, i, 2);
        worker_drain(pool);
        CHECK_INT(done_count, 5);
        CHECK_INT(worker_pending(pool), 0);
        worker_pool_free(pool);
        CHECK_INT(canceled_count, 0);
        loop_free(loop);
    }
}

static void runs_in_order_on_the_loop_without_threads(void)
{
    reset();
    struct cpuset anywhere = {0};
    struct worker_pool *pool = worker_pool_new(loop, 0, &anywhere);
    for (unsigned i = 0; i < 5; i++)
        submit(pool, i, 0);
    CHECK_INT(done_count, 0);
    unsigned rounds = 0;
    for (; worker_pending(pool); rounds++)
        loop_run_once(loop, false);
    CHECK(ran_here);
    for (unsigned i = 0; i < 5; i++)
        CHECK_INT(order[i], i);
    CHECK(rounds >= 5);
    submit(pool, 0, 0);
    worker_pool_free(pool);
    CHECK_INT(canceled_count, 1);
    loop_free(loop);
}

int main(void)
{
    RUN(brings_results_to_the_loop_thread);
    log_set_level(LOG_LEVEL_ERROR);
    RUN(keeps_the_calling_thread_on_its_cpus);
    RUN(starts_even_where_the_cpus_are_forbidden);
    RUN(hears_a_job_before_it_is_done);
    RUN(waits_for_work_in_hand_and_cancels_the_rest);
    RUN(drains_without_a_round_of_the_loop);
    RUN(runs_in_order_on_the_loop_without_threads);
    return test_end();
}
