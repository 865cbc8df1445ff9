#include "api/prepare.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "api/unserved.h"
#include "api/wire/digest.h"

/* ---- metadata */

enum shape { TEXT, TEXT_MAP, TEXT_LIST, OWNER_LIST };
static const struct {
    const char *key;
    enum shape shape;
} METADATA[] = {
    {"name", TEXT},
    {"generateName", TEXT},
    {"namespace", TEXT},
    {"uid", TEXT},
    {"resourceVersion", TEXT},
    {"labels", TEXT_MAP},
    {"annotations", TEXT_MAP},
    {"finalizers", TEXT_LIST},
    {"ownerReferences", OWNER_LIST},
};

static bool is_owner(const json_t *owner)
{
    static const char *const NEEDED[] = {"apiVersion", "kind", "name", "uid"};
    for (size_t i = 0; i < ARRAY_SIZE(NEEDED); i++)
        if (json_string_length(json_object_get(owner, NEEDED[i])) == 0)
            return false;
    return true;
}

static bool has_shape(const json_t *value, enum shape shape)
{
    const char *key;
    json_t *element;
    size_t i;
    switch (shape) {
    case TEXT:
        return json_is_string(value);
    case TEXT_MAP:
        json_object_foreach((json_t *)value, key, element) if (!json_is_string(element)) return false;
        return json_is_object(value);
    case TEXT_LIST:
    case OWNER_LIST:
        json_array_foreach((json_t *)value, i, element) if (shape == TEXT_LIST ? !json_is_string(element)
                                                                               : !is_owner(element)) return false;
        return json_is_array(value);
    }
    return false;
}

static int check_metadata(json_t *object, struct error *err)
{
    static const char *const WANTED[] = {"a string", "a map of strings", "a list of strings",
                                         "a list of owners with apiVersion, kind, name and uid"};
    json_t *metadata = json_object_get(object, "metadata");
    if (!metadata)
        json_object_set_new(object, "metadata", metadata = json_object());
    if (!json_is_object(metadata))
        return fail(err, ERROR_BAD_REQUEST, "metadata: must be an object");
    for (size_t i = 0; i < ARRAY_SIZE(METADATA); i++) {
        const json_t *value = json_object_get(metadata, METADATA[i].key);
        if (json_is_null(value))
            json_object_del(metadata, METADATA[i].key);
        else if (value && !has_shape(value, METADATA[i].shape))
            return fail(err, ERROR_BAD_REQUEST, "metadata.%s: must be %s", METADATA[i].key, WANTED[METADATA[i].shape]);
    }
    return 0;
}

/* What the path says needs not be said again. */
static int check_kind(json_t *object, const struct target *t, struct error *err)
{
    auto_free char *wanted = resource_api_version(t->resource, t->version);
    if (!json_text_at(object, "kind", "")[0])
        json_object_set_new(object, "kind", json_string(t->resource->kind));
    if (!json_text_at(object, "apiVersion", "")[0])
        json_object_set_new(object, "apiVersion", json_string(wanted));
    const char *kind = json_text_at(object, "kind", "");
    const char *api_version = json_text_at(object, "apiVersion", "");
    if (strcmp(kind, t->resource->kind) != 0 || strcmp(api_version, wanted) != 0)
        return fail(err, ERROR_BAD_REQUEST,
                    "%s in version \"%s\" cannot be handled as a %s: the path takes apiVersion %s, kind %s", kind,
                    api_version, t->resource->kind, wanted, t->resource->kind);
    return 0;
}

static int check_namespace(json_t *object, const struct target *t, struct error *err)
{
    const char *namespace_ = json_text_at(object, "metadata.namespace", "");
    if (!t->resource->namespaced) {
        json_drop_at(object, "metadata.namespace");
        return 0;
    }
    if (!namespace_[0]) {
        json_put_at(object, "metadata.namespace", json_string(t->namespace_));
        return 0;
    }
    if (strcmp(namespace_, t->namespace_) == 0)
        return 0;
    return fail(err, ERROR_BAD_REQUEST,
                "the namespace of the provided object does not match the namespace sent on the request (%s, not %s)",
                t->namespace_, namespace_);
}

/* What the path names needs not be said again either. */
static int check_name(json_t *object, const struct target *t, struct error *err)
{
    const char *name = json_text_at(object, "metadata.name", "");
    if (!name[0])
        json_put_at(object, "metadata.name", json_string(t->name));
    else if (strcmp(name, t->name) != 0)
        return fail(err, ERROR_BAD_REQUEST, "the name of the object (%s) does not match the name on the URL (%s)", name,
                    t->name);
    return 0;
}

void prepare_generate_name(json_t *object)
{
    static const char LETTERS[] = "bcdfghjklmnpqrstvwxz2456789";
    unsigned char random[5];
    char suffix[sizeof random + 1] = {0};
    if (getrandom(random, sizeof random, 0) != sizeof random)
        abort(); /* cannot happen for 5 bytes once the kernel's pool is ready */
    for (size_t i = 0; i < sizeof random; i++)
        suffix[i] = LETTERS[random[i] % (sizeof LETTERS - 1)];
    const char *stem = json_text_at(object, "metadata.generateName", "");
    json_put_at(object, "metadata.name", json_sprintf("%.*s%s", (int)(LIMIT_NAME_BYTES - sizeof random), stem, suffix));
}

/* ---- kinds with a word of their own */

static int secret_prepare(json_t *secret, struct error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(secret, "stringData"), key, value)
    {
        if (!json_is_string(value))
            return fail(err, ERROR_BAD_REQUEST, "stringData.%s: must be a string; put it in quotes", key);
        auto_text encoded = {0};
        base64_write(json_string_value(value), json_string_length(value), &encoded);
        if (!json_is_object(json_object_get(secret, "data")))
            json_object_set_new(secret, "data", json_object());
        json_object_set_new(json_object_get(secret, "data"), key, json_string(text_cstr(&encoded)));
    }
    json_object_del(secret, "stringData");
    if (!json_object_get(secret, "type"))
        json_object_set_new(secret, "type", json_string("Opaque"));
    return 0;
}

static int config_map_prepare(json_t *map, struct error *err)
{
    static const char *const KEYS[] = {"data", "binaryData"};
    for (size_t i = 0; i < ARRAY_SIZE(KEYS); i++) {
        const json_t *data = json_object_get(map, KEYS[i]);
        if (json_is_null(data))
            json_object_del(map, KEYS[i]);
        else if (data && !has_shape(data, TEXT_MAP))
            return fail(err, ERROR_BAD_REQUEST, "%s: must be a map of strings; put values in quotes", KEYS[i]);
    }
    return 0;
}

static int namespace_prepare(json_t *namespace_, struct error *err)
{
    const char *name = json_text_at(namespace_, "metadata.name", "");
    if (strchr(name, '.') || strlen(name) > LIMIT_LABEL_BYTES)
        return fail(err, ERROR_INVALID, "metadata.name: \"%s\": a namespace has at most %u bytes and no dots", name,
                    LIMIT_LABEL_BYTES);
    if (!json_is_object(json_at(namespace_, "metadata.labels")))
        json_put_at(namespace_, "metadata.labels", json_object());
    json_object_set_new(json_at(namespace_, "metadata.labels"), "kubernetes.io/metadata.name", json_string(name));
    if (!json_at(namespace_, "status.phase"))
        json_put_at(namespace_, "status.phase", json_string("Active"));
    return 0;
}

static const struct {
    const char *kind;
    int (*prepare)(json_t *object, struct error *err);
} KINDS[] = {{"Secret", secret_prepare}, {"ConfigMap", config_map_prepare}, {"Namespace", namespace_prepare}};

static int prepare_kind(json_t *object, const struct resource *resource, struct error *err)
{
    for (size_t i = 0; resource->group[0] == '\0' && i < ARRAY_SIZE(KINDS); i++)
        if (strcmp(KINDS[i].kind, resource->kind) == 0)
            return KINDS[i].prepare(object, err);
    return 0;
}

static void set_stored_version(json_t *object, const struct resource *resource)
{
    auto_free char *api_version = resource_api_version(resource, resource->version[0]);
    json_object_set_new(object, "apiVersion", json_string(api_version));
}

/* ---- create and update */

static const char *const SERVERS[] = {"metadata.uid",
                                      "metadata.resourceVersion",
                                      "metadata.generation",
                                      "metadata.creationTimestamp",
                                      "metadata.selfLink",
                                      "metadata.deletionTimestamp",
                                      "metadata.managedFields",
                                      "metadata.deletionGracePeriodSeconds",
                                      "status"};

/* virtctl image-upload makes a claim and waits for it, for minutes. One that came from a cluster says how it ended. */
static int check_upload(const json_t *object, const struct target *t, struct error *err)
{
    const json_t *annotations = json_at(object, "metadata.annotations");
    if (strcmp(t->resource->plural, "persistentvolumeclaims") != 0 ||
        !json_object_get(annotations, "cdi.kubevirt.io/storage.upload.target") ||
        json_object_get(annotations, "cdi.kubevirt.io/storage.pod.phase"))
        return 0;
    return fail(err, ERROR_INVALID, "PersistentVolumeClaim \"%s\" is invalid: metadata.annotations: Forbidden: %s",
                json_text_at(object, "metadata.name", ""), unserved_upload());
}

int prepare_create(json_t *object, const struct target *t, struct error *err)
{
    if (check_kind(object, t, err) < 0 || check_metadata(object, err) < 0 || check_namespace(object, t, err) < 0 ||
        (t->has_name && check_name(object, t, err) < 0))
        return -1;
    if (json_text_at(object, "metadata.resourceVersion", "")[0])
        return fail(err, ERROR_BAD_REQUEST, "resourceVersion should not be set on objects to be created");
    for (size_t i = 0; i < ARRAY_SIZE(SERVERS); i++)
        json_drop_at(object, SERVERS[i]);
    const char *name = json_text_at(object, "metadata.name", "");
    const char *stem = json_text_at(object, "metadata.generateName", "");
    if (!name[0] && stem[0])
        prepare_generate_name(object);
    else if (!name[0])
        return fail(err, ERROR_INVALID, "%s: metadata.name: Required value: name or generateName is required",
                    t->resource->kind);
    name = json_text_at(object, "metadata.name", "");
    const char *wrong = name_check(name);
    if (wrong)
        return fail(err, ERROR_INVALID, "%s \"%.300s\" is invalid: metadata.name: Invalid value: \"%.300s\": %s",
                    t->resource->kind, name, name, wrong);
    set_stored_version(object, t->resource);
    return check_upload(object, t, err) < 0 ? -1 : prepare_kind(object, t->resource, err);
}

static void put_back(json_t *object, const json_t *before, const char *path)
{
    json_t *kept = json_at(before, path);
    if (kept)
        json_put_at(object, path, json_deep_copy(kept));
    else
        json_drop_at(object, path);
}

/* On its way out, an object is only let go. */
static int check_finalizers(const json_t *object, const json_t *before, const struct target *t, struct error *err)
{
    const json_t *had = json_at(before, "metadata.finalizers");
    size_t i;
    json_t *finalizer;
    if (!json_at(before, "metadata.deletionTimestamp"))
        return 0;
    json_array_foreach(json_at(object, "metadata.finalizers"), i, finalizer)
    {
        bool is_old = false;
        for (size_t k = 0; k < json_array_size(had); k++)
            is_old = is_old || json_equal(finalizer, json_array_get(had, k));
        if (!is_old)
            return fail(err, ERROR_INVALID,
                        "%s \"%s\" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the "
                        "object is being deleted, found new finalizers []string{\"%s\"}",
                        t->resource->kind, t->name, json_string_value(finalizer));
    }
    return 0;
}

/* ConfigMaps and Secrets that say so are not changed any more; the type of a Secret never is. */
static int check_immutable(const json_t *object, const json_t *before, const struct target *t, struct error *err)
{
    static const struct {
        const char *key, *rule;
        bool always;
    } KEYS[] = {{"data", "field is immutable when `immutable` is set", false},
                {"binaryData", "field is immutable when `immutable` is set", false},
                {"immutable", "field is immutable when `immutable` is set", false},
                {"type", "field is immutable", true}};
    bool is_secret = strcmp(t->resource->kind, "Secret") == 0;
    if (t->resource->group[0] || (!is_secret && strcmp(t->resource->kind, "ConfigMap") != 0))
        return 0;
    bool is_immutable = json_bool_at(before, "immutable", false);
    for (size_t i = 0; i < ARRAY_SIZE(KEYS); i++) {
        const json_t *is = json_object_get(object, KEYS[i].key);
        const json_t *was = json_object_get(before, KEYS[i].key);
        if ((KEYS[i].always ? is_secret : is_immutable) && is != was && !json_equal(is, was))
            return fail(err, ERROR_INVALID, "%s \"%s\" is invalid: %s: Forbidden: %s", t->resource->kind, t->name,
                        KEYS[i].key, KEYS[i].rule);
    }
    return 0;
}

int prepare_update(json_t **object_at, const json_t *before, const struct target *t, struct error *err)
{
    static const char *const KEPT[] = {"metadata.deletionTimestamp", "metadata.deletionGracePeriodSeconds",
                                       "metadata.generateName", "metadata.creationTimestamp", "metadata.generation"};
    json_t *object = *object_at;
    if (check_kind(object, t, err) < 0 || check_metadata(object, err) < 0 || check_namespace(object, t, err) < 0 ||
        check_name(object, t, err) < 0 || check_finalizers(object, before, t, err) < 0)
        return -1;
    json_drop_at(object, "metadata.selfLink");
    for (size_t i = 0; i < ARRAY_SIZE(KEPT); i++)
        put_back(object, before, KEPT[i]);
    set_stored_version(object, t->resource);
    if (strcmp(t->sub, "status") == 0) {
        json_t *with_status = json_deep_copy(before);
        json_put_at(with_status, "metadata.resourceVersion",
                    json_string(json_text_at(object, "metadata.resourceVersion", "")));
        put_back(with_status, object, "status");
        json_decref(object);
        *object_at = with_status;
        return 0;
    }
    if (t->resource->has_status)
        put_back(object, before, "status");
    return prepare_kind(object, t->resource, err) < 0 ? -1 : check_immutable(object, before, t, err);
}

bool prepare_spec_differs(const json_t *object, const json_t *before)
{
    static const char *const APART[] = {"apiVersion", "kind", "metadata", "status"};
    auto_json *a = json_copy((json_t *)object);
    auto_json *b = json_copy((json_t *)before);
    for (size_t i = 0; i < ARRAY_SIZE(APART); i++) {
        json_object_del(a, APART[i]);
        json_object_del(b, APART[i]);
    }
    return !json_equal(a, b);
}
