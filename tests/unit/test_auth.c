#include "api/identity/auth.c"

#include <unistd.h>

#include "rtvmd/base/file.h"
#include "tests/test.h"

static struct store *store;

static enum auth_role role_of(const char *authorization, enum error_kind *ret_kind)
{
    struct http_peer remote = {.address = "192.0.2.1"};
    struct auth_identity identity;
    struct error err = {0};
    int r = auth_identify(store, &remote, false, NULL, authorization, &identity, &err);
    *ret_kind = r < 0 ? err.kind : ERROR_NONE;
    return r < 0 ? AUTH_NONE : identity.role;
}

static void tokens_live_as_hashes_until_they_are_revoked(void)
{
    struct error err = {0};
    char *token = NULL;
    CHECK_INT(auth_token_create(store, "ci", AUTH_EDIT, 0, &token, &err), 0);
    auto_free char *kept = store_value_get(store, TOKENS);
    CHECK(kept && strstr(kept, strchr(token, '.') + 1) == NULL); /* the secret is nowhere */
    auto_free char *header = must_format("Bearer %s", token);
    enum error_kind kind;
    CHECK_INT(role_of(header, &kind), AUTH_EDIT);
    header[strlen(header) - 1] ^= 1;
    CHECK_INT(role_of(header, &kind), AUTH_NONE);
    CHECK_INT(kind, ERROR_UNAUTHORIZED);
    header[strlen(header) - 1] ^= 1;
    auto_json *list = auth_token_list(store);
    CHECK_INT(json_array_size(list), 1);
    CHECK(json_at(list, "0.sha256") == NULL);
    CHECK_INT(auth_token_revoke(store, json_text_at(list, "0.id", ""), &err), 0);
    CHECK_INT(role_of(header, &kind), AUTH_NONE);
    CHECK_INT(auth_token_revoke(store, "none", &err), -1);
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    free(token);
}

static void strange_headers_are_unauthorized(void)
{
    static const char *const HEADERS[] = {NULL, "", "Bearer ", "Bearer x", "Bearer .", "Basic YTpi", "bearer a.b"};
    for (size_t i = 0; i < ARRAY_SIZE(HEADERS); i++) {
        enum error_kind kind;
        CHECK_INT(role_of(HEADERS[i], &kind), AUTH_NONE);
        CHECK_INT(kind, ERROR_UNAUTHORIZED);
    }
}

static void expired_tokens_are_refused(void)
{
    struct error err = {0};
    char *token = NULL;
    CHECK_INT(auth_token_create(store, "old", AUTH_ADMIN, 1000, &token, &err), 0);
    auto_json *tokens = tokens_load(store);
    json_object_set_new(json_array_get(tokens, 0), "expires", json_integer(now_wall_s() - 1));
    CHECK_INT(tokens_save(store, tokens, &err), 0);
    auto_free char *header = must_format("Bearer %s", token);
    enum error_kind kind;
    CHECK_INT(role_of(header, &kind), AUTH_NONE);
    free(token);
}

static void roles_come_from_certificates(void)
{
    struct http_peer remote = {.address = "192.0.2.1"};
    struct tls_peer certificate = {
        .common_name = "ada", .organization = {"people", "rtvmd:view"}, .organization_count = 2};
    struct auth_identity identity;
    struct error err;
    CHECK_INT(auth_identify(store, &remote, false, &certificate, NULL, &identity, &err), 0);
    CHECK_INT(identity.role, AUTH_VIEW);
    CHECK_TEXT(identity.user, "ada");
    certificate.organization_count = 1;
    CHECK_INT(auth_identify(store, &remote, false, &certificate, NULL, &identity, &err), 0);
    CHECK_INT(identity.role, AUTH_NONE); /* known, and may do nothing */
    struct http_peer local = {.local = true, .uid = 1000};
    CHECK_INT(auth_identify(store, &local, false, NULL, NULL, &identity, &err), 0);
    CHECK_TEXT(identity.user, "uid:1000");
    CHECK_INT(identity.role, AUTH_ADMIN);
}

static void roles_allow_what_the_table_says(void)
{
    static const struct {
        const char *verb;
        const char *resource;
        const char *subresource;
        enum auth_role least;
    } CASES[] = {
        {"get", "virtualmachines", "", AUTH_VIEW},
        {"watch", "events", "", AUTH_VIEW},
        {"list", "secrets", "", AUTH_EDIT},
        {"create", "virtualmachines", "", AUTH_EDIT},
        {"update", "virtualmachines", "start", AUTH_EDIT},
        {"get", "virtualmachineinstances", "console", AUTH_EDIT},
        {"get", "virtualmachineinstances", "guestosinfo", AUTH_VIEW},
        {"delete", "namespaces", "", AUTH_ADMIN},
        {"create", "selfsubjectaccessreviews", "", AUTH_VIEW},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct auth_request request = {CASES[i].verb,        "kubevirt.io", CASES[i].resource,
                                       CASES[i].subresource, "default",     "x"};
        for (int role = AUTH_NONE; role < AUTH_ROLE_COUNT; role++)
            CHECK_INT(auth_allows((enum auth_role)role, &request), role >= (int)CASES[i].least);
    }
    struct auth_identity bob = {.user = "bob", .role = AUTH_VIEW};
    struct auth_request request = {"delete", "kubevirt.io", "virtualmachines", "", "default", "a"};
    struct error err;
    CHECK_INT(auth_check(&bob, &request, &err), -1);
    CHECK_TEXT(err.text, "virtualmachines.kubevirt.io \"a\" is forbidden: User \"bob\" cannot delete resource "
                         "\"virtualmachines\" in API group \"kubevirt.io\" in the namespace \"default\"");
}

int main(void)
{
    char folder[] = "/tmp/rtvmd-auth-XXXXXX";
    struct error err = {0};
    if (!mkdtemp(folder) || !(store = store_open(folder, NULL, &err))) {
        printf("Bail out! %s\n", err.text);
        return 1;
    }
    RUN(tokens_live_as_hashes_until_they_are_revoked);
    RUN(strange_headers_are_unauthorized);
    RUN(expired_tokens_are_refused);
    RUN(roles_come_from_certificates);
    RUN(roles_allow_what_the_table_says);
    store_close(store);
    file_remove_tree(folder, &err);
    return test_end();
}
