/* How the VMI starts and ends, what it is called, how it is watched. */
#include "runtime/spec/fields_rows.h"

static const char NO_PROBES[] = "probes are not run; Ready means that the guest runs";
static const char NO_CREDENTIALS[] = "put keys and passwords into cloud-init user data";

#define PROBE(path, doc)                                                                                              \
    {path, FIELD_OBJECT, doc, IGNORED(NO_PROBES)},                                                                    \
        {path ".exec", FIELD_OBJECT, "A command in the guest, through its agent"},                                    \
        {path ".exec.command", FIELD_STRINGS, "Program and arguments"},                                               \
        {path ".guestAgentPing", FIELD_OBJECT, "The guest's agent answers"},                                          \
        {path ".httpGet", FIELD_OBJECT, "An HTTP request succeeds"},                                                  \
        {path ".httpGet.host", FIELD_STRING, "Host to ask"}, {path ".httpGet.path", FIELD_STRING, "Path to ask for"}, \
        {path ".httpGet.port", FIELD_INT_OR_STRING, "Port", NEEDED},                                                  \
        {path ".httpGet.scheme", FIELD_STRING, "Protocol", .values = "HTTP|HTTPS"},                                   \
        {path ".httpGet.httpHeaders", FIELD_OBJECTS, "Headers of the request"},                                       \
        {path ".httpGet.httpHeaders.name", FIELD_STRING, "Name", NEEDED},                                             \
        {path ".httpGet.httpHeaders.value", FIELD_STRING, "Value", NEEDED},                                           \
        {path ".tcpSocket", FIELD_OBJECT, "A TCP connection succeeds"},                                               \
        {path ".tcpSocket.host", FIELD_STRING, "Host to connect to"},                                                 \
        {path ".tcpSocket.port", FIELD_INT_OR_STRING, "Port", NEEDED},                                                \
        {path ".initialDelaySeconds", FIELD_INT32, "Wait before the first try"},                                      \
        {path ".timeoutSeconds", FIELD_INT32, "Longest try", .def = "1"},                                             \
        {path ".periodSeconds", FIELD_INT32, "Time between tries", .def = "10"},                                      \
        {path ".successThreshold", FIELD_INT32, "Successes in a row that count", .def = "1"},                         \
    {                                                                                                                 \
        path ".failureThreshold", FIELD_INT32, "Failures in a row that count", .def = "3"                             \
    }

static const struct field ROWS[] = {
    {"spec", FIELD_OBJECT, "What is wanted", NEEDED},
    {"spec.architecture", FIELD_STRING, "CPU architecture of the guest", .values = "amd64", .def = "\"amd64\"", RULED},
    {"spec.hostname", FIELD_STRING, "Host name the guest gets from cloud-init", .otherwise = "the VMI's name"},
    {"spec.subdomain", FIELD_STRING, "DNS domain below the namespace", IGNORED("there is no cluster DNS")},
    {"spec.startStrategy", FIELD_STRING, "Paused: the machine is made but not yet let run", .values = "Paused", RULED},
    {"spec.terminationGracePeriodSeconds", FIELD_INT64,
     "Seconds between asking the guest to shut down and switching it off; 0 means at once", .otherwise = "30"},
    {"spec.evictionStrategy", FIELD_STRING, "What a node drain does",
     .values = "None|LiveMigrate|LiveMigrateIfPossible|External", IGNORED("there is no other host to move to"), RULED},
    {"spec.priorityClassName", FIELD_STRING, "Priority among pods", IGNORED("VMs are placed in order of arrival")},
    {"spec.schedulerName", FIELD_STRING, "Scheduler that picks the node", IGNORED("there is one host")},
    {"spec.serviceAccountName", FIELD_STRING, "Service account of the pod", IGNORED("there are no pods")},
    PROBE("spec.livenessProbe", "Restarts the guest when it fails"),
    PROBE("spec.readinessProbe", "Decides the Ready condition"),
    {"spec.accessCredentials", FIELD_OBJECTS, "SSH keys and passwords put into the guest", IGNORED(NO_CREDENTIALS)},
    {"spec.accessCredentials.sshPublicKey", FIELD_OBJECT, "SSH keys"},
    {"spec.accessCredentials.sshPublicKey.source", FIELD_OBJECT, "Where they come from", NEEDED, RULED},
    {"spec.accessCredentials.sshPublicKey.source.secret", FIELD_OBJECT, "A Secret"},
    {"spec.accessCredentials.sshPublicKey.source.secret.secretName", FIELD_STRING, "Its name", NEEDED},
    {"spec.accessCredentials.sshPublicKey.propagationMethod", FIELD_OBJECT, "How they get in", NEEDED, RULED},
    {"spec.accessCredentials.sshPublicKey.propagationMethod.configDrive", FIELD_OBJECT, "By cloudInitConfigDrive"},
    {"spec.accessCredentials.sshPublicKey.propagationMethod.noCloud", FIELD_OBJECT, "By cloudInitNoCloud"},
    {"spec.accessCredentials.sshPublicKey.propagationMethod.qemuGuestAgent", FIELD_OBJECT, "By the guest's agent"},
    {"spec.accessCredentials.sshPublicKey.propagationMethod.qemuGuestAgent.users", FIELD_STRINGS, "Users who get them"},
    {"spec.accessCredentials.userPassword", FIELD_OBJECT, "Passwords"},
    {"spec.accessCredentials.userPassword.source", FIELD_OBJECT, "Where they come from", NEEDED, RULED},
    {"spec.accessCredentials.userPassword.source.secret", FIELD_OBJECT, "A Secret: user names and passwords"},
    {"spec.accessCredentials.userPassword.source.secret.secretName", FIELD_STRING, "Its name", NEEDED},
    {"spec.accessCredentials.userPassword.propagationMethod", FIELD_OBJECT, "How they get in", NEEDED, RULED},
    {"spec.accessCredentials.userPassword.propagationMethod.qemuGuestAgent", FIELD_OBJECT, "By the guest's agent"},
};
const struct field_table FIELDS_LIFE = {ROWS, ARRAY_SIZE(ROWS)};
