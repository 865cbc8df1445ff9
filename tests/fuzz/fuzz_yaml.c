/* Manifest text, YAML or JSON, as anybody may send it. What is read must be written as YAML and come back equal. */
#include <stdlib.h>
#include <string.h>

#include "runtime/spec/spec.h"
#include "runtime/spec/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const json_t *object)
{
    struct error err;
    auto_text yaml = {0};
    yaml_write(object, &yaml);
    auto_json *documents = json_array();
    if (yaml_read(text_cstr(&yaml), yaml.length, documents, &err) < 0) {
        if (err.kind != ERROR_TOO_LARGE)
            abort();
        return;
    }
    if (!json_equal(object, json_array_get(documents, 0)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* an exact copy: reading one byte past it is seen */
    auto_free char *text = must_calloc(size ? size : 1, 1);
    if (size > 0)
        memcpy(text, data, size);
    struct error err;
    auto_json *objects = manifest_parse(text, size, &err);
    for (size_t i = 0; objects && i < json_array_size(objects); i++)
        check_round_trip(json_array_get(objects, i));
    return 0;
}
