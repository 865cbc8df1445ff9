#include "tests/scenario/fake_world.h"
#include "tests/test.h"

/* The gate in front of a VM, and LatencyTest objects, in a world where measuring takes no time. */

static struct world world;
static struct error err;

static json_t *gated_vm(const char *name, const char *action)
{
    json_t *vm = world_vm(name, "strategy=Always cores=2 dedicated=1 realtime=1 pages=1");
    json_t *annotations = json_pack("{s:s}", "rtvmd.io/latency-gate", "40us");
    if (action)
        json_object_set_new(annotations, "rtvmd.io/latency-gate-action", json_string(action));
    json_put_at(vm, "spec.template.metadata.annotations", annotations);
    return vm;
}

static const char *gate_reason(const char *name, char buffer[64])
{
    auto_json *vmi = world_get(&world, "VirtualMachineInstance", name);
    snprintf(buffer, 64, "%s", json_text_at(condition_get(vmi, "LatencyGate"), "reason", "none"));
    return buffer;
}

static const char *phase(const char *name, char buffer[64])
{
    auto_json *vmi = world_get(&world, "VirtualMachineInstance", name);
    snprintf(buffer, 64, "%s", json_text_at(vmi, "status.phase", ""));
    return buffer;
}

static void a_slow_host_keeps_the_vm_out_until_it_is_quiet(void)
{
    char text[64];
    world_open(&world, "one-node-8cpu");
    fake_latency(55000, true);
    CHECK_INT(world_apply(&world, gated_vm("gated", NULL), &err), 0);
    CHECK(world_settle(&world));
    CHECK_TEXT(phase("gated", text), "Scheduled");
    CHECK_TEXT(gate_reason("gated", text), "TooSlow");
    CHECK_INT(fake_starts("default_gated"), 0);
    fake_latency(12000, true);
    CHECK(world_advance(&world, 600));
    CHECK_TEXT(phase("gated", text), "Running");
    CHECK_TEXT(gate_reason("gated", text), "Gold");
    auto_json *vmi = world_get(&world, "VirtualMachineInstance", "gated");
    CHECK_TEXT(json_text_at(condition_get(vmi, "LatencyGate"), "message", ""),
               "worst 12.0 µs, the gate is 40.0 µs; run run");
    world_restart(&world);
    CHECK(world_settle(&world));
    CHECK_TEXT(gate_reason("gated", text), "Gold"); /* it is not forgotten with the daemon */
    world_close(&world);
}

static void warning_and_unreal_hosts_let_it_in(void)
{
    char text[64];
    world_open(&world, "one-node-8cpu");
    fake_latency(55000, true);
    CHECK_INT(world_apply(&world, gated_vm("warned", "warn"), &err), 0);
    CHECK(world_settle(&world));
    CHECK_TEXT(phase("warned", text), "Running");
    CHECK_TEXT(gate_reason("warned", text), "TooSlow");
    fake_latency(9000000, false);
    CHECK_INT(world_apply(&world, gated_vm("unreal", NULL), &err), 0);
    CHECK(world_settle(&world));
    CHECK_TEXT(phase("unreal", text), "Running");
    CHECK_TEXT(gate_reason("unreal", text), "NoVerdict");
    world_close(&world);
}

static void an_ungated_vm_is_not_measured(void)
{
    char text[64];
    world_open(&world, "one-node-8cpu");
    CHECK_INT(world_apply(&world, world_vm("plain", "strategy=Always cores=2 dedicated=1 realtime=1 pages=1"), &err),
              0);
    CHECK(world_settle(&world));
    CHECK_TEXT(gate_reason("plain", text), "none");
    auto_free char *trace = fake_take_trace();
    CHECK(strstr(trace, "measure") == NULL);
    world_close(&world);
}

int main(void)
{
    RUN(a_slow_host_keeps_the_vm_out_until_it_is_quiet);
    RUN(warning_and_unreal_hosts_let_it_in);
    RUN(an_ungated_vm_is_not_measured);
    return test_end();
}
