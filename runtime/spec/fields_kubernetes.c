/* Fields that come from Kubernetes' own types and are about choosing among nodes. */
#include "runtime/spec/fields_rows.h"

static const char ONE_HOST[] = "there is one host";

#define SELECTOR(path, doc)                                                                       \
    {path, FIELD_OBJECT, doc}, {path ".matchLabels", FIELD_STRING_MAP, "Labels that must match"}, \
        {path ".matchExpressions", FIELD_OBJECTS, "Conditions on labels"},                        \
        {path ".matchExpressions.key", FIELD_STRING, "Label", NEEDED},                            \
        {path ".matchExpressions.operator", FIELD_STRING, "Condition", NEEDED,                    \
         .values = "In|NotIn|Exists|DoesNotExist"},                                               \
    {                                                                                             \
        path ".matchExpressions.values", FIELD_STRINGS, "Values it is compared with"              \
    }

#define NODE_TERM(path)                                                                 \
    {path ".matchExpressions", FIELD_OBJECTS, "Conditions on labels"},                  \
        {path ".matchExpressions.key", FIELD_STRING, "Label", NEEDED},                  \
        {path ".matchExpressions.operator", FIELD_STRING, "Condition", NEEDED,          \
         .values = "In|NotIn|Exists|DoesNotExist|Gt|Lt"},                               \
        {path ".matchExpressions.values", FIELD_STRINGS, "Values it is compared with"}, \
        {path ".matchFields", FIELD_OBJECTS, "Conditions on fields"},                   \
        {path ".matchFields.key", FIELD_STRING, "Field", NEEDED},                       \
        {path ".matchFields.operator", FIELD_STRING, "Condition", NEEDED},              \
    {                                                                                   \
        path ".matchFields.values", FIELD_STRINGS, "Values it is compared with"         \
    }

#define POD_TERM(path)                                                                            \
    SELECTOR(path ".labelSelector", "Pods it is about"),                                          \
        SELECTOR(path ".namespaceSelector", "Namespaces it is about"),                            \
        {path ".namespaces", FIELD_STRINGS, "Namespaces by name"},                                \
        {path ".topologyKey", FIELD_STRING, "Node label that makes two nodes one place", NEEDED}, \
        {path ".matchLabelKeys", FIELD_STRINGS, "Labels whose values must match"},                \
    {                                                                                             \
        path ".mismatchLabelKeys", FIELD_STRINGS, "Labels whose values must differ"               \
    }

#define POD_AFFINITY(path, doc)                                                                                      \
    {path, FIELD_OBJECT, doc}, {path ".preferredDuringSchedulingIgnoredDuringExecution", FIELD_OBJECTS, "Wishes"},   \
        {path ".preferredDuringSchedulingIgnoredDuringExecution.weight", FIELD_INT32, "How much it counts", NEEDED}, \
        {path ".preferredDuringSchedulingIgnoredDuringExecution.podAffinityTerm", FIELD_OBJECT, "The wish", NEEDED}, \
        POD_TERM(path ".preferredDuringSchedulingIgnoredDuringExecution.podAffinityTerm"),                           \
        {path ".requiredDuringSchedulingIgnoredDuringExecution", FIELD_OBJECTS, "Conditions"},                       \
        POD_TERM(path ".requiredDuringSchedulingIgnoredDuringExecution")

#define NODE "spec.affinity.nodeAffinity"
#define PREFERRED NODE ".preferredDuringSchedulingIgnoredDuringExecution"
#define REQUIRED NODE ".requiredDuringSchedulingIgnoredDuringExecution"

static const struct field ROWS[] = {
    {"spec.nodeSelector", FIELD_STRING_MAP, "Labels the node must have", IGNORED(ONE_HOST)},
    {"spec.affinity", FIELD_OBJECT, "Nodes and neighbors it wants or avoids", IGNORED(ONE_HOST)},
    {NODE, FIELD_OBJECT, "About nodes"},
    {PREFERRED, FIELD_OBJECTS, "Wishes"},
    {PREFERRED ".weight", FIELD_INT32, "How much it counts", NEEDED},
    {PREFERRED ".preference", FIELD_OBJECT, "The wish", NEEDED},
    NODE_TERM(PREFERRED ".preference"),
    {REQUIRED, FIELD_OBJECT, "Conditions"},
    {REQUIRED ".nodeSelectorTerms", FIELD_OBJECTS, "One of these must hold", NEEDED},
    NODE_TERM(REQUIRED ".nodeSelectorTerms"),
    POD_AFFINITY("spec.affinity.podAffinity", "Near these pods"),
    POD_AFFINITY("spec.affinity.podAntiAffinity", "Away from these pods"),
    {"spec.tolerations", FIELD_OBJECTS, "Taints it puts up with", IGNORED(ONE_HOST)},
    {"spec.tolerations.key", FIELD_STRING, "Taint"},
    {"spec.tolerations.operator", FIELD_STRING, "Condition", .values = "Exists|Equal"},
    {"spec.tolerations.value", FIELD_STRING, "Value it is compared with"},
    {"spec.tolerations.effect", FIELD_STRING, "Effect", .values = "NoSchedule|PreferNoSchedule|NoExecute"},
    {"spec.tolerations.tolerationSeconds", FIELD_INT64, "For how long"},
    {"spec.topologySpreadConstraints", FIELD_OBJECTS, "How to spread over places", IGNORED(ONE_HOST)},
    {"spec.topologySpreadConstraints.maxSkew", FIELD_INT32, "How uneven it may be", NEEDED},
    {"spec.topologySpreadConstraints.topologyKey", FIELD_STRING, "Node label that makes two nodes one place", NEEDED},
    {"spec.topologySpreadConstraints.whenUnsatisfiable", FIELD_STRING, "What to do otherwise", NEEDED,
     .values = "DoNotSchedule|ScheduleAnyway"},
    SELECTOR("spec.topologySpreadConstraints.labelSelector", "Pods that are counted"),
    {"spec.topologySpreadConstraints.matchLabelKeys", FIELD_STRINGS, "Labels whose values must match"},
    {"spec.topologySpreadConstraints.minDomains", FIELD_INT32, "Fewest places"},
    {"spec.topologySpreadConstraints.nodeAffinityPolicy", FIELD_STRING, "Whether affinity counts",
     .values = "Honor|Ignore"},
    {"spec.topologySpreadConstraints.nodeTaintsPolicy", FIELD_STRING, "Whether taints count", .values = "Honor|Ignore"},
    {"spec.dnsPolicy", FIELD_STRING, "Name servers of the pod",
     .values = "ClusterFirstWithHostNet|ClusterFirst|Default|None", IGNORED("the host's network names the servers"),
     RULED},
    {"spec.dnsConfig", FIELD_OBJECT, "Name servers in detail", IGNORED("the host's network names the servers")},
    {"spec.dnsConfig.nameservers", FIELD_STRINGS, "Addresses, at most three"},
    {"spec.dnsConfig.searches", FIELD_STRINGS, "Search domains"},
    {"spec.dnsConfig.options", FIELD_OBJECTS, "Resolver options"},
    {"spec.dnsConfig.options.name", FIELD_STRING, "Name"},
    {"spec.dnsConfig.options.value", FIELD_STRING, "Value"},
    {"spec.resourceClaims", FIELD_OBJECTS, "Devices from resource claims",
     REFUSED("there are no resource claims on one host")},
    {"spec.resourceClaims.name", FIELD_STRING, "Name devices refer to", NEEDED},
    {"spec.resourceClaims.resourceClaimName", FIELD_STRING, "The claim"},
    {"spec.resourceClaims.resourceClaimTemplateName", FIELD_STRING, "Template of the claim"},
};
const struct field_table FIELDS_KUBERNETES = {ROWS, ARRAY_SIZE(ROWS)};
