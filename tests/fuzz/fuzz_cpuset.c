/* CPU lists: what is printed reads back as the same set. */
#include <stdlib.h>

#include "rtvmd/base/cpuset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free char *text = must_strndup((const char *)data, size);
    struct cpuset set;
    struct cpuset again;
    struct error err;
    struct cpuset_text printed;
    if (cpuset_parse(text, &set, &err) < 0)
        return 0;
    if (cpuset_parse(cpuset_format(&set, &printed), &again, &err) < 0 || !cpuset_equal(&set, &again))
        abort();
    unsigned count = 0;
    cpuset_foreach(cpu, &set) count++;
    if (count != cpuset_count(&set))
        abort();
    return 0;
}
