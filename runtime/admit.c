#include <string.h>

#include "runtime/inside.h"
#include "runtime/latency/latency_test.h"

/* What an object goes through before it is stored: spec/ checks and completes it, then what only the running whole
 * knows: finalizers, the first status, and what may not change any more (facts 2.3). */

static const char *const RESERVED_LABELS[] = {"kubevirt.io/created-by", "kubevirt.io/migrationJobUID",
                                              "kubevirt.io/nodeName", "kubevirt.io/migrationTargetNodeName",
                                              "kubevirt.io/schedulable"};

static const char *label(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(json_at(object, "metadata.labels"), key));
}

/* spec/ refuses these labels on what users create; on an update they are ours, and must be as they were. */
static void check_labels(const json_t *vmi, const json_t *before, struct findings *findings)
{
    for (size_t i = 0; i < ARRAY_SIZE(RESERVED_LABELS); i++) {
        if (text_equal(label(vmi, RESERVED_LABELS[i]), label(before, RESERVED_LABELS[i])))
            continue;
        findings_cause(findings, "FieldValueNotSupported", "metadata.labels",
                       "modification of the following reserved kubevirt.io/ labels on a VMI object is prohibited");
        return;
    }
}

int admit_update(json_t *object, const json_t *before, struct findings *findings, struct error *err)
{
    auto_json *labels = before ? json_clone(json_at(object, "metadata.labels")) : NULL;
    for (size_t i = 0; labels && i < ARRAY_SIZE(RESERVED_LABELS); i++)
        json_object_del(json_at(object, "metadata.labels"), RESERVED_LABELS[i]);
    int r = spec_admit(object, findings, err);
    if (labels)
        json_put_at(object, "metadata.labels", json_incref(labels));
    return r;
}

/* Status is ours: clients write it through /status, if at all. */
static void keep_status(json_t *object, const json_t *before)
{
    json_t *status = json_object_get(before, "status");
    if (status)
        json_object_set_new(object, "status", json_clone(status));
    else
        json_object_del(object, "status");
}

/* On its way out is on its way out. */
static void keep_deletion(json_t *object, const json_t *before)
{
    static const char *const KEYS[] = {"metadata.deletionTimestamp", "metadata.deletionGracePeriodSeconds"};
    for (size_t i = 0; i < ARRAY_SIZE(KEYS); i++) {
        json_t *value = json_at(before, KEYS[i]);
        if (value)
            json_put_at(object, KEYS[i], json_clone(value));
        else
            json_drop_at(object, KEYS[i]);
    }
}

static void admit_vmi(struct runtime *runtime, json_t *vmi, const json_t *before, struct findings *findings)
{
    if (before) {
        check_labels(vmi, before, findings);
        keep_status(vmi, before);
        if (!json_equal(json_object_get(vmi, "spec"), json_object_get(before, "spec")))
            findings_cause(findings, "FieldValueNotSupported", "spec", "update of VMI object is restricted");
        return;
    }
    vmi_status_first(vmi);
    vmi_status_set_phase(vmi, VMI_PENDING, runtime_now_s(runtime));
    object_add_finalizer(vmi, FINALIZER_VMI);
}

static void admit_vm(json_t *vm, const json_t *before)
{
    keep_status(vm, before);
    if (before)
        return;
    object_add_finalizer(vm, FINALIZER_VM);
    json_object_set_new(vm, "status", json_pack("{s:s}", "printableStatus", "Stopped"));
}

int runtime_admit_write(struct runtime *runtime, json_t *object, const json_t *before, struct findings *findings,
                        struct error *err)
{
    const char *kind = json_text_at(object, "kind", "");
    bool is_vm = strcmp(kind, "VirtualMachine") == 0;
    if (strcmp(kind, "LatencyTest") == 0)
        latency_test_admit(object, before, findings);
    if (!is_vm && strcmp(kind, "VirtualMachineInstance") != 0)
        return 0;
    keep_deletion(object, before);
    /* Finalizers must be able to come off an object on its way out, whatever we think of its spec today. */
    if (before && object_is_deleting(before)) {
        keep_status(object, before);
        return 0;
    }
    if (admit_update(object, before, findings, err))
        return -1;
    if (is_vm)
        admit_vm(object, before);
    else
        admit_vmi(runtime, object, before, findings);
    return 0;
}
