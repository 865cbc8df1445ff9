/* A host snapshot somebody else wrote: refused with a reason, or taken and printed back the same. */
#include "hostprobe/snapshot.c"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct host host;
    static struct host again;
    struct error err = {0};
    auto_json *document = json_from_text((const char *)data, size, &err);
    if (!document)
        return 0;
    if (host_from_json(document, &host, &err) < 0) {
        if (!err.text[0])
            abort();
        return 0;
    }
    auto_json *first = host_to_json(&host);
    if (!first || host_from_json(first, &again, &err) < 0)
        abort();
    auto_json *second = host_to_json(&again);
    if (!json_equal(first, second))
        abort();
    struct cpuset kept = host_housekeeping(&host, NULL);
    if (cpuset_is_empty(&kept))
        abort();
    return 0;
}
