#include <signal.h>
#include <sys/resource.h>

#include "rtvmd/base/file.h"
#include "tests/scenario/fake_world.h"
#include "tests/test.h"

/* What clients may ask of the running whole, and what they are told, word for word (facts 5.3, 5.4, 2.3). */

static struct world world;
static struct error err;

struct answer {
    bool given;
    enum error_kind kind;
    char text[ERROR_TEXT_MAX];
    json_t *result;
};

static void note(const struct error *failure, void *arg)
{
    struct answer *answer = arg;
    answer->given = true;
    answer->kind = failure ? failure->kind : ERROR_NONE;
    snprintf(answer->text, sizeof answer->text, "%s", failure ? failure->text : "done");
}

static void note_result(json_t *result, const struct error *failure, void *arg)
{
    note(failure, arg);
    ((struct answer *)arg)->result = json_incref(result);
}

static struct answer ask(enum runtime_action action, const char *name, const char *options)
{
    struct answer answer = {0};
    auto_json *body = options ? json_from_text(options, strlen(options), &err) : NULL;
    runtime_act(world.runtime, action, "default", name, body, note, &answer);
    CHECK(world_settle(&world));
    CHECK(answer.given);
    return answer;
}

static void apply(const char *name, const char *description)
{
    CHECK_INT(world_apply(&world, world_vm(name, description), &err), 0);
    CHECK(world_settle(&world));
}

static void set_up(void)
{
    world_open(&world, "one-node-8cpu");
    apply("always", "strategy=Always");
    apply("halted", "strategy=Halted");
    apply("manual", "strategy=Manual");
    apply("rerun", "strategy=RerunOnFailure");
    apply("once", "strategy=Once");
}

static void refuses_in_kubevirts_words(void)
{
    static const struct {
        enum runtime_action action;
        const char *name;
        const char *options;
        enum error_kind kind;
        const char *text;
    } CASES[] = {
        {RUNTIME_VM_START, "none", NULL, ERROR_NOT_FOUND, "virtualmachine.kubevirt.io \"none\" not found"},
        {RUNTIME_VM_START, "always", NULL, ERROR_CONFLICT,
         "Operation cannot be fulfilled on virtualmachine.kubevirt.io \"always\": VM is already running"},
        {RUNTIME_VM_START, "rerun", NULL, ERROR_CONFLICT,
         "Operation cannot be fulfilled on virtualmachine.kubevirt.io \"rerun\": VM is already running"},
        {RUNTIME_VM_STOP, "manual", NULL, ERROR_CONFLICT,
         "Operation cannot be fulfilled on virtualmachine.kubevirt.io \"manual\": VM is not running"},
        {RUNTIME_VM_STOP, "halted", NULL, ERROR_CONFLICT,
         "Operation cannot be fulfilled on virtualmachine.kubevirt.io \"halted\": VM is not running"},
        {RUNTIME_VM_STOP, "always", "{\"gracePeriod\":-1}", ERROR_BAD_REQUEST,
         "gracePeriod has to be greater or equal to 0"},
        {RUNTIME_VM_RESTART, "halted", NULL, ERROR_CONFLICT,
         "Operation cannot be fulfilled on virtualmachine.kubevirt.io \"halted\": RunStrategy Halted does not support "
         "manual restart requests"},
        {RUNTIME_VM_RESTART, "once", NULL, ERROR_CONFLICT,
         "Operation cannot be fulfilled on virtualmachine.kubevirt.io \"once\": RunStrategy Once does not support "
         "manual restart requests"},
        {RUNTIME_VM_RESTART, "manual", NULL, ERROR_CONFLICT,
         "Operation cannot be fulfilled on virtualmachine.kubevirt.io \"manual\": VM is not running: Halted"},
        {RUNTIME_VM_RESTART, "always", "{\"gracePeriodSeconds\":5}", ERROR_BAD_REQUEST,
         "For force restart, only gracePeriod=0 is supported for now"},
        {RUNTIME_VM_RESTART, "always", "{\"gracePeriodSeconds\":-5}", ERROR_BAD_REQUEST,
         "gracePeriod has to be greater or equal to 0"},
        {RUNTIME_VMI_PAUSE, "halted", NULL, ERROR_NOT_FOUND, "virtualmachineinstance.kubevirt.io \"halted\" not found"},
        {RUNTIME_VMI_UNPAUSE, "always", NULL, ERROR_CONFLICT,
         "Operation cannot be fulfilled on virtualmachineinstance.kubevirt.io \"always\": VMI is not paused"},
        {RUNTIME_VMI_FREEZE, "always", NULL, ERROR_CONFLICT,
         "Operation cannot be fulfilled on virtualmachineinstance.kubevirt.io \"always\": VMI does not have guest "
         "agent connected"},
        {RUNTIME_VMI_PAUSE, "always", NULL, ERROR_NONE, "done"},
        {RUNTIME_VMI_PAUSE, "always", NULL, ERROR_CONFLICT,
         "Operation cannot be fulfilled on virtualmachineinstance.kubevirt.io \"always\": VMI is already paused"},
        {RUNTIME_VMI_SOFTREBOOT, "always", NULL, ERROR_CONFLICT,
         "Operation cannot be fulfilled on virtualmachineinstance.kubevirt.io \"always\": VMI is paused"},
        {RUNTIME_VMI_UNPAUSE, "always", NULL, ERROR_NONE, "done"},
        {RUNTIME_VMI_SOFTREBOOT, "always", NULL, ERROR_NONE, "done"},
        {RUNTIME_VMI_RESET, "always", NULL, ERROR_NONE, "done"},
    };
    set_up();
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct answer answer = ask(CASES[i].action, CASES[i].name, CASES[i].options);
        CHECK_INT(answer.kind, CASES[i].kind);
        CHECK_TEXT(answer.text, CASES[i].text);
    }
    fake_end("default_once", DOMAIN_OFF, DOMAIN_REASON_SHUTDOWN);
    CHECK(world_settle(&world));
    struct answer answer = ask(RUNTIME_VM_START, "once", NULL);
    CHECK_TEXT(answer.text, "Operation cannot be fulfilled on virtualmachine.kubevirt.io \"once\": Once does not "
                            "support manual start requests");
    answer = ask(RUNTIME_VMI_RESET, "once", NULL);
    CHECK_INT(answer.kind, ERROR_BAD_REQUEST);
    CHECK_TEXT(answer.text, "Unable to connect to VirtualMachineInstance because phase is Succeeded instead of Running "
                            "or Scheduled");
    world_close(&world);
}

static void a_second_request_waits_for_the_first(void)
{
    set_up();
    struct answer first = {0}, second = {0};
    runtime_act(world.runtime, RUNTIME_VM_START, "default", "manual", NULL, note, &first);
    runtime_act(world.runtime, RUNTIME_VM_START, "default", "manual", NULL, note, &second);
    CHECK(second.given && !first.given); /* refused at once; done only when it is on disk */
    CHECK_TEXT(second.text,
               "Operation cannot be fulfilled on virtualmachine.kubevirt.io \"manual\": unable to complete "
               "request: stop/start already underway");
    CHECK(world_settle(&world));
    CHECK_TEXT(first.text, "done");
    world_close(&world);
}

static void a_dry_run_changes_nothing(void)
{
    static const char DRY[] = "{\"dryRun\":[\"All\"]}";
    set_up();
    auto_free char *before = fake_take_trace();
    uint64_t version = store_version(world.store);
    CHECK_TEXT(ask(RUNTIME_VM_START, "halted", DRY).text, "done");
    CHECK_TEXT(ask(RUNTIME_VM_STOP, "always", DRY).text, "done");
    CHECK_TEXT(ask(RUNTIME_VM_RESTART, "always", "{\"dryRun\":[\"All\"],\"gracePeriodSeconds\":0}").text, "done");
    CHECK_TEXT(ask(RUNTIME_VMI_PAUSE, "always", DRY).text, "done");
    CHECK_INT(ask(RUNTIME_VM_START, "always", DRY).kind, ERROR_CONFLICT); /* but refusals are real */
    CHECK_INT(store_version(world.store), version);
    auto_free char *after = fake_take_trace();
    CHECK_TEXT(after, "");
    world_close(&world);
}

static void an_act_in_hand_ends_with_its_vmi(void)
{
    set_up();
    struct answer answer = {0};
    fake_libvirt(false);
    CHECK(world_settle(&world));
    runtime_act(world.runtime, RUNTIME_VMI_PAUSE, "default", "always", NULL, note, &answer);
    CHECK(world_settle(&world));
    CHECK_INT(answer.kind, ERROR_UNAVAILABLE); /* it was tried */
    world_close(&world);
}

static void looks_at_a_running_vmi(void)
{
    world_open(&world, "one-node-8cpu");
    apply("rt", "strategy=Always realtime=1 cores=2");
    auto_json *placement = runtime_placement(world.runtime, "default", "rt");
    CHECK_TEXT(json_text_at(placement, "kind", ""), "Placement");
    CHECK_TEXT(json_text_at(placement, "status.phase", ""), "Running");
    CHECK(json_bool_at(placement, "status.proof.ok", false));
    CHECK_INT(json_object_size(json_at(placement, "spec.vcpus")), 2);
    auto_json *all = runtime_placement(world.runtime, NULL, NULL);
    auto_json *none = runtime_placement(world.runtime, "other", NULL);
    CHECK_INT(json_array_size(all), 1);
    CHECK_INT(json_array_size(none), 0);
    CHECK(runtime_placement(world.runtime, "default", "other") == NULL);

    struct answer answer = {0};
    fake_drift("default_rt", true);
    runtime_verify(world.runtime, "default", "rt", false, note_result, &answer);
    CHECK(world_settle(&world));
    CHECK(answer.result && !json_bool_at(answer.result, "ok", true)); /* shown, not mended */
    json_decref(take(answer.result));
    auto_json *vmi = world_get(&world, "VirtualMachineInstance", "rt");
    CHECK(condition_is(vmi, "RealtimeProven", "False"));
    CHECK_TEXT(json_text_at(condition_get(vmi, "RealtimeProven"), "message", ""),
               "CPU 0/KVM (1002): may run on 0-7 instead of 4");
    runtime_verify(world.runtime, "default", "rt", true, note_result, &answer);
    CHECK(world_settle(&world));
    CHECK(json_bool_at(answer.result, "ok", false));
    CHECK_INT(json_int_at(answer.result, "repaired", 0), 1);
    json_decref(take(answer.result));
    auto_json *events = store_list(world.store, "Event", "default", NULL);
    unsigned drifts = 0;
    for (size_t i = 0; i < json_array_size(events); i++)
        drifts += strcmp(json_text_at(json_array_get(events, i), "reason", ""), "Drift") == 0;
    CHECK_INT(drifts, 2); /* seen, and put back */
    runtime_verify(world.runtime, "default", "none", true, note_result, &answer);
    CHECK_INT(answer.kind, ERROR_NOT_FOUND);

    auto_free char *socket = runtime_socket(world.runtime, "default", "rt", "serial0", &err);
    auto_free char *wanted = must_format("%s/default_rt/virt-serial0", world.folder);
    CHECK_TEXT(socket, wanted);
    CHECK(runtime_socket(world.runtime, "default", "rt", "parallel", &err) == NULL);
    CHECK(runtime_socket(world.runtime, "default", "none", "serial0", &err) == NULL);
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    world_close(&world);
}

static struct answer ask_guest(const char *what)
{
    struct answer answer = {0};
    runtime_guest(world.runtime, "default", "a", what, note_result, &answer);
    CHECK(world_settle(&world));
    CHECK(answer.given);
    return answer;
}

static void asks_the_guest(void)
{
    world_open(&world, "one-node-8cpu");
    json_t *vm = world_vm("a", "strategy=Always");
    json_put_at(vm, "spec.template.spec.domain.devices.interfaces",
                json_pack("[{s:s, s:{}, s:s}]", "name", "default", "masquerade", "macAddress", "02:00:00:00:00:01"));
    json_put_at(vm, "spec.template.spec.networks", json_pack("[{s:s, s:{}}]", "name", "default", "pod"));
    CHECK_INT(world_apply(&world, vm, &err), 0);
    CHECK(world_settle(&world));
    CHECK_TEXT(ask_guest("guestosinfo").text, "Operation cannot be fulfilled on virtualmachineinstance.kubevirt.io "
                                              "\"a\": VMI does not have guest agent connected");
    fake_set_agent("default_a", true);
    CHECK(world_settle(&world));
    struct answer info = ask_guest("guestosinfo");
    CHECK_TEXT(json_text_at(info.result, "kind", ""), "VirtualMachineInstanceGuestAgentInfo");
    CHECK_TEXT(json_text_at(info.result, "guestAgentVersion", ""), "7.2.0");
    CHECK_TEXT(json_text_at(info.result, "hostname", ""), "guest-1");
    CHECK_TEXT(json_text_at(info.result, "os.prettyName", ""), "Debian 12");
    struct answer users = ask_guest("userlist");
    CHECK_TEXT(json_text_at(users.result, "items.0.userName", ""), "root");
    struct answer disks = ask_guest("filesystemlist");
    CHECK_TEXT(json_text_at(disks.result, "items.0.disk.0.busType", ""), "virtio");
    auto_json *vmi = world_get(&world, "VirtualMachineInstance", "a");
    CHECK_TEXT(json_text_at(vmi, "status.guestOSInfo.id", ""), "debian");
    CHECK_TEXT(json_text_at(vmi, "status.interfaces.0.ipAddress", ""), "10.0.0.7");
    CHECK_TEXT(json_text_at(vmi, "status.interfaces.0.ipAddresses.1", ""), "fe80::1");
    CHECK_TEXT(json_text_at(vmi, "status.interfaces.0.interfaceName", ""), "eth0");
    json_decref(info.result);
    json_decref(users.result);
    json_decref(disks.result);
    world_close(&world);
}

static void admits_and_protects(void)
{
    set_up();
    auto_json *vmi = world_get(&world, "VirtualMachineInstance", "always");
    json_t *change = json_deep_copy(vmi);
    json_put_at(change, "spec.domain.cpu.cores", json_integer(4));
    CHECK_INT(world_apply(&world, change, &err), -1);
    CHECK_TEXT(err.text, "spec: update of VMI object is restricted");
    change = json_deep_copy(vmi);
    object_set_label(change, "kubevirt.io/nodeName", "elsewhere");
    CHECK_INT(world_apply(&world, change, &err), -1);
    CHECK_TEXT(err.text,
               "metadata.labels: modification of the following reserved kubevirt.io/ labels on a VMI object is "
               "prohibited");
    change = json_deep_copy(vmi);
    object_set_label(change, "mine", "yes");
    json_put_at(change, "status.phase", json_string("Failed")); /* ours, not theirs: kept */
    CHECK_INT(world_apply(&world, change, &err), 0);
    CHECK(world_settle(&world));
    auto_json *now = world_get(&world, "VirtualMachineInstance", "always");
    CHECK_TEXT(json_text_at(now, "status.phase", ""), "Running");

    auto_json *vm = world_get(&world, "VirtualMachine", "always");
    CHECK(!condition_get(vm, "RestartRequired"));
    change = json_deep_copy(vm);
    json_put_at(change, "spec.template.spec.domain.cpu.cores", json_integer(2));
    CHECK_INT(world_apply(&world, change, &err), 0);
    CHECK(world_settle(&world));
    auto_json *changed = world_get(&world, "VirtualMachine", "always");
    CHECK(condition_is(changed, "RestartRequired", "True"));
    CHECK_INT(json_int_at(changed, "status.desiredGeneration", 0), 2);
    CHECK_INT(json_int_at(changed, "status.observedGeneration", 0), 1);
    CHECK_INT(fake_starts("default_always"), 1); /* and nothing was restarted for it */
    CHECK_TEXT(ask(RUNTIME_VM_RESTART, "always", NULL).text, "done");
    auto_json *restarted = world_get(&world, "VirtualMachine", "always");
    CHECK(!condition_get(restarted, "RestartRequired"));
    world_close(&world);
}

static void deletes_what_nobody_holds_at_once(void)
{
    set_up();
    CHECK_INT(runtime_delete(world.runtime, "VirtualMachine", "default", "none", -1, false, NULL, &err), -1);
    CHECK_TEXT(err.text, "virtualmachines.kubevirt.io \"none\" not found");
    auto_json *marked = NULL;
    CHECK_INT(runtime_delete(world.runtime, "VirtualMachineInstance", "default", "always", 7, false, &marked, &err), 0);
    CHECK_INT(json_int_at(marked, "metadata.deletionGracePeriodSeconds", 0), 7);
    CHECK_INT(timestamp_parse(json_text_at(marked, "metadata.deletionTimestamp", "")), world.now_s + 7);
    CHECK(world_settle(&world));
    world_close(&world);
}

static void describes_the_node(void)
{
    world_open(&world, "one-node-8cpu");
    apply("rt", "strategy=Always realtime=1 cores=2");
    auto_json *node = runtime_node(world.runtime);
    CHECK_TEXT(json_text_at(node, "kind", ""), "Node");
    const json_t *labels = json_at(node, "metadata.labels");
    CHECK_TEXT(json_string_value(json_object_get(labels, "kubevirt.io/realtime")), "true");
    CHECK_TEXT(json_string_value(json_object_get(labels, "kubevirt.io/schedulable")), "true");
    CHECK_TEXT(json_string_value(json_object_get(labels, "cpu-model.node.kubevirt.io/Westmere")), "true");
    CHECK_TEXT(json_string_value(json_object_get(labels, "cpu-feature.node.kubevirt.io/avx2")), "true");
    CHECK_TEXT(json_string_value(json_object_get(labels, "host-model-cpu.node.kubevirt.io/EPYC")), "true");
    CHECK_TEXT(json_string_value(json_object_get(labels, "cpu-vendor.node.kubevirt.io/AMD")), "true");
    CHECK_TEXT(json_text_at(node, "status.capacity.cpu", ""), "8");
    CHECK_TEXT(json_text_at(node, "status.capacity.hugepages-2Mi", ""), "262144Ki");
    CHECK_TEXT(json_text_at(node, "status.conditions.0.status", ""), "True");
    auto_free char *since = must_strdup(json_text_at(node, "status.conditions.0.lastTransitionTime", ""));
    world.now_s += 100;
    auto_json *later = runtime_node(world.runtime);
    CHECK_TEXT(json_text_at(later, "status.conditions.0.lastTransitionTime", ""), since);
    CHECK(strcmp(json_text_at(later, "status.conditions.0.lastHeartbeatTime", ""), since) > 0);
    fake_libvirt(false);
    CHECK(world_settle(&world));
    auto_json *alone = runtime_node(world.runtime);
    CHECK(strcmp(json_text_at(alone, "status.conditions.0.lastTransitionTime", ""), since) > 0);
    CHECK_TEXT(json_text_at(alone, "status.conditions.0.status", ""), "False");
    CHECK_TEXT(json_text_at(alone, "status.conditions.0.message", ""), "libvirt is down");
    CHECK_TEXT(json_text_at(alone, "metadata.uid", "?"), json_text_at(node, "metadata.uid", ""));
    world_close(&world);
}

static void plans_without_claiming(void)
{
    world_open(&world, "one-node-8cpu");
    auto_json *small = world_vm("small", "dedicated=1 cores=2");
    auto_json *large = world_vm("large", "dedicated=1 cores=20");
    auto_findings findings = {0};
    CHECK_INT(spec_admit(small, &findings, &err), 0);
    CHECK_INT(spec_admit(large, &findings, &err), 0);
    auto_json *yes = runtime_plan(world.runtime, small, &err);
    auto_json *no = runtime_plan(world.runtime, large, &err);
    CHECK(json_bool_at(yes, "admitted", false));
    CHECK(!json_bool_at(no, "admitted", true));
    CHECK(json_array_size(json_at(no, "reasons")) > 0);
    CHECK_TEXT(json_text_at(no, "suggestions.0", ""), "fits with 6 vCPUs");
    CHECK(store_claim_placement(world.store, "default/small") == NULL);
    world_close(&world);
}

static const char *why_it_waits(const char *name)
{
    static char text[2048];
    auto_json *vmi = world_get(&world, "VirtualMachineInstance", name);
    snprintf(text, sizeof text, "%s", json_text_at(condition_get(vmi, "PodScheduled"), "message", ""));
    return text;
}

static void a_refusal_says_what_would_fit(void)
{
    world_open(&world, "one-node-8cpu");
    apply("a", "dedicated=1 cores=4");
    apply("b", "dedicated=1 cores=4");
    CHECK(strstr(why_it_waits("b"), "0/1 nodes are available: "));
    CHECK(strstr(why_it_waits("b"), ". It fits after stopping default/a"));
    for (unsigned i = 0; i <= LIMIT_SUGGESTED_VMS; i++) {
        auto_free char *name = must_format("crowd%u", i);
        apply(name, "dedicated=1 cores=4");
    }
    auto_free char *last = must_format("crowd%u", LIMIT_SUGGESTED_VMS);
    CHECK(strstr(why_it_waits(last), "0/1 nodes are available: "));
    CHECK(!strstr(why_it_waits(last), "It fits"));
    world_close(&world);
}

static int64_t count_events(const char *name, const char *reason)
{
    auto_json *events = store_list(world.store, "Event", "default", NULL);
    int64_t count = 0;
    size_t i;
    json_t *event;
    json_array_foreach(events, i, event)
    {
        if (strcmp(json_text_at(event, "involvedObject.name", ""), name) == 0 &&
            strcmp(json_text_at(event, "reason", ""), reason) == 0)
            count += json_int_at(event, "count", 0);
    }
    return count;
}

static const json_t *condition_of(const char *name, const char *type)
{
    static json_t *vmi;
    json_decref(vmi);
    vmi = world_get(&world, "VirtualMachineInstance", name);
    return condition_get(vmi, type);
}

static const char *alarm_of_node(void)
{
    static char text[512];
    auto_json *node = runtime_node(world.runtime);
    const json_t *condition = condition_get(node, "HugePagesUnaccounted");
    snprintf(text, sizeof text, "%s: %s", json_text_at(condition, "status", ""),
             json_text_at(condition, "message", ""));
    return text;
}

static void what_the_host_takes_away_is_said(void)
{
    world.grows = true;
    world_open(&world, "one-node-8cpu");
    apply("rt", "realtime=1 cores=2");
    auto_json *placement = runtime_placement(world.runtime, "default", "rt");
    unsigned cpu = (unsigned)json_int_at(placement, "spec.vcpus.1", 0);
    CHECK(world_advance(&world, LIMIT_RESYNC_S + 1));
    CHECK(!condition_of("rt", "PlacementHolds"));
    cpuset_remove(&world.host->online, cpu);
    fake_pool_set(20);
    CHECK(world_advance(&world, LIMIT_RESYNC_S + 1));
    const json_t *untrue = condition_of("rt", "PlacementHolds");
    auto_free char *wanted = must_format("CPU %u of vCPU 1 is offline; node 0 has 20 huge pages of 2Mi; 32 are "
                                         "promised, 32 of them to this VM",
                                         cpu);
    CHECK_TEXT(json_text_at(untrue, "status", ""), "False");
    CHECK_TEXT(json_text_at(untrue, "reason", ""), "CPUOffline");
    CHECK_TEXT(json_text_at(untrue, "message", ""), wanted);
    CHECK_INT(fake_starts("default_rt"), 1); /* it runs on */
    CHECK_TEXT(alarm_of_node(), "True: node 0: 32 huge pages of 2Mi are promised, but the pool has only 20");
    CHECK(world_advance(&world, 5 * LIMIT_RESYNC_S));
    world_restart(&world);
    CHECK(world_settle(&world));
    CHECK(condition_of("rt", "PlacementHolds")); /* known still */
    CHECK(world_advance(&world, LIMIT_RESYNC_S + 1));
    CHECK_INT(count_events("rt", "PlacementBroken"), 1);
    cpuset_add(&world.host->online, cpu);
    fake_pool_set(128);
    CHECK(world_advance(&world, LIMIT_RESYNC_S + 1));
    CHECK(!condition_of("rt", "PlacementHolds"));
    CHECK_INT(count_events("rt", "PlacementHolds"), 1);
    CHECK_TEXT(alarm_of_node(), "False: huge pages in use and promised add up");
    world_close(&world);
    world.grows = false;
}

static void pages_nobody_knows_raise_an_alarm(void)
{
    world.grows = true;
    world_open(&world, "one-node-8cpu");
    apply("rt", "realtime=1 cores=2");
    fake_pool_use(3);
    CHECK(world_advance(&world, LIMIT_RESYNC_S + 1));
    CHECK_TEXT(alarm_of_node(),
               "True: node 0: 3 huge pages of 2Mi are used by no VM of ours: leaked, or another program "
               "has them");
    CHECK_INT(count_events(world.runtime->node_name, "HugePagesUnaccounted"), 1);
    fake_pool_use(0);
    CHECK(world_advance(&world, LIMIT_RESYNC_S + 1));
    CHECK_TEXT(alarm_of_node(), "False: huge pages in use and promised add up");
    CHECK_INT(count_events(world.runtime->node_name, "HugePagesAccounted"), 1);
    world_close(&world);
    world.grows = false;
}

static void keeps_a_bounded_number_of_events(void)
{
    world_open(&world, "one-node-8cpu");
    apply("a", "strategy=Halted");
    auto_json *vm = world_get(&world, "VirtualMachine", "a");
    for (unsigned i = 0; i <= LIMIT_EVENTS; i++) /* one past the limit */
        event_record(world.runtime, vm, "Normal", "Counted", "number %u", i);
    for (int i = 0; i < 3; i++)
        event_record(world.runtime, vm, "Normal", "Same", "again");
    CHECK(world_settle(&world));
    auto_json *events = store_list(world.store, "Event", "default", NULL);
    CHECK_INT(json_array_size(events), LIMIT_EVENTS);
    size_t i;
    json_t *event;
    int64_t same = 0;
    json_array_foreach(events, i, event)
    {
        CHECK(strcmp(json_text_at(event, "message", ""), "number 0") != 0); /* the oldest went */
        if (strcmp(json_text_at(event, "reason", ""), "Same") == 0)
            same = json_int_at(event, "count", 0);
    }
    CHECK_INT(same, 3);
    world_restart(&world);
    CHECK(world_settle(&world));
    event_record(world.runtime, vm, "Normal", "Same", "again"); /* counted on after a restart */
    CHECK(world_settle(&world));
    auto_json *later = store_list(world.store, "Event", "default", NULL);
    CHECK_INT(json_array_size(later), LIMIT_EVENTS);
    world_close(&world);
}

/* Its sockets have no room for the name. What is removed with it is its own. */
static void a_long_name_takes_nothing_with_it(void)
{
    static const char NAME[] = "a-name-that-is-far-too-long-for-the-path-of-a-socket-of-a-machine";
    world_open(&world, "one-node-8cpu");
    auto_free char *beside = must_format("%s/beside", world.folder);
    auto_free char *database = must_format("%s/rtvmd.db", world.folder);
    CHECK_INT(file_make_folders(beside, 0700, &err), 0);
    apply(NAME, "strategy=Halted"); /* there never is a VMI */
    CHECK(world_settle(&world));
    CHECK_INT(runtime_delete(world.runtime, "VirtualMachine", "default", NAME, -1, false, NULL, &err), 0);
    CHECK(world_advance(&world, 60));
    CHECK(world_get(&world, "VirtualMachine", NAME) == NULL);
    CHECK_INT(access(beside, F_OK), 0);
    CHECK_INT(access(database, F_OK), 0);
    world_close(&world);
}

/* /dev/shm and /tmp alike: a limit on the size of files is the full disk. */
static void a_full_disk_only_delays(void)
{
    set_up();
    auto_free char *before = fake_take_trace();
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit full = {4096, RLIM_INFINITY}, roomy = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &full);
    struct answer answer = {0};
    runtime_act(world.runtime, RUNTIME_VM_START, "default", "manual", NULL, note, &answer);
    fake_end("default_always", DOMAIN_OFF, DOMAIN_REASON_CRASHED);
    CHECK(world_settle(&world));
    CHECK_INT(answer.kind, ERROR_INTERNAL); /* the client is told, and nothing was done */
    auto_json *vmi = world_get(&world, "VirtualMachineInstance", "always");
    CHECK_TEXT(json_text_at(vmi, "status.phase", ""), "Running");
    CHECK(world_advance(&world, 20));
    auto_free char *meanwhile = fake_take_trace();
    CHECK_TEXT(meanwhile, ""); /* nothing is done that cannot be written down */
    setrlimit(RLIMIT_FSIZE, &roomy);
    CHECK(world_advance(&world, 10));
    auto_free char *after = fake_take_trace();
    CHECK_TEXT(after, "undefine always, start always, resume always");
    world_close(&world);
}

/* ---- volumes of running VMs */
#define CLAIM(name) "{\"persistentVolumeClaim\":{\"claimName\":\"" name "\"}}"
#define ADD(name) \
    "{\"name\":\"" name "\",\"disk\":{\"disk\":{\"bus\":\"scsi\"},\"serial\":\"s1\"},\"volumeSource\":" CLAIM(name) "}"
#define REMOVE(name) "{\"name\":\"" name "\"}"

static const char *volume_says(const char *vmi_name, const char *volume, const char *key)
{
    static char answer[300];
    auto_json *vmi = world_get(&world, "VirtualMachineInstance", vmi_name);
    size_t i;
    json_t *status;
    snprintf(answer, sizeof answer, "(none)");
    json_array_foreach(json_at(vmi, "status.volumeStatus"), i, status)
    {
        if (strcmp(json_text_at(status, "name", ""), volume) == 0)
            snprintf(answer, sizeof answer, "%s", json_text_at(status, key, ""));
    }
    return answer;
}

static size_t volume_count(const char *kind, const char *name, const char *path)
{
    auto_json *object = world_get(&world, kind, name);
    return json_array_size(json_at(object, path));
}

static void a_volume_comes_and_goes(void)
{
    set_up();
    struct answer a = ask(RUNTIME_VMI_ADD_VOLUME, "always", ADD("data"));
    CHECK_TEXT(a.text, "done");
    CHECK_TEXT(fake_disks("default_always"), "data,");
    CHECK_TEXT(volume_says("always", "data", "phase"), "Ready");
    CHECK_TEXT(volume_says("always", "data", "reason"), "VolumeReady");
    CHECK_TEXT(volume_says("always", "data", "target"), "sda");
    CHECK_INT(volume_count("VirtualMachine", "always", "spec.template.spec.volumes"), 0); /* until it ends */
    a = ask(RUNTIME_VMI_ADD_VOLUME, "always", ADD("data"));
    CHECK_TEXT(a.text, "Operation cannot be fulfilled on virtualmachineinstance.kubevirt.io \"always\": Unable to add "
                       "volume [data] because volume with that name already exists");
    world_restart(&world);
    CHECK(world_settle(&world));
    CHECK_TEXT(fake_disks("default_always"), "data,");
    CHECK_TEXT(ask(RUNTIME_VMI_REMOVE_VOLUME, "always", REMOVE("data")).text, "done");
    CHECK_TEXT(fake_disks("default_always"), "");
    CHECK_TEXT(volume_says("always", "data", "phase"), "(none)");
    CHECK_INT(volume_count("VirtualMachineInstance", "always", "spec.volumes"), 0);
    a = ask(RUNTIME_VMI_REMOVE_VOLUME, "always", REMOVE("data"));
    CHECK(strstr(a.text, "Unable to remove volume [data] because it does not exist") != NULL);
    CHECK_TEXT(fake_complaints(), "");
    world_close(&world);
}

static void a_volume_of_the_vm_stays(void)
{
    set_up();
    CHECK_TEXT(ask(RUNTIME_VM_ADD_VOLUME, "always", ADD("data")).text, "done");
    CHECK_TEXT(fake_disks("default_always"), "data,");
    auto_json *vm = world_get(&world, "VirtualMachine", "always");
    CHECK(json_bool_at(vm, "spec.template.spec.volumes.0.persistentVolumeClaim.hotpluggable", false));
    CHECK_TEXT(json_text_at(vm, "spec.template.spec.domain.devices.disks.0.disk.bus", ""), "scsi");
    CHECK(condition_get(vm, "RestartRequired") == NULL); /* the VMI has it already */
    CHECK_TEXT(ask(RUNTIME_VM_RESTART, "always", NULL).text, "done");
    CHECK(world_advance(&world, 60));
    CHECK_INT(volume_count("VirtualMachineInstance", "always", "spec.volumes"), 1);
    CHECK_TEXT(ask(RUNTIME_VM_REMOVE_VOLUME, "always", REMOVE("data")).text, "done");
    CHECK_INT(volume_count("VirtualMachine", "always", "spec.template.spec.volumes"), 0);
    CHECK_INT(volume_count("VirtualMachineInstance", "always", "spec.volumes"), 0);
    CHECK_TEXT(volume_says("always", "data", "phase"), "(none)");
    CHECK_TEXT(ask(RUNTIME_VM_ADD_VOLUME, "halted", ADD("data")).text, "done"); /* for the next start */
    CHECK_INT(volume_count("VirtualMachine", "halted", "spec.template.spec.volumes"), 1);
    CHECK_TEXT(fake_complaints(), "");
    world_close(&world);
}

static void what_cannot_be_plugged_is_refused(void)
{
    static const struct {
        enum runtime_action action;
        const char *name;
        const char *options;
        enum error_kind kind;
        const char *text;
    } CASES[] = {
        {RUNTIME_VMI_ADD_VOLUME, "always", "{}", ERROR_BAD_REQUEST, "AddVolumeOptions requires name to be set"},
        {RUNTIME_VMI_ADD_VOLUME, "always", "{\"name\":\"d\"}", ERROR_BAD_REQUEST,
         "AddVolumeOptions requires disk to not be nil"},
        {RUNTIME_VMI_ADD_VOLUME, "always", "{\"name\":\"d\",\"disk\":{}}", ERROR_BAD_REQUEST,
         "AddVolumeOptions requires VolumeSource to not be nil"},
        {RUNTIME_VMI_REMOVE_VOLUME, "always", "{}", ERROR_BAD_REQUEST, "RemoveVolumeOptions requires name to be set"},
        {RUNTIME_VMI_ADD_VOLUME, "none", ADD("d"), ERROR_NOT_FOUND,
         "virtualmachineinstance.kubevirt.io \"none\" not found"},
        {RUNTIME_VM_ADD_VOLUME, "none", ADD("d"), ERROR_NOT_FOUND, "virtualmachine.kubevirt.io \"none\" not found"},
        {RUNTIME_VMI_ADD_VOLUME, "halted", ADD("d"), ERROR_NOT_FOUND,
         "virtualmachineinstance.kubevirt.io \"halted\" not found"},
        {RUNTIME_VMI_ADD_VOLUME, "always",
         "{\"name\":\"d\",\"disk\":{\"disk\":{\"bus\":\"virtio\"}},\"volumeSource\":" CLAIM("d") "}", ERROR_INVALID,
         "disk.disk.bus \"virtio\": hotplugged disks use the bus scsi"},
        {RUNTIME_VMI_ADD_VOLUME, "always", "{\"name\":\"d\",\"disk\":{\"cdrom\":{}},\"volumeSource\":" CLAIM("d") "}",
         ERROR_INVALID, "disk: hotplugged disks are of device type disk"},
        {RUNTIME_VMI_ADD_VOLUME, "always",
         "{\"name\":\"d\",\"disk\":{\"cache\":\"odd\"},\"volumeSource\":" CLAIM("d") "}", ERROR_INVALID, "odd"},
        {RUNTIME_VMI_ADD_VOLUME, "always",
         "{\"name\":\"d\",\"disk\":{},\"volumeSource\":{\"hostDisk\":{\"path\":\"/etc/shadow\",\"type\":\"Disk\"}}}",
         ERROR_INVALID, "hostDisk.path \"/etc/shadow\" is in no folder"},
    };
    set_up();
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct answer a = ask(CASES[i].action, CASES[i].name, CASES[i].options);
        CHECK_INT(a.kind, CASES[i].kind);
        if (!strstr(a.text, CASES[i].text)) {
            printf("# case %zu: %s\n", i, a.text);
            test_failures++;
        }
    }
    CHECK_TEXT(ask(RUNTIME_VMI_ADD_VOLUME, "always",
                   "{\"name\":\"d\",\"dryRun\":[\"All\"],\"disk\":{},\"volumeSource\":" CLAIM("d") "}")
                   .text,
               "done");
    CHECK_TEXT(fake_disks("default_always"), "");
    CHECK_INT(volume_count("VirtualMachineInstance", "always", "spec.volumes"), 0);
    world_close(&world);
}

static void trouble_while_plugging_is_told_and_tried_again(void)
{
    set_up();
    fake_fail("attach", 1, 2, ERROR_INTERNAL);
    CHECK_TEXT(ask(RUNTIME_VMI_ADD_VOLUME, "always", ADD("data")).text, "done");
    CHECK_TEXT(volume_says("always", "data", "phase"), "Pending");
    CHECK_TEXT(volume_says("always", "data", "reason"), "VolumeNotReady");
    CHECK(world_advance(&world, 60));
    CHECK_TEXT(volume_says("always", "data", "phase"), "Ready");
    fake_hold_disks("default_always", true);
    CHECK_TEXT(ask(RUNTIME_VMI_REMOVE_VOLUME, "always", REMOVE("data")).text, "done");
    CHECK_TEXT(volume_says("always", "data", "phase"), "Detaching");
    CHECK_TEXT(volume_says("always", "data", "message"), "the guest has not let go");
    fake_hold_disks("default_always", false);
    CHECK(world_advance(&world, 60));
    CHECK_TEXT(volume_says("always", "data", "phase"), "(none)");
    /* taken away before it came */
    fake_fail("prepare", 1, 100, ERROR_NOT_FOUND);
    CHECK_TEXT(ask(RUNTIME_VMI_ADD_VOLUME, "always", ADD("other")).text, "done");
    CHECK_TEXT(ask(RUNTIME_VMI_REMOVE_VOLUME, "always", REMOVE("other")).text, "done");
    fake_faults_end();
    CHECK(world_advance(&world, 60));
    CHECK_TEXT(volume_says("always", "other", "phase"), "(none)");
    CHECK_TEXT(fake_disks("default_always"), "");
    CHECK_TEXT(fake_complaints(), "");
    world_close(&world);
}

/* Killed at every turn between the wish and its end. */
static void a_kill_while_plugging_loses_nothing(void)
{
    for (unsigned turn = 1; turn < 12; turn++) {
        set_up();
        struct answer a = {0};
        auto_json *options = json_from_text(ADD("data"), strlen(ADD("data")), &err);
        runtime_act(world.runtime, RUNTIME_VMI_ADD_VOLUME, "default", "always", options, note, &a);
        for (unsigned i = 0; i < turn; i++)
            loop_run_once(world.loop, false);
        bool answered = a.given;
        world_kill(&world);
        CHECK(world_settle(&world));
        CHECK(world_advance(&world, 60));
        if (answered)
            CHECK_TEXT(fake_disks("default_always"), "data,");
        CHECK_TEXT(volume_says("always", "data", "phase"), fake_disks("default_always")[0] ? "Ready" : "(none)");
        CHECK_TEXT(fake_complaints(), "");
        world_close(&world);
    }
}

static unsigned statistics_given;
static const struct runtime_statistics *last_statistics;

static void note_statistics(const struct runtime_statistics *statistics, void *arg)
{
    (void)arg;
    statistics_given++;
    last_statistics = statistics;
}

/* One question to libvirt for however many ask, and none again for a while; what runs is counted, what does not is not.
 */
static void statistics_are_shared(void)
{
    set_up();
    free(fake_take_trace());
    statistics_given = 0;
    unsigned calls = fake_calls();
    runtime_statistics(world.runtime, note_statistics, NULL);
    runtime_statistics(world.runtime, note_statistics, NULL);
    CHECK_INT(statistics_given, 0);
    CHECK(world_settle(&world));
    CHECK_INT(statistics_given, 2);
    CHECK_INT(fake_calls() - calls, 1);
    CHECK(last_statistics && last_statistics->has_domains);
    CHECK_INT(last_statistics->vm_count, 3); /* always, once, rerun */
    CHECK_INT(last_statistics->vm[0].domain.memory_bytes, 1 << 30);
    runtime_statistics(world.runtime, note_statistics, NULL);
    CHECK_INT(statistics_given, 3);
    CHECK_INT(fake_calls() - calls, 1);
    CHECK_INT(runtime_counters(world.runtime)->steps[VMI_START], 3);
    world_close(&world);
}

static void statistics_do_not_wait_for_libvirt(void)
{
    set_up();
    fake_libvirt(false);
    CHECK(world_settle(&world));
    runtime_statistics(world.runtime, note_statistics, NULL);
    CHECK(world_settle(&world));
    CHECK(last_statistics && !last_statistics->has_domains);
    statistics_given = 0; /* a job that never ends: whoever waits is let go by the timer */
    world.runtime->statistics->taken_ms = 0;
    world.runtime->statistics_are_coming = true;
    runtime_statistics(world.runtime, note_statistics, NULL);
    CHECK_INT(statistics_given, 0);
    statistics_late(world.runtime);
    CHECK_INT(statistics_given, 1);
    CHECK(last_statistics == NULL);
    world.runtime->statistics_are_coming = false;
    world_close(&world);
}

int main(void)
{
    RUN(refuses_in_kubevirts_words);
    RUN(a_second_request_waits_for_the_first);
    RUN(a_dry_run_changes_nothing);
    RUN(an_act_in_hand_ends_with_its_vmi);
    RUN(looks_at_a_running_vmi);
    RUN(asks_the_guest);
    RUN(admits_and_protects);
    RUN(deletes_what_nobody_holds_at_once);
    RUN(describes_the_node);
    RUN(plans_without_claiming);
    RUN(a_refusal_says_what_would_fit);
    RUN(what_the_host_takes_away_is_said);
    RUN(pages_nobody_knows_raise_an_alarm);
    RUN(a_long_name_takes_nothing_with_it);
    RUN(a_full_disk_only_delays);
    RUN(keeps_a_bounded_number_of_events);
    RUN(a_volume_comes_and_goes);
    RUN(a_volume_of_the_vm_stays);
    RUN(what_cannot_be_plugged_is_refused);
    RUN(trouble_while_plugging_is_told_and_tried_again);
    RUN(a_kill_while_plugging_loses_nothing);
    RUN(statistics_are_shared);
    RUN(statistics_do_not_wait_for_libvirt);
    return test_end();
}
