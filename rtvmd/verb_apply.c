/* apply and create: objects from files to the daemon. apply is server-side apply, so that what was set by others stays
 * theirs; create refuses what is there already. */
#include <stdio.h>
#include <string.h>

#include "rtvmd/remote.h"
#include "rtvmd/verbs.h"

struct apply {
    struct remote_options remote;
    const char *files[REMOTE_FILES_MAX + 1];
    const char *namespace_name; /* "create namespace NAME": no files; NULL otherwise */
    bool dry_run;
    bool strict;
    bool force;
    bool is_create;
    enum remote_output output;
    struct client client;
};

static const char *name_of(const struct apply *apply)
{
    return apply->is_create ? "create" : "apply";
}

static char *version_there(const struct apply *apply, const char *path)
{
    struct client_request request = {.method = "GET", .path = path};
    auto_reply reply = {0};
    struct error err;
    if (client_call(&apply->client, &request, &reply, &err) < 0)
        return NULL;
    return must_strdup(json_text_at(reply.body, "metadata.resourceVersion", ""));
}

static int send_object(const struct apply *apply, const json_t *object, const char *path, struct client_reply *reply,
                       struct error *err)
{
    auto_free char *body = json_to_text(object);
    auto_free char *full = must_format("%s?fieldValidation=%s%s%s", path, apply->strict ? "Strict" : "Warn",
                                       apply->dry_run ? "&dryRun=All" : "",
                                       apply->is_create ? ""
                                       : apply->force   ? "&fieldManager=rtvmd&force=true"
                                                        : "&fieldManager=rtvmd");
    struct client_request request = {
        .method = apply->is_create ? "POST" : "PATCH",
        .path = full,
        .content_type = apply->is_create ? "application/json" : "application/apply-patch+yaml",
        .body = body,
        .body_length = strlen(body),
    };
    return client_call(&apply->client, &request, reply, err);
}

static int apply_object(const struct apply *apply, json_t *object, struct error *err)
{
    const struct remote_resource *resource = remote_resource_of(object, err);
    if (!resource)
        return -1;
    const char *name = json_text_at(object, "metadata.name", NULL);
    if (!name && !apply->is_create)
        return fail(err, ERROR_BAD_REQUEST, "metadata.name: apply needs one (create takes metadata.generateName too)");
    auto_free char *namespace_ = must_strdup(json_text_at(object, "metadata.namespace", apply->remote.namespace_));
    if (resource->namespaced)
        json_put_at(object, "metadata.namespace", json_string(namespace_));
    auto_free char *path = remote_path(resource, namespace_, apply->is_create ? NULL : name, NULL);
    auto_free char *before = apply->is_create ? NULL : version_there(apply, path);
    auto_reply reply = {0};
    int r = send_object(apply, object, path, &reply, err);
    remote_finish(name_of(apply), &reply, 0, NULL);
    if (r < 0)
        return r;
    if (apply->output == REMOTE_JSON || apply->output == REMOTE_YAML || apply->output == REMOTE_NAME) {
        remote_print(reply.body, apply->output);
        return 0;
    }
    const char *after = json_text_at(reply.body, "metadata.resourceVersion", "");
    auto_free char *said = remote_name(reply.body);
    printf("%s %s%s\n", said,
           !before                      ? "created"
           : strcmp(before, after) == 0 ? "unchanged"
                                        : "configured",
           apply->dry_run ? " (server dry run)" : "");
    return 0;
}

/* "create namespace NAME", the one object that needs no file: nothing but its name is ever said of it. */
static int parse_words(struct apply *apply, int count, char **words, struct error *err)
{
    if (count == 0)
        return 0;
    const struct remote_resource *resource = apply->is_create ? remote_resource(words[0], err) : NULL;
    if (apply->is_create && !resource)
        return -1;
    if (!resource || strcmp(resource->kind, "Namespace") != 0 || count != 2 || apply->files[0])
        return fail(err, ERROR_BAD_REQUEST, "\"%s\": want -f FILE%s", words[0],
                    apply->is_create ? ", or namespace NAME without a file" : "");
    apply->namespace_name = words[1];
    return 0;
}

static json_t *read_objects(const struct apply *apply, struct error *err)
{
    if (!apply->namespace_name)
        return remote_read_files(apply->files, err);
    return json_pack("[{s:s, s:s, s:{s:s}}]", "apiVersion", "v1", "kind", "Namespace", "metadata", "name",
                     apply->namespace_name);
}

static int apply_all(struct apply *apply, struct error *err)
{
    auto_json *objects = read_objects(apply, err);
    if (!objects)
        return -1;
    int result = 0;
    size_t i;
    json_t *object;
    json_array_foreach(objects, i, object)
    {
        struct error one;
        if (apply_object(apply, object, &one) == 0)
            continue;
        if (result < 0)
            verb_fail(name_of(apply), err); /* the last one is told by the caller */
        *err = one;
        auto_free char *said = remote_name(object);
        result = error_prefix(err, "%s", said);
    }
    return result;
}

static int run(int argc, char **argv, bool is_create)
{
    struct apply apply = {.remote = {.namespace_ = "default"}, .is_create = is_create, .force = true};
    bool no_force = false;
    const struct verb_option options[] = {
        {.letter = 'f',
         .name = "filename",
         .value = "FILE",
         .list = apply.files,
         .list_max = REMOTE_FILES_MAX,
         .help = "Manifest, YAML or JSON; - is standard input; may be repeated"},
        REMOTE_NAMESPACE_OPTION(apply.remote),
        {.name = "dry-run", .flag = &apply.dry_run, .help = "Check and place it, but store nothing"},
        {.name = "strict", .flag = &apply.strict, .help = "Refuse unknown fields instead of warning"},
        {.name = "no-force", .flag = &no_force, .help = "Refuse to change fields that others set"},
        REMOTE_OUTPUT_OPTION(apply.remote),
        REMOTE_SOCKET_OPTION(apply.remote),
    };
    struct error err;
    int positional;
    bool done;
    if (verb_options(name_of(&apply), argc, argv, options, ARRAY_SIZE(options), &positional, &done, &err) < 0 ||
        (!done && (remote_output(apply.remote.output, &apply.output, &err) < 0 ||
                   parse_words(&apply, positional, argv, &err) < 0)))
        return verb_fail(name_of(&apply), &err);
    if (done)
        return 0;
    apply.force = !no_force;
    client_init(&apply.client, apply.remote.socket);
    int r = apply_all(&apply, &err);
    client_finish(&apply.client);
    return r < 0 ? verb_fail(name_of(&apply), &err) : 0;
}

int verb_apply(int argc, char **argv)
{
    return run(argc, argv, false);
}

int verb_create(int argc, char **argv)
{
    return run(argc, argv, true);
}
