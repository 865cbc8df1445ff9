#include "runtime/image/seed.h"

#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/bytes.h"

struct seed {
    const struct image_config *config;
    const struct vm_spec *spec;
    const struct vm_volume *volume;
    struct iso_content *content;
};

static json_t *find_object(const struct seed *s, const char *kind, const char *name, struct error *err)
{
    json_t *object =
        s->config->lookup && name[0] ? s->config->lookup(kind, s->spec->namespace_, name, s->config->lookup_arg) : NULL;
    if (!object)
        fail(err, ERROR_NOT_FOUND, "%s %s/%s not found: create it first", kind, s->spec->namespace_, name);
    return object;
}

static int decode(const char *what, const json_t *value, struct text *ret_bytes, struct error *err)
{
    const char *text = json_string_value(value);
    if (!text || base64_decode(text, json_string_length(value), ret_bytes, err) < 0)
        return fail(err, ERROR_INVALID, "%s: not valid base64", what);
    return 0;
}

/* ---- whole objects: every key is a file */

static int add_keys(const struct seed *s, const json_t *map, bool encoded, struct error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)map, key, value)
    {
        auto_text bytes = {0};
        if (!json_is_string(value))
            return fail(err, ERROR_INVALID, "%s: want a string", key);
        if (encoded && decode(key, value, &bytes, err) < 0)
            return -1;
        if (!encoded)
            text_append_n(&bytes, json_string_value(value), json_string_length(value));
        if (iso_content_add(s->content, key, text_cstr(&bytes), bytes.length, err) < 0)
            return -1;
    }
    return 0;
}

static int add_object(const struct seed *s, const char *kind, const char *name, struct error *err)
{
    auto_json *object = find_object(s, kind, name, err);
    if (!object && json_bool_at(s->volume->source, "optional", false))
        return 0;
    if (!object)
        return -1;
    bool secret = strcmp(kind, "Secret") == 0;
    if (add_keys(s, json_object_get(object, "data"), secret, err) < 0 ||
        add_keys(s, json_object_get(object, secret ? "stringData" : "binaryData"), !secret, err) < 0)
        return error_prefix(err, "%s %s", kind, name);
    return 0;
}

static int fill_sysprep(const struct seed *s, struct error *err)
{
    const char *map = json_text_at(s->volume->source, "configMap.name", "");
    const char *secret = json_text_at(s->volume->source, "secret.name", "");
    if ((map[0] ? add_object(s, "ConfigMap", map, err) : add_object(s, "Secret", secret, err)) < 0)
        return -1;
    for (size_t i = 0; i < s->content->count; i++)
        if (strcasecmp(s->content->file[i].path, "autounattend.xml") == 0 ||
            strcasecmp(s->content->file[i].path, "unattend.xml") == 0)
            return 0;
    return fail(err, ERROR_INVALID, "sysprep: %s %s has neither autounattend.xml nor unattend.xml",
                map[0] ? "ConfigMap" : "Secret", map[0] ? map : secret);
}

/* ---- cloud-init */

/* One of the two texts of cloud-init: inline, base64, or in a Secret under one of two spellings. *ret_given says
 * whether the manifest has it at all. */
struct cloud_text {
    const char *inline_key;
    const char *base64_key;
    const char *secret_key;
    const char *spelling[2];
};
static const struct cloud_text USER_DATA = {"userData", "userDataBase64", "secretRef", {"userdata", "userData"}};
static const struct cloud_text NETWORK_DATA = {
    "networkData", "networkDataBase64", "networkDataSecretRef", {"networkdata", "networkData"}};

static int read_secret_text(const struct seed *s, const struct cloud_text *t, const char *name, struct text *ret_bytes,
                            struct error *err)
{
    auto_json *secret = find_object(s, "Secret", name, err);
    if (!secret)
        return -1;
    for (int i = 0; i < 2; i++) {
        const json_t *encoded = json_object_get(json_object_get(secret, "data"), t->spelling[i]);
        const json_t *plain = json_object_get(json_object_get(secret, "stringData"), t->spelling[i]);
        if (json_is_string(plain)) {
            text_append_n(ret_bytes, json_string_value(plain), json_string_length(plain));
            return 0;
        }
        if (encoded)
            return decode(t->spelling[i], encoded, ret_bytes, err);
    }
    return fail(err, ERROR_NOT_FOUND, "Secret %s has no key %s", name, t->spelling[0]);
}

static int read_cloud_text(const struct seed *s, const struct cloud_text *t, struct text *ret_bytes, bool *ret_given,
                           struct error *err)
{
    const json_t *source = s->volume->source;
    const json_t *plain = json_object_get(source, t->inline_key);
    const json_t *encoded = json_object_get(source, t->base64_key);
    const char *secret = json_text_at(json_object_get(source, t->secret_key), "name", "");
    *ret_given = true;
    if (json_is_string(plain) && json_string_length(plain) > 0) {
        text_append_n(ret_bytes, json_string_value(plain), json_string_length(plain));
        return 0;
    }
    if (json_is_string(encoded) && json_string_length(encoded) > 0)
        return decode(t->base64_key, encoded, ret_bytes, err);
    if (secret[0])
        return read_secret_text(s, t, secret, ret_bytes, err);
    *ret_given = false;
    return 0;
}

enum { HOST_NAME_MAX_BYTES = 63 };

/* spec.hostname, else the name up to the first dot, as a DNS label. */
static char *host_name(const struct vm_spec *spec)
{
    const char *name = spec->hostname && spec->hostname[0] ? spec->hostname : spec->name;
    size_t n = strcspn(name, ".");
    return must_strndup(name, n < HOST_NAME_MAX_BYTES ? n : HOST_NAME_MAX_BYTES);
}

static const char *instance_type(const struct vm_spec *spec)
{
    const json_t *annotations = json_at(spec->document, "metadata.annotations");
    const json_t *type = json_object_get(annotations, "kubevirt.io/cluster-instancetype-name");
    type = type ? type : json_object_get(annotations, "kubevirt.io/instancetype-name");
    return json_string_value(type);
}

static int add_json(struct iso_content *content, const char *path, const json_t *value, struct error *err)
{
    auto_free char *text = json_to_text(value);
    return iso_content_add(content, path, text, strlen(text), err);
}

static int add_cloud_texts(const struct seed *s, const char *user_path, const char *network_path, struct error *err)
{
    auto_text user = {0};
    auto_text network = {0};
    bool user_given;
    bool network_given;
    if (read_cloud_text(s, &USER_DATA, &user, &user_given, err) < 0 ||
        read_cloud_text(s, &NETWORK_DATA, &network, &network_given, err) < 0)
        return -1;
    if (!user_given && !network_given)
        return fail(err, ERROR_INVALID, "no user data and no network data: give at least one");
    int result = iso_content_add(s->content, user_path, text_cstr(&user), user.length, err);
    if (result == 0 && network_given)
        result = iso_content_add(s->content, network_path, text_cstr(&network), network.length, err);
    if (user.data)
        explicit_bzero(user.data, user.length);
    if (network.data)
        explicit_bzero(network.data, network.length);
    return result;
}

/* The firmware UUID stays with the VM over restarts, so cloud-init sees a new instance only when the VM is new. */
static int fill_no_cloud(const struct seed *s, struct error *err)
{
    auto_free char *host = host_name(s->spec);
    auto_free char *fallback = must_format("%s.%s", s->spec->name, s->spec->namespace_);
    const char *uuid = s->spec->firmware_uuid && s->spec->firmware_uuid[0] ? s->spec->firmware_uuid : fallback;
    auto_json *meta = json_pack("{s:s, s:s}", "instance-id", uuid, "local-hostname", host);
    if (instance_type(s->spec))
        json_object_set_new(meta, "instance-type", json_string(instance_type(s->spec)));
    if (add_json(s->content, "meta-data", meta, err) < 0)
        return -1;
    return add_cloud_texts(s, "user-data", "network-config", err);
}

static int fill_config_drive(const struct seed *s, struct error *err)
{
    auto_free char *host = host_name(s->spec);
    auto_free char *instance = must_format("%s.%s", s->spec->name, s->spec->namespace_);
    auto_json *meta = json_pack("{s:s, s:s}", "instance_id", instance, "hostname", host);
    if (s->spec->firmware_uuid && s->spec->firmware_uuid[0])
        json_object_set_new(meta, "uuid", json_string(s->spec->firmware_uuid));
    if (instance_type(s->spec))
        json_object_set_new(meta, "instance_type", json_string(instance_type(s->spec)));
    if (add_json(s->content, "openstack/latest/meta_data.json", meta, err) < 0)
        return -1;
    return add_cloud_texts(s, "openstack/latest/user_data", "openstack/latest/network_data.json", err);
}

int seed_fill(const struct image_config *config, const struct vm_spec *spec, const struct vm_volume *volume,
              struct iso_content *content, const char **ret_label, struct error *err)
{
    const struct seed s = {.config = config, .spec = spec, .volume = volume, .content = content};
    *ret_label = json_text_at(volume->source, "volumeLabel", "cfgdata");
    switch (volume->kind) {
    case VM_VOLUME_CLOUD_INIT_NO_CLOUD:
        *ret_label = "cidata";
        return fill_no_cloud(&s, err);
    case VM_VOLUME_CLOUD_INIT_CONFIG_DRIVE:
        *ret_label = "config-2";
        return fill_config_drive(&s, err);
    case VM_VOLUME_CONFIG_MAP:
        return add_object(&s, "ConfigMap", json_text_at(volume->source, "name", ""), err);
    case VM_VOLUME_SECRET:
        return add_object(&s, "Secret", json_text_at(volume->source, "secretName", ""), err);
    case VM_VOLUME_SYSPREP:
        *ret_label = "unattendCD";
        return fill_sysprep(&s, err);
    default:
        return fail(err, ERROR_INTERNAL, "volume %s is not made from data", volume->name);
    }
}
