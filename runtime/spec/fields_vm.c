/* What only a VirtualMachine has; its template's spec is a VMI's. */
#include "runtime/spec/fields_rows.h"

static const char NO_CDI[] = "nothing here imports disks; the disk of a dataVolume must be in the volume folder";
static const char NO_INSTANCETYPES[] = "instance types and preferences are not expanded here; write the fields out "
                                       "(virtctl expand does it)";

#define MATCHER(path, noun)                                                                             \
    {path, FIELD_OBJECT, "The " noun " the VM is built from", REFUSED(NO_INSTANCETYPES)},               \
        {path ".name", FIELD_STRING, "Its name"},                                                       \
        {path ".kind", FIELD_STRING, "Its kind, of the cluster or of the namespace"},                   \
        {path ".revisionName", FIELD_STRING, "A fixed revision of it"},                                 \
        {path ".inferFromVolume", FIELD_STRING, "Volume whose labels name it"},                         \
    {                                                                                                   \
        path ".inferFromVolumeFailurePolicy", FIELD_STRING, "What to do when the volume does not tell", \
            .values = "Reject|Ignore"                                                                   \
    }

static const struct field ROWS[] = {
    {"spec", FIELD_OBJECT, "What is wanted", NEEDED},
    {"spec.running", FIELD_BOOL, "true: as runStrategy Always; false: as Halted. Deprecated, use runStrategy"},
    {"spec.runStrategy", FIELD_STRING, "When a VMI should exist", .values = "Always|Halted|Manual|RerunOnFailure|Once",
     RULED},
    {"spec.template", FIELD_OBJECT, "The VMI that is made at each start", NEEDED, RULED},
    {"spec.template.metadata", FIELD_OBJECT, "Labels and annotations of the VMI"},
    {"spec.template.metadata.name", FIELD_STRING, "Not used: the VMI is called as the VM"},
    {"spec.template.metadata.namespace", FIELD_STRING, "Not used: the VMI lives with the VM"},
    {"spec.template.metadata.creationTimestamp", FIELD_TIME, "Not used; generators leave it here"},
    {"spec.template.metadata.labels", FIELD_STRING_MAP, "Labels of the VMI"},
    {"spec.template.metadata.annotations", FIELD_STRING_MAP, "Annotations of the VMI, rtvmd.io/… included"},
    {"spec.template.spec", FIELD_VMI_SPEC, "The VMI's spec"},
    {"spec.dataVolumeTemplates", FIELD_OBJECTS, "Disks to import for the VM", IGNORED(NO_CDI)},
    {"spec.dataVolumeTemplates.apiVersion", FIELD_STRING, "cdi.kubevirt.io/v1beta1"},
    {"spec.dataVolumeTemplates.kind", FIELD_STRING, "DataVolume"},
    {"spec.dataVolumeTemplates.metadata", FIELD_ANY, "Name, labels and annotations of the DataVolume"},
    {"spec.dataVolumeTemplates.spec", FIELD_ANY, "Where the disk comes from and how large it is"},
    {"spec.dataVolumeTemplates.status", FIELD_ANY, "Written by CDI"},
    MATCHER("spec.instancetype", "instance type"),
    MATCHER("spec.preference", "preference"),
    {"spec.updateVolumesStrategy", FIELD_STRING, "How a changed list of volumes is taken over",
     .values = "Replacement|Migration", IGNORED("changed volumes are used from the next start")},
    {"spec.liveUpdateFeatures", FIELD_OBJECT,
     "CPU, memory and placement that may change while running (KubeVirt 1.1 only)",
     IGNORED("removed from KubeVirt after 1.1; changes count from the next start")},
    {"spec.liveUpdateFeatures.cpu", FIELD_OBJECT, "CPU hot-plug"},
    {"spec.liveUpdateFeatures.cpu.maxSockets", FIELD_UINT32, "Most sockets it may grow to"},
    {"spec.liveUpdateFeatures.memory", FIELD_OBJECT, "Memory hot-plug"},
    {"spec.liveUpdateFeatures.memory.maxGuest", FIELD_QUANTITY, "Most memory it may grow to"},
    {"spec.liveUpdateFeatures.affinity", FIELD_OBJECT, "Placement rules may change"},
};
const struct field_table FIELDS_VM = {ROWS, ARRAY_SIZE(ROWS)};
