/* VirtualMachine: the template and the wish to run it. */
#include <string.h>

#include "runtime/spec/defaults.h"
#include "runtime/spec/spec.h"

static const char *const STRATEGIES[] = {
    [VM_RUN_ALWAYS] = "Always", [VM_RUN_HALTED] = "Halted",
    [VM_RUN_MANUAL] = "Manual", [VM_RUN_RERUN_ON_FAILURE] = "RerunOnFailure",
    [VM_RUN_ONCE] = "Once",
};

const char *vm_run_strategy_text(enum vm_run_strategy strategy)
{
    return STRATEGIES[strategy];
}

enum vm_run_strategy spec_run_strategy(const json_t *vm)
{
    const char *text = json_text_at(vm, "spec.runStrategy", "");
    for (unsigned i = 0; i < ARRAY_SIZE(STRATEGIES); i++)
        if (strcmp(text, STRATEGIES[i]) == 0)
            return (enum vm_run_strategy)i;
    return json_bool_at(vm, "spec.running", false) ? VM_RUN_ALWAYS : VM_RUN_HALTED;
}

static void copy_metadata(const json_t *vm, json_t *metadata)
{
    static const char *const FROM_VM[] = {"name", "namespace"};
    static const char *const FROM_TEMPLATE[] = {"labels", "annotations"};
    for (size_t i = 0; i < ARRAY_SIZE(FROM_VM); i++)
        json_object_set(metadata, FROM_VM[i], json_object_get(json_object_get(vm, "metadata"), FROM_VM[i]));
    const json_t *template = json_at(vm, "spec.template.metadata");
    for (size_t i = 0; i < ARRAY_SIZE(FROM_TEMPLATE); i++) {
        json_t *value = json_object_get(template, FROM_TEMPLATE[i]);
        if (value)
            json_object_set_new(metadata, FROM_TEMPLATE[i], json_clone(value));
    }
}

json_t *spec_vmi_from_vm(const json_t *vm)
{
    json_t *vmi =
        json_pack("{s:s, s:s, s:{}}", "apiVersion", "kubevirt.io/v1", "kind", "VirtualMachineInstance", "metadata");
    copy_metadata(vm, json_object_get(vmi, "metadata"));
    json_t *spec = json_at(vm, "spec.template.spec");
    json_object_set_new(vmi, "spec", json_is_object(spec) ? json_clone(spec) : json_object());
    defaults_vmi(vmi);
    return vmi;
}
