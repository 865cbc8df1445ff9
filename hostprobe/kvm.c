/* Does KVM work? Decided by running it: a loop of 64-bit guest code (long mode, own page tables) in a virtual machine
 * of one page-sized program, with a deadline. /dev/kvm may exist and answer every query, and yet emulate each
 * instruction (nested hypervisors without hardware support do): such a machine boots no 64-bit kernel. A loop of a
 * million iterations takes about a millisecond on hardware and far more than the deadline when emulated.
 *
 * The virtual machine lives in a child process, so that a KVM_RUN that never returns can be ended from outside. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hostprobe/probe.h"

#ifdef __x86_64__
#include <linux/kvm.h>

/* What the child tells: how far it came, and how long the loop took. */
struct kvm_report {
    char failed[32]; /* the step, "" when all went well */
    int error;       /* its errno */
    uint64_t loop_ns;
    uint64_t tsc_hz;
};

enum { GUEST_BYTES = 0x10000, GUEST_CODE = 0x4000, GUEST_PORT = 0x10, GUEST_ITERATIONS = 1000000 };
#define GUEST_MARK UINT64_C(0x1234567890abcdef)

static const uint8_t GUEST_PROGRAM[] = {
    0x48, 0xc7,       0xc1, 0x40, 0x42, 0x0f, 0x00, /* mov rcx, 1000000 */
    0x48, 0xff,       0xc9,                         /* dec rcx */
    0x75, 0xfb,                                     /* jnz to the dec */
    0x49, 0xbf,       0xef, 0xcd, 0xab, 0x90, 0x78,
    0x56, 0x34,       0x12, /* mov r15, GUEST_MARK: only exists in 64-bit mode */
    0xe6, GUEST_PORT,       /* out GUEST_PORT, al */
};

/* Identity map of the first 2 MiB: one entry on each of three levels (Intel SDM volume 3, 4.5). */
static void write_page_tables(uint8_t *memory)
{
    const uint64_t present_writable = 3;
    const uint64_t large = 0x80;
    const struct {
        size_t at;
        uint64_t entry;
    } TABLES[] = {
        {0x1000, 0x2000 | present_writable}, {0x2000, 0x3000 | present_writable}, {0x3000, present_writable | large}};
    for (size_t i = 0; i < ARRAY_SIZE(TABLES); i++)
        memcpy(memory + TABLES[i].at, &TABLES[i].entry, sizeof TABLES[i].entry);
}

/* Long mode with paging on, flat segments, as a boot loader leaves it. */
static int enter_long_mode(int vcpu)
{
    struct kvm_sregs sregs;
    if (ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)
        return -1;
    struct kvm_segment data = {.limit = 0xffffffff, .selector = 16, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1};
    struct kvm_segment code = {.limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
    sregs.cs = code;
    sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
    sregs.cr3 = 0x1000;
    sregs.cr4 = 0x20;       /* PAE */
    sregs.cr0 = 0x80000033; /* PG NE ET MP PE */
    sregs.efer = 0x500;     /* LMA LME */
    struct kvm_regs regs = {.rip = GUEST_CODE, .rflags = 2};
    return ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0 || ioctl(vcpu, KVM_SET_REGS, &regs) < 0 ? -1 : 0;
}

static uint64_t thread_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* NULL when the guest ran to its end, else the step that failed. */
static const char *run_guest(struct kvm_report *report)
{
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm < 0)
        return "open /dev/kvm";
    int vm = ioctl(kvm, KVM_CREATE_VM, 0);
    if (vm < 0)
        return "KVM_CREATE_VM";
    uint8_t *memory = mmap(NULL, GUEST_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return "mmap";
    write_page_tables(memory);
    memcpy(memory + GUEST_CODE, GUEST_PROGRAM, sizeof GUEST_PROGRAM);
    struct kvm_userspace_memory_region region = {.memory_size = GUEST_BYTES, .userspace_addr = (uintptr_t)memory};
    if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
        return "KVM_SET_USER_MEMORY_REGION";
    (void)ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000UL); /* old Intel processors want it; others do not mind */
    int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
    int run_bytes = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (vcpu < 0 || run_bytes <= 0)
        return "KVM_CREATE_VCPU";
    int tsc_khz = ioctl(vcpu, KVM_GET_TSC_KHZ, 0);
    report->tsc_hz = tsc_khz > 0 ? (uint64_t)tsc_khz * 1000 : 0;
    const struct kvm_run *run = mmap(NULL, (size_t)run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    if (run == MAP_FAILED || enter_long_mode(vcpu) < 0)
        return "enter long mode";
    uint64_t start = thread_ns();
    int r;
    do
        r = ioctl(vcpu, KVM_RUN, 0);
    while (r < 0 && errno == EINTR);
    report->loop_ns = thread_ns() - start;
    struct kvm_regs regs;
    if (r < 0 || ioctl(vcpu, KVM_GET_REGS, &regs) < 0)
        return "KVM_RUN";
    errno = 0;
    return run->exit_reason == KVM_EXIT_IO && run->io.port == GUEST_PORT && regs.r15 == GUEST_MARK ? NULL
                                                                                                   : "64-bit code";
}

_Noreturn static void child_main(int out)
{
    struct kvm_report report = {0};
    const char *failed = run_guest(&report);
    report.error = errno;
    if (failed)
        strncpy(report.failed, failed, sizeof report.failed - 1);
    ssize_t n = write(out, &report, sizeof report);
    _exit(n == (ssize_t)sizeof report ? 0 : 1);
}

static void end_child(pid_t child)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    kill(child, SIGKILL);
    for (int i = 0; i < 100 && waitpid(child, NULL, WNOHANG) == 0; i++)
        nanosleep(&pause, NULL);
}

static void judge(const struct kvm_report *report, struct host *host)
{
    char *because = host->kvm_because;
    size_t size = sizeof host->kvm_because;
    double ms = (double)report->loop_ns / 1e6;
    host->tsc_hz = report->tsc_hz;
    host->kvm_works = HOST_NO;
    if (report->error == EACCES && geteuid() != 0) {
        host->kvm_works = HOST_UNKNOWN;
        snprintf(because, size, "/dev/kvm is not open to us, who are not root; libvirtd may do better");
        return;
    }
    if (report->failed[0] && report->error)
        snprintf(because, size, "%s: %s", report->failed, strerror(report->error)); /* NOLINT(concurrency-mt-unsafe) */
    else if (report->failed[0])
        snprintf(because, size, "%s did not run to its end in a guest", report->failed);
    else if (ms > LIMIT_KVM_PROBE_MS)
        snprintf(because, size, "a million iterations of 64-bit guest code took %.0f ms: it is emulated", ms);
    else {
        host->kvm_works = HOST_YES;
        snprintf(because, size, "a million iterations of 64-bit guest code took %.1f ms", ms);
    }
}

void kvm_try(struct host *host)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return;
    auto_close int in = ends[0];
    pid_t child = fork();
    if (child == 0)
        child_main(ends[1]);
    close(ends[1]);
    if (child < 0) {
        snprintf(host->kvm_because, sizeof host->kvm_because, "no child process to try it in");
        return;
    }
    struct pollfd ready = {.fd = in, .events = POLLIN};
    struct kvm_report report;
    if (poll(&ready, 1, LIMIT_KVM_PROBE_WAIT_MS) == 1 && read(in, &report, sizeof report) == (ssize_t)sizeof report) {
        judge(&report, host);
    } else {
        host->kvm_works = HOST_NO;
        snprintf(host->kvm_because, sizeof host->kvm_because,
                 "64-bit guest code made no million iterations in %d ms: it is emulated", LIMIT_KVM_PROBE_WAIT_MS);
    }
    end_child(child);
}

#else

void kvm_try(struct host *host)
{
    snprintf(host->kvm_because, sizeof host->kvm_because, "no probe for this processor architecture");
}

#endif
