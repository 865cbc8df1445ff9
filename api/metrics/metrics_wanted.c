/* Samples about what VMs ask for and since when they are what they are, from their objects alone. Labels are those of
 * KubeVirt's collector of VMs (pkg/monitoring/metrics/virt-controller/vmstats_collector.go). */
#include <string.h>

#include "api/metrics/metrics.h"
#include "rtvmd/base/quantity.h"
#include "rtvmd/base/timestamp.h"

enum { NS_PER_MILLI = 1000000 };

#define VM_NAMES(vm)                                              \
    {"name", json_text_at((vm), "metadata.name", "")},            \
    {                                                             \
        "namespace", json_text_at((vm), "metadata.namespace", "") \
    }

static const json_t *domain_of(const json_t *vm)
{
    return json_at(vm, "spec.template.spec.domain");
}

/* ---- since when */
void metrics_vm_created(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    (void)metric;
    size_t i;
    json_t *vm;
    json_array_foreach(view->vms, i, vm)
    {
        int64_t created_s = timestamp_parse(json_text_at(vm, "metadata.creationTimestamp", ""));
        if (created_s > 0)
            exposition_count(e, LABELS(VM_NAMES(vm)), (uint64_t)created_s);
    }
}

static uint64_t last_transition_s(const json_t *vm)
{
    int64_t last_s = 0;
    size_t i;
    json_t *condition;
    json_array_foreach(json_at(vm, "status.conditions"), i, condition)
    {
        const char *type = json_text_at(condition, "type", "");
        if (strcmp(type, "Ready") != 0 && strcmp(type, "Failure") != 0 && strcmp(type, "Paused") != 0)
            continue;
        int64_t changed_s = timestamp_parse(json_text_at(condition, "lastTransitionTime", ""));
        last_s = changed_s > last_s ? changed_s : last_s;
    }
    return (uint64_t)last_s;
}

/* The metric of the group a VM is in tells the time, those of the others zero. */
void metrics_vm_transition(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    size_t i;
    json_t *vm;
    json_array_foreach(view->vms, i, vm)
    {
        bool is_now = strcmp(metrics_status_group(vm), metric->word) == 0;
        exposition_count(e, LABELS(VM_NAMES(vm)), is_now ? last_transition_s(vm) : 0);
    }
}

/* ---- what they ask for */
struct wish {
    const char *path; /* below the domain */
    const char *resource, *unit, *source;
};

/* A number that is missing or zero asks for nothing. */
static void amount(struct exposition *e, const json_t *vm, const struct wish *wish, const json_t *value)
{
    struct quantity quantity;
    struct error ignored;
    if (!value || quantity_from_json(value, &quantity, &ignored) < 0 || quantity.nano <= 0)
        return;
    const struct exposition_label *labels =
        LABELS(VM_NAMES(vm), {"resource", wish->resource}, {"unit", wish->unit}, {"source", wish->source});
    if (strcmp(wish->resource, "cpu") == 0)
        exposition_seconds(e, labels, (uint64_t)quantity_milli(&quantity) * NS_PER_MILLI); /* any decimal number */
    else
        exposition_count(e, labels, (uint64_t)quantity_value(&quantity));
}

static void wishes(struct exposition *e, const json_t *vm, const struct wish wish[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        amount(e, vm, &wish[i], json_at(domain_of(vm), wish[i].path));
}

static const json_t *first_of(const json_t *domain, const char *const paths[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (json_at(domain, paths[i]))
            return json_at(domain, paths[i]);
    return NULL;
}

/* As many as the topology has; without one, as the CPUs that are asked for. */
static uint64_t vcpu_count(const json_t *vm)
{
    static const char *const PARTS[] = {"cpu.cores", "cpu.sockets", "cpu.threads"};
    static const char *const CPUS[] = {"resources.requests.cpu", "resources.limits.cpu"};
    uint64_t vcpus = 0;
    for (size_t i = 0; i < ARRAY_SIZE(PARTS); i++) {
        int64_t part = json_int_at(domain_of(vm), PARTS[i], 0);
        if (part > 0)
            vcpus = (vcpus ? vcpus : 1) * (uint64_t)part;
    }
    struct quantity cpus;
    struct error ignored;
    if (vcpus == 0 && quantity_from_json(first_of(domain_of(vm), CPUS, ARRAY_SIZE(CPUS)), &cpus, &ignored) == 0)
        vcpus = (uint64_t)quantity_value(&cpus);
    return vcpus ? vcpus : 1;
}

/* What the guest gets in the end. */
static void effective(struct exposition *e, const json_t *vm)
{
    static const char *const MEMORY[] = {"memory.guest", "resources.requests.memory", "resources.limits.memory"};
    static const struct wish FROM_MEMORY = {NULL, "memory", "bytes", "guest_effective"};
    exposition_count(e, LABELS(VM_NAMES(vm), {"resource", "cpu"}, {"unit", "cores"}, {"source", "guest_effective"}),
                     vcpu_count(vm));
    amount(e, vm, &FROM_MEMORY, first_of(domain_of(vm), MEMORY, ARRAY_SIZE(MEMORY)));
}

static void default_topology(struct exposition *e, const json_t *vm)
{
    static const char *const UNITS[] = {"cores", "threads", "sockets"};
    for (size_t i = 0; i < ARRAY_SIZE(UNITS); i++)
        exposition_count(e, LABELS(VM_NAMES(vm), {"resource", "cpu"}, {"unit", UNITS[i]}, {"source", "default"}), 1);
}

void metrics_vm_requests(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    static const struct wish WISHES[] = {
        {"resources.requests.memory", "memory", "bytes", "domain"},
        {"memory.guest", "memory", "bytes", "guest"},
        {"memory.hugepages.pageSize", "memory", "bytes", "hugepages"},
        {"cpu.cores", "cpu", "cores", "domain"},
        {"cpu.threads", "cpu", "threads", "domain"},
        {"cpu.sockets", "cpu", "sockets", "domain"},
        {"resources.requests.cpu", "cpu", "cores", "requests"},
    };
    (void)metric;
    size_t i;
    json_t *vm;
    json_array_foreach(view->vms, i, vm)
    {
        wishes(e, vm, WISHES, ARRAY_SIZE(WISHES));
        if (!json_at(domain_of(vm), "cpu") && !json_at(domain_of(vm), "resources.requests.cpu"))
            default_topology(e, vm);
        effective(e, vm);
    }
}

void metrics_vm_limits(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    static const struct wish WISHES[] = {
        {"resources.limits.memory", "memory", "bytes", NULL},
        {"resources.limits.cpu", "cpu", "cores", NULL},
    };
    (void)metric;
    size_t i;
    json_t *vm;
    json_array_foreach(view->vms, i, vm)
    {
        wishes(e, vm, WISHES, ARRAY_SIZE(WISHES));
    }
}

/* ---- interfaces */
static const char *network_of(const json_t *vm, const char *name)
{
    size_t i;
    json_t *network;
    json_array_foreach(json_at(vm, "spec.template.spec.networks"), i, network)
    {
        if (strcmp(json_text_at(network, "name", ""), name) != 0)
            continue;
        return json_at(network, "pod") ? "pod networking" : json_text_at(network, "multus.networkName", NULL);
    }
    return NULL;
}

static void interface_of(const json_t *vm, const json_t *interface, struct exposition *e)
{
    static const char *const CORE[] = {"masquerade", "bridge", "sriov"};
    const char *name = json_text_at(interface, "name", "");
    const char *network = network_of(vm, name);
    if (!network)
        return;
    const char *type = json_at(interface, "binding") ? "plugin" : "";
    const char *binding = json_text_at(interface, "binding.name", "");
    for (size_t i = 0; i < ARRAY_SIZE(CORE); i++)
        if (json_object_get(interface, CORE[i])) {
            type = "core";
            binding = CORE[i];
        }
    exposition_count(e,
                     LABELS(VM_NAMES(vm), {"vnic_name", name}, {"binding_type", type}, {"network", network},
                            {"binding_name", binding}, {"model", json_text_at(interface, "model", "<none>")}),
                     1);
}

void metrics_vm_interfaces(const struct metric *metric, const struct metrics_view *view, struct exposition *e)
{
    (void)metric;
    size_t i, n;
    json_t *vm, *interface;
    json_array_foreach(view->vms, i, vm)
    {
        json_array_foreach(json_at(domain_of(vm), "devices.interfaces"), n, interface)
        {
            interface_of(vm, interface, e);
        }
    }
}
