#include <stdio.h>
#include <string.h>
#include <time.h>

#include "rtvmd/remote.h"
#include "rtvmd/verbs.h"

static const char PATH[] = "/rtvmd/v1/tokens";

struct token {
    const char *socket;
    const char *user;
    const char *role;
    const char *lifetime;
    struct client client;
};

static int create(const struct token *t, struct error *err)
{
    uint64_t days = 0;
    if (t->lifetime && (!text_to_u64(t->lifetime, &days) || days > 36500))
        return fail(err, ERROR_BAD_REQUEST, "--days \"%s\": want a number of days", t->lifetime);
    auto_json *body = json_pack("{s:s, s:s, s:I}", "user", t->user ? t->user : "", "role", t->role, "lifetimeSeconds",
                                (json_int_t)days * 86400);
    auto_free char *text = json_to_text(body);
    struct client_request request = {
        .method = "POST", .path = PATH, .content_type = "application/json", .body = text, .body_length = strlen(text)};
    auto_reply reply = {0};
    if (client_call(&t->client, &request, &reply, err) < 0)
        return -1;
    puts(json_text_at(reply.body, "token", ""));
    fprintf(stderr, "Keep it: it is not shown again.\n");
    return 0;
}

static void day_cell(struct text_table *table, int64_t seconds)
{
    char day[32] = "never";
    time_t time = (time_t)seconds;
    struct tm broken;
    if (seconds > 0)
        strftime(day, sizeof day, "%Y-%m-%d", gmtime_r(&time, &broken));
    text_table_cell(table, "%s", day);
}

static int list(const struct token *t, struct error *err)
{
    struct client_request request = {.method = "GET", .path = PATH};
    auto_reply reply = {0};
    if (client_call(&t->client, &request, &reply, err) < 0)
        return -1;
    struct text_table table = {.columns = 5};
    static const char *const HEAD[] = {"ID", "USER", "ROLE", "CREATED", "EXPIRES"};
    for (size_t i = 0; i < ARRAY_SIZE(HEAD); i++)
        text_table_cell(&table, "%s", HEAD[i]);
    size_t i;
    json_t *token;
    json_array_foreach(json_object_get(reply.body, "items"), i, token)
    {
        text_table_cell(&table, "%s", json_text_at(token, "id", ""));
        text_table_cell(&table, "%s", json_text_at(token, "user", ""));
        text_table_cell(&table, "%s", json_text_at(token, "role", ""));
        day_cell(&table, json_int_at(token, "created", 0));
        day_cell(&table, json_int_at(token, "expires", 0));
    }
    auto_text out = {0};
    text_table_write(&table, &out);
    fputs(text_cstr(&out), stdout);
    return 0;
}

static int revoke(const struct token *t, const char *id, struct error *err)
{
    auto_text path = {0};
    text_printf(&path, "%s/", PATH);
    remote_escape(&path, id);
    struct client_request request = {.method = "DELETE", .path = text_cstr(&path)};
    auto_reply reply = {0};
    if (client_call(&t->client, &request, &reply, err) < 0)
        return -1;
    printf("token %s revoked\n", id);
    return 0;
}

int verb_token(int argc, char **argv)
{
    struct token t = {.role = "view"};
    const struct verb_option options[] = {
        {.name = "user", .value = "NAME", .text = &t.user, .help = "Who the token is for (create)"},
        {.name = "role", .value = "ROLE", .text = &t.role, .help = "view, edit or admin (create); view unless said"},
        {.name = "days", .value = "N", .text = &t.lifetime, .help = "How long it lives (create); for ever unless said"},
        REMOTE_SOCKET_OPTION(t),
    };
    struct error err;
    int positional;
    bool done;
    if (verb_options("token", argc, argv, options, ARRAY_SIZE(options), &positional, &done, &err) < 0)
        return verb_fail("token", &err);
    if (done)
        return 0;
    client_init(&t.client, t.socket);
    const char *what = positional > 0 ? argv[0] : "";
    int r;
    if (strcmp(what, "create") == 0 && positional == 1)
        r = create(&t, &err);
    else if (strcmp(what, "list") == 0 && positional == 1)
        r = list(&t, &err);
    else if (strcmp(what, "revoke") == 0 && positional == 2)
        r = revoke(&t, argv[1], &err);
    else
        r = fail(&err, ERROR_BAD_REQUEST, "want token create --user NAME --role ROLE, token list, or token revoke ID");
    client_finish(&t.client);
    return r < 0 ? verb_fail("token", &err) : 0;
}
