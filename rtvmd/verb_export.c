/* export: manifests for a KubeVirt elsewhere, or for the next host. */
#include <stdio.h>
#include <string.h>

#include "rtvmd/export.h"
#include "rtvmd/remote.h"
#include "rtvmd/verbs.h"

struct export
{
    struct remote_options remote;
    const char *selector;
    bool all_namespaces;
    struct client client;
    json_t *objects;
};

static int collect(struct export *e, const char *word, const char *name, struct error *err)
{
    const struct remote_resource *resource = remote_resource(word, err);
    if (!resource)
        return -1;
    if (strstr(" nodes events placements hostchanges latencytests ", resource->plural))
        return fail(err, ERROR_BAD_REQUEST, "%s are made by the daemon: there is nothing to export", resource->plural);
    auto_text path = {0};
    auto_free char *plain = remote_path(resource, e->all_namespaces ? NULL : e->remote.namespace_, name, NULL);
    text_append(&path, plain);
    if (e->selector && !name) {
        text_append(&path, "?labelSelector=");
        remote_escape(&path, e->selector);
    }
    struct client_request request = {.method = "GET", .path = text_cstr(&path)};
    auto_reply reply = {0};
    if (client_call(&e->client, &request, &reply, err) < 0)
        return -1;
    if (name) {
        json_array_append_new(e->objects, export_object(reply.body));
        return 0;
    }
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(reply.body, "items"), i, item)
    {
        bool is_default =
            strcmp(resource->kind, "Namespace") == 0 && strcmp(json_text_at(item, "metadata.name", ""), "default") == 0;
        if (export_is_wanted(item) && !is_default)
            json_array_append_new(e->objects, export_object(item));
    }
    return 0;
}

/* What others need comes first. */
static int collect_all(struct export *e, int positional, char **argv, struct error *err)
{
    static const char *const EVERYTHING[] = {"namespaces", "secrets", "configmaps", "persistentvolumeclaims",
                                             "vm",         "vmi"};
    if (positional == 0) {
        for (size_t i = e->all_namespaces ? 0 : 1; i < ARRAY_SIZE(EVERYTHING); i++)
            if (collect(e, EVERYTHING[i], NULL, err) < 0)
                return -1;
        return 0;
    }
    if (e->all_namespaces && positional > 1)
        return fail(err, ERROR_BAD_REQUEST, "a name is one namespace's: -n instead of -A");
    for (char *save = NULL, *word = strtok_r(argv[0], ",", &save); word; word = strtok_r(NULL, ",", &save)) {
        char *slash = strchr(word, '/'); /* vm/NAME */
        if (slash)
            *slash = '\0';
        for (int i = 1; i < positional || i == 1; i++)
            if (collect(e, word, i < positional ? argv[i] : slash ? slash + 1 : NULL, err) < 0)
                return -1;
    }
    return 0;
}

static void print(const json_t *objects, enum remote_output output)
{
    if (output == REMOTE_JSON || output == REMOTE_NAME) {
        auto_json *list = json_pack("{s:s, s:s, s:O}", "apiVersion", "v1", "kind", "List", "items", objects);
        bool one = json_array_size(objects) == 1;
        remote_print(one ? json_array_get(objects, 0) : list, output);
        return;
    }
    size_t i;
    json_t *object;
    json_array_foreach((json_t *)objects, i, object)
    {
        if (i > 0)
            puts("---");
        remote_print(object, REMOTE_YAML);
    }
}

int verb_export(int argc, char **argv)
{
    struct export e = {.remote = {.namespace_ = "default"}};
    const struct verb_option options[] = {
        REMOTE_NAMESPACE_OPTION(e.remote),
        {.letter = 'A', .name = "all-namespaces", .flag = &e.all_namespaces, .help = "Every namespace"},
        {.letter = 'l', .name = "selector", .value = "LABELS", .text = &e.selector, .help = "Only these labels"},
        {.letter = 'o', .name = "output", .value = "FORMAT", .text = &e.remote.output, .help = "yaml, json or name"},
        REMOTE_SOCKET_OPTION(e.remote),
    };
    struct error err;
    int positional;
    bool done;
    enum remote_output output = REMOTE_YAML;
    if (verb_options("export", argc, argv, options, ARRAY_SIZE(options), &positional, &done, &err) < 0 ||
        (!done && remote_output(e.remote.output, &output, &err) < 0))
        return verb_fail("export", &err);
    if (done)
        return 0;
    client_init(&e.client, e.remote.socket);
    e.objects = json_array();
    int r = collect_all(&e, positional, argv, &err);
    if (r == 0 && json_array_size(e.objects) == 0)
        fputs("Nothing to export.\n", stderr);
    else if (r == 0)
        print(e.objects, output);
    json_decref(e.objects);
    client_finish(&e.client);
    return r < 0 ? verb_fail("export", &err) : 0;
}
