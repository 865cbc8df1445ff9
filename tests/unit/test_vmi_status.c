#include "runtime/vmi_status.c"

#include "tests/test.h"

static json_t *fresh_vmi(void)
{
    static const char TEXT[] =
        "{kind: VirtualMachineInstance, apiVersion: kubevirt.io/v1, metadata: {namespace: default, name: a}, spec: "
        "{domain: {cpu: {cores: 2, sockets: 1, threads: 1, dedicatedCpuPlacement: true}, memory: {guest: 1Gi}, "
        "machine: {type: q35}, devices: {disks: [{name: root, disk: {bus: virtio}}, {name: second, disk: {bus: sata}}, "
        "{name: third, disk: {bus: virtio}}]}}, volumes: [{name: root, emptyDisk: {capacity: 1Gi}}, {name: third, "
        "emptyDisk: {capacity: 1Gi}}, {name: second, emptyDisk: {capacity: 1Gi}}]}}";
    struct error err;
    auto_json *documents = manifest_parse(TEXT, sizeof TEXT - 1, &err);
    json_t *vmi = json_incref(json_array_get(documents, 0));
    vmi_status_first(vmi);
    return vmi;
}

static struct vmi_report report(enum vmi_phase phase)
{
    return (struct vmi_report){.now_s = 1700000000,
                               .node_name = "node1",
                               .phase = phase,
                               .is_observed = true,
                               .domain = phase == VMI_RUNNING ? DOMAIN_RUNNING : DOMAIN_ABSENT,
                               .runtime_user = -1};
}

static void begins_with_what_the_spec_says(void)
{
    auto_json *vmi = fresh_vmi();
    CHECK_INT(json_int_at(vmi, "status.currentCPUTopology.cores", 0), 2);
    CHECK_INT(json_int_at(vmi, "status.currentCPUTopology.sockets", 0), 1);
    CHECK_TEXT(json_text_at(vmi, "status.memory.guestRequested", ""), "1Gi");
    CHECK_TEXT(json_text_at(vmi, "status.machine.type", ""), "q35");
    CHECK_TEXT(json_text_at(vmi, "status.qosClass", ""), "Guaranteed");
    CHECK_INT(json_int_at(vmi, "status.runtimeUser", 0), 107);
    CHECK(!vmi_status_ran(vmi));
}

static void notes_each_phase_once(void)
{
    auto_json *vmi = fresh_vmi();
    static const enum vmi_phase PHASES_SEEN[] = {VMI_PENDING, VMI_SCHEDULED, VMI_SCHEDULED, VMI_RUNNING, VMI_FAILED};
    for (size_t i = 0; i < ARRAY_SIZE(PHASES_SEEN); i++) {
        struct vmi_report r = report(PHASES_SEEN[i]);
        r.now_s += (int64_t)i;
        vmi_status_update(vmi, &r);
    }
    const json_t *times = json_at(vmi, "status.phaseTransitionTimestamps");
    CHECK_INT(json_array_size(times), 4);
    CHECK_TEXT(json_text_at(times, "2.phase", ""), "Running");
    CHECK_TEXT(json_text_at(times, "2.phaseTransitionTimestamp", ""), "2023-11-14T22:13:23Z");
    CHECK_TEXT(json_text_at(vmi, "status.phase", ""), "Failed");
    CHECK(vmi_status_ran(vmi));
    CHECK_TEXT(json_text_at(vmi, "status.nodeName", ""), "node1");
    CHECK_TEXT(json_text_at(vmi, "status.volumeStatus.0.name", ""), "root");
    CHECK_TEXT(json_text_at(vmi, "status.volumeStatus.0.target", ""), "vda");
    CHECK_TEXT(json_text_at(vmi, "status.volumeStatus.1.target", ""), "vdb");
    CHECK_TEXT(json_text_at(vmi, "status.volumeStatus.2.target", ""), "sda");
}

static void the_same_report_gives_the_same_status(void)
{
    auto_json *vmi = fresh_vmi();
    struct vmi_report r = report(VMI_RUNNING);
    auto_json *proof = json_pack("{s:b, s:[], s:{s:b}}", "ok", 1, "threads", "memory", "ok", 1);
    r.proof_is_wanted = true;
    r.proof = proof;
    r.failure = "no";
    r.failure_reason = "Because";
    vmi_status_update(vmi, &r);
    auto_json *before = json_deep_copy(vmi);
    r.now_s += 1000;
    vmi_status_update(vmi, &r);
    CHECK(json_equal(vmi, before));
}

static const char *reason(const json_t *vmi, const char *type)
{
    return json_text_at(condition_get(vmi, type), "reason", "none");
}

static void tells_ready_and_paused(void)
{
    static const struct {
        enum vmi_phase phase;
        enum domain_state domain;
        enum domain_reason why;
        bool observed;
        const char *ready;
        const char *paused;
    } CASES[] = {
        {VMI_PENDING, DOMAIN_ABSENT, 0, true, "False", "none"},
        {VMI_SCHEDULED, DOMAIN_PAUSED, DOMAIN_REASON_PAUSED_STARTING, true, "False", "none"},
        {VMI_RUNNING, DOMAIN_RUNNING, 0, true, "True", "none"},
        {VMI_RUNNING, DOMAIN_PAUSED, DOMAIN_REASON_PAUSED_USER, true, "False", "PausedByUser"},
        {VMI_RUNNING, DOMAIN_PAUSED, DOMAIN_REASON_PAUSED_USER, false, "False", "PausedByUser"}, /* as last seen */
        {VMI_RUNNING, DOMAIN_PAUSED, DOMAIN_REASON_PAUSED_IO_ERROR, true, "False", "PausedIOError"},
        {VMI_RUNNING, DOMAIN_RUNNING, 0, true, "True", "none"},
        {VMI_RUNNING, DOMAIN_ABSENT, 0, false, "True", "none"}, /* libvirt is down: nobody knows better */
        {VMI_SUCCEEDED, DOMAIN_OFF, DOMAIN_REASON_SHUTDOWN, true, "False", "none"},
    };
    auto_json *vmi = fresh_vmi();
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct vmi_report r = report(CASES[i].phase);
        r.domain = CASES[i].domain;
        r.reason = CASES[i].why;
        r.is_observed = CASES[i].observed;
        vmi_status_update(vmi, &r);
        CHECK_TEXT(json_text_at(condition_get(vmi, "Ready"), "status", ""), CASES[i].ready);
        CHECK_TEXT(reason(vmi, "Paused"), CASES[i].paused);
    }
}

static void tells_why_it_waits_and_what_fails(void)
{
    auto_json *vmi = fresh_vmi();
    struct vmi_report r = report(VMI_SCHEDULING);
    r.refusal = "0/1 nodes are available: no";
    vmi_status_update(vmi, &r);
    CHECK_TEXT(reason(vmi, "PodScheduled"), "Unschedulable");
    CHECK_TEXT(reason(vmi, "Ready"), "PodNotExists");
    r = report(VMI_SCHEDULED);
    r.failure = "root: cannot pull";
    r.failure_reason = "ErrImagePull";
    r.emulated = true;
    vmi_status_update(vmi, &r);
    CHECK(!condition_get(vmi, "PodScheduled"));
    CHECK_TEXT(reason(vmi, "Synchronized"), "ErrImagePull");
    CHECK_TEXT(reason(vmi, "LiveMigratable"), "NotMigratable");
    CHECK(condition_is(vmi, "SoftwareEmulation", "True"));
    r.failure = NULL;
    r.emulated = false;
    vmi_status_update(vmi, &r);
    CHECK(!condition_get(vmi, "Synchronized") && !condition_get(vmi, "SoftwareEmulation"));
}

static void tells_drift_in_words(void)
{
    auto_json *vmi = fresh_vmi();
    json_t *threads = json_array();
    for (int i = 0; i < 10; i++)
        json_array_append_new(threads, json_pack("{s:s, s:i, s:b, s:s}", "name", "CPU", "tid", i, "ok", i == 0,
                                                 "because", "may run on 0-7"));
    auto_json *proof = json_pack("{s:b, s:o, s:{s:b, s:s}}", "ok", 0, "threads", threads, "memory", "ok", 0, "because",
                                 "0 bytes locked");
    struct vmi_report r = report(VMI_RUNNING);
    r.proof = proof;
    vmi_status_update(vmi, &r);
    CHECK(!condition_get(vmi, "RealtimeProven")); /* a VM that asked for nothing */
    r.proof_is_wanted = true;
    vmi_status_update(vmi, &r);
    CHECK(condition_is(vmi, "RealtimeProven", "False"));
    const char *message = json_text_at(condition_get(vmi, "RealtimeProven"), "message", "");
    CHECK(text_starts_with(message, "CPU (1): may run on 0-7; CPU (2): may run on 0-7; "));
    CHECK(text_ends_with(message, "CPU (8): may run on 0-7; and 1 more threads; memory: 0 bytes locked"));
    json_object_set_new(proof, "ok", json_true());
    r.repaired = 2;
    vmi_status_update(vmi, &r);
    CHECK_TEXT(json_text_at(condition_get(vmi, "RealtimeProven"), "message", ""),
               "every thread and the guest's memory are where the placement says; 2 put back in place");
    r.phase = VMI_FAILED;
    vmi_status_update(vmi, &r);
    CHECK(!condition_get(vmi, "RealtimeProven"));
}

static void says_what_is_untrue_of_its_placement(void)
{
    auto_json *vmi = json_pack("{s:{}}", "metadata");
    struct vmi_report r = {.now_s = 5, .phase = VMI_RUNNING, .is_observed = true, .domain = DOMAIN_RUNNING};
    r.is_audited = true;
    r.untrue = "CPU 3 of vCPU 0 is offline";
    r.untrue_reason = "CPUOffline";
    vmi_status_update(vmi, &r);
    CHECK(condition_is(vmi, "PlacementHolds", "False"));
    CHECK_TEXT(json_text_at(condition_get(vmi, "PlacementHolds"), "message", ""), "CPU 3 of vCPU 0 is offline");
    r.is_audited = false; /* a new daemon has not looked yet */
    r.untrue = NULL;
    vmi_status_update(vmi, &r);
    CHECK(condition_is(vmi, "PlacementHolds", "False"));
    r.is_audited = true;
    vmi_status_update(vmi, &r);
    CHECK(!condition_get(vmi, "PlacementHolds"));
    r.untrue = "x";
    vmi_status_update(vmi, &r);
    r.phase = VMI_FAILED;
    vmi_status_update(vmi, &r);
    CHECK(!condition_get(vmi, "PlacementHolds"));
}

int main(void)
{
    RUN(begins_with_what_the_spec_says);
    RUN(notes_each_phase_once);
    RUN(the_same_report_gives_the_same_status);
    RUN(tells_ready_and_paused);
    RUN(tells_why_it_waits_and_what_fails);
    RUN(tells_drift_in_words);
    RUN(says_what_is_untrue_of_its_placement);
    return test_end();
}
