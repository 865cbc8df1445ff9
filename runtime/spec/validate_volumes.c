/* Volumes: one source each, and what the sources need. */
#include <string.h>

#include "rtvmd/base/bytes.h"
#include "rtvmd/base/limits.h"
#include "runtime/spec/validate.h"

static const char *const SOURCES[] = {
    "persistentVolumeClaim",
    "sysprep",
    "cloudInitNoCloud",
    "cloudInitConfigDrive",
    "containerDisk",
    "ephemeral",
    "emptyDisk",
    "hostDisk",
    "dataVolume",
    "configMap",
    "secret",
    "downwardAPI",
    "serviceAccount",
    "downwardMetrics",
    "memoryDump",
    "containerPath",
};

struct volume_check {
    struct admission *a;
    const json_t *volume;
    size_t index;
    const char *field; /* …volumes[i] */
};

static void name_unique(const struct volume_check *c)
{
    for (size_t i = 0; i < c->index; i++) {
        if (strcmp(rule_text(rule_item(c->a, "volumes", i), "name"), rule_text(c->volume, "name")) != 0)
            continue;
        auto_free char *field = must_format("%s.name", c->field);
        auto_free char *other = rule_path(c->a, "volumes[%zu]", i);
        findings_cause(c->a->findings, CAUSE_INVALID, field, "%s and %s must not have the same Name.", c->field, other);
        return;
    }
}

static void one_source(const struct volume_check *c)
{
    int count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(SOURCES); i++)
        count += json_object_get(c->volume, SOURCES[i]) != NULL;
    const json_t *data_volume = json_object_get(c->volume, "dataVolume");
    if (data_volume && !*rule_text(data_volume, "name")) {
        auto_free char *field = must_format("%s.name", c->field);
        findings_cause(c->a->findings, CAUSE_REQUIRED, field, "DataVolume 'name' must be set");
    }
    if (count != 1)
        findings_cause(c->a->findings, CAUSE_INVALID, c->field, "%s must have exactly one source type set", c->field);
}

/* One of the two payloads of a cloud-init volume: where it may come from and how long it may be. */
struct payload {
    const char *text_key;   /* "userData" */
    const char *base64_key; /* "userDataBase64" */
    const char *secret_key; /* path of the Secret's name */
    const char *only_one;
    const char *too_long;
};
static const struct payload USER = {"userData", "userDataBase64", "secretRef.name", "userdatasource set.",
                                    "userdata exceeds 2048 byte limit. Should use UserDataSecretRef"};
static const struct payload NETWORK = {"networkData", "networkDataBase64", "networkDataSecretRef.name",
                                       "networkdata source set.",
                                       "networkdata exceeds 2048 byte limit. Should use NetworkDataSecretRef"};

/* Length after decoding; the field and the key stand twice in the sentence, as KubeVirt has it. */
static size_t base64_length(const struct volume_check *c, const char *kind, const char *field, const char *key,
                            const char *base64)
{
    auto_text bytes = {0};
    struct error ignored;
    if (base64_decode(base64, strlen(base64), &bytes, &ignored) == 0)
        return bytes.length;
    auto_free char *key_field = must_format("%s.%s", field, key);
    findings_cause(c->a->findings, CAUSE_INVALID, key_field, "%s.%s.%s is not a valid base64 value.", key_field, kind,
                   key);
    return 0;
}

static int check_payload(const struct volume_check *c, const char *kind, const char *field,
                         const struct payload *payload)
{
    const json_t *source = json_object_get(c->volume, kind);
    const char *base64 = rule_text(source, payload->base64_key);
    const char *text = rule_text(source, payload->text_key);
    int count = !!*rule_text(source, payload->secret_key) + !!*base64 + !!*text;
    size_t length = *base64 ? base64_length(c, kind, field, payload->base64_key, base64) : 0;
    if (*text)
        length = strlen(text);
    if (count > 1)
        findings_cause(c->a->findings, CAUSE_INVALID, field, "%s must have only one %s", field, payload->only_one);
    if (length > LIMIT_CLOUD_INIT_INLINE_BYTES)
        findings_cause(c->a->findings, CAUSE_INVALID, field, "%s %s for larger data.", field, payload->too_long);
    return count;
}

static void cloud_init(const struct volume_check *c)
{
    const char *kind = json_object_get(c->volume, "cloudInitNoCloud") ? "cloudInitNoCloud" : "cloudInitConfigDrive";
    if (!json_object_get(c->volume, kind))
        return;
    auto_free char *field = must_format("%s.%s", c->field, kind);
    int users = check_payload(c, kind, field, &USER);
    int networks = check_payload(c, kind, field, &NETWORK);
    if (users == 0 && networks == 0)
        findings_cause(c->a->findings, CAUSE_INVALID, field,
                       "%s must have at least one userdatasource or one networkdatasource set.", field);
}

static void host_disk(const struct volume_check *c)
{
    const json_t *disk = json_object_get(c->volume, "hostDisk");
    const char *type = rule_text(disk, "type");
    if (!disk)
        return;
    auto_free char *path_field = must_format("%s.hostDisk.path", c->field);
    auto_free char *type_field = must_format("%s.hostDisk.type", c->field);
    auto_free char *capacity_field = must_format("%s.hostDisk.capacity", c->field);
    if (!*rule_text(disk, "path"))
        findings_cause(c->a->findings, CAUSE_NOT_FOUND, path_field, "%s is required for hostDisk volume", path_field);
    if (strcmp(type, "Disk") != 0 && strcmp(type, "DiskOrCreate") != 0)
        findings_cause(c->a->findings, CAUSE_INVALID, type_field,
                       "%s has invalid value '%s', allowed are 'Disk' or 'DiskOrCreate'", type_field, type);
    if (strcmp(type, "Disk") == 0 && rule_amount(disk, "capacity").q.nano != 0)
        findings_cause(c->a->findings, CAUSE_INVALID, capacity_field,
                       "%s is allowed to pass only with %s equal to 'DiskOrCreate'", capacity_field, type_field);
}

/* An empty disk of nothing or less is no disk. KubeVirt finds out when it makes it. */
static void empty_disk(const struct volume_check *c)
{
    struct amount capacity = rule_amount(c->volume, "emptyDisk.capacity");
    if (!capacity.given || capacity.q.nano > 0)
        return;
    auto_free char *field = must_format("%s.emptyDisk.capacity", c->field);
    findings_cause(c->a->findings, CAUSE_INVALID, field, "%s '%s': must be greater than 0.", field, capacity.text.text);
}

static void named_objects(const struct volume_check *c)
{
    static const struct {
        const char *source;
        const char *key;
    } NAMED[] = {{"configMap", "name"}, {"secret", "secretName"}, {"serviceAccount", "serviceAccountName"}};
    for (size_t i = 0; i < ARRAY_SIZE(NAMED); i++) {
        const json_t *source = json_object_get(c->volume, NAMED[i].source);
        if (!source || *rule_text(source, NAMED[i].key))
            continue;
        auto_free char *field = must_format("%s.%s.%s", c->field, NAMED[i].source, NAMED[i].key);
        findings_cause(c->a->findings, CAUSE_INVALID, field, "%s is a required field", field);
    }
}

static void each_volume(struct admission *a)
{
    static void (*const CHECKS[])(const struct volume_check *) = {name_unique, one_source, cloud_init,
                                                                  host_disk,   empty_disk, named_objects};
    for (size_t i = 0; i < rule_count(a, "volumes"); i++) {
        auto_free char *field = rule_path(a, "volumes[%zu]", i);
        struct volume_check c = {a, rule_item(a, "volumes", i), i, field};
        for (size_t k = 0; k < ARRAY_SIZE(CHECKS); k++)
            CHECKS[k](&c);
    }
}

static void at_most_one(struct admission *a)
{
    static const struct {
        const char *source;
        const char *noun;
    } SINGLE[] = {
        {"serviceAccount", "serviceAccount"}, {"downwardMetrics", "downwardMetric"}, {"memoryDump", "memory dump"}};
    auto_free char *field = rule_path(a, "volumes");
    for (size_t k = 0; k < ARRAY_SIZE(SINGLE); k++) {
        size_t count = 0;
        for (size_t i = 0; i < rule_count(a, "volumes"); i++)
            count += json_object_get(rule_item(a, "volumes", i), SINGLE[k].source) != NULL;
        if (count > 1)
            findings_cause(a->findings, CAUSE_INVALID, field, "%s must have max one %s volume set", field,
                           SINGLE[k].noun);
    }
}

/* Absolute, no "//", no "." or ".." parts; one slash at the end is fine. */
static bool is_clean_path(const char *path)
{
    if (*path != '/')
        return false;
    while (*path == '/') {
        const char *part = ++path;
        size_t length = strcspn(part, "/");
        path += length;
        bool dots = (length == 1 && part[0] == '.') || (length == 2 && part[0] == '.' && part[1] == '.');
        bool last_slash = length == 0 && *path == '\0';
        if ((length == 0 && !last_slash) || dots)
            return false;
    }
    return true;
}

void rule_image_path(struct admission *a, const char *field, const char *path)
{
    if (!*path)
        return;
    if (strcmp(path, "/") == 0)
        findings_cause(a->findings, CAUSE_INVALID, field, "%s must not point to root", field);
    else if (!is_clean_path(path))
        findings_cause(a->findings, CAUSE_INVALID, field,
                       "%s must be an absolute path to a file without relative components", field);
}

static void container_disk_paths(struct admission *a)
{
    for (size_t i = 0; i < rule_count(a, "volumes"); i++) {
        auto_free char *field = rule_path(a, "volumes[%zu].containerDisk", i);
        rule_image_path(a, field, rule_text(rule_item(a, "volumes", i), "containerDisk.path"));
    }
}

static rule *const VOLUMES[] = {each_volume, at_most_one, container_disk_paths};
const struct rules RULES_VOLUMES = {VOLUMES, ARRAY_SIZE(VOLUMES)};
