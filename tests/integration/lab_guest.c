/* One real VM through its life with the hypervisor and prove rooms alone, no daemon: lab_guest URI XML
 * [RESTART-COMMAND] The XML is a guest called lab_NAME with one real-time vCPU on CPU 1, everything else on CPU 0,
 * MEMORY MiB (from the environment: LAB_GUEST_MIB, LAB_GUEST_PAGE_KIB, LAB_GUEST_LOCKED=1) and, with LAB_GUEST_ACPI=1,
 * an operating system that heeds the power button once LAB_GUEST_LOG holds "guest: ready"; LAB_GUEST_SAYS is what it
 * must say there while it runs. TAP on stdout. */
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "rtvmd/base/file.h"
#include "rtvmd/base/process.h"
#include "runtime/hypervisor/hypervisor.h"
#include "runtime/prove/prove.h"
#include "tests/test.h"

static struct loop *loop;
static struct hypervisor *hypervisor;
static char name[256];
static char *xml;
static const char *restart_command;
static int changes;
static struct placement placement;
static struct vm_spec spec;

static uint64_t number_from(const char *variable)
{
    const char *text = getenv(variable);
    return text ? strtoull(text, NULL, 10) : 0;
}

static void count_change(void *arg)
{
    (void)arg;
    changes++;
}

static struct observed_domain look(void)
{
    struct observed_domain *domains = NULL;
    size_t count = 0;
    struct observed_domain found = {.state = DOMAIN_ABSENT};
    struct error err;
    if (hypervisor_observe(hypervisor, &domains, &count, &err) < 0)
        printf("# observe: %s\n", err.text);
    for (size_t i = 0; i < count; i++)
        if (strcmp(domains[i].identity.name, strchr(name, '_') + 1) == 0)
            found = domains[i];
    free(domains);
    return found;
}

static void stop_waiting(void *arg)
{
    *(bool *)arg = true;
}

/* Waits for the state as the daemon does: looks only when an event says so. */
static struct observed_domain state_comes(enum domain_state state, unsigned timeout_s)
{
    bool late = false;
    struct loop_watch *timer = loop_timer(loop, stop_waiting, &late);
    loop_timer_arm(timer, (uint64_t)timeout_s * 1000);
    struct observed_domain seen = look();
    while (seen.state != state && !late) {
        int before = changes;
        while (changes == before && !late)
            loop_run_once(loop, true);
        seen = look();
    }
    loop_watch_free(timer);
    CHECK_INT(seen.state, state);
    return seen;
}

static void rest(unsigned ms)
{
    bool late = false;
    struct loop_watch *timer = loop_timer(loop, stop_waiting, &late);
    loop_timer_arm(timer, ms);
    while (!late)
        loop_run_once(loop, true);
    loop_watch_free(timer);
}

static bool guest_says(const char *words, unsigned timeout_s)
{
    uint64_t deadline = now_monotonic_ms() + (uint64_t)timeout_s * 1000;
    while (now_monotonic_ms() < deadline) {
        auto_text log = {0};
        struct error err;
        if (file_read("", getenv("LAB_GUEST_LOG"), 1 << 20, &log, &err) == 0 && strstr(text_cstr(&log), words))
            return true;
        rest(100);
    }
    printf("# the guest did not say \"%s\"\n", words);
    return false;
}

static unsigned prove(const char *when, bool repair)
{
    struct observed_domain seen = look();
    auto_proof proof = {0};
    struct error err;
    CHECK(seen.pid > 0);
    if (prove_vm("", seen.pid, &placement, &spec, getenv("LAB_GUEST_LOCKED") != NULL, &proof, &err) < 0) {
        printf("# %s: %s\n", when, err.text);
        test_failures++;
        return 0;
    }
    auto_json *json = proof_to_json(&proof);
    auto_text table = {0};
    proof_write_table(json, &table);
    printf("# %s\n", when);
    for (char *rest_of = table.data, *line; (line = strsep(&rest_of, "\n")) && *line + (rest_of != NULL);)
        printf("#   %s\n", line);
    if (repair && proof.drift_count > 0 && prove_repair(&proof, &err) < 0) {
        printf("# repair: %s\n", err.text);
        test_failures++;
    }
    return proof.drift_count;
}

/* libvirt puts vCPUs and QEMU's first threads where the XML says, but not QEMU's thread-context helpers (TC …) nor the
 * kernel's kvm-pit: they are put right before the first instruction of the guest. */
static void starts_paused_with_the_plan_in_force(void)
{
    struct error err = {0};
    CHECK_INT(hypervisor_start(hypervisor, xml, true, &err), 0);
    if (err.kind)
        printf("# %s\n", err.text);
    struct observed_domain seen = state_comes(DOMAIN_PAUSED, 10);
    CHECK(seen.pid > 0);
    printf("# %u helpers had to be put right\n", prove("paused", true));
    CHECK_INT(prove("paused, after repair", false), 0);
    CHECK_INT(hypervisor_resume(hypervisor, name, &err), 0);
    state_comes(DOMAIN_RUNNING, 5);
}

/* The kernel's nx-recovery helper is made when a vCPU first runs, and inherits its FIFO and its CPU. */
static void is_proven_while_running(void)
{
    rest(500);
    printf("# %u helpers had to be put right\n", prove("running", true));
    CHECK_INT(prove("running, after repair", false), 0);
}

static void drift_is_seen_and_repaired(void)
{
    int pid = look().pid;
    cpu_set_t all;
    CPU_ZERO(&all);
    CPU_SET(0, &all);
    CPU_SET(1, &all);
    struct sched_param ordinary = {0};
    auto_proof proof = {0};
    struct error err;
    CHECK_INT(prove_vm("", pid, &placement, &spec, false, &proof, &err), 0);
    for (size_t i = 0; i < proof.thread_count; i++) {
        if (proof.thread[i].role != PROVE_VCPU)
            continue;
        CHECK_INT(sched_setscheduler(proof.thread[i].tid, SCHED_OTHER, &ordinary), 0);
        CHECK_INT(sched_setaffinity(proof.thread[i].tid, sizeof all, &all), 0);
    }
    CHECK_INT(prove("a vCPU was moved by hand", true), 1);
    CHECK_INT(prove("after repair", false), 0);
}

static void survives_a_restart_of_libvirtd(void)
{
    int pid = look().pid;
    int before = changes;
    const char *const argv[] = {"sh", "-c", restart_command, NULL};
    struct error err = {0};
    CHECK_INT(process_run(argv, 60000, 4096, NULL, &err), 0);
    if (err.kind)
        printf("# %s\n", err.text);
    rest(200);
    CHECK(changes > before); /* the loss was announced, unasked */
    struct observed_domain seen = look();
    CHECK_INT(seen.state, DOMAIN_RUNNING);
    CHECK_INT(seen.pid, pid);
    CHECK_INT(prove("after the restart of libvirtd", false), 0);
}

static void says_its_words(void)
{
    CHECK(guest_says(getenv("LAB_GUEST_SAYS"), 60));
}

static void heeds_the_power_button(void)
{
    struct error err;
    CHECK(guest_says("guest: ready", 60));
    CHECK(guest_says("guest: realtime=1", 1));
    CHECK_INT(hypervisor_shutdown(hypervisor, name, &err), 0);
    struct observed_domain seen = state_comes(DOMAIN_OFF, 30);
    CHECK_INT(seen.reason, DOMAIN_REASON_SHUTDOWN);
    CHECK(guest_says("guest: power button", 1));
    CHECK_INT(hypervisor_start(hypervisor, xml, false, &err), 0);
    state_comes(DOMAIN_RUNNING, 10);
}

static void a_killed_qemu_is_a_crash(void)
{
    struct error err;
    CHECK_INT(kill(look().pid, SIGKILL), 0);
    struct observed_domain seen = state_comes(DOMAIN_OFF, 10);
    CHECK_INT(seen.reason, DOMAIN_REASON_CRASHED);
    CHECK_INT(seen.pid, 0);
    CHECK_INT(hypervisor_start(hypervisor, xml, false, &err), 0);
    CHECK(state_comes(DOMAIN_RUNNING, 10).pid > 0);
}

static void is_destroyed_and_forgotten(void)
{
    struct error err;
    CHECK_INT(hypervisor_destroy(hypervisor, name, &err), 0);
    CHECK_INT(state_comes(DOMAIN_OFF, 10).reason, DOMAIN_REASON_DESTROYED);
    CHECK_INT(hypervisor_undefine(hypervisor, name, &err), 0);
    state_comes(DOMAIN_ABSENT, 5);
}

static int read_arguments(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s URI XML [RESTART-COMMAND]\n", argv[0]);
        return -1;
    }
    auto_text content = {0};
    struct error err;
    struct domain_summary summary;
    if (file_read("", argv[2], 1 << 20, &content, &err) < 0 ||
        domain_summary_from_xml(text_cstr(&content), &summary, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    xml = text_take(&content);
    snprintf(name, sizeof name, "%s", summary.name);
    restart_command = argc > 3 ? argv[3] : NULL;
    uint64_t page_bytes = number_from("LAB_GUEST_PAGE_KIB") * 1024;
    spec = (struct vm_spec){.vcpus = 1, .memory_bytes = number_from("LAB_GUEST_MIB") << 20};
    placement = (struct placement){.dedicated = true, .vcpu_count = 1, .fifo_priority = 1, .cell_count = 1};
    placement.vcpu_cpu[0] = 1;
    placement.realtime_vcpus = cpuset_of(0);
    placement.emulator = cpuset_of(0);
    placement.cell[0] = (struct placement_cell){.memory_bytes = spec.memory_bytes, .page_bytes = page_bytes};
    return 0;
}

int main(int argc, char **argv)
{
    if (read_arguments(argc, argv) < 0)
        return 2;
    loop = loop_new();
    hypervisor = hypervisor_new(argv[1], loop, count_change, NULL);
    RUN(starts_paused_with_the_plan_in_force);
    RUN(is_proven_while_running);
    RUN(drift_is_seen_and_repaired);
    if (getenv("LAB_GUEST_SAYS"))
        RUN(says_its_words);
    if (restart_command)
        RUN(survives_a_restart_of_libvirtd);
    if (getenv("LAB_GUEST_ACPI"))
        RUN(heeds_the_power_button);
    RUN(a_killed_qemu_is_a_crash);
    RUN(is_destroyed_and_forgotten);
    hypervisor_free(hypervisor);
    loop_free(loop);
    free(xml);
    return test_end();
}
