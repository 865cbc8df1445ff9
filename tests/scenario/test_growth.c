/* Pools that cannot grow as a placement needs them: the VM is placed anew with what is known then, and nothing that was
 * promised or added on the way stays behind. Two nodes with 128 pages of 2 MiB each at boot. */
#include "tests/scenario/fake_world.h"
#include "tests/test.h"

static struct world world;

static void open_world(uint64_t most_0, uint64_t most_1)
{
    world.grows = true;
    world_open(&world, "two-node-smt");
    fake_pool_most[0] = most_0;
    fake_pool_most[1] = most_1;
}

static void apply(const char *name, const char *description)
{
    struct error err;
    CHECK_INT(world_apply(&world, world_vm(name, description), &err), 0);
    CHECK(world_settle(&world));
}

static void end(const char *name)
{
    struct error err;
    CHECK_INT(runtime_delete(world.runtime, "VirtualMachine", "default", name, 0, false, NULL, &err), 0);
    CHECK(world_advance(&world, 60));
}

static const char *phase_of(const char *name)
{
    auto_json *vmi = world_get(&world, "VirtualMachineInstance", name);
    return vmi_phase_text(vmi_status_phase(vmi));
}

static int node_of(const char *name)
{
    auto_json *placement = runtime_placement(world.runtime, "default", name);
    return (int)json_int_at(placement, "spec.cells.0.hostNode", -1);
}

static const char *refusal_of(const char *name)
{
    static char text[1024];
    auto_json *vmi = world_get(&world, "VirtualMachineInstance", name);
    snprintf(text, sizeof text, "%s", json_text_at(condition_get(vmi, "PodScheduled"), "message", ""));
    return text;
}

/* How often a start of it failed. */
static int64_t failures_of(const char *name)
{
    auto_json *events = store_list(world.store, "Event", "default", NULL);
    int64_t count = 0;
    size_t i;
    json_t *event;
    json_array_foreach(events, i, event)
    {
        if (strcmp(json_text_at(event, "involvedObject.name", ""), name) == 0 &&
            strcmp(json_text_at(event, "reason", ""), "SyncFailed") == 0)
            count += json_int_at(event, "count", 0);
    }
    return count;
}

static void count_claim(const struct store_claim *claim, void *arg)
{
    (void)claim;
    ++*(unsigned *)arg;
}

static void count_change(const struct store_host_change *change, void *arg)
{
    (void)change;
    ++*(unsigned *)arg;
}

/* What is there when nobody runs or waits with a promise. */
static void check_nothing_is_left(void)
{
    unsigned claims = 0, changes = 0;
    store_claim_each(world.store, count_claim, &claims);
    store_journal_each(world.store, count_change, &changes);
    CHECK_INT(claims, 0);
    CHECK_INT(changes, 0);
    CHECK_INT(fake_pool_pages(0), 128);
    CHECK_INT(fake_pool_pages(1), 128);
    CHECK_TEXT(fake_complaints(), "");
}

static void the_other_node_is_taken(void)
{
    open_world(200, 400);
    apply("a", "realtime=1 memory=512Mi"); /* 256 pages */
    CHECK(world_advance(&world, 10));
    CHECK_TEXT(phase_of("a"), "Running");
    CHECK_INT(node_of("a"), 1);
    CHECK_INT(failures_of("a"), 1);
    CHECK_INT(fake_pool_pages(0), 128);
    CHECK_INT(fake_pool_pages(1), 256);
    end("a");
    check_nothing_is_left();
    world_close(&world);
}

/* Both nodes come to nothing: a refusal in numbers, and peace until memory may have come back. */
static void nobody_goes_back_and_forth(void)
{
    open_world(200, 150);
    apply("a", "realtime=1 memory=512Mi");
    CHECK(world_advance(&world, LIMIT_POOL_FULL_S - 10));
    CHECK_TEXT(phase_of("a"), "Scheduling");
    CHECK_TEXT(
        refusal_of("a"),
        "0/1 nodes are available: needs 256 huge pages of 2Mi on one node; node 0 has 128 of 128 left and can "
        "get 72 more (all that the kernel found memory in one piece for), node 1 has 128 of 128 left and can get "
        "22 more (all that the kernel found memory in one piece for). It fits with 400Mi of memory");
    CHECK_INT(failures_of("a"), 2);
    check_nothing_is_left();
    apply("b", "realtime=1 memory=400Mi"); /* what was found is room: nothing needs to be tried for it */
    CHECK(world_advance(&world, 1));
    CHECK_TEXT(phase_of("b"), "Running");
    CHECK_INT(node_of("b"), 0);
    CHECK_INT(failures_of("b"), 0);
    CHECK(world_advance(&world, INT64_C(10) * LIMIT_POOL_FULL_S));
    CHECK(failures_of("a") <= 2 + 2 * 10);
    fake_pool_most[1] = 400;
    CHECK(world_advance(&world, INT64_C(2) * LIMIT_POOL_FULL_S));
    CHECK_TEXT(phase_of("a"), "Running");
    CHECK_INT(node_of("a"), 1);
    end("a");
    end("b");
    check_nothing_is_left();
    world_close(&world);
}

static void who_leaves_makes_room(void)
{
    open_world(200, 150);
    apply("b", "realtime=1 memory=64Mi");
    apply("a", "realtime=1 memory=512Mi");
    CHECK(world_advance(&world, 30));
    CHECK_TEXT(phase_of("a"), "Scheduling");
    fake_pool_most[0] = 400;
    CHECK(world_advance(&world, 30));
    CHECK_TEXT(phase_of("a"), "Scheduling");
    end("b");
    CHECK_TEXT(phase_of("a"), "Running");
    end("a");
    check_nothing_is_left();
    world_close(&world);
}

/* One life; false: it was over before it was cut. */
static bool live(unsigned kill_at, unsigned die_after)
{
    open_world(200, 400);
    world.kill_at = kill_at;
    if (die_after)
        fake_die_after(die_after);
    apply("a", "realtime=1 memory=512Mi");
    CHECK(world_advance(&world, 60));
    bool was_killed = world.kills > 0;
    CHECK_TEXT(phase_of("a"), "Running");
    CHECK_INT(node_of("a"), 1);
    world.kill_at = 0;
    fake_revive();
    end("a");
    check_nothing_is_left();
    world_close(&world);
    return was_killed;
}

/* Killed at every turn of the loop and in every call: what was known is found out again, and nothing leaks. */
static void a_kill_on_the_way_changes_nothing(void)
{
    enum { PATIENCE = 1000 };
    unsigned turns = 1, calls = 1;
    while (turns < PATIENCE && live(turns, 0))
        turns++;
    while (calls < PATIENCE && live(0, calls))
        calls++;
    printf("# killed at %u turns and in %u calls\n", turns - 1, calls - 1);
    CHECK(turns > 10 && turns < PATIENCE && calls > 2 && calls < PATIENCE);
}

int main(void)
{
    RUN(the_other_node_is_taken);
    RUN(nobody_goes_back_and_forth);
    RUN(who_leaves_makes_room);
    RUN(a_kill_on_the_way_changes_nothing);
    return test_end();
}
