/* Other people's programs that read foreign bytes for us (qemu-img on somebody's disk), with no more than they need:
 *   rtvmd confined read|write PROGRAM ARGUMENTS…     started by rtvmd itself (runtime/image/qemu_img.h)
 * In this order, each inherited by the program:
 *   dies with its parent, no new privileges (so that root gets no capabilities back when the program starts)
 *   no capabilities  root is still the owner of the daemon's files, and nothing more
 *   system calls     no sockets of any kind, no signals to others, no looking into or tracing of processes;
 *                    "read": no file may be opened for writing, made, changed or removed either
 *   limits           CPU time, no core file, address space (last: a sanitizer has more than this already) */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rtvmd/base/error.h"
#include "rtvmd/base/limits.h"
#include "rtvmd/filter.h"
#include "rtvmd/verbs.h"

static const int REFUSED[] = {
    SCMP_SYS(socket),
    SCMP_SYS(socketpair),
    SCMP_SYS(connect),
    SCMP_SYS(bind),
    SCMP_SYS(listen),
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(kill),
    SCMP_SYS(tkill),
    SCMP_SYS(rt_sigqueueinfo),
    SCMP_SYS(pidfd_open),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(mount),
};

static const int REFUSED_TO_READERS[] = {
    SCMP_SYS(creat),     SCMP_SYS(unlink),    SCMP_SYS(unlinkat),  SCMP_SYS(rename),    SCMP_SYS(renameat),
    SCMP_SYS(renameat2), SCMP_SYS(link),      SCMP_SYS(linkat),    SCMP_SYS(symlink),   SCMP_SYS(symlinkat),
    SCMP_SYS(mkdir),     SCMP_SYS(mkdirat),   SCMP_SYS(rmdir),     SCMP_SYS(mknod),     SCMP_SYS(mknodat),
    SCMP_SYS(truncate),  SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(chmod),     SCMP_SYS(fchmod),
    SCMP_SYS(fchmodat),  SCMP_SYS(chown),     SCMP_SYS(fchown),    SCMP_SYS(lchown),    SCMP_SYS(fchownat),
    SCMP_SYS(setxattr),  SCMP_SYS(fsetxattr), SCMP_SYS(lsetxattr), SCMP_SYS(utimensat),
};

static int refuse_writing(scmp_filter_ctx filter)
{
    static const unsigned FLAGS[][2] = {
        {O_ACCMODE, O_WRONLY}, {O_ACCMODE, O_RDWR}, {O_CREAT, O_CREAT}, {O_TRUNC, O_TRUNC}};
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(FLAGS); i++) {
        r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(open), 1,
                             SCMP_A1(SCMP_CMP_MASKED_EQ, FLAGS[i][0], FLAGS[i][1]));
        if (r == 0)
            r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(openat), 1,
                                 SCMP_A2(SCMP_CMP_MASKED_EQ, FLAGS[i][0], FLAGS[i][1]));
    }
    return r < 0 ? r : filter_add(filter, SCMP_ACT_ERRNO(EPERM), REFUSED_TO_READERS, ARRAY_SIZE(REFUSED_TO_READERS));
}

static int add_rules(scmp_filter_ctx filter, const void *arg)
{
    const bool *writes = arg;
    int r = filter_add(filter, SCMP_ACT_ERRNO(EPERM), REFUSED, ARRAY_SIZE(REFUSED));
    if (r == 0) /* its flags are out of a filter's reach; the C library goes on with openat */
        r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2), 0);
    return r < 0 || *writes ? r : refuse_writing(filter);
}

static int limit(__rlimit_resource_t what, rlim_t most)
{
    struct rlimit now;
    if (getrlimit(what, &now) < 0)
        return -1;
    now.rlim_max = now.rlim_max < most ? now.rlim_max : most;
    now.rlim_cur = now.rlim_max;
    return setrlimit(what, &now);
}

static int drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return (int)syscall(SYS_capset, &header, none);
}

static int limit_resources(struct error *err)
{
    if (limit(RLIMIT_CPU, LIMIT_IMAGE_TOOL_MS / 1000) < 0 || limit(RLIMIT_CORE, 0) < 0 ||
        limit(RLIMIT_AS, LIMIT_IMAGE_UNPACK_MEMORY_BYTES) < 0)
        return fail_errno(err, "limit what a foreign program may use");
    return 0;
}

static int confine(bool writes, struct error *err)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        drop_capabilities() < 0)
        return fail_errno(err, "give up rights for a foreign program");
    return filter_load(SCMP_ACT_ALLOW, add_rules, &writes, err);
}

int verb_confined(int argc, char **argv)
{
    struct error err;
    bool writes = argc > 1 && strcmp(argv[1], "write") == 0;
    if (argc < 3 || (!writes && strcmp(argv[1], "read") != 0)) {
        fputs("rtvmd confined: this verb is for rtvmd itself\n", stderr);
        return 2;
    }
    if (confine(writes, &err) == 0 && limit_resources(&err) == 0) {
        execvp(argv[2], argv + 2);
        return errno == ENOENT ? 127 : 126;
    }
    fprintf(stderr, "rtvmd confined: %s\n", err.text);
    return 1;
}
