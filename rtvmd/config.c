#include "rtvmd/config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "rtvmd/base/file.h"
#include "rtvmd/base/limits.h"
#include "rtvmd/paths.h"
#include "runtime/spec/similar.h"
#include "runtime/spec/yaml.h"

enum option_type { OPTION_TEXT, OPTION_PATH, OPTION_BOOL, OPTION_CHOICE, OPTION_CPUS, OPTION_FOLDERS };

struct option {
    const char *key;
    enum option_type type;
    size_t offset;
    const char *const *choices; /* OPTION_CHOICE, NULL-terminated; the index is the enum value */
    const char *otherwise;      /* the default as it is written */
    bool by_user;               /* ... for root; another user's is below the home folder (paths.h) */
    bool on_reload;             /* a change is taken over by SIGHUP; else it waits for a restart */
    const char *doc;            /* sentences */
};

static const char *const EMULATION[] = {"auto", "on", "off", NULL};
static const char *const TUNING[] = {"none", "safe", "full", NULL};
static const char *const LEVELS[] = {"error", "warn", "info", "debug", NULL};

#define AT(member) offsetof(struct config, member)

/* To add an option: one member in config.h, one row here. */
static const struct option OPTIONS[] = {
    {"stateDir", OPTION_PATH, AT(state_dir), NULL, "/var/lib/rtvmd", true, false,
     "Where objects, claims, images and disks are kept."},
    {"runDir", OPTION_PATH, AT(run_dir), NULL, "/run/rtvmd", true, false,
     "Where the sockets of the daemon and of each virtual machine live."},
    {"api.socket", OPTION_PATH, AT(socket), NULL, "/run/rtvmd/rtvmd.sock", true, false, "The unix socket of the API."},
    {"api.socketGroup", OPTION_TEXT, AT(socket_group), NULL, "", false, true,
     "The group that may use the socket (mode 0660). Empty: the daemon's own."},
    {"api.listen", OPTION_TEXT, AT(listen), NULL, "", false, false,
     "ADDRESS:PORT of a TCP listener, with TLS and authentication. Empty: no TCP."},
    {"api.plainHTTP", OPTION_BOOL, AT(plain_http), NULL, "false", false, false,
     "No TLS and no authentication on the TCP listener. Only loopback addresses are accepted then."},
    {"api.tls.certificate", OPTION_PATH, AT(tls_certificate), NULL, "", false, true,
     "Server certificate (PEM). Empty: made on first start by a CA of our own in stateDir."},
    {"api.tls.key", OPTION_PATH, AT(tls_key), NULL, "", false, true, "Private key of the server certificate (PEM)."},
    {"api.tls.clientCA", OPTION_PATH, AT(tls_client_ca), NULL, "", false, true,
     "Certificates (PEM) that may sign client certificates. Empty: our own CA."},
    {"libvirt.uri", OPTION_TEXT, AT(libvirt_uri), NULL, "qemu:///system", false, false,
     "The libvirt daemon to drive. test:///default runs nothing, for trying out."},
    {"libvirt.emulation", OPTION_CHOICE, AT(emulation), EMULATION, "auto", false, false,
     "Whether virtual machines may run without KVM: auto only where KVM does not work, on always, off never."},
    {"host.reservedCPUs", OPTION_CPUS, AT(reserved_cpus), NULL, "", false, false,
     "CPUs nobody but the host may use, as 0-1,8. Empty: what isolcpus leaves, else the first core."},
    {"host.hugepages.allocate", OPTION_BOOL, AT(hugepages_allocate), NULL, "false", false, false,
     "Whether huge pages may be added to a pool when a virtual machine needs them, and given back after."},
    {"host.tuning", OPTION_CHOICE, AT(tuning), TUNING, "none", false, false,
     "The most a virtual machine may ask for with the annotation rtvmd.io/host-tuning. Every change is undone."},
    {"storage.hostDiskDirs", OPTION_FOLDERS, AT(host_disk_dirs), NULL, "[]", false, true,
     "Folders hostDisk volumes may point into. Empty: hostDisk volumes are refused."},
    {"log.level", OPTION_CHOICE, AT(log_level), LEVELS, "info", false, true, "error, warn, info or debug."},
};

static void *member(struct config *config, const struct option *option)
{
    return (char *)config + option->offset;
}

static void set_text(struct config *config, const struct option *option, const char *value)
{
    char **text = member(config, option);
    free(*text);
    *text = must_strdup(value);
}

static int set_choice(struct config *config, const struct option *option, const char *value, struct error *err)
{
    auto_text choices = {0};
    for (size_t i = 0; option->choices[i]; i++) {
        if (strcmp(option->choices[i], value) == 0) {
            if (option->choices == LEVELS)
                set_text(config, option, value);
            else
                *(unsigned *)member(config, option) = (unsigned)i;
            return 0;
        }
        text_printf(&choices, "%s%s", i ? ", " : "", option->choices[i]);
    }
    return fail(err, ERROR_INVALID, "%s: \"%s\" is none of %s", option->key, value, text_cstr(&choices));
}

static int set_value(struct config *config, const struct option *option, const char *value, struct error *err)
{
    switch (option->type) {
    case OPTION_PATH:
        if (*value && *value != '/')
            return fail(err, ERROR_INVALID, "%s: \"%s\" is not an absolute path", option->key, value);
        set_text(config, option, value);
        return 0;
    case OPTION_TEXT:
        set_text(config, option, value);
        return 0;
    case OPTION_BOOL:
        if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
            return fail(err, ERROR_INVALID, "%s: \"%s\" is neither true nor false", option->key, value);
        *(bool *)member(config, option) = *value == 't';
        return 0;
    case OPTION_CHOICE:
        return set_choice(config, option, value, err);
    case OPTION_CPUS:
        return cpuset_parse(value, member(config, option), err) < 0 ? error_prefix(err, "%s", option->key) : 0;
    case OPTION_FOLDERS:
        break;
    }
    return fail(err, ERROR_INVALID, "%s: want a list of folders", option->key);
}

static int set_folders(struct config *config, const struct option *option, const json_t *list, struct error *err)
{
    if (!json_is_array(list) || json_array_size(list) > CONFIG_FOLDERS_MAX)
        return fail(err, ERROR_INVALID, "%s: want a list of at most %d folders", option->key, CONFIG_FOLDERS_MAX);
    char **folders = member(config, option);
    for (size_t i = 0; folders[i]; i++) {
        free(folders[i]);
        folders[i] = NULL;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *path = json_string_value(json_array_get(list, i));
        if (!path || *path != '/')
            return fail(err, ERROR_INVALID, "%s[%zu]: want an absolute path", option->key, i);
        folders[i] = must_strdup(path);
    }
    return 0;
}

static int apply_value(struct config *config, const struct option *option, const json_t *value, struct error *err)
{
    if (option->type == OPTION_FOLDERS)
        return set_folders(config, option, value, err);
    if (option->type == OPTION_BOOL && json_is_boolean(value))
        return set_value(config, option, json_is_true(value) ? "true" : "false", err);
    if (option->type == OPTION_CPUS && json_is_integer(value)) { /* "host.reservedCPUs: 0" is a number to YAML */
        auto_free char *text = must_format("%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return set_value(config, option, text, err);
    }
    if (option->type == OPTION_CHOICE && json_is_boolean(value)) /* and so are on and off */
        return set_value(config, option, json_is_true(value) ? "on" : "off", err);
    if (!json_is_string(value) || option->type == OPTION_BOOL)
        return fail(err, ERROR_INVALID, "%s: want %s", option->key,
                    option->type == OPTION_BOOL ? "true or false" : "a text");
    return set_value(config, option, json_string_value(value), err);
}

static const struct option *find_option(const char *key)
{
    for (size_t i = 0; i < ARRAY_SIZE(OPTIONS); i++)
        if (strcmp(OPTIONS[i].key, key) == 0)
            return &OPTIONS[i];
    return NULL;
}

static bool is_section(const char *key)
{
    size_t length = strlen(key);
    for (size_t i = 0; i < ARRAY_SIZE(OPTIONS); i++)
        if (strncmp(OPTIONS[i].key, key, length) == 0 && OPTIONS[i].key[length] == '.')
            return true;
    return false;
}

static const char *last_word(const char *key)
{
    const char *dot = strrchr(key, '.');
    return dot ? dot + 1 : key;
}

/* Names the option somebody may have meant: spelled nearly so, or the same word of another section. */
static int fail_unknown(const char *key, struct error *err)
{
    struct similar near = similar_to(key);
    for (size_t i = 0; i < ARRAY_SIZE(OPTIONS); i++)
        similar_consider(&near, OPTIONS[i].key);
    for (size_t i = 0; !near.best && i < ARRAY_SIZE(OPTIONS); i++)
        if (strcasecmp(last_word(OPTIONS[i].key), last_word(key)) == 0)
            near.best = OPTIONS[i].key;
    if (near.best)
        return fail(err, ERROR_INVALID, "unknown option %s; did you mean %s? rtvmd.yaml(5) lists all", key, near.best);
    return fail(err, ERROR_INVALID, "unknown option %s; rtvmd.yaml(5) lists them", key);
}

static int apply_section(struct config *config, const char *prefix, const json_t *object, struct error *err)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)object, name, value)
    {
        auto_free char *key = must_format("%s%s%s", prefix, *prefix ? "." : "", name);
        const struct option *option = find_option(key);
        if (option) {
            if (apply_value(config, option, value, err) < 0)
                return -1;
        } else if (json_object_size(value) > 0) { /* what is below an unknown section says best what was meant */
            if (apply_section(config, key, value, err) < 0)
                return -1;
        } else if (!is_section(key)) {
            return fail_unknown(key, err);
        } else if (!json_is_null(value) && !json_is_object(value)) {
            return fail(err, ERROR_INVALID,
                        "%s: want options below it, not a value of its own; rtvmd.yaml(5) lists them", key);
        }
    }
    return 0;
}

void config_init(struct config *config)
{
    *config = (struct config){0};
    struct error err;
    for (size_t i = 0; i < ARRAY_SIZE(OPTIONS); i++)
        if (!OPTIONS[i].by_user && OPTIONS[i].type != OPTION_FOLDERS)
            set_value(config, &OPTIONS[i], OPTIONS[i].otherwise, &err);
    config->state_dir = paths_state_dir();
    config->run_dir = paths_run_dir();
    config->socket = must_format("%s/rtvmd.sock", config->run_dir);
}

void config_finish(struct config *config)
{
    for (size_t i = 0; i < ARRAY_SIZE(OPTIONS); i++) {
        const struct option *option = &OPTIONS[i];
        if (option->type == OPTION_TEXT || option->type == OPTION_PATH || option->choices == LEVELS)
            free(*(char **)member(config, option));
        if (option->type == OPTION_FOLDERS)
            for (char **folder = member(config, option); *folder; folder++)
                free(*folder);
    }
    *config = (struct config){0};
}

int config_apply(struct config *config, const json_t *object, struct error *err)
{
    if (json_is_null(object))
        return 0; /* a file of comments */
    if (!json_is_object(object))
        return fail(err, ERROR_INVALID, "the configuration is not a mapping of options");
    return apply_section(config, "", object, err);
}

int config_set(struct config *config, const char *key, const char *value, struct error *err)
{
    const struct option *option = find_option(key);
    if (!option)
        return fail_unknown(key, err);
    if (option->type != OPTION_PATH || *value == '/' || !*value)
        return set_value(config, option, value, err);
    auto_free char *here = getcwd(NULL, 0);
    if (!here)
        return fail_errno(err, "%s: \"%s\" begins at the working folder, which cannot be read", key, value);
    auto_free char *path = must_format("%s/%s", here, value);
    return set_value(config, option, path, err);
}

int config_read_file(struct config *config, const char *path, struct error *err)
{
    auto_text text = {0};
    if (file_read(NULL, path, LIMIT_MANIFEST_BYTES, &text, err) < 0)
        return -1;
    auto_json *documents = json_array();
    if (yaml_read(text_cstr(&text), text.length, documents, err) < 0)
        return error_prefix(err, "%s", path);
    if (json_array_size(documents) > 1)
        return fail(err, ERROR_INVALID, "%s: want one YAML document, found %zu", path, json_array_size(documents));
    if (json_array_size(documents) == 0)
        return 0;
    return config_apply(config, json_array_get(documents, 0), err) < 0 ? error_prefix(err, "%s", path) : 0;
}

/* ---- reloading */

static void write_value(const struct config *config, const struct option *option, struct text *out)
{
    const void *value = (const char *)config + option->offset;
    struct cpuset_text cpus;
    switch (option->type) {
    case OPTION_TEXT:
    case OPTION_PATH:
        text_append(out, *(char *const *)value);
        break;
    case OPTION_BOOL:
        text_append(out, *(const bool *)value ? "true" : "false");
        break;
    case OPTION_CHOICE:
        text_append(out, option->choices == LEVELS ? *(char *const *)value : option->choices[*(const unsigned *)value]);
        break;
    case OPTION_CPUS:
        text_append(out, cpuset_format(value, &cpus));
        break;
    case OPTION_FOLDERS:
        text_append(out, "[");
        for (char *const *folder = value; *folder; folder++)
            text_printf(out, "%s%s", folder == (char *const *)value ? "" : ", ", *folder);
        text_append(out, "]");
        break;
    }
}

static size_t value_bytes(const struct option *option)
{
    switch (option->type) {
    case OPTION_BOOL:
        return sizeof(bool);
    case OPTION_CPUS:
        return sizeof(struct cpuset);
    case OPTION_FOLDERS:
        return sizeof((struct config *)0)->host_disk_dirs;
    case OPTION_CHOICE:
        return option->choices == LEVELS ? sizeof(char *) : sizeof(unsigned);
    case OPTION_TEXT:
    case OPTION_PATH:
        break;
    }
    return sizeof(char *);
}

void config_compare(const struct config *running, const struct config *next, config_difference *tell, void *arg)
{
    for (size_t i = 0; i < ARRAY_SIZE(OPTIONS); i++) {
        auto_text before = {0};
        auto_text after = {0};
        write_value(running, &OPTIONS[i], &before);
        write_value(next, &OPTIONS[i], &after);
        if (!text_equal(text_cstr(&before), text_cstr(&after)))
            tell(OPTIONS[i].key, text_cstr(&before), text_cstr(&after), OPTIONS[i].on_reload, arg);
    }
}

void config_exchange_waiting(struct config *running, struct config *next)
{
    unsigned char kept[sizeof(struct config)];
    for (size_t i = 0; i < ARRAY_SIZE(OPTIONS); i++) {
        size_t bytes = value_bytes(&OPTIONS[i]);
        if (OPTIONS[i].on_reload)
            continue;
        memcpy(kept, member(running, &OPTIONS[i]), bytes);
        memcpy(member(running, &OPTIONS[i]), member(next, &OPTIONS[i]), bytes);
        memcpy(member(next, &OPTIONS[i]), kept, bytes);
    }
}

/* ---- telling */

void config_write_sample(struct text *out)
{
    text_append(out,
                "## rtvmd.yaml: see rtvmd.yaml(5). Every option is shown at its default; take away one # to set it.\n");
    for (size_t i = 0; i < ARRAY_SIZE(OPTIONS); i++) {
        const struct option *option = &OPTIONS[i];
        const char *before = i ? OPTIONS[i - 1].key : "";
        int depth = 0;
        const char *key = option->key;
        for (const char *dot; (dot = strchr(key, '.')); key = dot + 1, depth++) {
            size_t section = (size_t)(dot + 1 - option->key);
            if (strncmp(before, option->key, section) != 0) /* each section is opened once */
                text_printf(out, "\n%*s%.*s:", depth * 2, "", (int)(dot - key), key);
        }
        text_printf(out, "\n##%*s %s\n", depth * 2, "", option->doc);
        text_printf(out, "#%*s%s: %s\n", depth * 2, "", key, *option->otherwise ? option->otherwise : "\"\"");
    }
}

void config_write_manual(struct text *out)
{
    text_append(out, ".Bl -tag -width Ds\n");
    for (size_t i = 0; i < ARRAY_SIZE(OPTIONS); i++) {
        const struct option *option = &OPTIONS[i];
        text_printf(out, ".It Cm %s\n%s\n", option->key, option->doc);
        if (*option->otherwise)
            text_printf(out, "Default: %s.\n", option->otherwise);
        if (option->on_reload)
            text_append(out, "Read again on reload.\n");
    }
    text_append(out, ".El\n");
}
