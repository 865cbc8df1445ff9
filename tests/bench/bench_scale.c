/* A thousand VMs on libvirt's test driver: how long the daemon needs to bring them up, to take them up again after a
 * restart of its own, and to bring them back after the host went down; and what they cost in memory. Prints one line
 * each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hostprobe/hostprobe.h"
#include "rtvmd/base/file.h"
#include "rtvmd/base/log.h"
#include "runtime/hypervisor/hypervisor.h"
#include "runtime/inside.h"
#include "tests/bench/budget.h"

enum { TAKE_UP_BUDGET_MS = 2000, LINEAR_RATIO = 2, PATIENCE_MS = 120000 };

struct daemon {
    char *state_dir;
    struct host *host;
    struct loop *loop;
    struct store *store;
    struct runtime *runtime;
};

static struct error err;

static void die(const char *what)
{
    fprintf(stderr, "bench_scale: %s: %s\n", what, err.text);
    exit(1);
}

static int64_t wall_now_s(void *arg)
{
    (void)arg;
    return now_wall_s();
}

static double no_jitter(void *arg)
{
    (void)arg;
    return 0;
}

static void start(struct daemon *d)
{
    static const char *const NO_FOLDERS[] = {NULL};
    auto_free char *run_dir = must_format("%s/run", d->state_dir);
    d->loop = loop_new();
    d->store = store_open(d->state_dir, d->loop, &err);
    if (!d->store)
        die("store");
    const struct runtime_config config = {
        .state_dir = d->state_dir,
        .run_dir = run_dir,
        .libvirt_uri = "test:///default",
        .emulation_allowed = true,
        .host_disk_dirs = NO_FOLDERS,
    };
    /* As the real daemon, but for the host: it stays as roomy as main() makes it. */
    static const struct runtime_hooks HOOKS = {.now_s = wall_now_s, .jitter = no_jitter, .threads = 4};
    d->runtime = runtime_new_with(&config, d->loop, d->store, d->host, &HOOKS);
    runtime_start(d->runtime);
}

static void stop(struct daemon *d)
{
    runtime_free(d->runtime);
    store_close(d->store);
    loop_free(d->loop);
}

static json_t *vm(unsigned number)
{
    char name[24];
    snprintf(name, sizeof name, "vm-%04u", number);
    json_t *vm = json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion", "kubevirt.io/v1", "kind", "VirtualMachine",
                           "metadata", "namespace", "default", "name", name);
    json_put_at(vm, "spec.runStrategy", json_string("Always"));
    json_put_at(vm, "spec.template.spec.domain.cpu.cores", json_integer(2));
    json_put_at(vm, "spec.template.spec.domain.memory.guest", json_string("1Mi"));
    json_put_at(vm, "spec.template.spec.domain.devices", json_object());
    json_put_at(vm, "spec.template.spec.terminationGracePeriodSeconds", json_integer(0));
    return vm;
}

static void apply(struct daemon *d, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        json_t *object = vm(i);
        auto_findings findings = {0};
        if (runtime_admit_write(d->runtime, object, NULL, &findings, &err) || findings.cause_count ||
            store_create(d->store, object, NULL, &err))
            die("apply");
    }
}

static unsigned count_running(struct daemon *d)
{
    auto_json *vms = store_list(d->store, "VirtualMachine", NULL, NULL);
    unsigned running = 0;
    size_t i;
    json_t *object;
    json_array_foreach(vms, i, object)
    {
        running += strcmp(json_text_at(object, "status.printableStatus", ""), "Running") == 0;
    }
    return running;
}

/* Turns the loop until that many VMs run and nothing more happens for a while. Returns the milliseconds to the last
 * change. */
static uint64_t settle(struct daemon *d, unsigned wanted)
{
    uint64_t begin_ms = now_monotonic_ms(), last_ms = begin_ms, checked_ms = begin_ms;
    uint64_t version = store_version(d->store);
    for (;;) {
        if (!loop_run_once(d->loop, false))
            break;
        uint64_t now_ms = now_monotonic_ms();
        if (store_version(d->store) != version) {
            version = store_version(d->store);
            last_ms = now_ms;
        }
        if (now_ms - begin_ms > PATIENCE_MS) {
            fprintf(stderr, "bench_scale: only %u of %u run\n", count_running(d), wanted);
            exit(1);
        }
        if (now_ms - checked_ms < 200) {
            usleep(200);
            continue;
        }
        checked_ms = now_ms;
        if (now_ms - last_ms > 400 && count_running(d) == wanted)
            break;
    }
    return last_ms - begin_ms;
}

/* Turns the loop until every machine was seen and its process taken up. */
static uint64_t take_up(struct daemon *d, unsigned wanted)
{
    uint64_t begin_ms = now_monotonic_ms();
    for (unsigned taken = 0; taken < wanted;) {
        loop_run_once(d->loop, true);
        taken = 0;
        for (size_t i = 0; i < d->runtime->machine_count; i++)
            taken += machine_is_observed(d->runtime, d->runtime->machine[i]) &&
                     d->runtime->machine[i]->taken_up_pid == d->runtime->machine[i]->domain.pid;
    }
    return now_monotonic_ms() - begin_ms;
}

static long resident_kib(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld %ld", &pages, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

int main(void)
{
    const char *wanted = getenv("SCALE");
    unsigned vms = wanted ? (unsigned)strtoul(wanted, NULL, 10) : 1000;
    char folder[] = "/tmp/rtvmd-scale-XXXXXX";
    struct daemon d = {.state_dir = mkdtemp(folder), .host = must_calloc(1, sizeof *d.host)};
    log_set_level(LOG_LEVEL_ERROR);
    if (!d.state_dir || host_probe(NULL, d.host, &err))
        die("host");
    d.host->kvm_works = HOST_NO;
    d.host->memory_bytes = 1ull << 45; /* room for all: how VMs are counted is not what is measured here */
    d.host->node[0].memory_bytes = 1ull << 45;

    /* Held open: the test driver forgets its domains with its last connection. */
    struct hypervisor *keeper = hypervisor_new("test:///default", NULL, NULL, NULL);
    struct hypervisor_facts facts;
    if (hypervisor_facts(keeper, &facts, &err))
        die("libvirt");

    start(&d);
    settle(&d, 0);
    long empty_kib = resident_kib();
    apply(&d, 0, vms / 2);
    uint64_t half_ms = settle(&d, vms / 2);
    long half_kib = resident_kib();
    apply(&d, vms / 2, vms);
    uint64_t rest_ms = settle(&d, vms);
    long full_kib = resident_kib();
    printf("scale: %u VMs from manifest to Running in %llu ms (first half), %llu ms (second half)\n", vms,
           (unsigned long long)half_ms, (unsigned long long)rest_ms);
    printf("scale: resident %ld KiB with none, %ld with %u, %ld with %u: %.1f KiB per VM\n", empty_kib, half_kib,
           vms / 2, full_kib, vms, (double)(full_kib - empty_kib) / vms);

    stop(&d);
    uint64_t before_ms = now_monotonic_ms();
    start(&d);
    uint64_t open_ms = now_monotonic_ms() - before_ms;
    uint64_t take_up_ms = take_up(&d, vms);
    printf("scale: restarted with %u running VMs: store open after %llu ms, all taken up after %llu ms more\n", vms,
           (unsigned long long)open_ms, (unsigned long long)take_up_ms);

    stop(&d);
    hypervisor_free(keeper);
    start(&d);
    uint64_t reboot_ms = settle(&d, vms);
    printf("scale: host rebooted under %u VMs: all running again after %llu ms\n", vms, (unsigned long long)reboot_ms);
    stop(&d);
    free(d.host);
    file_remove_tree(folder, &err);

    budget("scale: taking up 1,000 VMs after a restart", (double)(open_ms + take_up_ms), "<", TAKE_UP_BUDGET_MS, "ms");
    budget("scale: memory of the second half of the VMs / the first half",
           (double)(full_kib - half_kib) / (double)(half_kib - empty_kib), "<=", LINEAR_RATIO, "");
    return 0;
}
