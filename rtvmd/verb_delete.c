#include <stdio.h>
#include <string.h>

#include "rtvmd/remote.h"
#include "rtvmd/verbs.h"

struct removal {
    struct remote_options remote;
    const char *files[REMOTE_FILES_MAX + 1];
    const char *grace;
    bool orphan;
    bool ignore_missing;
    bool wait;
    struct client client;
};

static bool is_gone(json_t *line, void *arg)
{
    (void)arg;
    return strcmp(json_text_at(line, "type", ""), "DELETED") != 0; /* go on until it is */
}

/* After the deletion was accepted: until the object is really gone. */
static int wait_gone(const struct removal *removal, const struct remote_resource *resource, const char *namespace_,
                     const char *name, struct error *err)
{
    auto_free char *path = remote_path(resource, namespace_, name, NULL);
    struct client_request request = {.method = "GET", .path = path};
    auto_reply reply = {0};
    struct error missing = {0};
    if (client_call(&removal->client, &request, &reply, &missing) < 0) {
        if (missing.kind == ERROR_NOT_FOUND)
            return 0;
        *err = missing;
        return -1;
    }
    auto_free char *collection = remote_path(resource, namespace_, NULL, NULL);
    auto_free char *watch = must_format("%s?watch=1&fieldSelector=metadata.name%%3D%s&resourceVersion=%s", collection,
                                        name, json_text_at(reply.body, "metadata.resourceVersion", "0"));
    return client_stream(&removal->client, watch, NULL, 0, is_gone, NULL, err);
}

static int remove_one(const struct removal *removal, const struct remote_resource *resource, const char *namespace_,
                      const char *name, struct error *err)
{
    auto_json *options = json_pack("{s:s, s:s}", "kind", "DeleteOptions", "apiVersion", "v1");
    uint64_t seconds;
    if (removal->grace) {
        if (!text_to_u64(removal->grace, &seconds))
            return fail(err, ERROR_BAD_REQUEST, "--grace-period \"%s\": want seconds", removal->grace);
        json_object_set_new(options, "gracePeriodSeconds", json_integer((json_int_t)seconds));
    }
    if (removal->orphan)
        json_object_set_new(options, "propagationPolicy", json_string("Orphan"));
    auto_free char *body = json_to_text(options);
    auto_free char *path = remote_path(resource, namespace_, name, NULL);
    struct client_request request = {.method = "DELETE",
                                     .path = path,
                                     .content_type = "application/json",
                                     .body = body,
                                     .body_length = strlen(body)};
    auto_reply reply = {0};
    int r = client_call(&removal->client, &request, &reply, err);
    remote_finish("delete", &reply, 0, NULL);
    if (r < 0)
        return err->kind == ERROR_NOT_FOUND && removal->ignore_missing ? 0 : -1;
    printf("%s \"%s\" deleted\n", resource->plural, name);
    fflush(stdout);
    return removal->wait ? wait_gone(removal, resource, namespace_, name, err) : 0;
}

static int remove_files(const struct removal *removal, struct error *err)
{
    auto_json *objects = remote_read_files(removal->files, err);
    if (!objects)
        return -1;
    int result = 0;
    size_t i;
    json_t *object;
    json_array_foreach(objects, i, object)
    {
        const struct remote_resource *resource = remote_resource_of(object, err);
        if (!resource ||
            remove_one(removal, resource, json_text_at(object, "metadata.namespace", removal->remote.namespace_),
                       json_text_at(object, "metadata.name", ""), err) < 0)
            result = -1;
    }
    return result;
}

static int remove_named(const struct removal *removal, int positional, char **argv, struct error *err)
{
    if (positional < 2)
        return fail(err, ERROR_BAD_REQUEST, "say what: rtvmd delete vm NAME…, or rtvmd delete -f FILE");
    const struct remote_resource *resource = remote_resource(argv[0], err);
    if (!resource)
        return -1;
    int result = 0;
    for (int i = 1; i < positional; i++)
        if (remove_one(removal, resource, removal->remote.namespace_, argv[i], err) < 0)
            result = -1;
    return result;
}

int verb_delete(int argc, char **argv)
{
    struct removal removal = {.remote = {.namespace_ = "default"}};
    const struct verb_option options[] = {
        {.letter = 'f',
         .name = "filename",
         .value = "FILE",
         .list = removal.files,
         .list_max = REMOTE_FILES_MAX,
         .help = "Delete what this manifest names; may be repeated"},
        REMOTE_NAMESPACE_OPTION(removal.remote),
        {.name = "grace-period",
         .value = "SECONDS",
         .text = &removal.grace,
         .help = "How long the guest may take to shut down"},
        {.name = "orphan", .flag = &removal.orphan, .help = "Keep the running instance of a deleted VM"},
        {.name = "ignore-not-found", .flag = &removal.ignore_missing, .help = "What is not there is fine"},
        {.name = "wait", .flag = &removal.wait, .help = "Return when it is really gone"},
        REMOTE_SOCKET_OPTION(removal.remote),
    };
    struct error err;
    int positional;
    bool done;
    if (verb_options("delete", argc, argv, options, ARRAY_SIZE(options), &positional, &done, &err) < 0)
        return verb_fail("delete", &err);
    if (done)
        return 0;
    client_init(&removal.client, removal.remote.socket);
    int r = removal.files[0] ? remove_files(&removal, &err) : remove_named(&removal, positional, argv, &err);
    client_finish(&removal.client);
    return r < 0 ? verb_fail("delete", &err) : 0;
}
