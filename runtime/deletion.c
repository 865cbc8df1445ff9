#include <string.h>

#include "runtime/inside.h"

/* Deletion as a client asked for it: marked, then finished by the controllers. What nobody holds back goes at once. */

static void shorten_vmi(struct runtime *runtime, const json_t *vm, int64_t grace_s)
{
    auto_json *vmi = store_get(runtime->store, "VirtualMachineInstance", json_text_at(vm, "metadata.namespace", ""),
                               json_text_at(vm, "metadata.name", ""));
    if (!vmi || !object_is_deleting(vmi) || grace_s < 0)
        return;
    json_t *next = json_deep_copy(vmi);
    object_mark_deleted(next, grace_s, runtime_now_s(runtime));
    object_store(runtime, next, false);
}

int runtime_delete(struct runtime *runtime, const char *kind, const char *namespace_, const char *name, int64_t grace_s,
                   bool orphan, json_t **ret_object, struct error *err)
{
    auto_json *object = store_get(runtime->store, kind, namespace_, name);
    bool is_vm = strcmp(kind, "VirtualMachine") == 0;
    if (!object)
        return fail(err, ERROR_NOT_FOUND, "%s.kubevirt.io \"%s\" not found",
                    is_vm ? "virtualmachines" : "virtualmachineinstances", name);
    if (!json_array_size(json_at(object, "metadata.finalizers")))
        return store_delete(runtime->store, kind, namespace_, name, ret_object, err);
    json_t *next = json_deep_copy(object);
    if (is_vm && orphan)
        object_add_finalizer(next, "orphan");
    object_mark_deleted(next, grace_s < 0 && !is_vm ? vmi_grace_s(object) : grace_s, runtime_now_s(runtime));
    if (is_vm && object_is_deleting(object))
        shorten_vmi(runtime, object, grace_s);
    return store_update(runtime->store, next, false, ret_object, err);
}
