#include <string.h>

#include "runtime/inside.h"

/* The status of a VMI from what was found out about it. Pure: the same report gives the same status, so that a status
 * that says nothing new is not written. One small function per condition (facts 5.5, 5.7). */

enum vmi_phase vmi_status_phase(const json_t *vmi)
{
    return vmi_phase_from_text(json_text_at(vmi, "status.phase", ""));
}

bool vmi_status_ran(const json_t *vmi)
{
    size_t i;
    json_t *entry;
    json_array_foreach(json_at(vmi, "status.phaseTransitionTimestamps"), i, entry)
    {
        if (strcmp(json_text_at(entry, "phase", ""), "Running") == 0)
            return true;
    }
    return vmi_status_phase(vmi) == VMI_RUNNING;
}

void vmi_status_set_phase(json_t *vmi, enum vmi_phase phase, int64_t now_s)
{
    if (phase == VMI_UNSET || vmi_status_phase(vmi) == phase)
        return;
    json_put_at(vmi, "status.phase", json_string(vmi_phase_text(phase)));
    if (!json_at(vmi, "status.phaseTransitionTimestamps"))
        json_put_at(vmi, "status.phaseTransitionTimestamps", json_array());
    char now[TIMESTAMP_TEXT_MAX];
    json_array_append_new(json_at(vmi, "status.phaseTransitionTimestamps"),
                          json_pack("{s:s, s:s}", "phase", vmi_phase_text(phase), "phaseTransitionTimestamp",
                                    timestamp_format(now_s, now)));
}

/* What is known from the spec alone. */
void vmi_status_first(json_t *vmi)
{
    const json_t *domain = json_at(vmi, "spec.domain");
    json_t *status = json_pack("{s:[], s:{}, s:i}", "conditions", "guestOSInfo", "runtimeUser", 107);
    json_object_set_new(vmi, "status", status);
    json_object_set_new(status, "currentCPUTopology",
                        json_pack("{s:I, s:I, s:I}", "cores", (json_int_t)json_int_at(domain, "cpu.cores", 1),
                                  "sockets", (json_int_t)json_int_at(domain, "cpu.sockets", 1), "threads",
                                  (json_int_t)json_int_at(domain, "cpu.threads", 1)));
    const char *memory = json_text_at(domain, "memory.guest", NULL);
    if (memory)
        json_object_set_new(
            status, "memory",
            json_pack("{s:s, s:s, s:s}", "guestAtBoot", memory, "guestCurrent", memory, "guestRequested", memory));
    const char *machine = json_text_at(domain, "machine.type", NULL);
    if (machine)
        json_object_set_new(status, "machine", json_pack("{s:s}", "type", machine));
    bool dedicated = json_bool_at(domain, "cpu.dedicatedCpuPlacement", false);
    json_object_set_new(status, "qosClass", json_string(dedicated ? "Guaranteed" : "Burstable"));
}

static bool is_up(const struct vmi_report *r)
{
    return r->is_observed && (r->domain == DOMAIN_RUNNING || r->domain == DOMAIN_SHUTTING_DOWN);
}

static void write_ready(json_t *vmi, const struct vmi_report *r)
{
    static const char *const NOT_RUNNING = "Guest VM is not reported as running";
    if (r->phase == VMI_RUNNING && !r->is_observed)
        return; /* nobody knows better than last time */
    if (r->phase == VMI_RUNNING && is_up(r))
        condition_set(vmi, "Ready", "True", NULL, NULL, r->now_s);
    else if (r->phase == VMI_RUNNING || vmi_phase_is_final(r->phase) || r->phase == VMI_SCHEDULED)
        condition_set(vmi, "Ready", "False", r->deleting ? "PodTerminating" : "GuestNotRunning", NOT_RUNNING, r->now_s);
    else
        condition_set(vmi, "Ready", "False", "PodNotExists", "virt-launcher pod has not yet been scheduled", r->now_s);
}

static void write_scheduled(json_t *vmi, const struct vmi_report *r)
{
    if (r->refusal)
        condition_set(vmi, "PodScheduled", "False", "Unschedulable", r->refusal, r->now_s);
    else
        condition_drop(vmi, "PodScheduled");
}

static void write_synchronized(json_t *vmi, const struct vmi_report *r)
{
    if (r->failure)
        condition_set(vmi, "Synchronized", "False", r->failure_reason, r->failure, r->now_s);
    else
        condition_drop(vmi, "Synchronized");
}

static void write_paused(json_t *vmi, const struct vmi_report *r)
{
    if (!r->is_observed && !vmi_phase_is_final(r->phase))
        return;
    if (r->phase != VMI_RUNNING || r->domain != DOMAIN_PAUSED)
        condition_drop(vmi, "Paused");
    else if (r->reason == DOMAIN_REASON_PAUSED_IO_ERROR)
        condition_set(vmi, "Paused", "True", "PausedIOError", "VMI was paused, low-level IO error detected", r->now_s);
    else
        condition_set(vmi, "Paused", "True", "PausedByUser", "VMI was paused by user", r->now_s);
}

static void write_agent(json_t *vmi, const struct vmi_report *r)
{
    if (r->phase == VMI_RUNNING && r->is_observed && r->has_agent)
        condition_set(vmi, "AgentConnected", "True", NULL, NULL, r->now_s);
    else if (r->is_observed)
        condition_drop(vmi, "AgentConnected");
}

static void write_host_facts(json_t *vmi, const struct vmi_report *r)
{
    if (r->phase < VMI_SCHEDULED || vmi_phase_is_final(r->phase))
        return;
    condition_set(vmi, "LiveMigratable", "False", "NotMigratable",
                  "rtvmd runs on one host: there is nowhere to migrate to", r->now_s);
    if (r->emulated)
        condition_set(vmi, "SoftwareEmulation", "True", "KVMUnavailable",
                      "the VM runs under emulation: far slower than with KVM, and without real-time guarantees",
                      r->now_s);
    else
        condition_drop(vmi, "SoftwareEmulation");
}

void vmi_describe_drift(const json_t *proof, struct text *out)
{
    size_t i;
    json_t *thread;
    unsigned told = 0;
    json_array_foreach(json_at(proof, "threads"), i, thread)
    {
        if (json_bool_at(thread, "ok", true) || told++ >= 8)
            continue;
        text_printf(out, "%s%s (%lld): %s", out->length ? "; " : "", json_text_at(thread, "name", "?"),
                    (long long)json_int_at(thread, "tid", 0), json_text_at(thread, "because", ""));
    }
    if (told > 8)
        text_printf(out, "; and %u more threads", told - 8);
    if (!json_bool_at(proof, "memory.ok", true))
        text_printf(out, "%smemory: %s", out->length ? "; " : "", json_text_at(proof, "memory.because", ""));
}

static void write_proof(json_t *vmi, const struct vmi_report *r)
{
    if (!r->proof_is_wanted || (vmi_phase_is_final(r->phase) && !condition_get(vmi, "RealtimeProven")))
        return;
    if (vmi_phase_is_final(r->phase)) {
        condition_drop(vmi, "RealtimeProven");
        return;
    }
    if (!r->proof)
        return;
    auto_text message = {0};
    bool ok = json_bool_at(r->proof, "ok", false);
    if (ok)
        /* No number of threads: QEMU's come and go, and the status would be written anew each time. */
        text_append(&message, "every thread and the guest's memory are where the placement says");
    else
        vmi_describe_drift(r->proof, &message);
    if (r->repaired > 0)
        text_printf(&message, "; %d put back in place", r->repaired);
    condition_set(vmi, "RealtimeProven", ok ? "True" : "False", ok ? "AsPlanned" : "Drift", text_cstr(&message),
                  r->now_s);
}

/* Nothing is moved because of it: whoever owns the VM decides. */
static void write_placement(json_t *vmi, const struct vmi_report *r)
{
    if (r->phase == VMI_RUNNING && !r->is_audited)
        return; /* as it was known before */
    if (r->phase == VMI_RUNNING && r->untrue)
        condition_set(vmi, "PlacementHolds", "False", r->untrue_reason, r->untrue, r->now_s);
    else
        condition_drop(vmi, "PlacementHolds");
}

static void write_gate(json_t *vmi, const struct vmi_report *r)
{
    if (r->gate)
        condition_set(vmi, "LatencyGate", json_text_at(r->gate, "status", "Unknown"),
                      json_text_at(r->gate, "reason", ""), json_text_at(r->gate, "message", ""), r->now_s);
}

static void write_interfaces(json_t *vmi, const struct vmi_report *r)
{
    auto_spec spec = {0};
    struct error ignored;
    if (r->phase != VMI_RUNNING || json_at(vmi, "status.interfaces") || spec_decode(vmi, &spec, &ignored))
        return;
    json_t *list = json_array();
    for (unsigned i = 0; i < spec.interface_count; i++) {
        char mac[DOMAIN_MAC_MAX];
        domain_mac(&spec, &spec.interface[i], mac);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:i, s:s}", "name", spec.interface[i].name, "mac", mac,
                                              "infoSource", "domain", "queueCount", 1, "linkState", "up"));
    }
    json_put_at(vmi, "status.interfaces", list);
}

static const char *volume_target(const struct vm_spec *spec, unsigned volume, char buffer[DOMAIN_TARGET_MAX])
{
    buffer[0] = '\0'; /* a volume without a disk */
    for (unsigned i = 0; i < spec->disk_count; i++)
        if (spec->disk[i].volume == (int)volume)
            domain_disk_target(spec, i, buffer);
    return buffer;
}

static void write_volumes(json_t *vmi)
{
    auto_spec spec = {0};
    struct error ignored;
    if (json_at(vmi, "status.volumeStatus") || spec_decode(vmi, &spec, &ignored) || spec.volume_count == 0)
        return;
    json_t *list = json_array();
    char target[DOMAIN_TARGET_MAX];
    for (unsigned v = 0; v < spec.volume_count; v++)
        json_array_append_new(
            list, json_pack("{s:s, s:s}", "name", spec.volume[v].name, "target", volume_target(&spec, v, target)));
    json_put_at(vmi, "status.volumeStatus", list);
}

void vmi_status_update(json_t *vmi, const struct vmi_report *r)
{
    vmi_status_set_phase(vmi, r->phase, r->now_s);
    if (r->phase >= VMI_SCHEDULED) {
        json_put_at(vmi, "status.nodeName", json_string(r->node_name));
        object_set_label(vmi, "kubevirt.io/nodeName", r->node_name);
        write_volumes(vmi);
    }
    if (r->runtime_user >= 0)
        json_put_at(vmi, "status.runtimeUser", json_integer(r->runtime_user));
    write_ready(vmi, r);
    write_scheduled(vmi, r);
    write_synchronized(vmi, r);
    write_paused(vmi, r);
    write_agent(vmi, r);
    write_host_facts(vmi, r);
    write_proof(vmi, r);
    write_placement(vmi, r);
    write_gate(vmi, r);
    write_interfaces(vmi, r);
    if (r->guest)
        guest_report_write(vmi, r->guest);
}
