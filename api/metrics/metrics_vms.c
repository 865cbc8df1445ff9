/* Samples about VMs: of objects, of what they use, of where they were put. Labels are KubeVirt's: node, namespace,
 * name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/metrics/metrics.h"
#include "api/streams/tunnel.h"
#include "api/wire/jsonpath.h"
#include "runtime/statistics.h"

#define VM_LABELS(view, namespace_, name)                \
    {"node", (view)->node}, {"namespace", (namespace_)}, \
    {                                                    \
        "name", (name)                                   \
    }

static void number(const struct metric *metric, struct exposition *e, const struct exposition_label *labels,
                   uint64_t value)
{
    if (value == STATISTIC_UNKNOWN)
        return;
    if (metric->is_time)
        exposition_seconds(e, labels, value);
    else
        exposition_count(e, labels, value);
}

static uint64_t field_of(const struct metric *metric, const void *in)
{
    return *(const uint64_t *)((const char *)in + metric->field);
}

/* ---- objects */
static const char *namespace_of(const json_t *object)
{
    return json_text_at(object, "metadata.namespace", "");
}

static const char *name_of(const json_t *object)
{
    return json_text_at(object, "metadata.name", "");
}

/* What KubeVirt's templates note about a guest; keys hold dots. */
static const char *noted(const json_t *annotations, const char *key)
{
    const char *value = json_string_value(json_object_get(annotations, key));
    return value && value[0] ? value : "<none>";
}

static const json_t *annotations_of(const json_t *vmi)
{
    return json_at(vmi, "metadata.annotations");
}

#define GUEST_LABELS(annotations)                                                                                     \
    {"os", noted((annotations), "vm.kubevirt.io/os")}, {"workload", noted((annotations), "vm.kubevirt.io/workload")}, \
        {"flavor", noted((annotations), "vm.kubevirt.io/flavor")}, {"instance_type", "<none>"},                       \
    {                                                                                                                 \
        "preference", "<none>"                                                                                        \
    }

static const char *phase_of(const json_t *vmi)
{
    return json_text_at(vmi, "status.phase", "Pending");
}

void metrics_vm_count(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    (void)metric;
    /* They come ordered by namespace. */
    size_t total = json_array_size(view->vms), run = 0;
    for (size_t i = 0; i < total; i++) {
        const char *namespace_ = namespace_of(json_array_get(view->vms, i));
        run++;
        if (i + 1 < total && strcmp(namespace_of(json_array_get(view->vms, i + 1)), namespace_) == 0)
            continue;
        exposition_count(e, LABELS({"namespace", namespace_}), run);
        run = 0;
    }
}

static const char *status_of(const json_t *vm)
{
    return json_text_at(vm, "status.printableStatus", "Stopped");
}

const char *metrics_status_group(const json_t *vm)
{
    const char *status = status_of(vm);
    static const char *const STARTING[] = {"Provisioning", "Starting", "WaitingForVolumeBinding", "WaitingForReceiver"};
    static const char *const IDLE[] = {"Stopped", "Paused", "Stopping", "Terminating"};
    for (size_t i = 0; i < ARRAY_SIZE(STARTING); i++)
        if (strcmp(status, STARTING[i]) == 0)
            return "starting";
    for (size_t i = 0; i < ARRAY_SIZE(IDLE); i++)
        if (strcmp(status, IDLE[i]) == 0)
            return "non_running";
    return strcmp(status, "Running") == 0 ? "running" : strcmp(status, "Migrating") == 0 ? "migrating" : "error";
}

void metrics_vm_info(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    (void)metric;
    size_t i;
    json_t *vm;
    json_array_foreach(view->vms, i, vm)
    {
        auto_free char *word = must_strdup(status_of(vm));
        for (char *p = word; *p; p++)
            if (*p >= 'A' && *p <= 'Z')
                *p = (char)(*p - 'A' + 'a');
        exposition_count(e,
                         LABELS({"namespace", namespace_of(vm)}, {"name", name_of(vm)},
                                GUEST_LABELS(json_at(vm, "spec.template.metadata.annotations")),
                                {"machine_type", json_text_at(vm, "spec.template.spec.domain.machine.type", "q35")},
                                {"status", word}, {"status_group", metrics_status_group(vm)}),
                         1);
    }
}

/* Those that look the same are counted together, by the first of them. */
static bool counts_with(const json_t *a, const json_t *b)
{
    static const char *const KEYS[] = {"vm.kubevirt.io/os", "vm.kubevirt.io/workload", "vm.kubevirt.io/flavor"};
    for (size_t i = 0; i < ARRAY_SIZE(KEYS); i++)
        if (strcmp(noted(annotations_of(a), KEYS[i]), noted(annotations_of(b), KEYS[i])) != 0)
            return false;
    return strcmp(phase_of(a), phase_of(b)) == 0;
}

void metrics_vmi_phases(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    (void)metric;
    size_t total = json_array_size(view->vmis), kinds = 0;
    auto_free size_t *count = must_calloc(total + 1, sizeof *count);
    auto_free const json_t **kind = must_calloc(total + 1, sizeof(json_t *));
    for (size_t i = 0; i < total; i++) {
        const json_t *vmi = json_array_get(view->vmis, i);
        size_t k = 0;
        while (k < kinds && !counts_with(kind[k], vmi))
            k++;
        kind[k] = vmi;
        count[k]++;
        kinds += k == kinds;
    }
    for (size_t k = 0; k < kinds; k++)
        exposition_count(
            e, LABELS({"node", view->node}, {"phase", phase_of(kind[k])}, GUEST_LABELS(annotations_of(kind[k]))),
            count[k]);
}

void metrics_vmi_info(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    (void)metric;
    size_t i;
    json_t *vmi;
    json_array_foreach(view->vmis, i, vmi)
    {
        const json_t *guest = json_at(vmi, "status.guestOSInfo");
        exposition_count(e,
                         LABELS(VM_LABELS(view, namespace_of(vmi), name_of(vmi)), {"phase", phase_of(vmi)},
                                GUEST_LABELS(annotations_of(vmi)), {"guest_os_name", json_text_at(guest, "name", "")},
                                {"guest_os_version_id", json_text_at(guest, "versionId", "")},
                                {"guest_os_kernel_release", json_text_at(guest, "kernelRelease", "")},
                                {"guest_os_machine", json_text_at(guest, "machine", "")}, {"evictable", "false"},
                                {"outdated", "false"}),
                         1);
    }
}

static void addresses_of(const json_t *vmi, const struct metrics_view *view, struct exposition *e)
{
    size_t i;
    json_t *interface;
    json_array_foreach(json_at(vmi, "status.interfaces"), i, interface)
    {
        const char *address = json_text_at(interface, "ipAddress", "");
        if (address[0])
            exposition_count(e,
                             LABELS(VM_LABELS(view, namespace_of(vmi), name_of(vmi)),
                                    {"vnic_name", json_text_at(interface, "name", "")},
                                    {"interface_name", json_text_at(interface, "interfaceName", "")},
                                    {"address", address}, {"type", "InternalIP"}),
                             1);
    }
}

void metrics_vmi_addresses(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    (void)metric;
    size_t i;
    json_t *vmi;
    json_array_foreach(view->vmis, i, vmi)
    {
        addresses_of(vmi, view, e);
    }
}

void metrics_unschedulable(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    (void)metric;
    uint64_t waiting = 0;
    size_t i;
    json_t *vmi;
    json_array_foreach(view->vmis, i, vmi)
    {
        const json_t *scheduled = jsonpath_first(vmi, ".status.conditions[?(@.type=='PodScheduled')].status");
        waiting += text_equal(json_string_value(scheduled), "False");
    }
    exposition_count(e, NO_LABELS, waiting);
}

/* ---- what they use */
void metrics_of_domains(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    for (size_t i = 0; view->statistics && i < view->statistics->vm_count; i++) {
        const struct vm_statistics *vm = &view->statistics->vm[i];
        number(metric, e, LABELS(VM_LABELS(view, vm->namespace_, vm->name)), field_of(metric, &vm->domain));
    }
}

void metrics_of_processes(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    for (size_t i = 0; view->statistics && i < view->statistics->vm_count; i++) {
        const struct vm_statistics *vm = &view->statistics->vm[i];
        if (vm->has_usage)
            number(metric, e, LABELS(VM_LABELS(view, vm->namespace_, vm->name)), field_of(metric, &vm->usage));
    }
}

void metrics_cpu_usage(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    (void)metric;
    for (size_t i = 0; view->statistics && i < view->statistics->vm_count; i++) {
        const struct vm_statistics *vm = &view->statistics->vm[i];
        if (vm->has_usage)
            exposition_seconds(e, LABELS(VM_LABELS(view, vm->namespace_, vm->name)),
                               vm->usage.user_ns + vm->usage.system_ns);
    }
}

static void vcpus_of(const struct metric *metric, const struct metrics_view *view, const struct vm_statistics *vm,
                     struct exposition *e)
{
    for (size_t i = 0; i < vm->usage.vcpu_count; i++) {
        char id[16];
        snprintf(id, sizeof id, "%u", vm->usage.vcpu[i].index);
        number(metric, e, LABELS(VM_LABELS(view, vm->namespace_, vm->name), {"id", id}, {"state", metric->word}),
               field_of(metric, &vm->usage.vcpu[i]));
    }
}

void metrics_of_vcpus(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    for (size_t i = 0; view->statistics && i < view->statistics->vm_count; i++)
        vcpus_of(metric, view, &view->statistics->vm[i], e);
}

void metrics_vcpu_last_cpu(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    (void)metric;
    for (size_t i = 0; view->statistics && i < view->statistics->vm_count; i++) {
        const struct vm_statistics *vm = &view->statistics->vm[i];
        for (size_t v = 0; v < vm->usage.vcpu_count; v++) {
            char id[16];
            snprintf(id, sizeof id, "%u", vm->usage.vcpu[v].index);
            exposition_count(e, LABELS(VM_LABELS(view, vm->namespace_, vm->name), {"id", id}),
                             (uint64_t)vm->usage.vcpu[v].last_cpu);
        }
    }
}

/* The volume behind a device name, as the status of the VMI tells; else the device name. */
static const char *drive_of(const json_t *vmi, const char *target)
{
    size_t i;
    json_t *volume;
    json_array_foreach(json_at(vmi, "status.volumeStatus"), i, volume)
    {
        if (strcmp(json_text_at(volume, "target", ""), target) == 0)
            return json_text_at(volume, "name", target);
    }
    return target;
}

void metrics_of_disks(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    for (size_t i = 0; view->statistics && i < view->statistics->vm_count; i++) {
        const struct vm_statistics *vm = &view->statistics->vm[i];
        auto_json *vmi = store_get(view->api->store, "VirtualMachineInstance", vm->namespace_, vm->name);
        for (size_t d = 0; d < vm->domain.disk_count; d++)
            number(
                metric, e,
                LABELS(VM_LABELS(view, vm->namespace_, vm->name), {"drive", drive_of(vmi, vm->domain.disk[d].target)}),
                field_of(metric, &vm->domain.disk[d]));
    }
}

void metrics_of_interfaces(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    for (size_t i = 0; view->statistics && i < view->statistics->vm_count; i++) {
        const struct vm_statistics *vm = &view->statistics->vm[i];
        for (size_t n = 0; n < vm->domain.interface_count; n++)
            number(metric, e,
                   LABELS(VM_LABELS(view, vm->namespace_, vm->name), {"interface", vm->domain.interface[n].name}),
                   field_of(metric, &vm->domain.interface[n]));
    }
}

/* ---- where they were put */
void metrics_vcpu_cpu(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    (void)metric;
    size_t i;
    json_t *placement;
    json_array_foreach(view->placements, i, placement)
    {
        const char *id;
        json_t *cpu;
        json_object_foreach(json_at(placement, "spec.vcpus"), id, cpu)
        {
            if (json_is_integer(cpu) && json_integer_value(cpu) >= 0)
                exposition_count(e, LABELS(VM_LABELS(view, namespace_of(placement), name_of(placement)), {"id", id}),
                                 (uint64_t)json_integer_value(cpu));
        }
    }
}

/* Pairs of a vCPU and a host CPU it may run on: as many as vCPUs where all are pinned. */
void metrics_affinity(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    (void)metric;
    size_t i;
    json_t *placement;
    json_array_foreach(view->placements, i, placement)
    {
        uint64_t pairs = 0, shared = json_array_size(json_at(placement, "spec.shared"));
        const char *id;
        json_t *cpu;
        json_object_foreach(json_at(placement, "spec.vcpus"), id, cpu) pairs += json_integer_value(cpu) >= 0;
        uint64_t vcpus = (uint64_t)json_int_at(placement, "spec.vcpuCount", 0);
        pairs += (vcpus > pairs ? vcpus - pairs : 0) * shared;
        exposition_count(e, LABELS(VM_LABELS(view, namespace_of(placement), name_of(placement))), pairs);
    }
}

struct cpuset metrics_claimed(const json_t *placement)
{
    struct cpuset cpus = {0};
    struct error ignored;
    cpuset_parse(json_text_at(placement, "status.claimed.cpus", ""), &cpus, &ignored);
    return cpus;
}

void metrics_claimed_cpus(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    (void)metric;
    size_t i;
    json_t *placement;
    json_array_foreach(view->placements, i, placement)
    {
        struct cpuset cpus = metrics_claimed(placement);
        exposition_count(e, LABELS(VM_LABELS(view, namespace_of(placement), name_of(placement))), cpuset_count(&cpus));
    }
}

void metrics_claimed_memory(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    (void)metric;
    size_t i;
    json_t *placement;
    json_array_foreach(view->placements, i, placement)
    {
        exposition_count(e, LABELS(VM_LABELS(view, namespace_of(placement), name_of(placement))),
                         (uint64_t)json_int_at(placement, "status.claimed.memoryBytes", 0));
    }
}

void metrics_proofs(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    size_t i;
    json_t *placement;
    json_array_foreach(view->placements, i, placement)
    {
        const json_t *value = json_object_get(json_at(placement, "status.proof"), metric->word);
        if (value)
            exposition_count(e, LABELS(VM_LABELS(view, namespace_of(placement), name_of(placement))),
                             json_is_integer(value) ? (uint64_t)json_integer_value(value) : json_is_true(value));
    }
}

/* ---- streams */
static void tunnels_of_one(const char *namespace_, const char *name, size_t count, void *arg)
{
    exposition_count(arg, LABELS({"namespace", namespace_}, {"vmi", name}), count);
}

void metrics_tunnels(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    tunnels_each(view->api->tunnels, metric->word, tunnels_of_one, e);
}
