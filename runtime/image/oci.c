#include "runtime/image/oci.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "rtvmd/base/bytes.h"
#include "rtvmd/base/limits.h"

enum { MANIFESTS_MAX = 1000, SHA256_PREFIX = sizeof "sha256:" - 1 };

bool oci_digest_is_plain(const char *digest)
{
    return digest && text_starts_with(digest, "sha256:") &&
           strspn(digest + SHA256_PREFIX, "0123456789abcdef") == DIGEST_TEXT_MAX - 1 &&
           digest[SHA256_PREFIX + DIGEST_TEXT_MAX - 1] == '\0';
}

const char *oci_architecture(void)
{
    static const struct {
        const char *machine;
        const char *architecture;
    } NAMES[] = {{"x86_64", "amd64"}, {"aarch64", "arm64"}, {"s390x", "s390x"}, {"ppc64le", "ppc64le"}};
    struct utsname name;
    for (size_t i = 0; uname(&name) == 0 && i < ARRAY_SIZE(NAMES); i++)
        if (strcmp(name.machine, NAMES[i].machine) == 0)
            return NAMES[i].architecture;
    return "amd64";
}

bool oci_is_index(const json_t *document)
{
    return json_is_array(json_object_get(document, "manifests"));
}

/* Attestations and signatures stand in an index beside the images. */
static bool is_for(const json_t *entry, const char *architecture)
{
    return strcmp(json_text_at(entry, "platform.os", "linux"), "linux") == 0 &&
           strcmp(json_text_at(entry, "platform.architecture", architecture), architecture) == 0;
}

const char *oci_choose_manifest(const json_t *index, const char *architecture, bool *ret_is_index, struct error *err)
{
    const json_t *manifests = json_object_get(index, "manifests");
    size_t count = json_array_size(manifests);
    const json_t *chosen = count == 1 ? json_array_get(manifests, 0) : NULL;
    for (size_t i = 0; !chosen && i < count && i < MANIFESTS_MAX; i++)
        if (is_for(json_array_get(manifests, i), architecture))
            chosen = json_array_get(manifests, i);
    if (!chosen) {
        fail(err, ERROR_INVALID, "the image index lists %zu images and none for linux/%s", count, architecture);
        return NULL;
    }
    const char *digest = json_text_at(chosen, "digest", "");
    if (!oci_digest_is_plain(digest)) {
        fail(err, ERROR_INVALID, "image index: digest \"%.100s\"; want sha256 and 64 hex digits", digest);
        return NULL;
    }
    const char *type = json_text_at(chosen, "mediaType", "");
    *ret_is_index = strstr(type, "image.index") || strstr(type, "manifest.list");
    return digest;
}

static int check_layer(const json_t *layer, size_t i, struct error *err)
{
    const char *type = json_text_at(layer, "mediaType", "");
    const char *digest = json_text_at(layer, "digest", "");
    if (!oci_digest_is_plain(digest))
        return fail(err, ERROR_INVALID, "layer %zu: digest \"%.100s\"; want sha256 and 64 hex digits", i, digest);
    if (json_int_at(layer, "size", 0) < 0)
        return fail(err, ERROR_INVALID, "layer %zu: negative size", i);
    if (strstr(type, "encrypted"))
        return fail(err, ERROR_INVALID, "layer %zu is encrypted: decrypt the image with skopeo first", i);
    if (strstr(type, "foreign") || strstr(type, "nondistributable"))
        return fail(err, ERROR_INVALID, "layer %zu is kept elsewhere (%.100s)", i, type);
    if (type[0] && !strstr(type, "tar"))
        return fail(err, ERROR_INVALID, "layer %zu is %.100s, not a tar archive: this is no container disk", i, type);
    return 0;
}

struct oci_layer *oci_layers(const json_t *manifest, size_t *ret_count, struct error *err)
{
    const json_t *list = json_object_get(manifest, "layers");
    size_t count = json_array_size(list);
    if (count == 0 || count > LIMIT_IMAGE_LAYERS) {
        fail(err, count ? ERROR_TOO_LARGE : ERROR_INVALID, "the image manifest lists %zu layers; want 1 to %u", count,
             LIMIT_IMAGE_LAYERS);
        return NULL;
    }
    struct oci_layer *layers = must_calloc(count, sizeof *layers);
    for (size_t i = 0; i < count; i++) {
        const json_t *layer = json_array_get(list, i);
        if (check_layer(layer, i, err) < 0) {
            free(layers);
            return NULL;
        }
        layers[i] = (struct oci_layer){json_text_at(layer, "digest", ""), (uint64_t)json_int_at(layer, "size", 0)};
    }
    *ret_count = count;
    return layers;
}

const char **docker_layers(const json_t *manifest, size_t *ret_count, const char **ret_config, struct error *err)
{
    if (json_array_size(manifest) != 1) {
        fail(err, ERROR_INVALID, "the archive holds %zu images; want one: save it alone", json_array_size(manifest));
        return NULL;
    }
    const json_t *image = json_array_get(manifest, 0);
    const json_t *list = json_object_get(image, "Layers");
    size_t count = json_array_size(list);
    const char *config = json_text_at(image, "Config", "");
    if (count == 0 || count > LIMIT_IMAGE_LAYERS || !config[0]) {
        fail(err, ERROR_INVALID, "manifest.json of the archive names %zu layers and %s configuration; want 1 to %u",
             count, config[0] ? "a" : "no", LIMIT_IMAGE_LAYERS);
        return NULL;
    }
    const char **names = must_calloc(count, sizeof *names);
    for (size_t i = 0; i < count; i++) {
        names[i] = json_string_value(json_array_get(list, i));
        if (names[i])
            continue;
        fail(err, ERROR_INVALID, "manifest.json of the archive: layer %zu is not a name", i);
        free(names);
        return NULL;
    }
    *ret_count = count;
    *ret_config = config;
    return names;
}
