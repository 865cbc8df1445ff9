#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rtvmd/version.h"
#include "runtime/inside.h"

/* The one Node: this host in Kubernetes' words (facts 3.1). Made from the snapshot when asked for; a label is there
 * only when it is true. Pools are what the kernel has, allocatable what is not the host's own. */

static char *bytes_text(uint64_t bytes)
{
    return bytes % 1024 ? must_format("%llu", (unsigned long long)bytes)
                        : must_format("%lluKi", (unsigned long long)(bytes / 1024));
}

static const char *page_name(uint64_t bytes, char buffer[32])
{
    if (bytes % (1u << 30) == 0)
        snprintf(buffer, 32, "hugepages-%lluGi", (unsigned long long)(bytes >> 30));
    else if (bytes % (1u << 20) == 0)
        snprintf(buffer, 32, "hugepages-%lluMi", (unsigned long long)(bytes >> 20));
    else
        snprintf(buffer, 32, "hugepages-%lluKi", (unsigned long long)(bytes >> 10));
    return buffer;
}

static void put_bytes(json_t *object, const char *key, uint64_t bytes)
{
    auto_free char *text = bytes_text(bytes);
    json_object_set_new(object, key, json_string(text));
}

static uint64_t pool_bytes(const struct host *host, uint64_t size_bytes)
{
    uint64_t sum = 0;
    for (unsigned n = 0; n < host->node_count; n++)
        for (unsigned p = 0; p < host->node[n].pool_count; p++)
            if (host->node[n].pool[p].size_bytes == size_bytes)
                sum += host->node[n].pool[p].total * size_bytes;
    return sum;
}

/* One resource per page size, summed over the nodes; returns the bytes of all pools. */
static uint64_t put_pools(json_t *resources, const struct host *host)
{
    uint64_t all = 0;
    for (unsigned n = 0; n < host->node_count; n++)
        for (unsigned p = 0; p < host->node[n].pool_count; p++) {
            uint64_t size_bytes = host->node[n].pool[p].size_bytes;
            uint64_t sum = pool_bytes(host, size_bytes);
            char name[32];
            put_bytes(resources, page_name(size_bytes, name), sum); /* again for every node: the same */
            all += host->node[n].pool[p].total * size_bytes;
        }
    return all;
}

static json_t *resources(const struct host *host, unsigned cpus, bool allocatable)
{
    json_t *list = json_object();
    auto_free char *cpu_text = must_format("%u", cpus);
    json_object_set_new(list, "cpu", json_string(cpu_text));
    uint64_t pools = put_pools(list, host);
    put_bytes(list, "memory",
              allocatable && host->memory_bytes > pools ? host->memory_bytes - pools : host->memory_bytes);
    json_object_set_new(list, "pods", json_string("110"));
    if (host->kvm_works == HOST_YES)
        json_object_set_new(list, "devices.kubevirt.io/kvm", json_string("1k"));
    return list;
}

/* amd64, arm64: Go's words, as in Kubernetes. */
static const char *go_architecture(const char *machine)
{
    return strcmp(machine, "x86_64") == 0 ? "amd64" : strcmp(machine, "aarch64") == 0 ? "arm64" : machine;
}

/* cpu-model.node.kubevirt.io/EPYC=true: what nodeSelectors of manifests made for a cluster ask for. */
static void add_cpu_labels(json_t *labels, const json_t *cpu)
{
    static const struct {
        const char *key; /* of hypervisor_cpu(): one name or a list of names */
        const char *prefix;
    } ROWS[] = {
        {"models", "cpu-model.node.kubevirt.io"},         {"features", "cpu-feature.node.kubevirt.io"},
        {"hostModel", "host-model-cpu.node.kubevirt.io"}, {"required", "host-model-required-features.node.kubevirt.io"},
        {"vendor", "cpu-vendor.node.kubevirt.io"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        const json_t *names = json_object_get(cpu, ROWS[i].key);
        size_t count = json_is_array(names) ? json_array_size(names) : names != NULL;
        for (size_t k = 0; k < count; k++) {
            const char *name = json_string_value(json_is_array(names) ? json_array_get(names, k) : names);
            auto_free char *label = must_format("%s/%s", ROWS[i].prefix, name ? name : "");
            json_object_set_new(labels, label, json_string("true"));
        }
    }
}

static json_t *labels(struct runtime *runtime, const struct host *host, bool has_exclusive)
{
    json_t *labels = json_object();
    bool realtime = host->has_rt_runtime && host->rt_runtime_us == -1;
    const struct {
        const char *key;
        const char *value; /* NULL: left out */
    } ROWS[] = {
        {"kubernetes.io/hostname", runtime->node_name},
        {"kubernetes.io/arch", go_architecture(host->architecture)},
        {"kubernetes.io/os", "linux"},
        {"kubevirt.io/schedulable", runtime->is_connected ? "true" : "false"},
        {"kubevirt.io/cpumanager", has_exclusive ? "true" : "false"},
        {"cpumanager", has_exclusive ? "true" : "false"},
        {"kubevirt.io/realtime", realtime ? "true" : NULL},
        {"rtvmd.io/preempt-rt", host->rt_kernel == HOST_YES ? "true" : NULL},
        {"rtvmd.io/emulation", runtime_emulates(runtime) ? "true" : NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++)
        if (ROWS[i].value)
            json_object_set_new(labels, ROWS[i].key, json_string(ROWS[i].value));
    add_cpu_labels(labels, runtime->cpu);
    return labels;
}

static void add_cpus(const struct store_claim *claim, void *arg)
{
    struct cpuset *all = arg;
    *all = cpuset_or(all, &claim->cpus);
}

static json_t *annotations(struct runtime *runtime, const struct cpuset *housekeeping, const struct cpuset *exclusive)
{
    struct cpuset claimed = {0};
    struct cpuset_text text;
    store_claim_each(runtime->store, add_cpus, &claimed);
    struct cpuset left = cpuset_minus(exclusive, &claimed);
    json_t *annotations = json_object();
    json_object_set_new(annotations, "rtvmd.io/housekeeping-cpus", json_string(cpuset_format(housekeeping, &text)));
    json_object_set_new(annotations, "rtvmd.io/exclusive-cpus", json_string(cpuset_format(exclusive, &text)));
    json_object_set_new(annotations, "rtvmd.io/exclusive-cpus-free", json_string(cpuset_format(&left, &text)));
    return annotations;
}

static void add_condition(json_t *list, const char *type, bool is, const char *reason, const char *message,
                          int64_t since_s, int64_t now_s)
{
    char now[TIMESTAMP_TEXT_MAX], since[TIMESTAMP_TEXT_MAX];
    timestamp_format(now_s, now);
    timestamp_format(since_s, since);
    json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "type", type, "status",
                                          is ? "True" : "False", "reason", reason, "message", message,
                                          "lastHeartbeatTime", now, "lastTransitionTime", since));
}

static json_t *conditions(struct runtime *runtime)
{
    json_t *list = json_array();
    int64_t now_s = runtime_now_s(runtime);
    if (runtime->is_connected)
        add_condition(list, "Ready", true, "HypervisorConnected", "libvirt answers", runtime->connection_changed_s,
                      now_s);
    else
        add_condition(list, "Ready", false, "HypervisorUnavailable", runtime->connection_error.text,
                      runtime->connection_changed_s, now_s);
    add_condition(list, "HugePagesUnaccounted", runtime->page_alarm != NULL,
                  runtime->page_alarm ? "PagesDoNotAddUp" : "PagesAddUp",
                  runtime->page_alarm ? runtime->page_alarm : "huge pages in use and promised add up",
                  runtime->page_alarm_changed_s, now_s);
    add_condition(list, "MemoryPressure", false, "NotWatched", "rtvmd admits by claims and does not watch for pressure",
                  runtime->began_s, now_s);
    return list;
}

static json_t *node_info(struct runtime *runtime, const struct host *host)
{
    auto_free char *hypervisor =
        must_format("libvirt://%s", runtime->facts.libvirt_version[0] ? runtime->facts.libvirt_version : "unknown");
    auto_free char *image = must_format("Linux %s", host->kernel_release);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "architecture",
                     go_architecture(host->architecture), "operatingSystem", "linux", "osImage", image, "kernelVersion",
                     host->kernel_release, "containerRuntimeVersion", hypervisor, "kubeletVersion",
                     "rtvmd-" RTVMD_VERSION, "kubeProxyVersion", "", "bootID", "", "machineID", "", "systemUUID", "");
}

json_t *runtime_node(struct runtime *runtime)
{
    const struct host *host = &runtime->host->host;
    struct cpuset housekeeping = runtime_housekeeping(runtime);
    struct cpuset exclusive = cpuset_minus(&host->online, &housekeeping);
    auto_free char *uid = store_value_get(runtime->store, "node.uid");
    auto_free char *created = store_value_get(runtime->store, "node.created");
    auto_free char *version = must_format("%llu", (unsigned long long)store_version(runtime->store));
    json_t *metadata = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "name", runtime->node_name, "uid", uid ? uid : "",
                                 "resourceVersion", version, "creationTimestamp", created ? created : "", "labels",
                                 labels(runtime, host, !cpuset_is_empty(&exclusive)), "annotations",
                                 annotations(runtime, &housekeeping, &exclusive));
    json_t *addresses = json_pack("[{s:s, s:s}]", "type", "Hostname", "address", runtime->node_name);
    json_t *status = json_pack("{s:o, s:o, s:o, s:o, s:o}", "addresses", addresses, "capacity",
                               resources(host, cpuset_count(&host->online), false), "allocatable",
                               resources(host, cpuset_count(&exclusive) + cpuset_count(&housekeeping), true),
                               "conditions", conditions(runtime), "nodeInfo", node_info(runtime, host));
    return json_pack("{s:s, s:s, s:o, s:{}, s:o}", "apiVersion", "v1", "kind", "Node", "metadata", metadata, "spec",
                     "status", status);
}
