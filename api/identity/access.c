#include "api/identity/access.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* "127.0.0.1:80", "[::1]:80", "localhost": what only this machine is called by itself. */
static bool is_loopback_host(const char *host)
{
    static const char *const NAMES[] = {"localhost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++) {
        size_t length = strlen(NAMES[i]);
        if (strncasecmp(host, NAMES[i], length) == 0 && (host[length] == '\0' || host[length] == ':'))
            return true;
    }
    return text_starts_with(host, "127.") && strspn(host, "0123456789.:") == strlen(host);
}

/* A browser on this machine adds a certificate to, or is let in without TLS with, whatever a page of somebody else asks
 * for; web sockets and plain POSTs need nobody's leave. It says from where, and by what name. */
static int check_page(const struct call *call, bool open, struct error *err)
{
    const char *origin = http_header(call->http, "Origin"), *host = http_header(call->http, "Host");
    const char *from = origin ? strstr(origin, "://") : NULL;
    if (origin && !(from && host && strcasecmp(from + strlen("://"), host) == 0))
        return fail(err, ERROR_FORBIDDEN, "Origin: pages of other sites may not use this API in their readers' names");
    if (open && host && !is_loopback_host(host))
        return fail(err, ERROR_FORBIDDEN,
                    "Host: \"%s\" is no name of the loopback device; a listener without TLS is asked as 127.0.0.1 or "
                    "localhost",
                    host);
    return 0;
}

/* kubectl --as: to be answered as oneself would look as if it had worked. */
static int refuse_impersonation(const struct call *call, struct error *err)
{
    static const char *const HEADERS[] = {"Impersonate-User", "Impersonate-Group", "Impersonate-Uid"};
    for (size_t i = 0; i < ARRAY_SIZE(HEADERS); i++) {
        const char *wanted = http_header(call->http, HEADERS[i]);
        if (wanted)
            return fail(err, ERROR_FORBIDDEN,
                        "%s: %.100s: nobody acts as somebody else here; rtvmd kubeconfig --user NAME --role ROLE makes "
                        "a user to try with",
                        HEADERS[i], wanted);
    }
    return 0;
}

int access_identify(struct call *call, struct error *err)
{
    const struct http_peer *peer = http_peer(call->http);
    bool open = !peer->local && !peer->wrapped;
    struct bufferevent *bufferevent = http_bufferevent(call->http);
    struct tls_peer certificate;
    bool has_certificate = peer->wrapped && bufferevent && tls_peer(bufferevent, &certificate);
    if ((open || has_certificate) && check_page(call, open, err) < 0)
        return -1;
    if (auth_identify(call->api->store, peer, open, has_certificate ? &certificate : NULL,
                      http_header(call->http, "Authorization"), &call->who, err) < 0)
        return -1;
    for (char *p = call->who.user; *p; p++) /* it is shown in messages and in the log */
        if (iscntrl((unsigned char)*p) || *p == '"')
            *p = '?';
    return refuse_impersonation(call, err);
}

static bool is_write(const char *verb)
{
    return strcmp(verb, "get") != 0 && strcmp(verb, "list") != 0 && strcmp(verb, "watch") != 0;
}

int access_check(struct call *call, const char *verb, struct error *err)
{
    const struct target *t = &call->target;
    const struct auth_request asked = {verb,   t->resource->group, t->resource->plural,
                                       t->sub, t->namespace_,      t->has_name ? t->name : ""};
    call->verb = verb;
    call->audited = is_write(verb) && t->resource->source != SOURCE_ANSWER ? verb : NULL;
    return auth_check(&call->who, &asked, err);
}

/* ---- reviews */

static json_t *user_info(const struct auth_identity *who)
{
    return json_pack("{s:s, s:[s, s]}", "username", who->user, "groups", auth_role_text(who->role),
                     "system:authenticated");
}

static json_t *rules_of(enum auth_role role)
{
    json_t *rules = json_array();
    if (role == AUTH_VIEW)
        json_array_append_new(rules, json_pack("{s:[s, s, s], s:[s], s:[s]}", "verbs", "get", "list", "watch",
                                               "apiGroups", "*", "resources", "*"));
    else
        json_array_append_new(rules,
                              json_pack("{s:[s], s:[s], s:[s]}", "verbs", "*", "apiGroups", "*", "resources", "*"));
    return json_pack("{s:o, s:[{s:[s], s:[s]}], s:b}", "resourceRules", rules, "nonResourceRules", "verbs", "get",
                     "nonResourceURLs", "*", "incomplete", role != AUTH_ADMIN);
}

static json_t *access_status(const struct auth_identity *who, const json_t *review)
{
    const json_t *about = json_at(review, "spec.resourceAttributes");
    bool allowed = true; /* pages that are no resource: whoever is known may read them */
    if (about) {
        const struct auth_request asked = {
            json_text_at(about, "verb", ""),      json_text_at(about, "group", ""),
            json_text_at(about, "resource", ""),  json_text_at(about, "subresource", ""),
            json_text_at(about, "namespace", ""), json_text_at(about, "name", ""),
        };
        allowed = auth_allows(who->role, &asked);
    }
    return json_pack("{s:b, s:s+}", "allowed", allowed, "reason", "role ", auth_role_text(who->role));
}

int access_review(struct call *call, struct error *err)
{
    auto_json *review = call_body(call, false, err);
    if (!review)
        return -1;
    const char *kind = call->target.resource->kind;
    if (strcmp(json_text_at(review, "kind", kind), kind) != 0)
        return fail(err, ERROR_BAD_REQUEST, "kind: \"%s\": the path takes %s", json_text_at(review, "kind", ""), kind);
    json_t *status;
    if (strcmp(kind, "SelfSubjectReview") == 0)
        status = json_pack("{s:o}", "userInfo", user_info(&call->who));
    else if (strcmp(kind, "SelfSubjectRulesReview") == 0)
        status = rules_of(call->who.role);
    else
        status = access_status(&call->who, review);
    json_object_set_new(review, "status", status);
    json_object_set_new(review, "kind", json_string(kind));
    auto_free char *api_version = resource_api_version(call->target.resource, call->target.version);
    json_object_set_new(review, "apiVersion", json_string(api_version));
    call_answer(call, 201, take(review));
    return 0;
}
