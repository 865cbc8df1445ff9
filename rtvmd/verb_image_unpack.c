/* The child of runtime/image/unpack.h: the last thing it gives up is nearly every system call. Not in the verb table:
 * it is for rtvmd itself. */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <unistd.h>

#include "rtvmd/verbs.h"
#include "runtime/image/unpack.h"

/* What reading, writing and memory need; nothing that opens, connects, starts or signals others. */
static const int ALLOWED[] = {
    SCMP_SYS(read),         SCMP_SYS(write),      SCMP_SYS(lseek),          SCMP_SYS(fstat),
    SCMP_SYS(close),        SCMP_SYS(brk),        SCMP_SYS(mmap),           SCMP_SYS(munmap),
    SCMP_SYS(mremap),       SCMP_SYS(madvise),    SCMP_SYS(mprotect),       SCMP_SYS(futex),
    SCMP_SYS(rt_sigreturn), SCMP_SYS(getrandom),  SCMP_SYS(rt_sigprocmask), SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday), SCMP_SYS(getpid),     SCMP_SYS(gettid),         SCMP_SYS(sched_yield),
    SCMP_SYS(exit),         SCMP_SYS(exit_group), SCMP_SYS(sigaltstack), /* sanitizers, at the end */
};

static int load_filter(struct error *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!filter)
        return fail(err, ERROR_INTERNAL, "make a seccomp filter");
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(ALLOWED); i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, ALLOWED[i], 0);
    if (r == 0) /* fstat of glibc 2.33 and later */
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1, SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH));
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    if (r == 0)
        return 0;
    errno = -r;
    return fail_errno(err, "load the seccomp filter");
}

int verb_image_unpack(int argc, char **argv)
{
    _exit(unpack_child(argc, argv, load_filter));
}
