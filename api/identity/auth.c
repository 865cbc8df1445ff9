#include "api/identity/auth.h"

#include <ctype.h>
#include <errno.h>
#include <mbedtls/sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static const char TOKENS[] = "tokens"; /* one value: a JSON array of what auth_token_list shows, and "sha256" */

static const char *const ROLES[] = {"", "rtvmd:view", "rtvmd:edit", "rtvmd:admin"};
_Static_assert(ARRAY_SIZE(ROLES) == AUTH_ROLE_COUNT, "every role has a name");

const char *auth_role_text(enum auth_role role)
{
    return (unsigned)role < AUTH_ROLE_COUNT ? ROLES[role] : "";
}

int auth_role_from_text(const char *text)
{
    for (int role = AUTH_VIEW; role < AUTH_ROLE_COUNT; role++)
        if (strcmp(text, ROLES[role]) == 0 || strcmp(text, strchr(ROLES[role], ':') + 1) == 0)
            return role;
    return -1;
}

/* ---- what each role may do. The first row that matches decides; "*" matches anything, also a subresource; a verb
 * list holds words between blanks. */

static const struct {
    const char *verbs;
    const char *resource;
    const char *subresource; /* "" only the resource itself */
    enum auth_role least;
} RULES[] = {
    {"*", "selfsubjectaccessreviews", "*", AUTH_VIEW},
    {"*", "selfsubjectreviews", "*", AUTH_VIEW},
    {"*", "selfsubjectrulesreviews", "*", AUTH_VIEW},
    {"*", "secrets", "*", AUTH_EDIT}, /* reading one is worth as much as writing it */
    {"*", "*", "console", AUTH_EDIT},
    {"*", "*", "vnc", AUTH_EDIT},
    {"*", "*", "portforward", AUTH_EDIT},
    {" get list watch ", "*", "*", AUTH_VIEW},
    {"*", "nodes", "*", AUTH_ADMIN},
    {"*", "namespaces", "*", AUTH_ADMIN},
    {"*", "hostchanges", "*", AUTH_ADMIN},
    {"*", "*", "*", AUTH_EDIT},
};

static bool word_matches(const char *pattern, const char *word)
{
    return strcmp(pattern, "*") == 0 || strcmp(pattern, word) == 0;
}

static bool verb_matches(const char *verbs, const char *verb)
{
    size_t length = strlen(verb);
    for (const char *at = verbs; length > 0 && (at = strstr(at, verb)); at++)
        if (at > verbs && at[-1] == ' ' && at[length] == ' ')
            return true;
    return strcmp(verbs, "*") == 0;
}

bool auth_allows(enum auth_role role, const struct auth_request *request)
{
    for (size_t i = 0; i < ARRAY_SIZE(RULES); i++)
        if (verb_matches(RULES[i].verbs, request->verb) && word_matches(RULES[i].resource, request->resource) &&
            word_matches(RULES[i].subresource, request->subresource))
            return role >= RULES[i].least;
    return false;
}

int auth_check(const struct auth_identity *identity, const struct auth_request *request, struct error *err)
{
    if (auth_allows(identity->role, request))
        return 0;
    char resource[192];
    snprintf(resource, sizeof resource, "%s%s%s", request->resource, *request->subresource ? "/" : "",
             request->subresource);
    char where[300] = "at the cluster scope";
    if (*request->namespace_)
        snprintf(where, sizeof where, "in the namespace \"%s\"", request->namespace_);
    return fail(
        err, ERROR_FORBIDDEN, "%s%s%s%s%s%s is forbidden: User \"%s\" cannot %s resource \"%s\" in API group \"%s\" %s",
        request->resource, *request->group ? "." : "", request->group, *request->name ? " \"" : "", request->name,
        *request->name ? "\"" : "", identity->user, request->verb, resource, request->group, where);
}

/* ---- tokens */

static void digest_text(const char *text, char ret_hex[65])
{
    unsigned char digest[32];
    if (mbedtls_sha256_ret((const unsigned char *)text, strlen(text), digest, 0))
        abort();
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(ret_hex + 2 * i, 3, "%02x", digest[i]);
}

/* In a time that does not tell where they differ. */
static bool digests_equal(const char *a, const char *b)
{
    if (strlen(a) != 64 || strlen(b) != 64)
        return false;
    unsigned difference = 0;
    for (int i = 0; i < 64; i++)
        difference |= (unsigned char)a[i] ^ (unsigned char)b[i];
    return difference == 0;
}

static json_t *tokens_load(struct store *store)
{
    auto_free char *text = store_value_get(store, TOKENS);
    struct error err;
    json_t *tokens = text ? json_from_text(text, strlen(text), &err) : NULL;
    return tokens ? tokens : json_array();
}

static int tokens_save(struct store *store, const json_t *tokens, struct error *err)
{
    auto_free char *text = json_to_text(tokens);
    return store_value_put(store, TOKENS, text, err);
}

static int random_hex(char *ret_hex, size_t bytes, struct error *err)
{
    unsigned char raw[32];
    if (getrandom(raw, bytes, 0) != (ssize_t)bytes)
        return fail_errno(err, "random bytes");
    for (size_t i = 0; i < bytes; i++)
        snprintf(ret_hex + 2 * i, 3, "%02x", raw[i]);
    return 0;
}

int auth_token_create(struct store *store, const char *user, enum auth_role role, int64_t lifetime_s, char **ret_token,
                      struct error *err)
{
    char id[AUTH_TOKEN_ID_BYTES];
    char secret[65];
    char hash[65];
    if (!*user || strlen(user) >= sizeof((struct auth_identity *)0)->user)
        return fail(err, ERROR_INVALID, "user \"%s\": want 1 to 127 characters", user);
    for (const char *p = user; *p; p++) /* it is shown on terminals and in the log */
        if (iscntrl((unsigned char)*p) || *p == '"')
            return fail(err, ERROR_INVALID, "user: want no quotes and no control characters");
    if (random_hex(id, 6, err) < 0 || random_hex(secret, 32, err) < 0)
        return -1;
    digest_text(secret, hash);
    auto_json *tokens = tokens_load(store);
    int64_t now = now_wall_s();
    json_array_append_new(tokens, json_pack("{s:s, s:s, s:s, s:I, s:I, s:s}", "id", id, "user", user, "role",
                                            auth_role_text(role), "created", (json_int_t)now, "expires",
                                            (json_int_t)(lifetime_s > 0 ? now + lifetime_s : 0), "sha256", hash));
    if (tokens_save(store, tokens, err) < 0)
        return -1;
    *ret_token = must_format("%s.%s", id, secret);
    return 0;
}

json_t *auth_token_list(struct store *store)
{
    json_t *tokens = tokens_load(store);
    size_t i;
    json_t *token;
    json_array_foreach(tokens, i, token) json_object_del(token, "sha256");
    return tokens;
}

static json_t *token_find(const json_t *tokens, const char *id, size_t *ret_index)
{
    size_t i;
    json_t *token;
    json_array_foreach(tokens, i, token)
    {
        if (strcmp(json_text_at(token, "id", ""), id) == 0) {
            *ret_index = i;
            return token;
        }
    }
    return NULL;
}

int auth_token_revoke(struct store *store, const char *id, struct error *err)
{
    auto_json *tokens = tokens_load(store);
    size_t index;
    if (!token_find(tokens, id, &index))
        return fail(err, ERROR_NOT_FOUND, "token %s not found", id);
    json_array_remove(tokens, index);
    return tokens_save(store, tokens, err);
}

static int identify_token(struct store *store, const char *token, struct auth_identity *ret_identity, struct error *err)
{
    const char *dot = strchr(token, '.');
    if (!dot || strlen(token) > 128)
        return fail(err, ERROR_UNAUTHORIZED, "Unauthorized: not a token of this daemon");
    auto_free char *id = must_strndup(token, (size_t)(dot - token));
    auto_json *tokens = tokens_load(store);
    size_t index;
    const json_t *found = token_find(tokens, id, &index);
    char hash[65];
    digest_text(dot + 1, hash);
    if (!found || !digests_equal(hash, json_text_at(found, "sha256", "")))
        return fail(err, ERROR_UNAUTHORIZED, "Unauthorized: unknown token");
    int64_t expires = json_int_at(found, "expires", 0);
    if (expires != 0 && expires <= now_wall_s())
        return fail(err, ERROR_UNAUTHORIZED, "Unauthorized: the token has expired");
    snprintf(ret_identity->user, sizeof ret_identity->user, "%s", json_text_at(found, "user", ""));
    int role = auth_role_from_text(json_text_at(found, "role", ""));
    ret_identity->role = role < 0 ? AUTH_NONE : (enum auth_role)role;
    snprintf(ret_identity->token, sizeof ret_identity->token, "%s", id);
    ret_identity->expires_s = expires;
    return 0;
}

int auth_identify(struct store *store, const struct http_peer *peer, bool open, const struct tls_peer *certificate,
                  const char *authorization, struct auth_identity *ret_identity, struct error *err)
{
    *ret_identity = (struct auth_identity){0};
    if (peer->local || open) {
        if (peer->local)
            snprintf(ret_identity->user, sizeof ret_identity->user, "uid:%u", peer->uid);
        else
            snprintf(ret_identity->user, sizeof ret_identity->user, "local");
        ret_identity->role = AUTH_ADMIN;
        return 0;
    }
    if (certificate) {
        snprintf(ret_identity->user, sizeof ret_identity->user, "%s", certificate->common_name);
        for (unsigned i = 0; i < certificate->organization_count; i++) {
            int role = auth_role_from_text(certificate->organization[i]);
            if (role > (int)ret_identity->role)
                ret_identity->role = (enum auth_role)role;
        }
        return 0;
    }
    if (authorization && strncmp(authorization, "Bearer ", 7) == 0)
        return identify_token(store, authorization + 7, ret_identity, err);
    return fail(err, ERROR_UNAUTHORIZED, "Unauthorized: send a client certificate or a bearer token");
}
