#include "hostprobe/kvm.c"

#include "tests/test.h"

static struct host host;

static void judges_what_the_child_tells(void)
{
#ifdef __x86_64__
    judge(&(struct kvm_report){.loop_ns = 1200000}, &host);
    CHECK_INT(host.kvm_works, HOST_YES);
    CHECK_TEXT(host.kvm_because, "a million iterations of 64-bit guest code took 1.2 ms");
    judge(&(struct kvm_report){.loop_ns = UINT64_C(400000000)}, &host);
    CHECK_INT(host.kvm_works, HOST_NO);
    judge(&(struct kvm_report){.failed = "open /dev/kvm", .error = ENOENT}, &host);
    CHECK_INT(host.kvm_works, HOST_NO);
    CHECK_TEXT(host.kvm_because, "open /dev/kvm: No such file or directory");
    judge(&(struct kvm_report){.failed = "64-bit code"}, &host);
    CHECK_TEXT(host.kvm_because, "64-bit code did not run to its end in a guest");
#endif
}

/* Whatever this machine can do, the probe answers, says why, and leaves no child behind. */
static void always_answers(void)
{
    memset(&host, 0, sizeof host);
    kvm_try(&host);
    CHECK(host.kvm_because[0] != '\0');
    CHECK(host.kvm_works == HOST_YES || strstr(host.kvm_because, "million") || strchr(host.kvm_because, ':') ||
          strstr(host.kvm_because, "architecture"));
    CHECK_INT(waitpid(-1, NULL, WNOHANG), -1);
    fifo_try(&host);
    CHECK(host.fifo_because[0] != '\0');
    locking_try(&host);
    CHECK(host.locking_because[0] != '\0');
    CHECK_INT(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void)
{
    RUN(judges_what_the_child_tells);
    RUN(always_answers);
    return test_end();
}
