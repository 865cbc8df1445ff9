#include <errno.h>
#include <sched.h>
#include <string.h>

#include "runtime/prove/reading.h"

/* A thread is named by its number and its start time together. It is looked at again right before and right after it is
 * changed; the number could only change hands within those microseconds, and then the change is reported as failed
 * and nothing of ours is at stake: what we set is an ordinary thread on housekeeping CPUs, except for vCPU threads,
 * which live as long as their VM. */

static int still_the_same(const struct prove_thread *wanted, struct prove_thread *ret_now, struct error *err)
{
    auto_free char *folder = must_format("/proc/%d", wanted->tid);
    int found = reading_thread("", folder, wanted->tid, ret_now, err);
    if (found < 0)
        return -1;
    if (found == 0 || ret_now->start_ticks != wanted->start_ticks)
        return fail(err, ERROR_NOT_FOUND, "thread %d (%s) is gone", wanted->tid, wanted->name);
    return 0;
}

static int set_cpus(const struct prove_thread *thread, struct error *err)
{
    unsigned long mask[CPUSET_WORDS];
    _Static_assert(sizeof mask == sizeof thread->wanted_cpus.word, "a cpuset has the layout of the kernel's mask");
    memcpy(mask, thread->wanted_cpus.word, sizeof mask);
    struct cpuset_text text;
    if (sched_setaffinity(thread->tid, sizeof mask, (cpu_set_t *)mask) < 0)
        return fail_errno(err, "put thread %d (%s) on CPU %.200s", thread->tid, thread->name,
                          cpuset_format(&thread->wanted_cpus, &text));
    return 0;
}

static int set_policy(const struct prove_thread *thread, struct error *err)
{
    struct sched_param parameter = {.sched_priority = thread->wanted_priority};
    if (sched_setscheduler(thread->tid, thread->wanted_policy, &parameter) < 0)
        return fail_errno(err, "give thread %d (%s) policy %s %d", thread->tid, thread->name,
                          wish_policy_text(thread->wanted_policy), thread->wanted_priority);
    return 0;
}

static int repair_one(const struct prove_thread *thread, struct error *err)
{
    struct prove_thread now;
    if (thread->tid == 0)
        return fail(err, ERROR_NOT_FOUND, "%s: %s", thread->name, thread->because);
    if (still_the_same(thread, &now, err) < 0)
        return -1;
    if (!cpuset_is_empty(&thread->wanted_cpus) && !cpuset_is_subset(&now.cpus, &thread->wanted_cpus) &&
        set_cpus(thread, err) < 0)
        return -1;
    if ((now.policy != thread->wanted_policy || now.priority != thread->wanted_priority) && set_policy(thread, err) < 0)
        return -1;
    return still_the_same(thread, &now, err);
}

int prove_repair(const struct proof *proof, struct error *err)
{
    int repaired = 0;
    bool failed = false;
    for (size_t i = 0; i < proof->thread_count; i++) {
        if (proof->thread[i].ok)
            continue;
        if (repair_one(&proof->thread[i], err) < 0)
            failed = true;
        else
            repaired++;
    }
    return failed ? -1 : repaired;
}
