#include "runtime/image/oci.c"

#include "tests/test.h"

#define D1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define D2 "sha256:2222222222222222222222222222222222222222222222222222222222222222"
#define AT(digest, more) "{\"digest\": \"" digest "\"" more "}"
#define PLATFORM(os, arch) ", \"platform\": {\"os\": \"" os "\", \"architecture\": \"" arch "\"}"

static json_t *parse(const char *text)
{
    struct error err;
    json_t *value = json_from_text(text, strlen(text), &err);
    CHECK(value != NULL);
    return value;
}

static void chooses_the_image_for_this_machine(void)
{
    static const struct {
        const char *index;
        const char *digest; /* NULL: refused */
    } CASES[] = {
        {"{\"manifests\": [" AT(D1, "") "]}", D1},
        {"{\"manifests\": [" AT(D1, PLATFORM("linux", "arm64")) "]}", D1}, /* the only one: maybe mislabeled */
        {"{\"manifests\": [" AT(D1, PLATFORM("linux", "arm64")) ", " AT(D2, PLATFORM("linux", "amd64")) "]}", D2},
        {"{\"manifests\": [" AT(D1, PLATFORM("unknown", "unknown")) ", " AT(D2, PLATFORM("linux", "amd64")) "]}", D2},
        {"{\"manifests\": [" AT(D1, PLATFORM("linux", "arm64")) ", " AT(D2, PLATFORM("linux", "s390x")) "]}", NULL},
        {"{\"manifests\": []}", NULL},
        {"{}", NULL},
        {"[]", NULL},
        {"{\"manifests\": [{}]}", NULL},
        {"{\"manifests\": [3]}", NULL},
        {"{\"manifests\": [" AT("sha256:../../../etc/passwd", "") "]}", NULL},
        {"{\"manifests\": [" AT("sha512:1111", "") "]}", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        auto_json *index = parse(CASES[i].index);
        struct error err;
        bool is_index;
        CHECK(text_equal(oci_choose_manifest(index, "amd64", &is_index, &err), CASES[i].digest));
    }
}

static void tells_index_from_manifest(void)
{
    auto_json *nested = parse("{\"manifests\": [" AT(
        D1, ", \"mediaType\": \"application/vnd.docker.distribution.manifest.list.v2+json\"") "]}");
    auto_json *manifest = parse("{\"layers\": []}");
    struct error err;
    bool is_index = false;
    CHECK_TEXT(oci_choose_manifest(nested, "amd64", &is_index, &err), D1);
    CHECK(is_index && oci_is_index(nested) && !oci_is_index(manifest));
}

static void lists_layers(void)
{
    auto_json *manifest = parse(
        "{\"layers\": [" AT(D1, ", \"size\": 7, \"mediaType\": \"application/vnd.oci.image.layer.v1.tar+zstd\"") ", " AT(
            D2, ", \"mediaType\": \"application/vnd.docker.image.rootfs.diff.tar.gzip\"") "]}");
    struct error err;
    size_t count = 0;
    auto_free struct oci_layer *layers = oci_layers(manifest, &count, &err);
    CHECK_INT(count, 2);
    if (count != 2)
        return;
    CHECK_TEXT(layers[0].digest, D1);
    CHECK_INT(layers[0].bytes, 7);
    CHECK_INT(layers[1].bytes, 0);
}

static void refuses_layers_it_cannot_read(void)
{
    static const char *const BAD[] = {
        "{}",
        "{\"layers\": {}}",
        "{\"layers\": []}",
        "{\"layers\": [{}]}",
        "{\"layers\": [" AT(D1, ", \"size\": -1") "]}",
        "{\"layers\": [" AT(D1, ", \"mediaType\": \"application/vnd.oci.image.layer.v1.tar+gzip+encrypted\"") "]}",
        "{\"layers\": [" AT(D1, ", \"mediaType\": \"application/vnd.oci.image.layer.nondistributable.v1.tar\"") "]}",
        "{\"layers\": [" AT(D1, ", \"mediaType\": \"application/vnd.wasm.content.layer.v1+wasm\"") "]}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        auto_json *manifest = parse(BAD[i]);
        struct error err = {0};
        size_t count;
        CHECK(!oci_layers(manifest, &count, &err) && err.kind == ERROR_INVALID);
    }
    for (unsigned over = 0; over <= 1; over++) {
        auto_json *manifest = json_object();
        json_t *list = json_array();
        for (unsigned i = 0; i < LIMIT_IMAGE_LAYERS + over; i++)
            json_array_append_new(list, parse(AT(D1, "")));
        json_object_set_new(manifest, "layers", list);
        struct error err = {0};
        size_t count;
        auto_free struct oci_layer *layers = oci_layers(manifest, &count, &err);
        CHECK(over ? !layers && err.kind == ERROR_TOO_LARGE : layers != NULL);
    }
}

static void reads_docker_archives(void)
{
    auto_json *good = parse("[{\"Config\": \"c.json\", \"RepoTags\": null, \"Layers\": [\"a/layer.tar\", \"b.tar\"]}]");
    struct error err;
    size_t count = 0;
    const char *config = NULL;
    const char **names = docker_layers(good, &count, &config, &err);
    CHECK_INT(count, 2);
    CHECK_TEXT(names[1], "b.tar");
    CHECK_TEXT(config, "c.json");
    free(names);
    static const char *const BAD[] = {
        "[]",
        "{}",
        "[{}]",
        "[{\"Config\": \"c\", \"Layers\": []}]",
        "[{\"Layers\": [\"a\"]}]",
        "[{\"Config\": \"c\", \"Layers\": [3]}]",
        "[{\"Config\": \"c\", \"Layers\": [\"a\"]}, {}]",
    };
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        auto_json *bad = parse(BAD[i]);
        CHECK(!docker_layers(bad, &count, &config, &err));
    }
}

static void knows_digests(void)
{
    CHECK(oci_digest_is_plain(D1));
    CHECK(!oci_digest_is_plain(NULL) && !oci_digest_is_plain("") && !oci_digest_is_plain(D1 "1"));
    CHECK(!oci_digest_is_plain("sha256:111111111111111111111111111111111111111111111111111111111111111"));
    CHECK(!oci_digest_is_plain("sha256:111111111111111111111111111111111111111111111111111111111111111A"));
    CHECK(!oci_digest_is_plain("SHA256:1111111111111111111111111111111111111111111111111111111111111111"));
}

int main(void)
{
    RUN(chooses_the_image_for_this_machine);
    RUN(tells_index_from_manifest);
    RUN(lists_layers);
    RUN(refuses_layers_it_cannot_read);
    RUN(reads_docker_archives);
    RUN(knows_digests);
    return test_end();
}
