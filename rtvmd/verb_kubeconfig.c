/* kubeconfig: how kubectl and virtctl reach the daemon's TCP listener. With TLS it holds our CA and a client
 * certificate made for the user and role; the CA's key is read from the state folder, so this is for who may read it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/identity/auth.h"
#include "api/identity/pki.h"
#include "rtvmd/base/bytes.h"
#include "rtvmd/config.h"
#include "rtvmd/verb.h"
#include "rtvmd/verbs.h"
#include "runtime/spec/yaml.h"

struct kubeconfig {
    const char *server;
    const char *user;
    const char *role;
    const char *state_dir;
};

static json_t *encoded(const char *pem)
{
    auto_text text = {0};
    base64_encode(pem, strlen(pem), &text);
    return json_string(text_cstr(&text));
}

static int credentials(const struct kubeconfig *k, const char *state_dir, json_t *cluster, json_t *user,
                       struct error *err)
{
    int role = auth_role_from_text(k->role);
    if (role < 0)
        return fail(err, ERROR_BAD_REQUEST, "--role \"%s\" is none of view, edit, admin", k->role);
    auto_free char *ca = pki_ca(state_dir, err);
    auto_free char *certificate = NULL;
    auto_free char *key = NULL;
    if (!ca)
        return error_prefix(err, "no CA yet: start the daemon with --listen once");
    if (pki_client_make(state_dir, k->user, auth_role_text((enum auth_role)role), &certificate, &key, err) < 0)
        return -1;
    json_object_set_new(cluster, "certificate-authority-data", encoded(ca));
    json_object_set_new(user, "client-certificate-data", encoded(certificate));
    json_object_set_new(user, "client-key-data", encoded(key));
    return 0;
}

static int print(const struct kubeconfig *k, const char *state_dir, struct error *err)
{
    bool plain = text_starts_with(k->server, "http://");
    if (!plain && !text_starts_with(k->server, "https://"))
        return fail(err, ERROR_BAD_REQUEST, "--server \"%s\": want https://ADDRESS:PORT (or http:// for --plain-http)",
                    k->server);
    auto_json *config =
        json_pack("{s:s, s:s, s:[{s:s, s:{s:s}}], s:[{s:s, s:{}}], s:[{s:s, s:{s:s, s:s, s:s}}], s:s}", "apiVersion",
                  "v1", "kind", "Config", "clusters", "name", "rtvmd", "cluster", "server", k->server, "users", "name",
                  k->user, "user", "contexts", "name", "rtvmd", "context", "cluster", "rtvmd", "user", k->user,
                  "namespace", "default", "current-context", "rtvmd");
    if (!plain &&
        credentials(k, state_dir, json_at(config, "clusters.0.cluster"), json_at(config, "users.0.user"), err) < 0)
        return -1;
    auto_text out = {0};
    yaml_write(config, &out);
    fputs(text_cstr(&out), stdout);
    return 0;
}

int verb_kubeconfig(int argc, char **argv)
{
    struct kubeconfig k = {.server = "https://127.0.0.1:7443", .user = "admin", .role = "admin"};
    const struct verb_option options[] = {
        {.name = "server",
         .value = "URL",
         .text = &k.server,
         .help = "The listener; https://127.0.0.1:7443 unless said"},
        {.name = "user", .value = "NAME", .text = &k.user, .help = "Who the certificate is for; admin unless said"},
        {.name = "role", .value = "ROLE", .text = &k.role, .help = "view, edit or admin; admin unless said"},
        {.name = "state-dir", .value = "DIR", .text = &k.state_dir, .help = "The daemon's state folder"},
    };
    struct error err;
    int positional;
    bool done;
    if (verb_options("kubeconfig", argc, argv, options, ARRAY_SIZE(options), &positional, &done, &err) < 0)
        return verb_fail("kubeconfig", &err);
    if (done)
        return 0;
    auto_config config;
    config_init(&config);
    return print(&k, k.state_dir ? k.state_dir : config.state_dir, &err) < 0 ? verb_fail("kubeconfig", &err) : 0;
}
