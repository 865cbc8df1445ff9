#include "api/identity/tokens.h"

#include <stdlib.h>
#include <string.h>

#include "api/streams/tunnel.h"
#include "api/watch.h"
#include "rtvmd/base/log.h"

/* Tokens are no resource, so that their line in the log is written here. */
static void audit(const struct call *call, const char *id, int status)
{
    enum http_method method = http_method(call->http);
    if (method == HTTP_POST || method == HTTP_DELETE)
        log_info("audit user=\"%s\" verb=%s resource=tokens namespace= name=%s status=%d", call->who.user,
                 method == HTTP_POST ? "create" : "delete", id, status);
}

static int only_admins(const struct call *call, struct error *err)
{
    if (call->who.role >= AUTH_ADMIN)
        return 0;
    audit(call, "", 403);
    return fail(err, ERROR_FORBIDDEN, "tokens are for the role %s; \"%s\" has not got it", auth_role_text(AUTH_ADMIN),
                call->who.user);
}

static int create(struct call *call, struct error *err)
{
    auto_json *body = call_body(call, false, err);
    if (!body)
        return -1;
    const char *user = json_text_at(body, "user", "");
    const char *role_text = json_text_at(body, "role", "view");
    int role = auth_role_from_text(role_text);
    if (role < 0)
        return fail(err, ERROR_INVALID, "role: \"%s\" is none of view, edit, admin", role_text);
    int64_t lifetime_s = json_int_at(body, "lifetimeSeconds", 0);
    if (lifetime_s < 0)
        return fail(err, ERROR_INVALID, "lifetimeSeconds: %lld is negative; 0 is for ever", (long long)lifetime_s);
    auto_free char *token = NULL;
    if (auth_token_create(call->api->store, user, (enum auth_role)role, lifetime_s, &token, err) < 0)
        return -1;
    auto_free char *id = must_strndup(token, strcspn(token, "."));
    audit(call, id, 201);
    call_answer_after_commit(
        call, 201,
        json_pack("{s:s, s:s, s:s}", "user", user, "role", auth_role_text((enum auth_role)role), "token", token));
    return 0;
}

int tokens_collection(struct call *call, struct error *err)
{
    if (only_admins(call, err) < 0)
        return -1;
    if (http_method(call->http) == HTTP_POST)
        return create(call, err);
    call_answer(call, 200, json_pack("{s:o}", "items", auth_token_list(call->api->store)));
    return 0;
}

int tokens_one(struct call *call, struct error *err)
{
    if (only_admins(call, err) < 0)
        return -1;
    const char *id = strrchr(http_path(call->http), '/') + 1;
    if (auth_token_revoke(call->api->store, id, err) < 0)
        return -1;
    audit(call, id, 200);
    tunnels_end_of_token(call->api->tunnels, id); /* what is open was allowed to it */
    watches_end_of_token(call->api->watches, id);
    call_answer_after_commit(call, 200, json_pack("{s:s}", "id", id));
    return 0;
}
