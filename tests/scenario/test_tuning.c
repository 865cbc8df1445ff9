#include <stdlib.h>
#include <string.h>

#include "tests/scenario/fake_world.h"
#include "tests/test.h"

/* Host tuning around the life of a VM, in a world where writes may hang, fail, or be the last thing the daemon does:
 * the host ends as found. */

static struct world world = {.tunes = true};
static struct error err;

#define CHANGED "cpumask default_smp_affinity smp_affinity_list stat_interval sched_rt_runtime_us "

static json_t *tuned_vm(const char *name)
{
    json_t *vm = world_vm(name, "strategy=Always cores=2 grace=0 dedicated=1 realtime=1");
    json_put_at(vm, "spec.template.metadata.annotations", json_pack("{s:s}", "rtvmd.io/host-tuning", "full"));
    return vm;
}

static void open_world(void)
{
    world_open(&world, "one-node-8cpu");
    fake_tune_begin();
}

static void close_world(void)
{
    fake_tune_end();
    world_close(&world);
}

static void check_changed(const char *wanted)
{
    auto_free char *changed = fake_tune_changed();
    CHECK_TEXT(changed, wanted);
}

static void check_phase(const char *name, const char *wanted)
{
    auto_json *vmi = world_get(&world, "VirtualMachineInstance", name);
    CHECK_TEXT(json_text_at(vmi, "status.phase", "none"), wanted);
}

static void count_row(const struct store_host_change *change, void *arg)
{
    (void)change;
    ++*(unsigned *)arg;
}

static unsigned rows(void)
{
    unsigned count = 0;
    store_journal_each(world.store, count_row, &count);
    return count;
}

static bool has_event(const char *reason, const char *word)
{
    auto_json *events = store_list(world.store, "Event", NULL, NULL);
    size_t i;
    json_t *event;
    json_array_foreach(events, i, event)
    {
        if (text_equal(json_text_at(event, "reason", NULL), reason) && strstr(json_text_at(event, "message", ""), word))
            return true;
    }
    return false;
}

static void delete_vm(const char *name)
{
    auto_json *vm = world_get(&world, "VirtualMachine", name);
    if (vm && !object_is_deleting(vm))
        CHECK_INT(runtime_delete(world.runtime, "VirtualMachine", "default", name, 0, false, NULL, &err), 0);
}

static void a_vm_is_tuned_for_and_the_host_is_as_found_after_it(void)
{
    open_world();
    CHECK_INT(world_apply(&world, tuned_vm("a"), &err), 0);
    CHECK(world_settle(&world));
    check_phase("a", "Running");
    check_changed(CHANGED);
    CHECK_INT(rows(), 5);
    CHECK(has_event("TuningApplied", "5 changes"));
    CHECK_INT(world_apply(&world, tuned_vm("b"), &err), 0);
    CHECK(world_settle(&world));
    CHECK_INT(rows(), 10);
    world_restart(&world);
    CHECK(world_settle(&world));
    CHECK_INT(rows(), 10);
    delete_vm("a");
    CHECK(world_settle(&world));
    CHECK_INT(rows(), 5);
    check_changed(CHANGED);
    delete_vm("b");
    CHECK(world_settle(&world));
    CHECK_INT(rows(), 0);
    check_changed("");
    close_world();
}

/* Its change may be made any time later: the journal keeps it. */
static void what_hangs_holds_up_nobody(void)
{
    open_world();
    fake_tune_hang("/proc/sys/vm/stat_interval");
    CHECK_INT(world_apply(&world, tuned_vm("a"), &err), 0);
    CHECK(world_settle(&world));
    check_phase("a", "Running");
    CHECK(has_event("TuningBlocked", "/proc/sys/vm/stat_interval"));
    check_changed("cpumask default_smp_affinity smp_affinity_list ");
    CHECK_INT(rows(), 5);
    fake_tune_put("/proc/sys/vm/stat_interval", "10\n"); /* it returned after all */
    fake_tune_hang("/sys/devices/virtual/workqueue/cpumask");
    delete_vm("a");
    CHECK(world_settle(&world));
    check_phase("a", "none");
    CHECK(rows() > 0);
    fake_tune_hang("");
    CHECK(world_advance(&world, LIMIT_TUNING_RETRY_S));
    check_changed("");
    CHECK_INT(rows(), 0);
    close_world();
}

static void what_the_kernel_refuses_is_not_kept(void)
{
    open_world();
    fake_fail("tune", 2, 1, ERROR_INTERNAL);
    CHECK_INT(world_apply(&world, tuned_vm("a"), &err), 0);
    CHECK(world_settle(&world));
    check_phase("a", "Running");
    CHECK_INT(rows(), 4);
    CHECK(has_event("TuningApplied", "4 changes, 1 things left"));
    delete_vm("a");
    CHECK(world_settle(&world));
    check_changed("");
    close_world();
}

static void what_others_change_is_left_to_them(void)
{
    open_world();
    CHECK_INT(world_apply(&world, tuned_vm("a"), &err), 0);
    CHECK(world_settle(&world));
    fake_tune_put("/proc/sys/vm/stat_interval", "5\n");
    delete_vm("a");
    CHECK(world_settle(&world));
    check_changed("stat_interval ");
    CHECK_INT(rows(), 0);
    close_world();
}

static void undone(const struct error *failure, void *arg)
{
    *(int *)arg = failure ? (int)failure->kind : ERROR_NONE;
}

static void first_row(const struct store_host_change *change, void *arg)
{
    *(int64_t *)arg = change->id;
}

/* While the tuning of a VM is still in hand its turn comes after. */
static void undoing_by_hand_waits_for_its_turn(void)
{
    int result = -1;
    int64_t id = 0;
    open_world();
    CHECK_INT(world_apply(&world, tuned_vm("a"), &err), 0);
    for (unsigned i = 0; i < 200 && rows() == 0; i++)
        loop_run_once(world.loop, false);
    CHECK(rows() > 0 && world.runtime->tunes);
    store_journal_each(world.store, first_row, &id);
    tuning_undo_one(world.runtime, id, undone, &result);
    CHECK_INT(result, -1);
    CHECK(world_settle(&world));
    CHECK_INT(result, ERROR_NONE);
    CHECK_INT(rows(), 4);
    check_phase("a", "Running");
    tuning_undo_one(world.runtime, id, undone, &result);
    CHECK_INT(result, ERROR_CONFLICT);
    delete_vm("a");
    CHECK(world_settle(&world));
    check_changed("");
    close_world();
}

/* Deleted at each turn of the loop while it is tuned for and started. */
static void a_vm_may_be_deleted_while_the_host_is_tuned(void)
{
    for (unsigned turns = 1; turns < 60; turns++) {
        open_world();
        CHECK_INT(world_apply(&world, tuned_vm("a"), &err), 0);
        for (unsigned i = 0; i < turns; i++)
            loop_run_once(world.loop, false);
        delete_vm("a");
        CHECK(world_settle(&world));
        check_phase("a", "none");
        check_changed("");
        CHECK_INT(rows(), 0);
        close_world();
    }
}

/* kill_at: the daemon is killed at that turn; die_after: so many calls (of anybody, writes among them) have an effect.
 */
static bool survives(unsigned kill_at, unsigned die_after)
{
    open_world();
    world.kill_at = kill_at;
    if (die_after)
        fake_die_after(die_after);
    CHECK_INT(world_apply(&world, tuned_vm("a"), &err), 0);
    CHECK(world_settle(&world));
    auto_json *written = world_get(&world, "VirtualMachine", "a");
    if (!written) /* killed before it was written down */
        CHECK_INT(world_apply(&world, tuned_vm("a"), &err), 0);
    CHECK(world_advance(&world, 600));
    check_phase("a", "Running");
    check_changed(CHANGED);
    delete_vm("a");
    CHECK(world_settle(&world));
    delete_vm("a"); /* killed before that was written down */
    CHECK(world_advance(&world, 600));
    check_phase("a", "none");
    check_changed("");
    CHECK_INT(rows(), 0);
    bool was_killed = world.kills > 0;
    close_world();
    return was_killed;
}

static void a_kill_at_any_turn_leaves_the_host_as_found(void)
{
    int before = test_failures;
    unsigned turn = 1;
    while (survives(turn, 0) && test_failures == before)
        turn++;
    CHECK(turn > 20); /* all of it was gone through */
    if (test_failures != before)
        printf("# killed at turn %u\n", turn);
}

static void death_at_any_call_leaves_the_host_as_found(void)
{
    int before = test_failures;
    unsigned calls = 1;
    while (survives(0, calls) && test_failures == before)
        calls++;
    CHECK(calls > 12);
    if (test_failures != before)
        printf("# dead after %u calls\n", calls);
}

/* Asked to stop while an order is in hand: what it did not come to is undone or done by the next start. */
static void stopping_amid_a_tuning_loses_nothing(void)
{
    for (unsigned turns = 1; turns < 60; turns++) {
        open_world();
        CHECK_INT(world_apply(&world, tuned_vm("a"), &err), 0);
        for (unsigned i = 0; i < turns; i++)
            loop_run_once(world.loop, false);
        world_restart(&world);
        CHECK(world_settle(&world));
        check_phase("a", "Running");
        check_changed(CHANGED);
        delete_vm("a");
        CHECK(world_settle(&world));
        check_changed("");
        CHECK_INT(rows(), 0);
        close_world();
    }
}

int main(void)
{
    RUN(a_vm_is_tuned_for_and_the_host_is_as_found_after_it);
    RUN(what_hangs_holds_up_nobody);
    RUN(what_the_kernel_refuses_is_not_kept);
    RUN(what_others_change_is_left_to_them);
    RUN(undoing_by_hand_waits_for_its_turn);
    RUN(a_vm_may_be_deleted_while_the_host_is_tuned);
    RUN(a_kill_at_any_turn_leaves_the_host_as_found);
    RUN(death_at_any_call_leaves_the_host_as_found);
    RUN(stopping_amid_a_tuning_loses_nothing);
    return test_end();
}
