/* Two methods, as rt-tests made them known. Timer (cyclictest): sleep until an absolute time and look how late it is;
 * finds what delays an interrupt, a wake-up and a switch. Gaps (oslat): read the clock over and over and look for
 * jumps; finds whatever takes the CPU away from a thread that never sleeps, as a busy guest is one.
 *
 * The clock is CLOCK_MONOTONIC_RAW through the vDSO: some 20 ns a read, no calibration to get wrong, and nobody slews
 * it. Gap threads have the lowest real-time priority, which is what vCPUs get, so that the kernel's own threads can
 * interrupt them and are seen; timer threads sleep most of the time and have a high one. */
#include "runtime/latency/host_test.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { TIMER_PRIORITY = 95, GAPS_PRIORITY = 1, PROGRESS_MS = 200, STACK_BYTES = 128 << 10 };
static const uint64_t NS_PER_S = 1000000000u;

struct worker {
    const struct host_test *test;
    const atomic_bool *stop;
    pthread_t thread;
    unsigned cpu;
    uint64_t start_ns; /* on the clock of the method */
    uint64_t end_ns;
    bool fifo;
    int tid;
    uint64_t measured_ns;
    uint64_t involuntary;
    struct histogram histogram;
    struct measurement_block block[MEASUREMENT_BLOCKS];
};

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static clockid_t method_clock(enum measurement_kind kind)
{
    return kind == MEASUREMENT_TIMER ? CLOCK_MONOTONIC : CLOCK_MONOTONIC_RAW;
}

static void note(struct worker *w, uint64_t now_ns, uint64_t value_ns)
{
    histogram_add(&w->histogram, value_ns);
    if (value_ns < w->histogram.threshold_ns && w->test->kind == MEASUREMENT_GAPS)
        return; /* the loop itself: nothing to look up */
    uint64_t at = now_ns > w->start_ns ? now_ns - w->start_ns : 0;
    uint64_t block = at * MEASUREMENT_BLOCKS / (w->end_ns - w->start_ns);
    struct measurement_block *b = &w->block[block < MEASUREMENT_BLOCKS ? block : MEASUREMENT_BLOCKS - 1];
    if (value_ns > b->max_ns)
        b->max_ns = value_ns;
    if (value_ns >= w->histogram.threshold_ns)
        b->lost_ns += value_ns;
}

static uint64_t find_gaps(struct worker *w)
{
    uint64_t first = clock_ns(CLOCK_MONOTONIC_RAW);
    uint64_t before = first;
    while (before < w->end_ns && !atomic_load_explicit(w->stop, memory_order_relaxed)) {
        uint64_t now = clock_ns(CLOCK_MONOTONIC_RAW);
        note(w, now, now - before);
        before = now;
    }
    return before - first;
}

/* Wake-ups that were slept through are left out, as cyclictest does: the one that came late tells it all. */
static uint64_t measure_timer(struct worker *w)
{
    uint64_t interval = w->test->interval_ns;
    uint64_t first = clock_ns(CLOCK_MONOTONIC);
    uint64_t now = first;
    for (uint64_t next = first + interval; next < w->end_ns && !atomic_load(w->stop);) {
        struct timespec t = {.tv_sec = (time_t)(next / NS_PER_S), .tv_nsec = (long)(next % NS_PER_S)};
        if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0)
            continue;
        now = clock_ns(CLOCK_MONOTONIC);
        note(w, now, now > next ? now - next : 0);
        next += interval * (now > next ? (now - next) / interval + 1 : 1);
    }
    return now - first;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct sched_param priority = {.sched_priority =
                                       w->test->kind == MEASUREMENT_TIMER ? TIMER_PRIORITY : GAPS_PRIORITY};
    w->tid = gettid();
    w->fifo = pthread_setschedparam(pthread_self(), SCHED_FIFO, &priority) == 0;
    prctl(PR_SET_TIMERSLACK, 1ul);
    memset(&w->histogram, 0, sizeof w->histogram); /* and every page is there before time counts */
    memset(w->block, 0, sizeof w->block);
    w->histogram.threshold_ns = w->test->threshold_ns;
    struct rusage before;
    struct rusage after;
    getrusage(RUSAGE_THREAD, &before);
    w->measured_ns = w->test->kind == MEASUREMENT_TIMER ? measure_timer(w) : find_gaps(w);
    getrusage(RUSAGE_THREAD, &after);
    w->involuntary = (uint64_t)(after.ru_nivcsw - before.ru_nivcsw);
    return NULL;
}

static int start(struct worker *w, struct error *err)
{
    pthread_attr_t attributes;
    cpu_set_t *one = CPU_ALLOC(CPUSET_MAX);
    CPU_ZERO_S(CPU_ALLOC_SIZE(CPUSET_MAX), one);
    CPU_SET_S(w->cpu, CPU_ALLOC_SIZE(CPUSET_MAX), one);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    int r = pthread_attr_setaffinity_np(&attributes, CPU_ALLOC_SIZE(CPUSET_MAX), one);
    if (r == 0)
        r = pthread_create(&w->thread, &attributes, work, w);
    pthread_attr_destroy(&attributes);
    CPU_FREE(one);
    errno = r;
    return r ? fail_errno(err, "start a thread on CPU %u", w->cpu) : 0;
}

static void wait_until(const struct host_test *test, uint64_t start_ms, atomic_bool *stop)
{
    for (;;) {
        uint64_t gone = now_monotonic_ms() - start_ms;
        bool over = gone >= test->duration_ms;
        unsigned percent = over ? 100 : (unsigned)(gone * 100 / test->duration_ms);
        if (test->progress && !test->progress(percent, test->arg))
            atomic_store(stop, true);
        if (over || atomic_load(stop))
            return;
        uint64_t left = test->duration_ms - gone;
        uint64_t nap = left < PROGRESS_MS ? left : PROGRESS_MS;
        struct timespec t = {.tv_nsec = (long)(nap * 1000000u)};
        nanosleep(&t, NULL);
    }
}

/* The calling thread, which shows progress, keeps off the measured CPUs. */
static bool stay_on(const struct cpuset *cpus)
{
    size_t size = CPU_ALLOC_SIZE(CPUSET_MAX);
    cpu_set_t *mask = CPU_ALLOC(CPUSET_MAX);
    CPU_ZERO_S(size, mask);
    cpuset_foreach(cpu, cpus) CPU_SET_S((unsigned)cpu, size, mask);
    bool ok = sched_setaffinity(0, size, mask) == 0;
    CPU_FREE(mask);
    return ok;
}

static void keep(struct worker *w, struct measurements *into)
{
    struct measurement *m = measurements_add(into, MEASUREMENT_BLOCKS);
    m->kind = w->test->kind;
    m->cpu = w->cpu;
    m->tid = w->tid;
    m->measured_ns = w->measured_ns;
    m->involuntary = w->involuntary;
    m->histogram = w->histogram;
    memcpy(m->block, w->block, sizeof w->block);
}

int host_test_run(const struct host_test *test, struct measurements *into, bool *ret_fifo, struct error *err)
{
    if (host_test_check(test, err) < 0)
        return -1;
    unsigned count = cpuset_count(&test->cpus);
    auto_free struct worker *workers = must_calloc(count, sizeof *workers);
    atomic_bool stop = false;
    struct cpuset allowed = host_test_allowed();
    struct cpuset others = cpuset_minus(&allowed, &test->cpus);
    bool moved = !cpuset_is_empty(&others) && stay_on(&others);
    bool locked = mlockall(MCL_CURRENT) == 0;
    uint64_t start_ms = now_monotonic_ms();
    uint64_t start_ns = clock_ns(method_clock(test->kind));
    unsigned started = 0;
    int r = 0;
    cpuset_foreach(cpu, &test->cpus)
    {
        struct worker *w = &workers[started];
        *w = (struct worker){.test = test, .stop = &stop, .cpu = (unsigned)cpu, .start_ns = start_ns};
        w->end_ns = start_ns + test->duration_ms * 1000000u;
        r = start(w, err);
        if (r < 0)
            break;
        started++;
    }
    if (r < 0)
        atomic_store(&stop, true);
    else
        wait_until(test, start_ms, &stop);
    *ret_fifo = true;
    for (unsigned i = 0; i < started; i++) {
        pthread_join(workers[i].thread, NULL);
        *ret_fifo = *ret_fifo && workers[i].fifo;
        if (r == 0)
            keep(&workers[i], into);
    }
    if (locked)
        munlockall();
    if (moved)
        stay_on(&allowed);
    return r;
}

struct cpuset host_test_allowed(void)
{
    struct cpuset allowed = {0};
    cpu_set_t *mask = CPU_ALLOC(CPUSET_MAX);
    size_t size = CPU_ALLOC_SIZE(CPUSET_MAX);
    if (sched_getaffinity(0, size, mask) == 0)
        for (unsigned cpu = 0; cpu < CPUSET_MAX; cpu++)
            if (CPU_ISSET_S(cpu, size, mask))
                cpuset_add(&allowed, cpu);
    CPU_FREE(mask);
    return allowed;
}

int host_test_check(const struct host_test *test, struct error *err)
{
    struct cpuset allowed = host_test_allowed();
    struct cpuset foreign = cpuset_minus(&test->cpus, &allowed);
    auto_free struct cpuset_text *text = must_calloc(1, sizeof *text);
    if (cpuset_is_empty(&test->cpus))
        return fail(err, ERROR_BAD_REQUEST, "cpus: name at least one CPU to measure");
    if (!cpuset_is_empty(&foreign))
        return fail(err, ERROR_BAD_REQUEST, "cpus: %s: not online, or not ours to use", cpuset_format(&foreign, text));
    if (test->kind == MEASUREMENT_GAPS && cpuset_equal(&allowed, &test->cpus))
        return fail(err, ERROR_BAD_REQUEST,
                    "cpus: %s: that is every CPU there is; leave one for everybody else, or measure --kind timer",
                    cpuset_format(&allowed, text));
    if (test->duration_ms == 0 || test->interval_ns == 0)
        return fail(err, ERROR_BAD_REQUEST, "duration, interval: want more than 0");
    return 0;
}
