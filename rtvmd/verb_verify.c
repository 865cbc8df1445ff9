/* verify: is every thread of a running VM where the plan says? The daemon looks now; exit 1 on drift. */
#include <stdio.h>
#include <string.h>

#include "rtvmd/remote.h"
#include "rtvmd/verbs.h"
#include "runtime/prove/prove.h"

static int verify(const struct client *client, const struct remote_options *remote, const char *name, bool repair,
                  enum remote_output output, bool *ret_ok, struct error *err)
{
    const struct remote_resource *resource = remote_resource("placements", err);
    auto_free char *path = remote_path(resource, remote->namespace_, name, "verify");
    auto_free char *full = must_format("%s?repair=%s", path, repair ? "true" : "false");
    struct client_request request = {.method = "GET", .path = full};
    auto_reply reply = {0};
    if (client_call(client, &request, &reply, err) < 0)
        return -1;
    *ret_ok = json_bool_at(reply.body, "ok", false);
    if (output == REMOTE_JSON || output == REMOTE_YAML) {
        remote_print(reply.body, output);
        return 0;
    }
    auto_text out = {0};
    proof_write_table(reply.body, &out);
    fputs(text_cstr(&out), stdout);
    int64_t repaired = json_int_at(reply.body, "repaired", 0);
    if (repaired > 0)
        printf("%lld put back where the plan says\n", (long long)repaired);
    return 0;
}

int verb_verify(int argc, char **argv)
{
    struct remote_options remote = {.namespace_ = "default"};
    enum remote_output output = REMOTE_TABLE;
    bool repair = false;
    const struct verb_option options[] = {
        {.name = "repair", .flag = &repair, .help = "Put drifted threads back"},
        REMOTE_NAMESPACE_OPTION(remote),
        REMOTE_OUTPUT_OPTION(remote),
        REMOTE_SOCKET_OPTION(remote),
    };
    struct error err;
    int positional;
    bool done;
    if (verb_options("verify", argc, argv, options, ARRAY_SIZE(options), &positional, &done, &err) < 0 ||
        (!done && remote_output(remote.output, &output, &err) < 0))
        return verb_fail("verify", &err);
    if (done)
        return 0;
    if (positional != 1) {
        fail(&err, ERROR_BAD_REQUEST, "say which: rtvmd verify NAME");
        return verb_fail("verify", &err);
    }
    auto_client client;
    client_init(&client, remote.socket);
    bool ok = false;
    if (verify(&client, &remote, argv[0], repair, output, &ok, &err) < 0)
        return verb_fail("verify", &err);
    return ok ? 0 : 1;
}
