/* wait: until a condition, a field, or the deletion of an object is true. It looks once, then follows the watch;
 * nothing is polled. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rtvmd/remote.h"
#include "rtvmd/verbs.h"

struct wait {
    struct remote_options remote;
    const char *for_what;
    const char *timeout;
    struct client client;
    bool is_delete;
    char *path; /* of a field; NULL: a condition */
    char *condition;
    char *value;
    bool met;
};

/* "condition=Ready", "condition=Paused=False", "jsonpath={.status.phase}=Running", "delete" */
static int wait_parse(struct wait *wait, struct error *err)
{
    const char *what = wait->for_what;
    if (what && strcmp(what, "delete") == 0) {
        wait->is_delete = true;
        return 0;
    }
    const char *equals = what ? strchr(what, '=') : NULL;
    const char *value = equals ? strchr(equals + 1, '=') : NULL;
    if (equals && text_starts_with(what, "condition=") && equals[1]) {
        wait->condition = must_strndup(equals + 1, value ? (size_t)(value - equals - 1) : strlen(equals + 1));
        wait->value = must_strdup(value ? value + 1 : "True");
        return 0;
    }
    if (equals && value && text_starts_with(what, "jsonpath=")) {
        const char *from = equals + 1 + strspn(equals + 1, "'{.");
        size_t length = (size_t)(value - from);
        while (length > 0 && strchr("'}", from[length - 1]))
            length--;
        wait->path = must_strndup(from, length);
        wait->value = must_strdup(value + 1);
        return 0;
    }
    return fail(err, ERROR_BAD_REQUEST, "--for \"%s\": want condition=TYPE[=STATUS], jsonpath={.PATH}=VALUE or delete",
                what ? what : "");
}

static bool is_met(const struct wait *wait, const json_t *object)
{
    if (wait->is_delete)
        return false;
    if (wait->path)
        return strcmp(json_text_at(object, wait->path, ""), wait->value) == 0;
    size_t i;
    json_t *condition;
    json_array_foreach(json_at(object, "status.conditions"), i,
                       condition) if (strcmp(json_text_at(condition, "type", ""), wait->condition) ==
                                      0) return strcmp(json_text_at(condition, "status", ""), wait->value) == 0;
    return false;
}

static bool look(json_t *line, void *arg)
{
    struct wait *wait = arg;
    bool deleted = strcmp(json_text_at(line, "type", ""), "DELETED") == 0;
    wait->met = deleted ? wait->is_delete : is_met(wait, json_object_get(line, "object"));
    return !wait->met;
}

/* "30", "30s", "2m", "1h" */
static int timeout_ms(const char *text, uint64_t *ret_ms, struct error *err)
{
    auto_free char *digits = must_strndup(text, strspn(text, "0123456789"));
    const char *unit = text + strlen(digits);
    uint64_t scale = strcmp(unit, "h") == 0 ? 3600 : strcmp(unit, "m") == 0 ? 60 : 1;
    uint64_t value;
    if ((*unit && !strchr("smh", *unit)) || (*unit && unit[1]) || !text_to_u64(digits, &value) || value > 1u << 24)
        return fail(err, ERROR_BAD_REQUEST, "--timeout \"%s\": want seconds, or 30s, 2m, 1h", text);
    *ret_ms = value * scale * 1000;
    return 0;
}

static int wait_for(struct wait *wait, const struct remote_resource *resource, const char *name, uint64_t deadline,
                    struct error *err)
{
    auto_free char *collection = remote_path(resource, wait->remote.namespace_, NULL, NULL);
    auto_free char *list = must_format("%s?fieldSelector=metadata.name%%3D%s", collection, name);
    for (;;) {
        struct client_request request = {.method = "GET", .path = list};
        auto_reply reply = {0};
        if (client_call(&wait->client, &request, &reply, err) < 0)
            return -1;
        const json_t *object = json_at(reply.body, "items.0");
        if (wait->is_delete ? !object : object && is_met(wait, object))
            return 0;
        wait->met = false;
        auto_free char *watch = must_format("%s&watch=1&resourceVersion=%s", list,
                                            json_text_at(reply.body, "metadata.resourceVersion", "0"));
        if (client_stream(&wait->client, watch, NULL, deadline, look, wait, err) < 0)
            return err->kind == ERROR_TIMEOUT
                       ? fail(err, ERROR_TIMEOUT, "timed out waiting for %s of %s%s", wait->for_what, name,
                              object || wait->is_delete ? "" : ", which was not there")
                       : -1;
        if (wait->met)
            return 0;
    }
}

int verb_wait(int argc, char **argv)
{
    struct wait wait = {.remote = {.namespace_ = "default"}, .timeout = "30s"};
    const struct verb_option options[] = {
        {.name = "for",
         .value = "WHAT",
         .text = &wait.for_what,
         .help = "condition=TYPE[=STATUS], jsonpath={.PATH}=VALUE or delete"},
        {.name = "timeout", .value = "TIME", .text = &wait.timeout, .help = "30s, 2m, 1h; 30s unless said"},
        REMOTE_NAMESPACE_OPTION(wait.remote),
        REMOTE_SOCKET_OPTION(wait.remote),
    };
    struct error err;
    int positional;
    bool done;
    uint64_t timeout = 0;
    if (verb_options("wait", argc, argv, options, ARRAY_SIZE(options), &positional, &done, &err) < 0 ||
        (!done && timeout_ms(wait.timeout, &timeout, &err) < 0))
        return verb_fail("wait", &err);
    if (done)
        return 0;
    const char *slash = positional > 0 ? strchr(argv[0], '/') : NULL;
    const char *name = slash ? slash + 1 : positional > 1 ? argv[1] : NULL;
    auto_free char *word = must_strndup(positional > 0 ? argv[0] : "", positional > 0 ? strcspn(argv[0], "/") : 0);
    const struct remote_resource *resource = NULL;
    int r = name ? 0 : fail(&err, ERROR_BAD_REQUEST, "say what: rtvmd wait vmi NAME --for condition=Ready");
    if (r == 0)
        r = (resource = remote_resource(word, &err)) ? wait_parse(&wait, &err) : -1;
    client_init(&wait.client, wait.remote.socket);
    if (r == 0)
        r = wait_for(&wait, resource, name, now_monotonic_ms() + timeout, &err);
    if (r == 0)
        printf("%s/%s %s\n", resource->plural, name, wait.is_delete ? "deleted" : "condition met");
    client_finish(&wait.client);
    free(wait.path);
    free(wait.condition);
    free(wait.value);
    return r < 0 ? verb_fail("wait", &err) : 0;
}
