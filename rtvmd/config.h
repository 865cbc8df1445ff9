/* The daemon's configuration: one table of options (config.c) drives reading, checking, the documented sample file and
 * the manual page. Command line options of `rtvmd serve` win over the file. */
#pragma once

#include "rtvmd/base/cpuset.h"
#include "rtvmd/base/json.h"

enum config_emulation { CONFIG_EMULATION_AUTO, CONFIG_EMULATION_ON, CONFIG_EMULATION_OFF };
enum config_tuning { CONFIG_TUNING_NONE, CONFIG_TUNING_SAFE, CONFIG_TUNING_FULL };
enum { CONFIG_FOLDERS_MAX = 16 };

struct config {
    char *state_dir;
    char *run_dir;
    char *socket;
    char *socket_group;
    char *listen;
    bool plain_http;
    char *tls_certificate;
    char *tls_key;
    char *tls_client_ca;
    char *libvirt_uri;
    enum config_emulation emulation;
    struct cpuset reserved_cpus;
    bool hugepages_allocate;
    enum config_tuning tuning;
    char *host_disk_dirs[CONFIG_FOLDERS_MAX + 1]; /* NULL-terminated */
    char *log_level;
};

/* The defaults for this user (paths.h). */
void config_init(struct config *config);
void config_finish(struct config *config);
#define auto_config __attribute__((cleanup(config_finish))) struct config

/* Takes over what the object says; keys that are not there keep their value. Unknown keys, wrong types and values out
 * of range are ERROR_INVALID, naming key, value and remedy; *config is then partly changed: do not use it. */
int config_apply(struct config *config, const json_t *object, struct error *err);
/* One option by its dotted key, as text (command line): there a path may begin at the working folder. */
int config_set(struct config *config, const char *key, const char *value, struct error *err);
/* YAML file. A missing file is ERROR_NOT_FOUND. */
int config_read_file(struct config *config, const char *path, struct error *err);

/* Reloading: what differs, option by option; values as they are written in a file. */
typedef void config_difference(const char *key, const char *before, const char *after, bool on_reload, void *arg);
void config_compare(const struct config *running, const struct config *next, config_difference *tell, void *arg);
/* Exchanges the values of all other options: then next is what runs from now on. */
void config_exchange_waiting(struct config *running, struct config *next);

/* The sample file: every option, commented out, at its default, documented. The OPTIONS section of rtvmd.yaml(5). */
void config_write_sample(struct text *out);
void config_write_manual(struct text *out);
