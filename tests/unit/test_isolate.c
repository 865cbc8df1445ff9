/* What is given up is really gone: tried in a child, since it cannot be taken back. */
#include "rtvmd/isolate.c"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/test.h"

static int in_child(int (*attempt)(void))
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(attempt());
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static int try_refused_syscalls(void)
{
    struct error err;
    if (isolate_early(&err) < 0 || isolate_syscalls(&err) < 0)
        return 1;
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return 2;
    errno = 0;
    if (unshare(CLONE_NEWUTS) == 0 || errno != EPERM)
        return 3;
    errno = 0;
    if (syscall(SYS_kexec_load, 0, 0, 0, 0) == 0 || errno != EPERM)
        return 4;
    errno = 0;
    if (chroot("/") == 0 || errno != EPERM)
        return 5;
    return getpid() > 0 ? 0 : 6; /* ordinary calls go on */
}

static uint64_t effective_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0)
        return UINT64_MAX;
    return (uint64_t)data[1].effective << 32 | data[0].effective;
}

static int try_capabilities(void)
{
    struct error err;
    if (isolate_capabilities(false, &err) < 0)
        return 1;
    uint64_t left = effective_capabilities();
    if (left >> CAP_SYS_ADMIN & 1 || left >> CAP_SYS_MODULE & 1 || left >> CAP_NET_ADMIN & 1)
        return 2;
    if (prctl(PR_CAPBSET_READ, CAP_SYS_MODULE, 0, 0, 0) == 1 && geteuid() == 0)
        return 3;
    return isolate_capabilities(true, &err) < 0 ? 4 : 0; /* again is harmless, and brings nothing back */
}

static void dangerous_calls_are_refused_after_the_last_stage(void)
{
    CHECK_INT(in_child(try_refused_syscalls), 0);
}

static void capabilities_that_are_not_needed_are_gone(void)
{
    CHECK_INT(in_child(try_capabilities), 0);
}

int main(void)
{
    RUN(dangerous_calls_are_refused_after_the_last_stage);
    RUN(capabilities_that_are_not_needed_are_gone);
    return test_end();
}
