/* start, stop, restart, pause, unpause, softreboot, reset, freeze, unfreeze: one subresource call each, said as virtctl
 * says it. */
#include <stdio.h>
#include <string.h>

#include "rtvmd/remote.h"
#include "rtvmd/verbs.h"

struct action {
    const char *verb;
    const char *plural;
    const char *subresource;
    const char *kind;
    const char *said;      /* "NAME was scheduled to …" */
    const char *grace_key; /* of the body's grace period; NULL: none */
};

static const struct action ACTIONS[] = {
    {"start", "virtualmachines", "start", "VM", "start", NULL},
    {"stop", "virtualmachines", "stop", "VM", "stop", "gracePeriod"},
    {"restart", "virtualmachines", "restart", "VM", "restart", "gracePeriodSeconds"},
    {"pause", "virtualmachineinstances", "pause", "VMI", "pause", NULL},
    {"unpause", "virtualmachineinstances", "unpause", "VMI", "unpause", NULL},
    {"softreboot", "virtualmachineinstances", "softreboot", "VMI", "soft-reboot", NULL},
    {"reset", "virtualmachineinstances", "reset", "VMI", "reset", NULL},
    {"freeze", "virtualmachineinstances", "freeze", "VMI", "freeze", NULL},
    {"unfreeze", "virtualmachineinstances", "unfreeze", "VMI", "unfreeze", NULL},
};

static int act(const struct action *action, const struct client *client, const char *namespace_, const char *name,
               const char *grace, bool paused, struct error *err)
{
    auto_json *body = json_object();
    uint64_t seconds;
    if (grace && !text_to_u64(grace, &seconds))
        return fail(err, ERROR_BAD_REQUEST, "--grace-period \"%s\": want seconds", grace);
    if (grace)
        json_object_set_new(body, action->grace_key, json_integer((json_int_t)seconds));
    if (paused)
        json_object_set_new(body, "paused", json_true());
    auto_free char *text = json_to_text(body);
    auto_free char *path = remote_subresource_path(action->plural, namespace_, name, action->subresource);
    struct client_request request = {
        .method = "PUT", .path = path, .content_type = "application/json", .body = text, .body_length = strlen(text)};
    auto_reply reply = {0};
    int r = client_call(client, &request, &reply, err);
    remote_finish(action->verb, &reply, 0, NULL);
    if (r == 0)
        printf("%s %s was scheduled to %s\n", action->kind, name, action->said);
    return r;
}

static int act_verb(int argc, char **argv)
{
    const struct action *action = ACTIONS; /* argv[0] is one of them: main dispatched on it */
    while (strcmp(action->verb, argv[0]) != 0)
        action++;
    struct remote_options remote = {.namespace_ = "default"};
    const char *grace = NULL;
    bool paused = false;
    struct verb_option options[4] = {REMOTE_NAMESPACE_OPTION(remote), REMOTE_SOCKET_OPTION(remote)};
    size_t count = 2;
    if (action->grace_key)
        options[count++] = (struct verb_option){.name = "grace-period",
                                                .value = "SECONDS",
                                                .text = &grace,
                                                .help = "How long the guest may take to shut down"};
    if (strcmp(action->verb, "start") == 0)
        options[count++] = (struct verb_option){.name = "paused", .flag = &paused, .help = "Start, but do not run yet"};
    struct error err;
    int positional;
    bool done;
    if (verb_options(action->verb, argc, argv, options, count, &positional, &done, &err) < 0)
        return verb_fail(action->verb, &err);
    if (done)
        return 0;
    if (positional == 0) {
        fail(&err, ERROR_BAD_REQUEST, "say which: rtvmd %s NAME", action->verb);
        return verb_fail(action->verb, &err);
    }
    auto_client client;
    client_init(&client, remote.socket);
    int code = 0;
    for (int i = 0; i < positional; i++)
        if (act(action, &client, remote.namespace_, argv[i], grace, paused, &err) < 0)
            code = verb_fail(action->verb, &err);
    return code;
}

int verb_start(int argc, char **argv)
{
    return act_verb(argc, argv);
}

int verb_stop(int argc, char **argv)
{
    return act_verb(argc, argv);
}

int verb_restart(int argc, char **argv)
{
    return act_verb(argc, argv);
}

int verb_pause(int argc, char **argv)
{
    return act_verb(argc, argv);
}

int verb_unpause(int argc, char **argv)
{
    return act_verb(argc, argv);
}

int verb_softreboot(int argc, char **argv)
{
    return act_verb(argc, argv);
}

int verb_reset(int argc, char **argv)
{
    return act_verb(argc, argv);
}

int verb_freeze(int argc, char **argv)
{
    return act_verb(argc, argv);
}

int verb_unfreeze(int argc, char **argv)
{
    return act_verb(argc, argv);
}
