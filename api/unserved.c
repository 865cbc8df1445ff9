#include "api/unserved.h"

#include <string.h>

#include "rtvmd/base/text.h"

#define NO_MIGRATION "rtvmd runs on one host: there are no migrations"
#define NO_CDI                                                                                                       \
    "there is no importer of volumes (CDI) here; `rtvmd image import NAME FILE` brings a disk onto this host for a " \
    "containerDisk, and a claim's disk is the file volumes/NAMESPACE/NAME.img of the daemon's state folder"

static const struct {
    const char *group;
    const char *plural; /* NULL: the whole group */
    const char *why;
} UNSERVED[] = {
    {"kubevirt.io", "virtualmachineinstancemigrations", NO_MIGRATION},
    {"migrations.kubevirt.io", NULL, NO_MIGRATION},
    {"kubevirt.io", "virtualmachineinstancereplicasets", "there are no replica sets here; make each VM by itself"},
    {"pool.kubevirt.io", NULL, "there are no pools here; make each VM by itself"},
    {"kubevirt.io", "virtualmachineinstancepresets", "there are no presets here; write it into each VM"},
    {"kubevirt.io", "kubevirts",
     "there is no KubeVirt object here: the daemon is configured by rtvmd.yaml, and a device of the host is named by its "
     "address in the VM"},
    {"instancetype.kubevirt.io", NULL,
     "there are no instance types and preferences here; write CPU and memory into the VM's template"},
    {"export.kubevirt.io", NULL,
     "volumes are not exported over HTTP: claims are files of this host, volumes/NAMESPACE/NAME.img of the daemon's state "
     "folder; `rtvmd export` writes the manifests"},
    {"snapshot.kubevirt.io", NULL, "there are no snapshots here; stop the VM and copy its disks"},
    {"clone.kubevirt.io", NULL, "there are no clones here; stop the VM, copy its disks, and create another VM of them"},
    {"backup.kubevirt.io", NULL, "there are no backups of VMs here; stop the VM and copy its disks"},
    {"cdi.kubevirt.io", NULL, NO_CDI},
    {"upload.cdi.kubevirt.io", NULL, NO_CDI},
    {"subresources.kubevirt.io", "guestfs",
     "there are no containers here; look into a disk with `guestfish` on this host while the VM is stopped"},
};

/* The group, and the resource behind version and namespace. */
static bool names(const char *path, const char *group, const char *plural)
{
    size_t length = strlen(group);
    if (!text_starts_with(path, "/apis/") || strncmp(path += strlen("/apis/"), group, length) != 0 ||
        path[length] != '/')
        return false;
    path += length + 1;
    path = strchrnul(path, '/'); /* behind the version */
    if (!plural || *path == '\0')
        return !plural && *path;
    path++;
    if (text_starts_with(path, "namespaces/")) {
        path = strchrnul(path + strlen("namespaces/"), '/');
        path += *path == '/';
    }
    return strncmp(path, plural, strlen(plural)) == 0 && strchr("/", path[strlen(plural)]);
}

const char *unserved_upload(void)
{
    return NO_CDI;
}

void unserved_explain(const char *path, struct error *err)
{
    if (err->kind != ERROR_NOT_FOUND)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(UNSERVED); i++) {
        if (!names(path, UNSERVED[i].group, UNSERVED[i].plural))
            continue;
        fail(err, ERROR_NOT_FOUND, "the server could not find the requested resource: %s", UNSERVED[i].why);
        return;
    }
}
