#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/act.h"

/* Volumes that come and go while a VMI runs (facts 5.3). What a user asked for is in the VMI's spec; how far it came is
 * in status.volumeStatus: an entry whose phase is Pending wants to be attached, an entry without a volume in the spec
 * wants to be detached. Both steps may be repeated, so a daemon that is killed in between goes on where it was.
 *
 * A hot-plugged disk hangs on the SCSI controller every VMI begins with: no IO thread, no CPU and no memory is added,
 * its I/O is done by the emulator thread where the placement put it. */

static json_t *named(const json_t *list, const char *name)
{
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry)
    {
        if (strcmp(json_text_at(entry, "name", ""), name) == 0)
            return entry;
    }
    return NULL;
}

enum vmi_volumes volumes_need(const json_t *vmi, const char **ret_name)
{
    const json_t *volumes = json_at(vmi, "spec.volumes");
    enum vmi_volumes need = VMI_VOLUMES_SETTLED;
    const char *name = NULL;
    size_t i;
    json_t *status;
    json_array_foreach(json_at(vmi, "status.volumeStatus"), i, status)
    {
        const char *own = json_text_at(status, "name", "");
        bool wanted = named(volumes, own) != NULL;
        bool pending = strcmp(json_text_at(status, "phase", ""), "Pending") == 0;
        if (!wanted || (pending && need == VMI_VOLUMES_SETTLED)) {
            name = own;
            need = wanted ? VMI_VOLUMES_ATTACH : VMI_VOLUMES_DETACH;
        }
        if (!wanted)
            break; /* going comes first: what comes may want its place */
    }
    if (ret_name)
        *ret_name = name;
    return need;
}

/* The first of sda, sdb, … that no volume has. */
static void free_target(const json_t *vmi, char ret_target[DOMAIN_TARGET_MAX])
{
    struct vm_disk disks[LIMIT_VM_DISKS] = {{0}};
    const struct vm_spec spec = {.disk = disks, .disk_count = LIMIT_VM_DISKS};
    for (unsigned n = 0; n < LIMIT_VM_DISKS; n++) {
        bool taken = false;
        size_t i;
        json_t *status;
        domain_disk_target(&spec, n, ret_target);
        json_array_foreach(json_at(vmi, "status.volumeStatus"), i, status)
        {
            taken = taken || strcmp(json_text_at(status, "target", ""), ret_target) == 0;
        }
        if (!taken)
            return;
    }
}

void volumes_fill(struct work *work, const json_t *vmi)
{
    const char *name;
    volumes_need(vmi, &name);
    work->volume = must_strdup(name ? name : "");
    free_target(vmi, work->target);
}

static void set_text(json_t *object, const char *key, const char *value)
{
    json_object_set_new(object, key, json_string(value));
}

void volumes_note_done(struct runtime *runtime, const json_t *vmi, const struct work *work)
{
    json_t *next = json_deep_copy(vmi);
    json_t *list = json_at(next, "status.volumeStatus");
    json_t *status = named(list, work->volume);
    if (work->kind == WORK_ATTACH && status) {
        auto_free char *message =
            must_format("Successfully attach hotplugged volume %s to VM", work->volume); /* KubeVirt's words */
        set_text(status, "phase", "Ready");
        set_text(status, "reason", "VolumeReady");
        set_text(status, "message", message);
        set_text(status, "target", work->target);
        event_record(runtime, vmi, "Normal", "VolumeReady", "%s", message);
    } else if (status && !named(json_at(next, "spec.volumes"), work->volume)) {
        size_t i = 0;
        while (json_array_get(list, i) != status)
            i++;
        event_record(runtime, vmi, "Normal", "VolumeUnplugged", "Volume %s has been unplugged from VM", work->volume);
        json_array_remove(list, i);
    }
    object_store(runtime, next, false);
}

void volumes_note_failure(struct runtime *runtime, const json_t *vmi, const struct work *work)
{
    json_t *next = json_deep_copy(vmi);
    json_t *status = named(json_at(next, "status.volumeStatus"), work->volume);
    if (status) {
        set_text(status, "phase", work->kind == WORK_ATTACH ? "Pending" : "Detaching");
        set_text(status, "reason", work->kind == WORK_ATTACH ? "VolumeNotReady" : "VolumeStillInUse");
        set_text(status, "message", work->err.text);
    }
    object_store(runtime, next, false);
}

/* ---- what a user asks for */
struct volume_request {
    struct runtime *runtime;
    const char *name; /* of the volume */
    const json_t *disk;
    const json_t *source; /* NULL: to be removed */
    bool dry_run;
    const char *resource; /* for messages: the object that is changed, and its name */
    const char *object;
};

static int conflict(const struct volume_request *r, struct error *err, const char *format, ...) PRINTF_LIKE(3, 4);

static int conflict(const struct volume_request *r, struct error *err, const char *format, ...)
{
    char detail[512];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    return fail(err, ERROR_CONFLICT, "Operation cannot be fulfilled on %s.kubevirt.io \"%s\": %s", r->resource,
                r->object, detail);
}

static const char *source_name(const json_t *volume)
{
    const char *claim = json_text_at(volume, "persistentVolumeClaim.claimName", "");
    return claim[0] ? claim : json_text_at(volume, "dataVolume.name", "");
}

static bool is_hotpluggable(const json_t *volume, const json_t *status)
{
    return json_bool_at(volume, "persistentVolumeClaim.hotpluggable", false) ||
           json_bool_at(volume, "dataVolume.hotpluggable", false) ||
           json_at(named(status, json_text_at(volume, "name", "")), "hotplugVolume") != NULL;
}

static int check_add(const struct volume_request *r, const json_t *volumes, struct error *err)
{
    const char *wanted = source_name(r->source);
    size_t i;
    json_t *volume;
    json_array_foreach(volumes, i, volume)
    {
        if (strcmp(json_text_at(volume, "name", ""), r->name) == 0)
            return conflict(r, err, "Unable to add volume [%s] because volume with that name already exists", r->name);
        if (wanted[0] && strcmp(source_name(volume), wanted) == 0)
            return conflict(r, err, "Unable to add volume source [%s] because it already exists", wanted);
    }
    return 0;
}

/* virtctl names a claim, others name the volume: either finds it. */
static const json_t *find_volume(const json_t *volumes, const char *name)
{
    const json_t *by_name = named(volumes, name);
    size_t i;
    json_t *volume;
    if (by_name)
        return by_name;
    json_array_foreach(volumes, i, volume)
    {
        if (strcmp(source_name(volume), name) == 0)
            return volume;
    }
    return NULL;
}

static void remove_named(json_t *list, const char *name)
{
    for (size_t i = json_array_size(list); i-- > 0;)
        if (strcmp(json_text_at(json_array_get(list, i), "name", ""), name) == 0)
            json_array_remove(list, i);
}

static json_t *list_at(json_t *object, const char *path)
{
    if (!json_is_array(json_at(object, path)))
        json_put_at(object, path, json_array());
    return json_at(object, path);
}

static void append(const struct volume_request *r, json_t *spec)
{
    json_t *volume = json_deep_copy(r->source);
    set_text(volume, "name", r->name);
    for (const char *const *kind = (const char *const[]){"persistentVolumeClaim", "dataVolume", NULL}; *kind; kind++)
        if (json_is_object(json_object_get(volume, *kind)))
            json_object_set_new(json_object_get(volume, *kind), "hotpluggable", json_true());
    json_t *disk = json_deep_copy(r->disk);
    set_text(disk, "name", r->name);
    if (!json_at(disk, "disk.bus"))
        json_put_at(disk, "disk.bus", json_string("scsi"));
    json_array_append_new(list_at(spec, "volumes"), volume);
    json_array_append_new(list_at(spec, "domain.devices.disks"), disk);
}

static int refuse_findings(const struct findings *findings, struct error *err)
{
    auto_text all = {0};
    for (size_t i = 0; i < findings->cause_count; i++) {
        auto_free char *cause = cause_text(&findings->cause[i]);
        text_printf(&all, "%s%s", i ? "; " : "", cause);
    }
    return findings->cause_count ? fail(err, ERROR_INVALID, "%s", text_cstr(&all)) : 0;
}

/* The object with its volume more, or less, completed and checked. NULL with the reason. */
static json_t *changed(const struct volume_request *r, const json_t *object, const json_t *status, struct error *err)
{
    json_t *next = json_deep_copy(object);
    json_t *spec = object_vmi_spec(next);
    json_t *volumes = json_object_get(spec, "volumes");
    const json_t *old = find_volume(volumes, r->name);
    int failed = 0;
    if (r->source) {
        failed = check_add(r, volumes, err);
        if (!failed)
            append(r, spec);
    } else if (!old) {
        failed = conflict(r, err, "Unable to remove volume [%s] because it does not exist", r->name);
    } else if (!is_hotpluggable(old, status)) {
        failed = conflict(r, err, "Unable to remove volume [%s] because it is not hotpluggable",
                          json_text_at(old, "name", ""));
    } else {
        auto_free char *name = must_strdup(json_text_at(old, "name", ""));
        remove_named(volumes, name);
        remove_named(json_at(spec, "domain.devices.disks"), name);
    }
    auto_findings findings = {0};
    if (!failed)
        failed = admit_update(next, object, &findings, err) || refuse_findings(&findings, err);
    if (failed)
        json_decref(take(next));
    return next;
}

/* What cannot be planned now (a path in no allowed folder, a kind we do not have) is refused at once. */
static int check_source(const struct volume_request *r, const json_t *vmi, struct error *err)
{
    auto_spec spec = {0};
    struct disk_source *disks = NULL;
    const struct image_config config = {.state_dir = r->runtime->state_dir,
                                        .host_disk_dirs = r->runtime->config.host_disk_dirs};
    if (spec_decode(vmi, &spec, err) || image_plan_disks(&config, &spec, &disks, err))
        return -1;
    disk_sources_free(disks, spec.disk_count);
    return 0;
}

static int change_vmi(const struct volume_request *r, const json_t *vmi, struct error *err)
{
    auto_json *next = changed(r, vmi, json_at(vmi, "status.volumeStatus"), err);
    if (!next || (r->source && check_source(r, next, err)))
        return -1;
    if (r->source)
        json_array_append_new(
            list_at(next, "status.volumeStatus"),
            json_pack("{s:s, s:s, s:s, s:{}}", "name", r->name, "target", "", "phase", "Pending", "hotplugVolume"));
    return r->dry_run ? 0 : store_update(r->runtime->store, take(next), true, NULL, err);
}

static int change_vm(const struct volume_request *r, const json_t *vm, const json_t *vmi, struct error *err)
{
    auto_json *next = changed(r, vm, json_at(vmi, "status.volumeStatus"), err);
    if (!next)
        return -1;
    return r->dry_run ? 0 : store_update(r->runtime->store, take(next), true, NULL, err);
}

static int check_options(const json_t *options, bool adds, struct error *err)
{
    const char *kind = adds ? "AddVolumeOptions" : "RemoveVolumeOptions";
    const json_t *disk = json_object_get(options, "disk");
    const json_t *source = json_object_get(options, "volumeSource");
    if (!json_text_at(options, "name", "")[0])
        return fail(err, ERROR_BAD_REQUEST, "%s requires name to be set", kind);
    if (!adds)
        return 0;
    if (!json_is_object(disk))
        return fail(err, ERROR_BAD_REQUEST, "%s requires disk to not be nil", kind);
    if (!json_is_object(source) || json_object_size(source) != 1)
        return fail(err, ERROR_BAD_REQUEST, "%s requires VolumeSource to not be nil, and to be of one kind", kind);
    if (json_at(disk, "cdrom") || json_at(disk, "lun"))
        return fail(err, ERROR_INVALID, "disk: hotplugged disks are of device type disk, not cdrom or lun");
    const char *bus = json_text_at(disk, "disk.bus", "scsi");
    if (strcmp(bus, "scsi") != 0)
        return fail(err, ERROR_INVALID, "disk.disk.bus \"%.40s\": hotplugged disks use the bus scsi", bus);
    return json_bool_at(disk, "dedicatedIOThread", false)
               ? fail(err, ERROR_INVALID, "disk.dedicatedIOThread: a running VM gets no further IO threads")
               : 0;
}

static int check_vmi(const struct volume_request *r, const json_t *vmi, struct error *err)
{
    if (!vmi)
        return fail(err, ERROR_NOT_FOUND, "virtualmachineinstance.kubevirt.io \"%s\" not found", r->object);
    if (vmi_status_phase(vmi) != VMI_RUNNING || object_is_deleting(vmi))
        return conflict(r, err, "VMI is not running");
    if (r->source && json_bool_at(vmi, "spec.domain.devices.disableHotplug", false))
        return conflict(
            r, err,
            "spec.domain.devices.disableHotplug is true: the VM began without a controller for disks that are added later");
    return 0;
}

int act_on_volumes(struct runtime *runtime, enum runtime_action action, const char *namespace_, const char *name,
                   const json_t *options, struct error *err)
{
    bool on_vm = action == RUNTIME_VM_ADD_VOLUME || action == RUNTIME_VM_REMOVE_VOLUME;
    bool adds = action == RUNTIME_VM_ADD_VOLUME || action == RUNTIME_VMI_ADD_VOLUME;
    auto_json *vm = on_vm ? store_get(runtime->store, "VirtualMachine", namespace_, name) : NULL;
    auto_json *vmi = store_get(runtime->store, "VirtualMachineInstance", namespace_, name);
    struct volume_request r = {
        .runtime = runtime,
        .name = json_text_at(options, "name", ""),
        .disk = json_object_get(options, "disk"),
        .source = adds ? json_object_get(options, "volumeSource") : NULL,
        .dry_run = act_is_dry(options),
        .resource = on_vm ? "virtualmachine" : "virtualmachineinstance",
        .object = name,
    };
    if (check_options(options, adds, err))
        return -1;
    if (on_vm && !vm)
        return fail(err, ERROR_NOT_FOUND, "virtualmachine.kubevirt.io \"%s\" not found", name);
    if (!on_vm)
        return check_vmi(&r, vmi, err) ? -1 : change_vmi(&r, vmi, err);
    bool runs = vmi && vmi_status_phase(vmi) == VMI_RUNNING && !object_is_deleting(vmi);
    /* A volume the VMI alone has, or never got, does not keep the VM from being changed. */
    bool has = vmi && find_volume(json_at(vmi, "spec.volumes"), r.name);
    size_t mark = store_mark(runtime->store);
    if ((runs && adds && check_vmi(&r, vmi, err)) || change_vm(&r, vm, vmi, err) ||
        (runs && (adds ? !has : has) && change_vmi(&r, vmi, err))) {
        store_rollback(runtime->store, mark);
        return -1;
    }
    return 0;
}
