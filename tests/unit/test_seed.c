#include "runtime/image/seed.c"

#include "tests/test.h"

static const char OBJECTS[] =
    "{\"Secret/ns/s\": {\"data\": {\"userdata\": \"I2Nsb3Vk\", \"networkData\": \"bmV0\"}},"
    " \"Secret/ns/plain\": {\"stringData\": {\"userData\": \"from string data\"}},"
    " \"Secret/ns/bad\": {\"data\": {\"userdata\": \"***\"}},"
    " \"Secret/ns/unattend\": {\"data\": {\"Unattend.xml\": \"PHgvPg==\"}},"
    " \"ConfigMap/ns/m\": {\"data\": {\"a.txt\": \"A\", \"b\": \"\"}, \"binaryData\": {\"c\": \"AAE=\"}},"
    " \"ConfigMap/ns/slash\": {\"data\": {\"../x\": \"A\"}}}";

static json_t *lookup(const char *kind, const char *namespace_, const char *name, void *arg)
{
    auto_free char *key = must_format("%s/%s/%s", kind, namespace_, name);
    return json_incref(json_object_get(arg, key));
}

struct run {
    struct iso_content content;
    const char *label;
    struct error err;
    int result;
    json_t *objects;
    json_t *source;
};

static void fill(struct run *run, enum vm_volume_kind kind, const char *source)
{
    struct error err;
    memset(run, 0, sizeof *run);
    run->objects = json_from_text(OBJECTS, strlen(OBJECTS), &err);
    run->source = json_from_text(source, strlen(source), &err);
    CHECK(run->objects && run->source);
    const struct image_config config = {.state_dir = "/s", .lookup = lookup, .lookup_arg = run->objects};
    const struct vm_spec spec = {.name = "web.1", .namespace_ = "ns", .firmware_uuid = "0b5e6d21-uuid"};
    const struct vm_volume volume = {.name = "vol", .kind = kind, .source = run->source};
    run->result = seed_fill(&config, &spec, &volume, &run->content, &run->label, &run->err);
}

static void finish(struct run *run)
{
    iso_content_finish(&run->content);
    json_decref(run->objects);
    json_decref(run->source);
}

static const char *bytes_of(const struct run *run, const char *path)
{
    static char text[256];
    for (size_t i = 0; i < run->content.count; i++) {
        if (strcmp(run->content.file[i].path, path) != 0)
            continue;
        snprintf(text, sizeof text, "%.*s", (int)run->content.file[i].length, run->content.file[i].bytes);
        return text;
    }
    return NULL;
}

static void fills_no_cloud(void)
{
    struct run run;
    fill(&run, VM_VOLUME_CLOUD_INIT_NO_CLOUD, "{\"userData\": \"#cloud-config\", \"networkDataBase64\": \"bmV0\"}");
    CHECK_INT(run.result, 0);
    CHECK_TEXT(run.label, "cidata");
    CHECK_TEXT(bytes_of(&run, "user-data"), "#cloud-config");
    CHECK_TEXT(bytes_of(&run, "network-config"), "net");
    CHECK_TEXT(bytes_of(&run, "meta-data"), "{\"instance-id\":\"0b5e6d21-uuid\",\"local-hostname\":\"web\"}");
    finish(&run);
}

static void fills_config_drive(void)
{
    struct run run;
    fill(&run, VM_VOLUME_CLOUD_INIT_CONFIG_DRIVE, "{\"userDataBase64\": \"eA==\"}");
    CHECK_INT(run.result, 0);
    CHECK_TEXT(run.label, "config-2");
    CHECK_TEXT(bytes_of(&run, "openstack/latest/user_data"), "x");
    CHECK(!bytes_of(&run, "openstack/latest/network_data.json"));
    CHECK_TEXT(bytes_of(&run, "openstack/latest/meta_data.json"),
               "{\"instance_id\":\"web.1.ns\",\"hostname\":\"web\",\"uuid\":\"0b5e6d21-uuid\"}");
    finish(&run);
}

static void reads_secrets_in_both_spellings(void)
{
    struct run run;
    fill(&run, VM_VOLUME_CLOUD_INIT_NO_CLOUD,
         "{\"secretRef\": {\"name\": \"s\"}, \"networkDataSecretRef\": {\"name\": \"s\"}}");
    CHECK_INT(run.result, 0);
    CHECK_TEXT(bytes_of(&run, "user-data"), "#cloud");
    CHECK_TEXT(bytes_of(&run, "network-config"), "net");
    finish(&run);
    fill(&run, VM_VOLUME_CLOUD_INIT_NO_CLOUD, "{\"secretRef\": {\"name\": \"plain\"}}");
    CHECK_TEXT(bytes_of(&run, "user-data"), "from string data");
    finish(&run);
}

static void fills_whole_objects(void)
{
    struct run run;
    fill(&run, VM_VOLUME_CONFIG_MAP, "{\"name\": \"m\", \"volumeLabel\": \"mine\"}");
    CHECK_INT(run.result, 0);
    CHECK_TEXT(run.label, "mine");
    CHECK_INT(run.content.count, 3);
    CHECK_TEXT(bytes_of(&run, "a.txt"), "A");
    CHECK_TEXT(bytes_of(&run, "b"), "");
    CHECK_INT(run.content.file[2].length, 2);
    finish(&run);
    fill(&run, VM_VOLUME_SECRET, "{\"secretName\": \"s\"}");
    CHECK_TEXT(run.label, "cfgdata");
    CHECK_TEXT(bytes_of(&run, "userdata"), "#cloud");
    finish(&run);
    fill(&run, VM_VOLUME_SYSPREP, "{\"secret\": {\"name\": \"unattend\"}}");
    CHECK_INT(run.result, 0);
    CHECK_TEXT(run.label, "unattendCD");
    finish(&run);
    fill(&run, VM_VOLUME_CONFIG_MAP, "{\"name\": \"missing\", \"optional\": true}");
    CHECK_INT(run.result, 0);
    CHECK_INT(run.content.count, 0);
    finish(&run);
}

static void says_what_is_missing(void)
{
    static const struct {
        enum vm_volume_kind kind;
        const char *source;
        enum error_kind error;
        const char *part;
    } CASES[] = {
        {VM_VOLUME_CLOUD_INIT_NO_CLOUD, "{}", ERROR_INVALID, "at least one"},
        {VM_VOLUME_CLOUD_INIT_NO_CLOUD, "{\"secretRef\": {\"name\": \"none\"}}", ERROR_NOT_FOUND, "Secret ns/none"},
        {VM_VOLUME_CLOUD_INIT_NO_CLOUD, "{\"secretRef\": {\"name\": \"unattend\"}}", ERROR_NOT_FOUND, "key userdata"},
        {VM_VOLUME_CLOUD_INIT_NO_CLOUD, "{\"secretRef\": {\"name\": \"bad\"}}", ERROR_INVALID, "base64"},
        {VM_VOLUME_CLOUD_INIT_NO_CLOUD, "{\"userDataBase64\": \"x\"}", ERROR_INVALID, "userDataBase64"},
        {VM_VOLUME_CONFIG_MAP, "{\"name\": \"none\"}", ERROR_NOT_FOUND, "ConfigMap ns/none"},
        {VM_VOLUME_CONFIG_MAP, "{\"name\": \"slash\"}", ERROR_INVALID, "../x"},
        {VM_VOLUME_CONFIG_MAP, "{}", ERROR_NOT_FOUND, "ConfigMap"},
        {VM_VOLUME_SYSPREP, "{\"configMap\": {\"name\": \"m\"}}", ERROR_INVALID, "unattend.xml"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct run run;
        fill(&run, CASES[i].kind, CASES[i].source);
        CHECK_INT(run.result, -1);
        CHECK_INT(run.err.kind, CASES[i].error);
        if (!strstr(run.err.text, CASES[i].part))
            CHECK_TEXT(run.err.text, CASES[i].part);
        finish(&run);
    }
}

int main(void)
{
    RUN(fills_no_cloud);
    RUN(fills_config_drive);
    RUN(reads_secrets_in_both_spellings);
    RUN(fills_whole_objects);
    RUN(says_what_is_missing);
    return test_end();
}
