/* The child of runtime/image/unpack.h: the last thing it gives up is nearly every system call. Not in the verb table:
 * it is for rtvmd itself. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "rtvmd/filter.h"
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

static int add_rules(scmp_filter_ctx filter, const void *arg)
{
    (void)arg;
    int r = filter_add(filter, SCMP_ACT_ALLOW, ALLOWED, ARRAY_SIZE(ALLOWED));
    /* fstat of glibc 2.33 and later */
    return r < 0
               ? r
               : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1, SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH));
}

static int load_filter(struct error *err)
{
    return filter_load(SCMP_ACT_ERRNO(EPERM), add_rules, NULL, err);
}

int verb_image_unpack(int argc, char **argv)
{
    _exit(unpack_child(argc, argv, load_filter));
}
