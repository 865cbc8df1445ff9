#include "api/resource.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/wire/columns.h"
#include "api/wire/jsonpath.h"

#define AGE                                                                                         \
    {                                                                                               \
        "Age", ".metadata.creationTimestamp", NULL, "date", 0, "Time since the object was created." \
    }
#define NAME                                                                              \
    {                                                                                     \
        "Name", ".metadata.name", NULL, "string", 0, "Name, unique within its namespace." \
    }
#define READY                                                                                                  \
    {                                                                                                          \
        "Ready", ".status.conditions[?(@.type=='Ready')].status", NULL, "string", 0, "Whether the guest runs." \
    }

static const struct resource_column VM_COLUMNS[] = {
    NAME,
    AGE,
    {"Status", ".status.printableStatus", NULL, "string", 0, "State in one word."},
    READY,
};
static const struct resource_column VMI_COLUMNS[] = {
    NAME,
    AGE,
    {"Phase", ".status.phase", NULL, "string", 0, "Phase of life."},
    {"IP", ".status.interfaces[0].ipAddress", NULL, "string", 0, "First address of the first interface."},
    {"NodeName", ".status.nodeName", NULL, "string", 0, "Host it runs on."},
    READY,
    {"Live-Migratable", ".status.conditions[?(@.type=='LiveMigratable')].status", NULL, "string", 1,
     "Whether it could move to another host."},
    {"Paused", ".status.conditions[?(@.type=='Paused')].status", NULL, "string", 1, "Whether its vCPUs are stopped."},
};
static const struct resource_column EVENT_COLUMNS[] = {
    {"Last Seen", NULL, column_event_age, "string", 0, "Time since it was last seen."},
    {"Type", ".type", NULL, "string", 0, "Normal or Warning."},
    {"Reason", ".reason", NULL, "string", 0, "What happened, in one word."},
    {"Object", NULL, column_event_object, "string", 0, "What it happened to."},
    {"Message", NULL, column_event_message, "string", 0, "What happened, in a sentence."},
    {"Count", ".count", NULL, "string", 1, "How often it was seen."},
    {"Name", ".metadata.name", NULL, "string", 1, "Name of the event."},
};
static const struct resource_column NAMESPACE_COLUMNS[] = {
    NAME,
    {"Status", ".status.phase", NULL, "string", 0, "Active or Terminating."},
    AGE,
};
static const struct resource_column NODE_COLUMNS[] = {
    NAME,
    {"Status", NULL, column_node_status, "string", 0, "Ready or NotReady."},
    {"Roles", NULL, column_node_roles, "string", 0, "Roles of the host."},
    AGE,
    {"Version", ".status.nodeInfo.kubeletVersion", NULL, "string", 0, "Version of rtvmd."},
    {"Internal-IP", NULL, column_node_address, "string", 1, "Address of the host."},
    {"OS-Image", ".status.nodeInfo.osImage", NULL, "string", 1, "Operating system."},
    {"Kernel-Version", ".status.nodeInfo.kernelVersion", NULL, "string", 1, "Kernel."},
    {"Container-Runtime", ".status.nodeInfo.containerRuntimeVersion", NULL, "string", 1, "What runs the guests."},
};
static const struct resource_column SECRET_COLUMNS[] = {
    NAME,
    {"Type", ".type", NULL, "string", 0, "Kind of secret."},
    {"Data", NULL, column_data_count, "string", 0, "Number of keys."},
    AGE,
};
static const struct resource_column CONFIG_MAP_COLUMNS[] = {
    NAME,
    {"Data", NULL, column_data_count, "string", 0, "Number of keys."},
    AGE,
};
static const struct resource_column CLAIM_COLUMNS[] = {
    NAME,
    {"Status", ".status.phase", NULL, "string", 0, "Phase of the claim."},
    {"Volume", ".spec.volumeName", NULL, "string", 0, "Volume bound to it."},
    {"Capacity", ".status.capacity.storage", NULL, "string", 0, "Size."},
    {"StorageClass", ".spec.storageClassName", NULL, "string", 0, "Storage class asked for."},
    AGE,
};
static const struct resource_column LATENCY_COLUMNS[] = {
    NAME,
    {"Phase", ".status.phase", NULL, "string", 0, "Pending, Running, Succeeded or Failed."},
    {"Progress", ".status.progress", NULL, "integer", 0, "In percent."},
    {"Grade", ".status.result.grade", NULL, "string", 0, "gold, silver, bronze, fail, or none: no verdict."},
    {"Max-ns", ".status.result.maxNs", NULL, "integer", 0, "The worst value."},
    {"Run", ".status.run", NULL, "string", 0, "Name of the stored run."},
    {"Message", ".status.message", NULL, "string", 1, "What it waits for, or why it failed."},
    AGE,
};
static const struct resource_column PLACEMENT_COLUMNS[] = {
    NAME,
    {"Phase", ".status.phase", NULL, "string", 0, "Phase of the VM."},
    {"CPUs", NULL, column_placement_cpus, "string", 0, "Host CPUs of the vCPUs."},
    {"Emulator", NULL, column_placement_emulator, "string", 0, "Host CPUs of QEMU's own threads."},
    {"Pages", NULL, column_placement_pages, "string", 0, "Huge pages: node, number, size."},
    {"Proven", NULL, column_placement_proof, "string", 0, "Whether every thread is where the plan says."},
    AGE,
};

static const struct resource_column HOST_CHANGE_COLUMNS[] = {
    NAME,
    {"Target", ".spec.target", NULL, "string", 0, "What was changed."},
    {"For", NULL, column_change_owner, "string", 0, "The VM it was changed for."},
    {"Before", ".status.before", NULL, "string", 0, "As it was before anybody tuned it."},
    {"Wanted", ".status.wanted", NULL, "string", 0, "As all that tune want it together."},
    {"Found", ".status.found", NULL, "string", 0, "As it is now."},
    {"State", ".status.state", NULL, "string", 0, "Applied, Pending, NotApplied, Overridden or Gone."},
    AGE,
};

static const char *const EVENT_FIELDS[] = {"involvedObject.kind",
                                           "involvedObject.namespace",
                                           "involvedObject.name",
                                           "involvedObject.uid",
                                           "involvedObject.apiVersion",
                                           "involvedObject.resourceVersion",
                                           "involvedObject.fieldPath",
                                           "reason",
                                           "reportingComponent",
                                           "source",
                                           "type",
                                           NULL};
static const char *const NEW_EVENT_FIELDS[] = {
    "regarding.kind", "regarding.namespace", "regarding.name", "regarding.uid",
    "reason",         "reportingController", "type",           NULL};
static const char *const PHASE_FIELDS[] = {"status.phase", "status.nodeName", NULL};
static const char *const POD_FIELDS[] = {"spec.nodeName", "status.phase", "spec.restartPolicy", NULL};
static const char *const NAMESPACE_FIELDS[] = {"status.phase", NULL};
static const char *const SECRET_FIELDS[] = {"type", NULL};
static const char *const LATENCY_FIELDS[] = {"status.phase", NULL};
static const char *const VM_FIELDS[] = {"status.printableStatus", NULL};

/* A cluster's kinds that are always empty here: kubectl's cluster-info, apply --prune and validation ask for them and
 * fail where they are unknown. */
#define NOTHING(group_, plural_, singular_, kind_, short_, namespaced_, selectable_)                         \
    {                                                                                                        \
        .group = (group_), .version = {"v1"}, .plural = (plural_), .singular = (singular_), .kind = (kind_), \
        .short_name = {short_}, .namespaced = (namespaced_), .verbs = VERBS_READ, .source = SOURCE_NOTHING,  \
        .selectable = (selectable_)                                                                          \
    }

#define COLUMNS(table) .column = (table), .column_count = ARRAY_SIZE(table)

const struct resource RESOURCES[] = {
    {.group = "",
     .version = {"v1"},
     .plural = "configmaps",
     .singular = "configmap",
     .kind = "ConfigMap",
     .short_name = {"cm"},
     .namespaced = true,
     .verbs = VERBS_ALL,
     .strategic = true,
     COLUMNS(CONFIG_MAP_COLUMNS)},
    {.group = "",
     .version = {"v1"},
     .plural = "events",
     .singular = "event",
     .kind = "Event",
     .short_name = {"ev"},
     .namespaced = true,
     .verbs = VERBS_ALL,
     .strategic = true,
     .selectable = EVENT_FIELDS,
     COLUMNS(EVENT_COLUMNS)},
    {.group = "",
     .version = {"v1"},
     .plural = "namespaces",
     .singular = "namespace",
     .kind = "Namespace",
     .short_name = {"ns"},
     .verbs = VERBS_ALL & ~VERB_DELETECOLLECTION,
     .strategic = true,
     .has_status = true,
     .selectable = NAMESPACE_FIELDS,
     COLUMNS(NAMESPACE_COLUMNS)},
    {.group = "",
     .version = {"v1"},
     .plural = "nodes",
     .singular = "node",
     .kind = "Node",
     .short_name = {"no"},
     .verbs = VERBS_READ,
     .source = SOURCE_NODE,
     COLUMNS(NODE_COLUMNS)},
    {.group = "",
     .version = {"v1"},
     .plural = "persistentvolumeclaims",
     .singular = "persistentvolumeclaim",
     .kind = "PersistentVolumeClaim",
     .short_name = {"pvc"},
     .namespaced = true,
     .verbs = VERBS_ALL,
     .strategic = true,
     .has_status = true,
     COLUMNS(CLAIM_COLUMNS)},
    NOTHING("", "pods", "pod", "Pod", "po", true, POD_FIELDS),
    NOTHING("", "services", "service", "Service", "svc", true, NULL),
    NOTHING("", "endpoints", "endpoints", "Endpoints", "ep", true, NULL),
    NOTHING("", "persistentvolumes", "persistentvolume", "PersistentVolume", "pv", false, NULL),
    NOTHING("", "replicationcontrollers", "replicationcontroller", "ReplicationController", "rc", true, NULL),
    NOTHING("apps", "daemonsets", "daemonset", "DaemonSet", "ds", true, NULL),
    NOTHING("apps", "deployments", "deployment", "Deployment", "deploy", true, NULL),
    NOTHING("apps", "replicasets", "replicaset", "ReplicaSet", "rs", true, NULL),
    NOTHING("apps", "statefulsets", "statefulset", "StatefulSet", "sts", true, NULL),
    NOTHING("batch", "cronjobs", "cronjob", "CronJob", "cj", true, NULL),
    NOTHING("batch", "jobs", "job", "Job", NULL, true, NULL),
    NOTHING("networking.k8s.io", "ingresses", "ingress", "Ingress", "ing", true, NULL),
    NOTHING("apiextensions.k8s.io", "customresourcedefinitions", "customresourcedefinition", "CustomResourceDefinition",
            "crd", false, NULL),
    {.group = "",
     .version = {"v1"},
     .plural = "secrets",
     .singular = "secret",
     .kind = "Secret",
     .namespaced = true,
     .verbs = VERBS_ALL,
     .strategic = true,
     .selectable = SECRET_FIELDS,
     COLUMNS(SECRET_COLUMNS)},
    {.group = "authentication.k8s.io",
     .version = {"v1"},
     .plural = "selfsubjectreviews",
     .singular = "selfsubjectreview",
     .kind = "SelfSubjectReview",
     .verbs = VERB_CREATE,
     .source = SOURCE_ANSWER},
    {.group = "authorization.k8s.io",
     .version = {"v1"},
     .plural = "selfsubjectaccessreviews",
     .singular = "selfsubjectaccessreview",
     .kind = "SelfSubjectAccessReview",
     .verbs = VERB_CREATE,
     .source = SOURCE_ANSWER},
    {.group = "authorization.k8s.io",
     .version = {"v1"},
     .plural = "selfsubjectrulesreviews",
     .singular = "selfsubjectrulesreview",
     .kind = "SelfSubjectRulesReview",
     .verbs = VERB_CREATE,
     .source = SOURCE_ANSWER},
    {.group = "events.k8s.io",
     .version = {"v1"},
     .plural = "events",
     .singular = "event",
     .kind = "Event",
     .short_name = {"ev"},
     .namespaced = true,
     .verbs = VERBS_READ,
     .source = SOURCE_EVENTS,
     .selectable = NEW_EVENT_FIELDS,
     COLUMNS(EVENT_COLUMNS)},
    {.group = "kubevirt.io",
     .version = {"v1", "v1alpha3"},
     .plural = "virtualmachineinstances",
     .singular = "virtualmachineinstance",
     .kind = "VirtualMachineInstance",
     .short_name = {"vmi", "vmis"},
     .namespaced = true,
     .in_all = true,
     .verbs = VERBS_ALL,
     .has_spec = true,
     .selectable = PHASE_FIELDS,
     COLUMNS(VMI_COLUMNS)},
    {.group = "kubevirt.io",
     .version = {"v1", "v1alpha3"},
     .plural = "virtualmachines",
     .singular = "virtualmachine",
     .kind = "VirtualMachine",
     .short_name = {"vm", "vms"},
     .namespaced = true,
     .in_all = true,
     .verbs = VERBS_ALL,
     .has_status = true,
     .has_spec = true,
     .selectable = VM_FIELDS,
     COLUMNS(VM_COLUMNS)},
    {.group = "rtvmd.io",
     .version = {"v1alpha1"},
     .plural = "hostchanges",
     .singular = "hostchange",
     .kind = "HostChange",
     .short_name = {"hc"},
     .verbs = VERBS_READ | VERB_DELETE,
     .source = SOURCE_HOST_CHANGE,
     COLUMNS(HOST_CHANGE_COLUMNS)},
    {.group = "rtvmd.io",
     .version = {"v1alpha1"},
     .plural = "latencytests",
     .singular = "latencytest",
     .kind = "LatencyTest",
     .short_name = {"lt"},
     .namespaced = true,
     .verbs = VERBS_ALL,
     .selectable = LATENCY_FIELDS,
     COLUMNS(LATENCY_COLUMNS)},
    {.group = "rtvmd.io",
     .version = {"v1alpha1"},
     .plural = "placements",
     .singular = "placement",
     .kind = "Placement",
     .short_name = {"pl"},
     .namespaced = true,
     .verbs = VERBS_READ,
     .source = SOURCE_PLACEMENT,
     COLUMNS(PLACEMENT_COLUMNS)},
};
const size_t RESOURCE_COUNT = ARRAY_SIZE(RESOURCES);

bool resource_has_version(const struct resource *resource, const char *version)
{
    for (size_t i = 0; i < ARRAY_SIZE(resource->version) && resource->version[i]; i++)
        if (strcmp(resource->version[i], version) == 0)
            return true;
    return false;
}

const struct resource *resource_find(const char *group, const char *version, const char *plural)
{
    for (const struct resource *r = RESOURCES; r < RESOURCES + RESOURCE_COUNT; r++)
        if (strcmp(r->plural, plural) == 0 && strcmp(r->group, group) == 0 &&
            (!version || resource_has_version(r, version)))
            return r;
    return NULL;
}

const struct resource *resource_by_kind(const char *api_version, const char *kind)
{
    const char *slash = strchr(api_version, '/');
    size_t group = slash ? (size_t)(slash - api_version) : 0;
    const char *version = slash ? slash + 1 : api_version;
    for (const struct resource *r = RESOURCES; r < RESOURCES + RESOURCE_COUNT; r++)
        if (strcmp(r->kind, kind) == 0 && strlen(r->group) == group && strncmp(r->group, api_version, group) == 0 &&
            resource_has_version(r, version))
            return r;
    return NULL;
}

static bool is_called(const struct resource *r, const char *word, size_t length)
{
    const char *const names[] = {r->plural, r->singular, r->kind, r->short_name[0], r->short_name[1], r->short_name[2]};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (names[i] && strlen(names[i]) == length && strncasecmp(names[i], word, length) == 0)
            return true;
    return false;
}

const struct resource *resource_by_word(const char *word)
{
    size_t length = strcspn(word, ".");
    for (const struct resource *r = RESOURCES; r < RESOURCES + RESOURCE_COUNT; r++)
        if (is_called(r, word, length) && (word[length] == '\0' || strcmp(word + length + 1, r->group) == 0))
            return r;
    return NULL;
}

char *resource_api_version(const struct resource *resource, const char *version)
{
    return must_format("%s%s%s", resource->group, resource->group[0] ? "/" : "", version);
}

char *resource_full_name(const struct resource *resource)
{
    return must_format("%s%s%s", resource->plural, resource->group[0] ? "." : "", resource->group);
}
