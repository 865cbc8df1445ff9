#include "runtime/spec/defaults.h"
#include "runtime/spec/spec.h"

int spec_admit(json_t *object, struct findings *findings, struct error *err)
{
    (void)findings;
    const char *kind = json_text_at(object, "kind", "");
    if (text_equal(kind, "VirtualMachine"))
        defaults_vm(object);
    else if (text_equal(kind, "VirtualMachineInstance"))
        defaults_vmi(object);
    else
        return fail(err, ERROR_BAD_REQUEST, "kind: \"%s\" is neither VirtualMachine nor VirtualMachineInstance", kind);
    return 0;
}
