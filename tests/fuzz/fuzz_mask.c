/* Real-time masks: nothing outside the vCPUs is enabled, and more vCPUs change nothing for the first ones. */
#include <stdlib.h>
#include <string.h>

#include "runtime/spec/mask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    unsigned vcpus = data[0];
    auto_free char *text = must_strndup((const char *)data + 1, size - 1);
    struct cpuset few;
    struct cpuset many;
    struct error err;
    int result = mask_parse(text, vcpus, &few, &err);
    if (mask_parse(text, CPUSET_MAX, &many, &err) != result)
        abort();
    if (result < 0)
        return 0;
    struct cpuset all = vcpus ? cpuset_range(0, vcpus - 1) : (struct cpuset){0};
    struct cpuset cut = cpuset_and(&many, &all);
    if (!cpuset_equal(&few, &cut))
        abort();
    return 0;
}
