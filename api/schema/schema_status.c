/* The status of VMs, as far as it is written here. The field table has what people write; this is what they read. */
#include "api/schema/schema.h"

/* Rows that the conditions of both kinds have. */
#define CONDITIONS                                                                                            \
    {"status.conditions", FIELD_OBJECTS, "What is true of it, and why"},                                      \
        {"status.conditions.type", FIELD_STRING, "Which condition: Ready, Paused, LiveMigratable and so on"}, \
        {"status.conditions.status", FIELD_STRING, "True, False or Unknown"},                                 \
        {"status.conditions.reason", FIELD_STRING, "Why, in one word"},                                       \
        {"status.conditions.message", FIELD_STRING, "Why, in a sentence"},                                    \
        {"status.conditions.lastProbeTime", FIELD_TIME, "Not used here"},                                     \
    {                                                                                                         \
        "status.conditions.lastTransitionTime", FIELD_TIME, "When it last changed"                            \
    }

static const struct schema_row VM[] = {
    {"status.printableStatus", FIELD_STRING,
     "State in one word: Stopped, Starting, Running, Paused, Stopping, Terminating, ErrorUnschedulable, "
     "CrashLoopBackOff and so on"},
    {"status.created", FIELD_BOOL, "There is a VirtualMachineInstance"},
    {"status.ready", FIELD_BOOL, "The guest runs"},
    {"status.runStrategy", FIELD_STRING, "The strategy that is followed"},
    {"status.desiredGeneration", FIELD_INT64, "Generation of the spec as it is"},
    {"status.observedGeneration", FIELD_INT64, "Generation of the spec that the running instance was made from"},
    CONDITIONS,
    {"status.stateChangeRequests", FIELD_OBJECTS, "Starts and stops that were asked for and not yet carried out"},
    {"status.stateChangeRequests.action", FIELD_STRING, "Start or Stop"},
    {"status.stateChangeRequests.uid", FIELD_STRING, "The instance that is to stop"},
    {"status.startFailure", FIELD_OBJECT, "Starts that failed one after the other"},
    {"status.startFailure.consecutiveFailCount", FIELD_INT32, "How many"},
    {"status.startFailure.lastFailedVMIUID", FIELD_STRING, "The instance that failed last"},
    {"status.startFailure.retryAfterTimestamp", FIELD_TIME, "Not before then it is tried again"},
};
static const struct schema_row VMI[] = {
    {"status.phase", FIELD_STRING, "Pending, Scheduling, Scheduled, Running, Succeeded or Failed"},
    {"status.phaseTransitionTimestamps", FIELD_OBJECTS, "When it came into each phase"},
    {"status.phaseTransitionTimestamps.phase", FIELD_STRING, "The phase"},
    {"status.phaseTransitionTimestamps.phaseTransitionTimestamp", FIELD_TIME, "When it began"},
    {"status.nodeName", FIELD_STRING, "The host, once it has a place there"},
    CONDITIONS,
    {"status.interfaces", FIELD_OBJECTS, "Network interfaces of the guest"},
    {"status.interfaces.name", FIELD_STRING, "Name in the spec"},
    {"status.interfaces.mac", FIELD_STRING, "Hardware address"},
    {"status.interfaces.ipAddress", FIELD_STRING, "First address, as the guest agent says"},
    {"status.interfaces.ipAddresses", FIELD_STRINGS, "All addresses"},
    {"status.interfaces.interfaceName", FIELD_STRING, "Name inside of the guest"},
    {"status.interfaces.infoSource", FIELD_STRING, "Who said so: domain, guest-agent"},
    {"status.interfaces.queueCount", FIELD_INT32, "Queues of the device"},
    {"status.interfaces.linkState", FIELD_STRING, "up or down"},
    {"status.guestOSInfo", FIELD_STRING_MAP, "Operating system of the guest, as its agent says"},
    {"status.volumeStatus", FIELD_OBJECTS, "Volumes, and how far those are that come and go while it runs"},
    {"status.volumeStatus.name", FIELD_STRING, "Name in the spec"},
    {"status.volumeStatus.target", FIELD_STRING, "Device, like vda"},
    {"status.volumeStatus.phase", FIELD_STRING, "How far a hotplugged volume is"},
    {"status.volumeStatus.reason", FIELD_STRING, "Why, in one word"},
    {"status.volumeStatus.message", FIELD_STRING, "Why, in a sentence"},
    {"status.memory", FIELD_OBJECT, "Memory of the guest"},
    {"status.memory.guestAtBoot", FIELD_STRING, "When it started"},
    {"status.memory.guestCurrent", FIELD_STRING, "Now"},
    {"status.memory.guestRequested", FIELD_STRING, "As asked for"},
    {"status.currentCPUTopology", FIELD_OBJECT, "CPUs of the guest"},
    {"status.currentCPUTopology.sockets", FIELD_INT32, "Sockets"},
    {"status.currentCPUTopology.cores", FIELD_INT32, "Cores of a socket"},
    {"status.currentCPUTopology.threads", FIELD_INT32, "Threads of a core"},
    {"status.machine", FIELD_OBJECT, "Machine of the guest"},
    {"status.machine.type", FIELD_STRING, "Its type, like q35"},
    {"status.qosClass", FIELD_STRING, "Guaranteed with CPUs of its own, else Burstable"},
    {"status.runtimeUser", FIELD_INT64, "User that QEMU runs as, in a cluster"},
};

const struct schema_kind SCHEMA_STATUS[] = {
    {"kubevirt.io", "VirtualMachine", "", true, ARRAY_SIZE(VM), VM},
    {"kubevirt.io", "VirtualMachineInstance", "", true, ARRAY_SIZE(VMI), VMI},
};
const size_t SCHEMA_STATUS_COUNT = ARRAY_SIZE(SCHEMA_STATUS);
