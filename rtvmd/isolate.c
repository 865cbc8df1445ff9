#include "rtvmd/isolate.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rtvmd/base/log.h"
#include "rtvmd/filter.h"

int isolate_early(struct error *err)
{
    umask(027);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return fail_errno(err, "set no-new-privileges");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return fail_errno(err, "become undumpable");
    return 0;
}

static const struct {
    int capability;
    bool only_tuning;
} KEPT[] = {
    {CAP_SYS_NICE, false},   /* FIFO by trying, repair of drifted threads */
    {CAP_IPC_LOCK, false},   /* locking by trying */
    {CAP_SYS_PTRACE, false}, /* numa_maps of QEMU */
    {CAP_DAC_OVERRIDE, false}, {CAP_CHOWN, false},       {CAP_FOWNER, false}, /* disks QEMU's user owns */
    {CAP_SETUID, false},       {CAP_SETGID, false},                           /* the unpacking child drops to nobody */
    {CAP_SYS_ADMIN, true},     {CAP_SYS_RESOURCE, true},                      /* cgroup partitions, kernel knobs */
};

int isolate_capabilities(bool tuning, struct error *err)
{
    uint64_t keep = 0;
    for (size_t i = 0; i < ARRAY_SIZE(KEPT); i++)
        if (tuning || !KEPT[i].only_tuning)
            keep |= UINT64_C(1) << KEPT[i].capability;
    for (int c = 0; c <= CAP_LAST_CAP; c++) {
        if (keep >> c & 1)
            continue;
        /* EINVAL: a capability this kernel does not know; EPERM: not privileged, so there is nothing to drop */
        if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0 && errno != EINVAL && errno != EPERM)
            return fail_errno(err, "drop capability %d from the bounding set", c);
    }
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0)
        return fail_errno(err, "read capabilities");
    for (int half = 0; half < 2; half++) {
        uint32_t mask = (uint32_t)(keep >> (half * 32));
        data[half].effective &= mask;
        data[half].permitted &= mask;
        data[half].inheritable = 0;
    }
    if (syscall(SYS_capset, &header, data) < 0)
        return fail_errno(err, "give up capabilities");
    return 0;
}

static const int REFUSED[] = {
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(reboot),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsmount),
    SCMP_SYS(setns),
    SCMP_SYS(unshare),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(adjtimex),
    SCMP_SYS(clock_adjtime),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(bpf),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(acct),
    SCMP_SYS(quotactl),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(personality),
    SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname),
    SCMP_SYS(syslog),
    SCMP_SYS(vhangup),
    SCMP_SYS(lookup_dcookie),
};

static int add_rules(scmp_filter_ctx filter, const void *arg)
{
    (void)arg;
    int r = filter_add(filter, SCMP_ACT_ERRNO(EPERM), REFUSED, ARRAY_SIZE(REFUSED));
    return r < 0 ? r : seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1); /* threads that run already too */
}

int isolate_syscalls(struct error *err)
{
    if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0 && errno == EINVAL) {
        log_warn("this kernel has no seccomp: the daemon keeps system calls it does not need");
        return 0;
    }
    return filter_load(SCMP_ACT_ALLOW, add_rules, NULL, err);
}
