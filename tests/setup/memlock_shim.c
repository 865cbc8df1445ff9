/* For tests only, and only on machines that withhold CAP_SYS_RESOURCE (containers, some virtual machines).
 *
 * libvirt raises RLIMIT_MEMLOCK of a QEMU that shall lock its memory. Without the capability that fails, although QEMU,
 * run as root with CAP_IPC_LOCK, may lock anything whatever the limit says. Preloaded into the private libvirtd of
 * lab.sh, this lets that one refused call pass for success. It is never built into rtvmd, never installed, and lab.sh
 * does not use it where the capability is there. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static int forgive(long result, int resource)
{
    if (result < 0 && errno == EPERM && resource == RLIMIT_MEMLOCK)
        return 0;
    return (int)result;
}

int prlimit(pid_t pid, __rlimit_resource_t resource, const struct rlimit *new_limit, struct rlimit *old_limit)
{
    return forgive(syscall(SYS_prlimit64, pid, resource, new_limit, old_limit), (int)resource);
}

int prlimit64(pid_t pid, __rlimit_resource_t resource, const struct rlimit64 *new_limit, struct rlimit64 *old_limit)
{
    return forgive(syscall(SYS_prlimit64, pid, resource, new_limit, old_limit), (int)resource);
}

int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
    return forgive(syscall(SYS_prlimit64, 0, resource, limit, NULL), (int)resource);
}

int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limit)
{
    return forgive(syscall(SYS_prlimit64, 0, resource, limit, NULL), (int)resource);
}
