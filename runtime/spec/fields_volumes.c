#include "runtime/spec/fields_rows.h"

#define V "spec.volumes"

static const char NO_FOLDERS[] = "it is only shared by virtiofs, which is not supported";

#define CLOUD_INIT(path, doc)                                                                                  \
    {path, FIELD_OBJECT, doc}, {path ".userData", FIELD_STRING, "cloud-config or script, at most 2048 bytes"}, \
        {path ".userDataBase64", FIELD_STRING, "The same, base64"},                                            \
        {path ".secretRef", FIELD_OBJECT, "Secret whose key userdata holds it"},                               \
        {path ".secretRef.name", FIELD_STRING, "Name of the Secret"},                                          \
        {path ".networkData", FIELD_STRING, "Network configuration, at most 2048 bytes"},                      \
        {path ".networkDataBase64", FIELD_STRING, "The same, base64"},                                         \
        {path ".networkDataSecretRef", FIELD_OBJECT, "Secret whose key networkdata holds it"},                 \
    {                                                                                                          \
        path ".networkDataSecretRef.name", FIELD_STRING, "Name of the Secret"                                  \
    }

static const struct field ROWS[] = {
    {V, FIELD_OBJECTS, "What disks show: exactly one source each"},
    {V ".name", FIELD_STRING, "Name the disk refers to", NEEDED},
    {V ".containerDisk", FIELD_OBJECT, "Disk inside a container image; what the guest writes is gone after a stop"},
    {V ".containerDisk.image", FIELD_STRING, "Image, from the local store or pulled", NEEDED},
    {V ".containerDisk.path", FIELD_STRING, "Disk file inside the image", .otherwise = "the only file in /disk"},
    {V ".containerDisk.imagePullPolicy", FIELD_STRING, "When to fetch it", .values = "Always|IfNotPresent|Never",
     .otherwise = "Always for :latest or no tag, else IfNotPresent"},
    {V ".containerDisk.imagePullSecret", FIELD_STRING, "Secret with the registry's login",
     IGNORED("logins come from skopeo's own configuration")},
    {V ".hostDisk", FIELD_OBJECT, "A disk file on the host, in a folder the configuration allows"},
    {V ".hostDisk.path", FIELD_STRING, "Absolute path of the file", NEEDED, RULED},
    {V ".hostDisk.type", FIELD_STRING, "Whether it must be there already", NEEDED, .values = "Disk|DiskOrCreate",
     RULED},
    {V ".hostDisk.capacity", FIELD_QUANTITY, "Size of a file that is made; DiskOrCreate only"},
    {V ".hostDisk.shared", FIELD_BOOL, "Several hosts see the file", IGNORED("there is one host")},
    {V ".emptyDisk", FIELD_OBJECT, "An empty disk that lives as long as the VMI"},
    {V ".emptyDisk.capacity", FIELD_QUANTITY, "Its size", NEEDED},
    CLOUD_INIT(V ".cloudInitNoCloud", "First-boot configuration, NoCloud form (label cidata)"),
    CLOUD_INIT(V ".cloudInitConfigDrive", "First-boot configuration, OpenStack form (label config-2)"),
    {V ".persistentVolumeClaim", FIELD_OBJECT, "A claim: a disk kept in the volume folder"},
    {V ".persistentVolumeClaim.claimName", FIELD_STRING, "Name of the claim", NEEDED},
    {V ".persistentVolumeClaim.readOnly", FIELD_BOOL, "Not written to"},
    {V ".persistentVolumeClaim.hotpluggable", FIELD_BOOL, "May be unplugged while running",
     IGNORED("disks stay plugged in while the VM runs")},
    {V ".dataVolume", FIELD_OBJECT, "A DataVolume: the disk of that name in the volume folder"},
    {V ".dataVolume.name", FIELD_STRING, "Name of the DataVolume", NEEDED, RULED},
    {V ".dataVolume.hotpluggable", FIELD_BOOL, "May be unplugged while running",
     IGNORED("disks stay plugged in while the VM runs")},
    {V ".ephemeral", FIELD_OBJECT, "A claim as read-only base; what the guest writes is gone after a stop"},
    {V ".ephemeral.persistentVolumeClaim", FIELD_OBJECT, "The claim"},
    {V ".ephemeral.persistentVolumeClaim.claimName", FIELD_STRING, "Name of the claim", NEEDED},
    {V ".ephemeral.persistentVolumeClaim.readOnly", FIELD_BOOL, "Not written to"},
    {V ".configMap", FIELD_OBJECT, "A ConfigMap as a CD of files"},
    {V ".configMap.name", FIELD_STRING, "Name of the ConfigMap"},
    {V ".configMap.optional", FIELD_BOOL, "It may be missing"},
    {V ".configMap.volumeLabel", FIELD_STRING, "Label of the CD", .otherwise = "cfgdata"},
    {V ".secret", FIELD_OBJECT, "A Secret as a CD of files"},
    {V ".secret.secretName", FIELD_STRING, "Name of the Secret"},
    {V ".secret.optional", FIELD_BOOL, "It may be missing"},
    {V ".secret.volumeLabel", FIELD_STRING, "Label of the CD", .otherwise = "cfgdata"},
    {V ".downwardAPI", FIELD_OBJECT, "Facts about the VMI as a CD of files"},
    {V ".downwardAPI.volumeLabel", FIELD_STRING, "Label of the CD", .otherwise = "cfgdata"},
    {V ".downwardAPI.fields", FIELD_OBJECTS, "The files"},
    {V ".downwardAPI.fields.path", FIELD_STRING, "Name of the file", NEEDED},
    {V ".downwardAPI.fields.mode", FIELD_INT32, "Its permissions"},
    {V ".downwardAPI.fields.fieldRef", FIELD_OBJECT, "The field it holds"},
    {V ".downwardAPI.fields.fieldRef.apiVersion", FIELD_STRING, "Version of the schema"},
    {V ".downwardAPI.fields.fieldRef.fieldPath", FIELD_STRING, "Path, such as metadata.labels", NEEDED},
    {V ".downwardAPI.fields.resourceFieldRef", FIELD_OBJECT, "The resource it holds"},
    {V ".downwardAPI.fields.resourceFieldRef.containerName", FIELD_STRING, "Container it is about"},
    {V ".downwardAPI.fields.resourceFieldRef.resource", FIELD_STRING, "Resource, such as limits.cpu", NEEDED},
    {V ".downwardAPI.fields.resourceFieldRef.divisor", FIELD_QUANTITY, "Unit it is given in"},
    {V ".serviceAccount", FIELD_OBJECT, "A service account's token as a CD of files"},
    {V ".serviceAccount.serviceAccountName", FIELD_STRING, "Name of the service account"},
    {V ".sysprep", FIELD_OBJECT, "Answer file of a Windows set-up, as a CD"},
    {V ".sysprep.configMap", FIELD_OBJECT, "ConfigMap that holds it"},
    {V ".sysprep.configMap.name", FIELD_STRING, "Name of the ConfigMap"},
    {V ".sysprep.secret", FIELD_OBJECT, "Secret that holds it"},
    {V ".sysprep.secret.name", FIELD_STRING, "Name of the Secret"},
    {V ".downwardMetrics", FIELD_OBJECT, "Host figures on a small disk",
     REFUSED("host figures are not given to guests")},
    {V ".memoryDump", FIELD_OBJECT, "Where memory dumps go", IGNORED("dumps are not taken")},
    {V ".memoryDump.claimName", FIELD_STRING, "Name of the claim", NEEDED},
    {V ".memoryDump.readOnly", FIELD_BOOL, "Not written to"},
    {V ".memoryDump.hotpluggable", FIELD_BOOL, "May be unplugged while running"},
    {V ".containerPath", FIELD_OBJECT, "A folder of the launcher's container", REFUSED(NO_FOLDERS)},
    {V ".containerPath.path", FIELD_STRING, "The folder", NEEDED},
    {V ".containerPath.readOnly", FIELD_BOOL, "Not written to"},
    {"spec.utilityVolumes", FIELD_OBJECTS, "Claims for dumps and backups", IGNORED("dumps and backups go to a folder")},
    {"spec.utilityVolumes.name", FIELD_STRING, "Name of the volume", NEEDED},
    {"spec.utilityVolumes.claimName", FIELD_STRING, "Name of the claim", NEEDED},
    {"spec.utilityVolumes.readOnly", FIELD_BOOL, "Not written to"},
    {"spec.utilityVolumes.type", FIELD_STRING, "What it is for"},
};
const struct field_table FIELDS_VOLUMES = {ROWS, ARRAY_SIZE(ROWS)};
