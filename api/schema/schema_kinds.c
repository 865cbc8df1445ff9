/* The fields of the kinds beside VMs, as far as they mean something here. */
#include "api/schema/schema.h"

static const struct schema_row CONFIG_MAP[] = {
    {"data", FIELD_STRING_MAP, "Texts by key; a configMap volume makes a file of each"},
    {"binaryData", FIELD_STRING_MAP, "Bytes by key, as base64"},
    {"immutable", FIELD_BOOL, "The data may not be changed any more"},
};
static const struct schema_row SECRET[] = {
    {"data", FIELD_STRING_MAP, "Values by key, as base64; cloud-init and secret volumes read them"},
    {"stringData", FIELD_STRING_MAP, "The same as plain text; written into data and never shown"},
    {"type", FIELD_STRING, "What the secret is for; Opaque by default"},
    {"immutable", FIELD_BOOL, "The data may not be changed any more"},
};
static const struct schema_row NAMESPACE[] = {
    {"spec", FIELD_OBJECT, "What is wanted"},
    {"spec.finalizers", FIELD_STRINGS, "Not used here"},
    {"status", FIELD_OBJECT, "What was observed"},
    {"status.phase", FIELD_STRING, "Active, or Terminating while its content goes"},
};
static const struct schema_row EVENT[] = {
    {"involvedObject", FIELD_OBJECT, "What it happened to"},
    {"involvedObject.apiVersion", FIELD_STRING, "Its version"},
    {"involvedObject.kind", FIELD_STRING, "Its kind"},
    {"involvedObject.namespace", FIELD_STRING, "Its namespace"},
    {"involvedObject.name", FIELD_STRING, "Its name"},
    {"involvedObject.uid", FIELD_STRING, "Its identity"},
    {"involvedObject.resourceVersion", FIELD_STRING, "Its state then"},
    {"involvedObject.fieldPath", FIELD_STRING, "The part of it"},
    {"reason", FIELD_STRING, "What happened, in one word"},
    {"message", FIELD_STRING, "What happened, in a sentence"},
    {"type", FIELD_STRING, "Normal or Warning"},
    {"count", FIELD_INT32, "How often it was seen"},
    {"firstTimestamp", FIELD_TIME, "When it was first seen"},
    {"lastTimestamp", FIELD_TIME, "When it was last seen"},
    {"eventTime", FIELD_TIME, "When it was seen"},
    {"source", FIELD_OBJECT, "Who saw it"},
    {"source.component", FIELD_STRING, "The part of the program"},
    {"source.host", FIELD_STRING, "The host"},
    {"reportingComponent", FIELD_STRING, "The part of the program"},
    {"reportingInstance", FIELD_STRING, "The host"},
};
static const struct schema_row NODE[] = {
    {"spec", FIELD_ANY, "Not used here"},
    {"status", FIELD_OBJECT, "What this host has"},
    {"status.capacity", FIELD_QUANTITY_MAP, "CPUs, memory and huge pages in all"},
    {"status.allocatable", FIELD_QUANTITY_MAP, "What VMs may have of them"},
    {"status.conditions", FIELD_OBJECTS, "Ready, and what stands in the way of real time"},
    {"status.conditions.type", FIELD_STRING, "Which condition"},
    {"status.conditions.status", FIELD_STRING, "True, False or Unknown"},
    {"status.conditions.reason", FIELD_STRING, "Why, in one word"},
    {"status.conditions.message", FIELD_STRING, "Why, in a sentence"},
    {"status.conditions.lastHeartbeatTime", FIELD_TIME, "When it was last looked at"},
    {"status.conditions.lastTransitionTime", FIELD_TIME, "When it last changed"},
    {"status.addresses", FIELD_OBJECTS, "Names and addresses of the host"},
    {"status.addresses.type", FIELD_STRING, "Hostname or InternalIP"},
    {"status.addresses.address", FIELD_STRING, "The name or address"},
    {"status.nodeInfo", FIELD_STRING_MAP, "Kernel, operating system and versions"},
};
static const struct schema_row CLAIM[] = {
    {"spec", FIELD_ANY, "What is asked for"},
    {"status", FIELD_ANY, "What was observed"},
};
static const struct schema_row PLACEMENT[] = {
    {"spec", FIELD_OBJECT, "The plan: where everything of the VM runs"},
    {"spec.vcpus", FIELD_ANY, "Host CPU of each vCPU that has one of its own"},
    {"spec.shared", FIELD_ANY, "Host CPUs of vCPUs that float"},
    {"spec.emulator", FIELD_ANY, "Host CPUs of QEMU's own threads"},
    {"spec.iothreads", FIELD_ANY, "Host CPUs of each IO thread"},
    {"spec.cells", FIELD_ANY, "Guest memory nodes and the host nodes behind them"},
    {"spec.exclusive", FIELD_ANY, "Host CPUs nobody else may use"},
    {"spec.parked", FIELD_ANY, "Sibling CPUs kept idle"},
    {"spec.filling", FIELD_ANY,
     "CPUs from which QEMU may fill huge pages before the guest runs, besides the emulator's"},
    {"status", FIELD_OBJECT, "What is promised, and what was seen"},
    {"status.phase", FIELD_STRING, "Phase of the VM"},
    {"status.claimed", FIELD_ANY, "CPUs, huge pages and memory promised to it"},
    {"status.proof", FIELD_ANY, "Every thread and the memory, compared with the plan"},
    {"status.provenAt", FIELD_TIME, "When they were compared"},
    {"status.repaired", FIELD_INT32, "Threads put back so far"},
};
static const struct schema_row HOST_CHANGE[] = {
    {"spec", FIELD_OBJECT, "What was changed, and for whom"},
    {"spec.knob", FIELD_STRING, "The kind of change"},
    {"spec.why", FIELD_STRING, "What it is good for"},
    {"spec.target", FIELD_STRING, "How it is changed, and the file, thread or process"},
    {"spec.wanted", FIELD_STRING, "What this owner wants of it"},
    {"spec.owner", FIELD_ANY, "The VM, or the user who typed rtvmd tune"},
    {"status", FIELD_OBJECT, "What it was, and what it is"},
    {"status.before", FIELD_STRING, "Before anybody tuned it: what undoing brings back"},
    {"status.wanted", FIELD_STRING, "As all that tune want it together"},
    {"status.found", FIELD_STRING, "As it is now; absent when the thing is gone"},
    {"status.state", FIELD_STRING, "Applied, Pending, NotApplied, Overridden (by somebody else: left alone) or Gone"},
};
static const struct schema_row LATENCY_TEST[] = {
    {"spec", FIELD_OBJECT, "What is to be measured; not changed once it is made"},
    {"spec.cpus", FIELD_STRING,
     "Host CPUs as a list; without a VM and without this, all that VMs may get and none has"},
    {"spec.virtualMachine", FIELD_STRING,
     "A VM of this namespace: the probe guest runs in its place, under its manifest"},
    {"spec.insideGuest", FIELD_BOOL,
     "Run cyclictest (timer) and oslat (gaps) inside that VM, which runs, through its agent"},
    {"spec.template", FIELD_ANY, "Metadata and spec of a VirtualMachineInstance, in place of a VM that exists"},
    {"spec.kind", FIELD_STRING, "timer, gaps or both (the default)"},
    {"spec.duration", FIELD_STRING, "How long, like 10s (the default); both kinds share it"},
    {"spec.load", FIELD_BOOL, "Load the housekeeping CPUs meanwhile; without load there is no verdict"},
    {"spec.runName", FIELD_STRING, "Name of the stored run; made up when not said"},
    {"status", FIELD_OBJECT, "What came of it"},
    {"status.phase", FIELD_STRING, "Pending, Running, Succeeded or Failed"},
    {"status.progress", FIELD_INT32, "Of the measuring, in percent"},
    {"status.message", FIELD_STRING, "What it waits for, or why it failed"},
    {"status.startTime", FIELD_TIME, "When measuring began"},
    {"status.completionTime", FIELD_TIME, "When it ended"},
    {"status.run", FIELD_STRING, "Name of the stored run: rtvmd latency show NAME, or GET …/latencytests/NAME/run"},
    {"status.result", FIELD_ANY, "Grade, worst value, and the main numbers of each CPU"},
};
static const struct schema_row REVIEW[] = {
    {"spec", FIELD_ANY, "The question"},
    {"status", FIELD_ANY, "The answer"},
};

#define ROWS(table) .row_count = ARRAY_SIZE(table), .row = (table)

const struct schema_kind SCHEMA_KINDS[] = {
    {"", "ConfigMap", "Texts for VMs to read.", false, ROWS(CONFIG_MAP)},
    {"", "Secret", "Values for VMs to read that are not for everybody.", false, ROWS(SECRET)},
    {"", "Namespace", "A group of objects.", false, ROWS(NAMESPACE)},
    {"", "Event", "Something that happened.", true, ROWS(EVENT)},
    {"", "Node", "This host.", true, ROWS(NODE)},
    {"", "PersistentVolumeClaim", "A disk a VM may use by name.", true, ROWS(CLAIM)},
    {"events.k8s.io", "Event", "Something that happened.", true, 0, NULL},
    {"rtvmd.io", "HostChange", "What host tuning changed, until it is undone.", true, ROWS(HOST_CHANGE)},
    {"rtvmd.io", "LatencyTest", "A measurement of CPUs: asked for by making one.", false, ROWS(LATENCY_TEST)},
    {"rtvmd.io", "Placement", "Where a VM runs: the plan against what is.", true, ROWS(PLACEMENT)},
    {"authentication.k8s.io", "SelfSubjectReview", "Says who one is.", false, ROWS(REVIEW)},
    {"authorization.k8s.io", "SelfSubjectAccessReview", "Says whether one may do something.", false, ROWS(REVIEW)},
    {"authorization.k8s.io", "SelfSubjectRulesReview", "Says what one may do.", false, ROWS(REVIEW)},
};
const size_t SCHEMA_KIND_COUNT = ARRAY_SIZE(SCHEMA_KINDS);
