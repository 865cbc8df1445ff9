#include <unistd.h>

#include "store/inside.h"
#include "tests/scenario/fake_world.h"
#include "tests/test.h"

/* A random life of a host: users, guests, somebody with virsh, a flaky hypervisor, kills and reboots, from a seed.
 * After every act: no CPU promised twice, no running VM without its promise, no running VM destroyed that nobody wanted
 * gone, nothing lost that was stored. In the end the faults stop, and everything must come to what was asked for.
 * RANDOM_SEED=N repeats one seed; a failure names it. */

enum { NAMES = 6, ACTS = 120 };

static struct world world;
static uint64_t state;
static bool wanted[NAMES]; /* a VM of that number was stored and not deleted */

static unsigned random_below(unsigned limit)
{
    state ^= state << 13; /* xorshift64 */
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 33) % limit;
}

static const char *name_of(unsigned i, char buffer[16])
{
    snprintf(buffer, 16, "vm%u", i);
    return buffer;
}

static const char *domain_of(unsigned i, char buffer[32])
{
    snprintf(buffer, 32, "default_vm%u", i);
    return buffer;
}

static void only_when_wanted(const char *domain_name)
{
    auto_json *vmi = world_get(&world, "VirtualMachineInstance", strchr(domain_name, '_') + 1);
    if (vmi && !object_is_deleting(vmi) && !vmi_phase_is_final(vmi_status_phase(vmi)))
        fake_complain("%s is destroyed, but nobody wanted it gone", domain_name);
}

struct sums {
    struct cpuset cpus;
    unsigned cpu_count;
    uint64_t pages;
};

static void add_claim(const struct store_claim *claim, void *arg)
{
    struct sums *sums = arg;
    CHECK(!cpuset_intersects(&sums->cpus, &claim->cpus));
    struct cpuset housekeeping = runtime_housekeeping(world.runtime);
    CHECK(!cpuset_intersects(&housekeeping, &claim->cpus));
    sums->cpus = cpuset_or(&sums->cpus, &claim->cpus);
    for (size_t i = 0; i < claim->page_count; i++)
        if (claim->pages[i].page_bytes == 2u << 20)
            sums->pages += claim->pages[i].pages;
}

static void check_promised(const char *domain_name, const struct observed_domain *domain, void *arg)
{
    (void)arg;
    auto_free char *key = must_format("default/%s", strchr(domain_name, '_') + 1);
    auto_json *placement = store_claim_placement(world.store, key);
    if (domain->state != DOMAIN_OFF && !placement) {
        printf("# %s is up without a promise\n", domain_name);
        test_failures++;
    }
}

static void check_invariants(void)
{
    struct sums sums = {0};
    store_claim_each(world.store, add_claim, &sums);
    CHECK(world.grows || sums.pages <= world.host->node[0].pool[0].total);
    CHECK(fake_pool_in_use(0) <= fake_pool_pages(0)); /* what runs has its pages, whoever gave some back */
    fake_each(check_promised, NULL);
    for (unsigned i = 0; i < NAMES; i++) {
        char name[16];
        auto_json *vm = world_get(&world, "VirtualMachine", name_of(i, name));
        CHECK(!wanted[i] || vm);
    }
    CHECK_TEXT(fake_complaints(), "");
}

static void ignore_done(const struct error *failure, void *arg)
{
    (void)failure;
    (void)arg;
}

static void apply(unsigned i)
{
    static const char *const STRATEGY[] = {"Always", "Always", "Halted", "Manual", "RerunOnFailure", "Once"};
    static const char *const KIND[] = {"", "dedicated=1 cores=1", "dedicated=1 cores=3", "realtime=1 cores=2",
                                       "realtime=1 cores=1 memory=200Mi"};
    char name[16];
    auto_free char *description = must_format("strategy=%s grace=%u %s", STRATEGY[random_below(ARRAY_SIZE(STRATEGY))],
                                              random_below(20), KIND[random_below(ARRAY_SIZE(KIND))]);
    struct error err;
    auto_json *there = world_get(&world, "VirtualMachine", name_of(i, name));
    json_t *vm = world_vm(name, description);
    if (there)
        json_object_set(json_object_get(vm, "metadata"), "finalizers", json_at(there, "metadata.finalizers"));
    if (world_apply(&world, vm, &err) == 0 && store_flush(world.store, &err) == 0 && !object_is_deleting(there))
        wanted[i] = true;
}

static void user(unsigned i)
{
    static const enum runtime_action ACTIONS[] = {RUNTIME_VM_START,  RUNTIME_VM_STOP,     RUNTIME_VM_RESTART,
                                                  RUNTIME_VMI_PAUSE, RUNTIME_VMI_UNPAUSE, RUNTIME_VMI_RESET};
    char name[16];
    auto_json *options = json_object();
    if (random_below(4) == 0)
        json_object_set_new(options, "gracePeriod", json_integer(random_below(5)));
    runtime_act(world.runtime, ACTIONS[random_below(ARRAY_SIZE(ACTIONS))], "default", name_of(i, name), options,
                ignore_done, NULL);
}

static void delete (unsigned i)
{
    char name[16];
    struct error err;
    bool vm = random_below(2) == 0;
    int r = runtime_delete(world.runtime, vm ? "VirtualMachine" : "VirtualMachineInstance", "default", name_of(i, name),
                           (int64_t)random_below(8) - 1, false, NULL, &err);
    if (r == 0 && vm && store_flush(world.store, &err) == 0)
        wanted[i] = false;
}

static void guest(unsigned i)
{
    char domain[32];
    domain_of(i, domain);
    if (!fake_domain(domain))
        return;
    switch (random_below(7)) {
    case 0:
        fake_end(domain, DOMAIN_OFF, DOMAIN_REASON_CRASHED);
        break;
    case 1:
        fake_end(domain, DOMAIN_OFF, DOMAIN_REASON_SHUTDOWN);
        break;
    case 2:
        fake_end(domain, DOMAIN_OFF, DOMAIN_REASON_DESTROYED);
        break;
    case 3:
        fake_virsh_undefine(domain);
        break;
    case 4:
        fake_end(domain, DOMAIN_CRASHED, DOMAIN_REASON_CRASHED);
        break;
    case 5:
        fake_set_deaf(domain, random_below(2));
        break;
    default:
        if (fake_domain(domain)->state == DOMAIN_RUNNING)
            fake_drift(domain, random_below(2));
    }
}

static void trouble(void)
{
    static const char *const FUNCTIONS[] = {"observe",  "observe one", "define",   "start",   "resume",
                                            "shutdown", "destroy",     "undefine", "prepare", "release",
                                            "prove",    "repair",      "grow",     "shrink"};
    switch (random_below(6)) {
    case 0:
        world_kill(&world);
        break;
    case 1:
        world_restart(&world);
        break;
    case 2:
        fake_libvirt(random_below(2));
        break;
    case 3:
        fake_reboot_host();
        world_kill(&world);
        break;
    case 4:
        fake_die_after(1 + random_below(8));
        break;
    default:
        if (fake_faults_pending() < 4)
            fake_fail(FUNCTIONS[random_below(ARRAY_SIZE(FUNCTIONS))], 1 + random_below(3), 1 + random_below(3),
                      random_below(2) ? ERROR_INTERNAL : ERROR_UNAVAILABLE);
    }
}

/* A few turns only: the next act meets work in hand. */
static void turn(unsigned turns)
{
    while (turns--) {
        fake_deliver();
        loop_run_once(world.loop, false);
        if (fake_died())
            world_kill(&world);
    }
}

static void act(void)
{
    unsigned i = random_below(NAMES);
    switch (random_below(10)) {
    case 0:
    case 1:
        apply(i);
        break;
    case 2:
    case 3:
        user(i);
        break;
    case 4:
        delete (i);
        break;
    case 5:
    case 6:
        guest(i);
        break;
    case 7:
        trouble();
        break;
    case 8:
        CHECK(world_advance(&world, random_below(100)));
        break;
    default:
        break;
    }
    if (random_below(3))
        turn(random_below(12));
    else
        CHECK(world_settle(&world));
    check_invariants();
}

/* What each VM must have come to, once nothing disturbs any more. */
static void check_end(unsigned i)
{
    char name[16], domain_name[32];
    auto_json *vm = world_get(&world, "VirtualMachine", name_of(i, name));
    auto_json *vmi = world_get(&world, "VirtualMachineInstance", name);
    const struct observed_domain *domain = fake_domain(domain_of(i, domain_name));
    auto_free char *key = must_format("default/%s", name);
    auto_json *claim = store_claim_placement(world.store, key);
    bool up = domain && domain->state != DOMAIN_OFF;
    const char *status = json_text_at(vm, "status.printableStatus", "none");
    bool ok = true;
    if (!wanted[i])
        ok = !vm && !vmi && !domain && !claim && !fake_has_disks(domain_name) && !fake_keeps_disks(domain_name);
    else if (spec_run_strategy(vm) == VM_RUN_ALWAYS)
        ok = (up && claim && (strcmp(status, "Running") == 0 || strcmp(status, "Paused") == 0)) ||
             (!up && strcmp(status, "ErrorUnschedulable") == 0 && !claim);
    else if (spec_run_strategy(vm) == VM_RUN_HALTED)
        ok = !vmi && !domain && !claim && strcmp(status, "Stopped") == 0;
    else
        ok = up == (strcmp(status, "Running") == 0 || strcmp(status, "Paused") == 0) && up == (claim != NULL);
    if (vmi && vmi_phase_is_final(vmi_status_phase(vmi)))
        ok = ok && !domain && !fake_has_disks(domain_name);
    if (ok)
        return;
    printf("# %s ends wrong: wanted %d status %s vmi %s domain %d claim %d disks %d\n", name, wanted[i], status,
           vmi ? json_text_at(vmi, "status.phase", "") : "none", domain ? (int)domain->state : -1, claim != NULL,
           fake_has_disks(domain_name));
    const struct machine *machine = machine_find(world.runtime, "default", name);
    if (machine)
        printf("#   busy %d act %d observed %d retry in %lld failure %s connected %d\n", machine->is_busy,
               machine->act != NULL, machine_is_observed(world.runtime, machine),
               (long long)(machine->retry_s - world.now_s), machine->has_failure ? machine->failure.text : "none",
               world.runtime->is_connected);
    test_failures++;
}

static void add_entry(const struct store_host_change *change, void *arg)
{
    uint64_t *pages = arg;
    auto_json *placement = store_claim_placement(world.store, change->owner);
    if (!placement || strstr(change->new_value, "up to")) {
        printf("# pages are owed: %s of \"%s\"\n", change->new_value, change->owner);
        test_failures++;
    }
    *pages += strtoull(change->new_value, NULL, 10);
}

/* What is reserved is for a VM that was changed and runs. */
static void check_reservation(const struct store_claim *claim, void *arg)
{
    (void)arg;
    auto_json *vm = world_get(&world, "VirtualMachine", strchr(claim->owner, '/') + 1);
    if (strcmp(claim->uid, claim->owner) == 0 || condition_is(vm, "RestartRequired", "True"))
        return;
    printf("# %s is promised to nobody\n", claim->uid);
    test_failures++;
}

/* Every page that was added is somebody's who runs, and no other is in the pool. */
static void check_pool(void)
{
    uint64_t pages = 128;
    store_journal_each(world.store, add_entry, &pages);
    CHECK_INT(fake_pool_pages(0), pages);
}

static void live(uint64_t seed)
{
    int before = test_failures;
    state = seed * 0x9e3779b97f4a7c15u + 1;
    memset(wanted, 0, sizeof wanted);
    fake_shuffle(random_below);
    world.grows = seed % 2 == 0;
    world_open(&world, "one-node-8cpu");
    fake_pool_most[0] = UINT64_MAX; /* growing fails by faults only, which end */
    fake_on_destroy = only_when_wanted;
    for (unsigned i = 0; i < ACTS && test_failures == before; i++)
        act();
    fake_faults_end();
    fake_libvirt(true);
    CHECK(world_advance(&world, 2000));
    check_invariants();
    for (unsigned i = 0; i < NAMES; i++)
        check_end(i);
    check_pool();
    store_claim_each(world.store, check_reservation, NULL);
    CHECK(world_advance(&world, 600)); /* and there it rests */
    uint64_t version = store_version(world.store);
    CHECK(world_advance(&world, 600));
    CHECK_INT(store_version(world.store) - version, 0);
    world_close(&world);
    if (test_failures != before)
        printf("# RANDOM_SEED=%llu\n", (unsigned long long)seed);
}

static void random_lives_end_well(void)
{
    const char *one = getenv("RANDOM_SEED");
    if (one) {
        live(strtoull(one, NULL, 10));
        return;
    }
    const char *said = getenv("RANDOM_LIVES");
    unsigned lives = said ? (unsigned)strtoul(said, NULL, 10) : getenv("SCENARIO_ALL") ? 400 : 25;
    for (unsigned seed = 1; seed <= lives; seed++)
        live(seed);
}

int main(void)
{
    RUN(random_lives_end_well);
    return test_end();
}
