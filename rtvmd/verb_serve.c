/* rtvmd serve: the daemon, assembled. Order matters: give up privileges early, open the store (its lock keeps a second
 * daemon out), look at the host, listen, give up the rest, then let the loop run. What takes long (connecting to
 * libvirt, reconciling) happens after listening. SIGTERM ends the daemon, never a VM. */
#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "api/http/tls.h"
#include "api/identity/pki.h"
#include "rtvmd/base/file.h"
#include "rtvmd/base/log.h"
#include "rtvmd/config.h"
#include "rtvmd/isolate.h"
#include "rtvmd/paths.h"
#include "rtvmd/service.h"
#include "rtvmd/verb.h"
#include "rtvmd/verbs.h"
#include "rtvmd/version.h"

static const char DEFAULT_CONFIG[] = "/etc/rtvmd/rtvmd.yaml";

struct arguments {
    const char *config_file;
    const char *state_dir, *run_dir, *socket, *listen, *libvirt, *emulation, *reserved_cpus, *log_level;
    bool plain_http;
};

struct daemon {
    const struct arguments *given;
    struct config *config;
    size_t retired_count;
    struct config **retired; /* put out of use by a reload; work in hand may still look at them */
    bool owns_socket;        /* not one a service manager opened, with the mode and group it was told */
    struct loop *loop;
    struct store *store;
    struct host *host;
    struct runtime *runtime;
    struct api *api;
    struct tls *tls;
    struct loop_watch *certificate_timer;
    struct loop_watch *signals[3];
    struct loop_watch *watchdog;

    pthread_t trying; /* looks at what can only be tried: up to a second */
    bool is_trying;
    int tried_fd; /* an eventfd it ends with */
    struct loop_watch *tried;
};

/* ---- configuration */

/* Folders a service manager made for us (StateDirectory=, RuntimeDirectory= of a unit) come before this user's own. */
static int take_service_folders(struct config *config, struct error *err)
{
    const char *state = getenv("STATE_DIRECTORY");
    const char *run = getenv("RUNTIME_DIRECTORY");
    if (state && config_set(config, "stateDir", state, err) < 0)
        return error_prefix(err, "STATE_DIRECTORY");
    if (!run)
        return 0;
    auto_free char *socket = must_format("%s/rtvmd.sock", run);
    return config_set(config, "runDir", run, err) < 0 || config_set(config, "api.socket", socket, err) < 0
               ? error_prefix(err, "RUNTIME_DIRECTORY")
               : 0;
}

static int configure(struct config *config, const struct arguments *given, struct error *err)
{
    const struct {
        const char *key;
        const char *value;
    } rows[] = {
        {"stateDir", given->state_dir},
        {"runDir", given->run_dir},
        {"api.socket", given->socket},
        {"api.listen", given->listen},
        {"libvirt.uri", given->libvirt},
        {"libvirt.emulation", given->emulation},
        {"log.level", given->log_level},
        {"host.reservedCPUs", given->reserved_cpus},
        {"api.plainHTTP", given->plain_http ? "true" : NULL},
    };
    config_init(config);
    if (take_service_folders(config, err) < 0)
        return -1;
    const char *file = given->config_file ? given->config_file : DEFAULT_CONFIG;
    if (config_read_file(config, file, err) < 0 && (given->config_file || err->kind != ERROR_NOT_FOUND))
        return -1;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].value && config_set(config, rows[i].key, rows[i].value, err) < 0)
            return -1;
    return 0;
}

/* With a state folder of its own (trying out, tests) the daemon's run folder and socket are in there, too, unless said
 * otherwise. */
static void settle_private_folders(struct arguments *given, char **ret_run, char **ret_socket)
{
    if (!given->state_dir)
        return;
    if (!given->run_dir)
        given->run_dir = *ret_run = must_format("%s/run", given->state_dir);
    const char *wanted = getenv("RTVMD_SOCKET");
    if (!given->socket)
        given->socket = *ret_socket =
            wanted && wanted[0] ? must_strdup(wanted) : must_format("%s/rtvmd.sock", given->run_dir);
}

/* ---- listeners */

static int let_group_in(const char *socket, const char *name, struct error *err)
{
    const struct group *group = name[0] ? getgrnam(name) : NULL;
    if (name[0] && !group)
        return fail(err, ERROR_INVALID, "api.socketGroup: there is no group \"%s\"; make it (groupadd) or leave it out",
                    name);
    return chown(socket, (uid_t)-1, group ? group->gr_gid : getegid()) == 0 ? 0 : fail_errno(err, "socket %s", socket);
}

static bool is_loopback(const char *address)
{
    return text_starts_with(address, "127.") || text_starts_with(address, "[::1]:") ||
           text_starts_with(address, "localhost:");
}

static int load_file(const char *path, char **ret_text, struct error *err)
{
    struct text text = {0};
    if (file_read(NULL, path, LIMIT_MANIFEST_BYTES, &text, err) < 0) {
        text_finish(&text);
        return -1;
    }
    *ret_text = text_take(&text);
    return 0;
}

/* Certificates named in the configuration come first; what is not named is made by our own CA. */
static int load_certificates(const struct config *config, struct pki_server *ret_pki, struct error *err)
{
    auto_free char *host = must_strndup(config->listen, strcspn(config->listen, config->listen[0] == '[' ? "]" : ":"));
    if (pki_server_load(config->state_dir, host[0] == '[' ? host + 1 : host, ret_pki, err) < 0)
        return -1;
    const struct {
        const char *option, *file;
        char **text;
    } given[] = {{"api.tls.certificate", config->tls_certificate, &ret_pki->chain},
                 {"api.tls.key", config->tls_key, &ret_pki->key},
                 {"api.tls.clientCA", config->tls_client_ca, &ret_pki->ca}};
    if ((config->tls_certificate[0] == '\0') != (config->tls_key[0] == '\0'))
        return fail(err, ERROR_INVALID, "api.tls.certificate and api.tls.key belong together: give both or none");
    for (size_t i = 0; i < ARRAY_SIZE(given); i++) {
        if (given[i].file[0] == '\0')
            continue;
        free(take(*given[i].text));
        if (load_file(given[i].file, given[i].text, err) < 0)
            return error_prefix(err, "%s", given[i].option);
    }
    return 0;
}

static int read_certificates(struct daemon *d, const struct config *config, struct error *err)
{
    struct pki_server pki = {0};
    int result = load_certificates(config, &pki, err);
    if (result == 0 && d->tls) {
        result = tls_replace(d->tls, pki.chain, pki.key, pki.ca, err);
    } else if (result == 0) {
        d->tls = tls_new(d->loop, pki.chain, pki.key, pki.ca, err);
        result = d->tls ? 0 : -1;
    }
    pki_server_finish(&pki);
    return result;
}

/* Once a day: a certificate of ours that ends soon is made anew, files that somebody else renews are read again. */
static void certificates_due(void *arg)
{
    struct daemon *d = arg;
    struct error err;
    if (read_certificates(d, d->config, &err) < 0)
        log_warn("the certificates in use stay: %s", err.text);
    loop_timer_arm(d->certificate_timer, LIMIT_CERTIFICATE_CHECK_S * UINT64_C(1000));
}

static int listen_tcp(struct daemon *d, struct error *err)
{
    const struct config *config = d->config;
    unsigned port;
    if (config->listen[0] == '\0')
        return config->plain_http
                   ? fail(err, ERROR_INVALID,
                          "api.plainHTTP (--plain-http): there is no api.listen (--listen ADDR:PORT) it could be about")
                   : 0;
    if (config->plain_http && !is_loopback(config->listen))
        return fail(
            err, ERROR_INVALID,
            "api.listen %s (--listen) with api.plainHTTP (--plain-http): without TLS only a loopback address may "
            "be listened on; leave out the latter or choose 127.0.0.1:PORT",
            config->listen);
    if (!config->plain_http && read_certificates(d, config, err) < 0)
        return -1;
    if (d->tls) {
        d->certificate_timer = loop_timer(d->loop, certificates_due, d);
        loop_timer_arm(d->certificate_timer, LIMIT_CERTIFICATE_CHECK_S * UINT64_C(1000));
    }
    if (http_listen_tcp(api_http(d->api), config->listen, config->plain_http ? NULL : tls_wrap, d->tls, &port, err) < 0)
        return -1;
    log_info("listening url=%s://%.*s:%u", config->plain_http ? "http" : "https",
             (int)(strrchr(config->listen, ':') - config->listen), config->listen, port);
    return 0;
}

static int listen_all(struct daemon *d, struct error *err)
{
    int passed = service_listen_fd(NULL);
    int local = passed >= 0 ? http_listen_fd(api_http(d->api), passed, err)
                            : http_listen_unix(api_http(d->api), d->config->socket, 0660, err);
    d->owns_socket = passed < 0;
    if (local < 0 || (d->owns_socket && let_group_in(d->config->socket, d->config->socket_group, err) < 0))
        return -1;
    log_info("listening socket=%s", d->config->socket);
    return listen_tcp(d, err);
}

/* ---- life */

static void end(void *arg)
{
    struct daemon *d = arg;
    service_notify("STOPPING=1");
    loop_stop(d->loop);
}

/* ---- reloading (SIGHUP) */

static void tell_difference(const char *key, const char *before, const char *after, bool on_reload, void *arg)
{
    ++*(size_t *)arg;
    if (on_reload)
        log_info("reloaded %s: \"%s\" -> \"%s\"", key, before, after);
    else
        log_warn("%s: \"%s\" -> \"%s\" waits for a restart", key, before, after);
}

/* Everything that can fail; what was done by then is undone. */
static int renew(struct daemon *d, const struct config *next, struct error *err)
{
    struct error ignored;
    bool other_group = d->owns_socket && !text_equal(d->config->socket_group, next->socket_group);
    if (other_group && let_group_in(d->config->socket, next->socket_group, err) < 0)
        return -1;
    if (!d->tls || read_certificates(d, next, err) == 0)
        return 0;
    if (other_group)
        let_group_in(d->config->socket, d->config->socket_group, &ignored);
    return -1;
}

static void take_over(struct daemon *d, struct config *next)
{
    config_exchange_waiting(d->config, next);
    d->retired = must_realloc(d->retired, d->retired_count + 1, sizeof(struct config *));
    d->retired[d->retired_count++] = d->config;
    d->config = next;
    log_set_level((enum log_level)log_level_from_text(next->log_level));
    runtime_set_host_disk_dirs(d->runtime, (const char *const *)next->host_disk_dirs);
}

static void drop_config(struct config *config)
{
    config_finish(config);
    free(config);
}

static void reload(void *arg)
{
    struct daemon *d = arg;
    struct config *next = must_calloc(1, sizeof *next);
    struct error err;
    size_t differences = 0;
    service_notify("RELOADING=1");
    if (configure(next, d->given, &err) < 0 || renew(d, next, &err) < 0) {
        log_error("nothing reloaded, the configuration stays as it was: %s", err.text);
    } else {
        config_compare(d->config, next, tell_difference, &differences);
        log_info("configuration read anew changes=%zu%s", differences, d->tls ? ", certificates too" : "");
    }
    if (differences > 0)
        take_over(d, next);
    else
        drop_config(next);
    service_notify("READY=1");
}

/* A connection is a descriptor: take all that we may have. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void *try_host(void *arg)
{
    struct daemon *d = arg;
    host_try(d->host);
    if (eventfd_write(d->tried_fd, 1) < 0)
        log_error("the host was tried, but nobody can be told: %s", strerror(errno));
    return NULL;
}

static void begin_to_act(struct daemon *d)
{
    runtime_set_host(d->runtime, d->host);
    runtime_start(d->runtime);
    log_info("rtvmd %s ready state=%s libvirt=%s", RTVMD_VERSION, d->config->state_dir, d->config->libvirt_uri);
    service_notify("READY=1");
}

static void host_was_tried(int fd, int what, void *arg)
{
    (void)fd;
    (void)what;
    struct daemon *d = arg;
    loop_watch_free(take(d->tried));
    pthread_join(d->trying, NULL);
    d->is_trying = false;
    begin_to_act(d);
}

/* Requests are answered from now on; VMs are looked after once the host has been tried. */
static int try_host_meanwhile(struct daemon *d, struct error *err)
{
    d->tried_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (d->tried_fd < 0)
        return fail_errno(err, "eventfd");
    d->tried = loop_watch_fd(d->loop, d->tried_fd, LOOP_READ, host_was_tried, d);
    d->is_trying = pthread_create(&d->trying, NULL, try_host, d) == 0;
    return d->is_trying ? 0 : fail(err, ERROR_INTERNAL, "cannot start a thread");
}

static struct runtime *make_runtime(const struct daemon *d)
{
    const struct config *config = d->config;
    const struct runtime_config wanted = {
        .state_dir = config->state_dir,
        .run_dir = config->run_dir,
        .libvirt_uri = config->libvirt_uri,
        .reserved_cpus = config->reserved_cpus,
        .emulation_allowed = config->emulation != CONFIG_EMULATION_OFF,
        .emulation_forced = config->emulation == CONFIG_EMULATION_ON,
        .host_disk_dirs = (const char *const *)config->host_disk_dirs,
        .tuning = (enum tune_level)config->tuning,
        .grow_hugepages = config->hugepages_allocate,
    };
    return runtime_new(&wanted, d->loop, d->store, d->host);
}

/* QEMU runs as another user and must be able to pass through to its files; a folder that is there stays as it is. */
static int make_folder(const char *path, struct error *err)
{
    struct stat status;
    if (stat(path, &status) == 0)
        return 0;
    if (file_make_folders(path, 0711, err) < 0)
        return -1;
    return chmod(path, 0711) == 0 ? 0 : fail_errno(err, "folder %s", path);
}

static int begin(struct daemon *d, struct error *err)
{
    const struct config *config = d->config;
    if (isolate_early(err) < 0 || make_folder(config->state_dir, err) < 0 || make_folder(config->run_dir, err) < 0)
        return -1;
    log_set_level((enum log_level)log_level_from_text(config->log_level));
    raise_descriptor_limit();
    setenv("HOME", config->state_dir, 0); /* libvirt's client wants one, and services have none */
    d->loop = loop_new();
    d->store = store_open(config->state_dir, d->loop, err);
    d->host = must_calloc(1, sizeof *d->host);
    if (!d->store || host_probe(NULL, d->host, err) < 0)
        return -1;
    d->runtime = make_runtime(d);
    d->api = api_new(d->loop, d->store, d->runtime);
    if (listen_all(d, err) < 0 || isolate_capabilities(config->tuning != CONFIG_TUNING_NONE, err) < 0 ||
        isolate_syscalls(err) < 0)
        return -1;
    struct cpuset housekeeping = runtime_housekeeping(d->runtime);
    store_commit_beside(d->store, &housekeeping);
    d->signals[0] = loop_signal(d->loop, SIGTERM, end, d);
    d->signals[1] = loop_signal(d->loop, SIGINT, end, d);
    d->signals[2] = loop_signal(d->loop, SIGHUP, reload, d);
    d->watchdog = service_watchdog(d->loop);
    return try_host_meanwhile(d, err);
}

static void finish(struct daemon *d)
{
    if (d->is_trying)
        pthread_join(d->trying, NULL);
    loop_watch_free(d->tried);
    base_close_p(&d->tried_fd);
    for (size_t i = 0; i < ARRAY_SIZE(d->signals); i++)
        loop_watch_free(d->signals[i]);
    loop_watch_free(d->watchdog);
    loop_watch_free(d->certificate_timer);
    api_free(d->api);
    tls_free(d->tls);
    runtime_free(d->runtime);
    if (d->store)
        store_close(d->store);
    loop_free(d->loop);
    free(d->host);
    drop_config(d->config);
    for (size_t i = 0; i < d->retired_count; i++)
        drop_config(d->retired[i]);
    free(d->retired);
}

/* In the journal an end like this has the priority of an error. */
static int fail_to_serve(const struct error *err)
{
    if (!getenv("JOURNAL_STREAM"))
        return verb_fail("serve", err);
    log_error("rtvmd serve: %s", err->text);
    return error_kind_info(err->kind)->exit_code;
}

int verb_serve(int argc, char **argv)
{
    struct arguments given = {0};
    const struct verb_option options[] = {
        {.name = "config", .value = "FILE", .text = &given.config_file, .help = "configuration, see rtvmd.yaml(5)"},
        {.name = "state-dir", .value = "DIR", .text = &given.state_dir, .help = "objects, claims, images, disks"},
        {.name = "run-dir", .value = "DIR", .text = &given.run_dir, .help = "sockets"},
        {.name = "socket", .value = "PATH", .text = &given.socket, .help = "unix socket of the API"},
        {.name = "listen", .value = "ADDR:PORT", .text = &given.listen, .help = "also listen on TCP, with TLS"},
        {.name = "plain-http", .flag = &given.plain_http, .help = "no TLS on --listen, which must be loopback then"},
        {.name = "libvirt", .value = "URI", .text = &given.libvirt, .help = "libvirt daemon (qemu:///system)"},
        {.name = "emulation", .value = "auto|on|off", .text = &given.emulation, .help = "run VMs without KVM"},
        {.name = "reserved-cpus", .value = "LIST", .text = &given.reserved_cpus, .help = "CPUs only for the host"},
        {.name = "log-level", .value = "LEVEL", .text = &given.log_level, .help = "error, warn, info or debug"},
    };
    struct error err;
    int positional;
    bool done;
    if (verb_options("serve", argc, argv, options, ARRAY_SIZE(options), &positional, &done, &err) < 0)
        return verb_fail("serve", &err);
    if (done)
        return 0;
    struct daemon d = {.tried_fd = -1, .given = &given, .config = must_calloc(1, sizeof *d.config)};
    auto_free char *run = NULL;
    auto_free char *socket = NULL;
    settle_private_folders(&given, &run, &socket);
    int code = 0;
    if (configure(d.config, &given, &err) < 0 || begin(&d, &err) < 0) {
        code = fail_to_serve(&err);
    } else {
        loop_run(d.loop);
        log_info("rtvmd ends; virtual machines go on");
    }
    finish(&d);
    return code;
}
