/* SCHED_FIFO and locked memory, by trying. Reading cannot tell: a capability, a resource limit, a seccomp filter or
 * CONFIG_RT_GROUP_SCHED (a cgroup without real-time runtime) each say no in their own place.
 *
 * What counts is what QEMU will be granted, by libvirtd. As root we are its equal and our answer is final; without root
 * a refusal says nothing about libvirtd, so the answer is "unknown". */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hostprobe/probe.h"

enum { CAPABILITY_SYS_NICE = 23, CAPABILITY_SYS_RESOURCE = 24 };

static bool has_capability(int number)
{
    struct files live = {.root = ""};
    auto_text status = {0};
    files_read(&live, &status, "/proc/self/status");
    const char *at = strstr(text_cstr(&status), "CapEff:");
    return at && (strtoull(at + strlen("CapEff:"), NULL, 16) >> number & 1);
}

/* In a thread of its own, which ends at once: the caller's policy is never touched. */
static void *become_fifo(void *arg)
{
    int *error = arg;
    struct sched_param parameter = {.sched_priority = 1};
    *error = sched_setscheduler(0, SCHED_FIFO, &parameter) == 0 ? 0 : errno;
    return NULL;
}

void fifo_try(struct host *host)
{
    pthread_t thread;
    int error = 0;
    char *because = host->fifo_because;
    size_t size = sizeof host->fifo_because;
    if (pthread_create(&thread, NULL, become_fifo, &error) != 0) {
        snprintf(because, size, "no thread to try it with");
        return;
    }
    pthread_join(thread, NULL);
    bool root = geteuid() == 0;
    host->fifo_works = error == 0 ? HOST_YES : root ? HOST_NO : HOST_UNKNOWN;
    if (error == 0)
        snprintf(because, size, "granted to a thread of ours");
    else if (!root)
        snprintf(because, size, "not granted to us, who are not root; libvirtd may do better");
    else if (!has_capability(CAPABILITY_SYS_NICE))
        snprintf(because, size, "refused: CAP_SYS_NICE is missing");
    else
        snprintf(because, size, "refused although CAP_SYS_NICE is there: CONFIG_RT_GROUP_SCHED or a seccomp filter");
}

/* libvirt raises the limit of QEMU to the guest's size; a child of ours raises its own. */
static int raise_memlock_in_child(void)
{
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
        _exit(setrlimit(RLIMIT_MEMLOCK, &unlimited) == 0 ? 0 : 1);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return -1;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 1 : 0;
}

void locking_try(struct host *host)
{
    char *because = host->locking_because;
    size_t size = sizeof host->locking_because;
    struct rlimit limit = {0};
    getrlimit(RLIMIT_MEMLOCK, &limit);
    if (limit.rlim_max == RLIM_INFINITY) {
        host->locking_works = HOST_YES;
        snprintf(because, size, "the memlock limit is unlimited");
        return;
    }
    unsigned long long kib = limit.rlim_max / 1024;
    int raised = raise_memlock_in_child();
    bool root = geteuid() == 0;
    host->locking_works = raised > 0 ? HOST_YES : root && raised == 0 ? HOST_NO : HOST_UNKNOWN;
    if (raised > 0)
        snprintf(because, size, "the memlock limit (%llu KiB) can be raised", kib);
    else if (!root)
        snprintf(because, size, "the memlock limit is %llu KiB and we are not root; libvirtd may do better", kib);
    else
        snprintf(because, size, "the memlock limit is %llu KiB and cannot be raised%s", kib,
                 has_capability(CAPABILITY_SYS_RESOURCE) ? "" : ": CAP_SYS_RESOURCE is missing");
}
