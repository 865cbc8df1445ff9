/* Who is asking, and may they. An identity comes from the unix socket (peer credentials), a client certificate, or a
 * bearer token; it has one of three roles. Plain HTTP on loopback, asked for explicitly, makes everybody an admin. */
#pragma once

#include "api/http/http.h"
#include "api/http/tls.h"
#include "store/store.h"

enum auth_role { AUTH_NONE, AUTH_VIEW, AUTH_EDIT, AUTH_ADMIN, AUTH_ROLE_COUNT };
const char *auth_role_text(enum auth_role role); /* "rtvmd:view", …; "" for none */
int auth_role_from_text(const char *text);       /* "view" or "rtvmd:view"; -1 for anything else */

enum { AUTH_TOKEN_ID_BYTES = 13 };
struct auth_identity {
    char user[128];
    enum auth_role role;
    char token[AUTH_TOKEN_ID_BYTES]; /* "" when it did not come by one */
    int64_t expires_s;               /* of the token, since the epoch; 0 never */
};

/* peer->local: the kernel let it through the socket's mode, so it may do everything; its user is "uid:N". Else a
 * certificate (certificate NULL: none), else "Authorization: Bearer TOKEN". open: a listener without authentication.
 * ERROR_UNAUTHORIZED says what was missing or wrong, never the token. */
int auth_identify(struct store *store, const struct http_peer *peer, bool open, const struct tls_peer *certificate,
                  const char *authorization, struct auth_identity *ret_identity, struct error *err);

/* What is asked for, in Kubernetes' words: verb "get", "list", "create", …; group "" for core. */
struct auth_request {
    const char *verb;
    const char *group;
    const char *resource;
    const char *subresource; /* "" none */
    const char *namespace_;  /* "" cluster-wide */
    const char *name;        /* "" none */
};
bool auth_allows(enum auth_role role, const struct auth_request *request);
/* ERROR_FORBIDDEN in the words of an API server. */
int auth_check(const struct auth_identity *identity, const struct auth_request *request, struct error *err);

/* ---- bearer tokens. Kept as SHA-256 in the store; the token itself is shown once. */

/* lifetime_s 0: for ever. *ret_token is a new string: "ID.SECRET". */
/* user: without quotes and control characters. */
int auth_token_create(struct store *store, const char *user, enum auth_role role, int64_t lifetime_s, char **ret_token,
                      struct error *err);
json_t *auth_token_list(struct store *store); /* [{id,user,role,created,expires}], new reference */
int auth_token_revoke(struct store *store, const char *id, struct error *err);
