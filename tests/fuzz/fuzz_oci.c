/* Index, manifest and docker manifest.json as somebody else wrote them. */
#include "runtime/image/oci.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err;
    auto_json *document = json_from_text((const char *)data, size, &err);
    if (!document)
        return 0;
    bool is_index = oci_is_index(document);
    const char *digest = oci_choose_manifest(document, "amd64", &is_index, &err);
    if (digest && !oci_digest_is_plain(digest))
        abort();
    size_t count = 0;
    auto_free struct oci_layer *layers = oci_layers(document, &count, &err);
    for (size_t i = 0; layers && i < count; i++)
        if (!oci_digest_is_plain(layers[i].digest))
            abort();
    const char *config;
    free(docker_layers(document, &count, &config, &err));
    return 0;
}
