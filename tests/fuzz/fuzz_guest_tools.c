/* What tools inside of a guest print, who may print anything: the readers must end, stay inside the text, and give
 * measurements that can be stored and read back. */
#include "runtime/latency/guest_tools.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free char *text = must_strndup((const char *)data, size);
    struct cpuset vcpus = cpuset_range(1, 2);
    for (unsigned kind = 0; kind < MEASUREMENT_KINDS; kind++) {
        struct error err;
        struct measurements all = {0};
        struct measurements again = {0};
        if (GUEST_TOOL[kind].read(text, &vcpus, 3, &all, &err) == 0) {
            auto_json *json = measurements_json(&all);
            if (all.count != 2 || measurements_read(json, &again, &err) < 0)
                abort();
        }
        measurements_finish(&all);
        measurements_finish(&again);
    }
    return 0;
}
