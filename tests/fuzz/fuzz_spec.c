/* A manifest all the way: admitted without a cause it must decode, admit again to the same object, and a VM must make
 * a VMI that is admitted as well. */
#include <stdlib.h>
#include <string.h>

#include "runtime/spec/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_fixed(const json_t *object)
{
    struct error err;
    struct findings findings = {0};
    auto_json *again = json_deep_copy(object);
    if (spec_admit(again, &findings, &err) < 0 || findings.cause_count > 0 || !json_equal(object, again))
        abort();
    findings_finish(&findings);
}

static void must_decode(const json_t *object)
{
    struct error err;
    struct vm_spec spec;
    if (spec_decode(object, &spec, &err) < 0)
        abort();
    if (spec.vcpus < 1 || spec.memory_bytes < 1 || !spec.name || !spec.namespace_)
        abort();
    for (unsigned i = 0; i < spec.disk_count; i++)
        if (spec.disk[i].volume < 0 || (unsigned)spec.disk[i].volume >= spec.volume_count)
            abort();
    spec_finish(&spec);
}

static void check_object(json_t *object)
{
    struct error err;
    struct findings findings = {0};
    int result = spec_admit(object, &findings, &err);
    bool admitted = result == 0 && findings.cause_count == 0;
    for (size_t i = 0; i < findings.cause_count; i++)
        free(cause_text(&findings.cause[i]));
    findings_finish(&findings);
    if (!admitted)
        return;
    must_be_fixed(object);
    must_decode(object);
    if (text_equal(json_text_at(object, "kind", NULL), "VirtualMachine")) {
        spec_run_strategy(object);
        auto_json *vmi = spec_vmi_from_vm(object);
        if (json_at(object, "metadata.name"))
            must_be_fixed(vmi);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err;
    auto_json *objects = manifest_parse((const char *)data, size, &err);
    for (size_t i = 0; objects && i < json_array_size(objects); i++)
        check_object(json_array_get(objects, i));
    return 0;
}
