#include <stdio.h>
#include <string.h>

#include "rtvmd/remote.h"
#include "rtvmd/verbs.h"

struct get {
    struct remote_options remote;
    const char *selector;
    const char *fields;
    bool all_namespaces;
    bool watch;
    bool no_headers;
    enum remote_output output;
    struct client client;
};

static char *query_of(const struct get *get, bool watch, const char *version)
{
    auto_text query = {0};
    const char *separator = "?";
    const struct {
        const char *name;
        const char *value;
    } parts[] = {
        {"labelSelector", get->selector},
        {"fieldSelector", get->fields},
        {"watch", watch ? "1" : NULL},
        {"resourceVersion", version},
    };
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        if (!parts[i].value)
            continue;
        text_printf(&query, "%s%s=", separator, parts[i].name);
        remote_escape(&query, parts[i].value);
        separator = "&";
    }
    return text_take(&query);
}

static void print_value(const struct get *get, const json_t *value, bool with_header)
{
    bool with_namespace = get->all_namespaces;
    if (strcmp(json_text_at(value, "kind", ""), "Table") == 0)
        remote_print_table(value, get->output == REMOTE_WIDE, with_namespace, with_header && !get->no_headers);
    else
        remote_print(value, get->output);
}

static bool print_event(json_t *line, void *arg)
{
    const struct get *get = arg;
    json_t *object = json_object_get(line, "object");
    if (strcmp(json_text_at(line, "type", ""), "BOOKMARK") != 0)
        print_value(get, object, false);
    fflush(stdout);
    return true;
}

static int get_one(struct get *get, const struct remote_resource *resource, const char *name, struct error *err)
{
    bool table = get->output == REMOTE_TABLE || get->output == REMOTE_WIDE;
    const char *accept = table ? REMOTE_ACCEPT_TABLE : NULL;
    const char *namespace_ = get->all_namespaces ? NULL : get->remote.namespace_;
    auto_free char *path = remote_path(resource, namespace_, name, NULL);
    auto_free char *query = name ? must_strdup("") : query_of(get, false, NULL);
    auto_free char *full = must_format("%s%s", path, query);
    struct client_request request = {.method = "GET", .path = full, .accept = accept};
    auto_reply reply = {0};
    int r = client_call(&get->client, &request, &reply, err);
    if (r < 0)
        return r;
    if (table && json_array_size(json_object_get(reply.body, "rows")) == 0 && !get->watch)
        fprintf(stderr, "No resources found%s%s%s.\n", namespace_ && resource->namespaced ? " in " : "",
                namespace_ && resource->namespaced ? namespace_ : "",
                namespace_ && resource->namespaced ? " namespace" : "");
    else
        print_value(get, reply.body, true);
    if (!get->watch)
        return 0;
    auto_free char *only = name ? must_format("metadata.name=%s", name) : NULL;
    if (name)
        get->fields = only;
    auto_free char *watch_query = query_of(get, true, json_text_at(reply.body, "metadata.resourceVersion", "0"));
    auto_free char *collection = remote_path(resource, namespace_, NULL, NULL);
    auto_free char *watch_path = must_format("%s%s", collection, watch_query);
    return client_stream(&get->client, watch_path, accept, 0, print_event, get, err);
}

static int get_all(struct get *get, int positional, char **argv, struct error *err)
{
    if (positional == 0)
        return fail(err, ERROR_BAD_REQUEST, "say what: rtvmd get vm, vmi, node, events, placements, …");
    bool several = strchr(argv[0], ',') != NULL;
    if (get->watch && (several || positional > 2))
        return fail(err, ERROR_BAD_REQUEST, "--watch takes one resource, and at most one name");
    int result = 0;
    for (char *save = NULL, *word = strtok_r(argv[0], ",", &save); word; word = strtok_r(NULL, ",", &save)) {
        const char *slash = strchr(word, '/'); /* vm/NAME */
        auto_free char *plain = must_strndup(word, strcspn(word, "/"));
        const struct remote_resource *resource = remote_resource(plain, err);
        if (!resource)
            return -1;
        for (int i = 1; i < positional || i == 1; i++)
            if (get_one(get, resource, i < positional ? argv[i] : slash ? slash + 1 : NULL, err) < 0)
                result = -1;
        if (several && get->output <= REMOTE_WIDE)
            puts("");
    }
    return result;
}

int verb_get(int argc, char **argv)
{
    struct get get = {.remote = {.namespace_ = "default"}};
    const struct verb_option options[] = {
        REMOTE_NAMESPACE_OPTION(get.remote),
        {.letter = 'A', .name = "all-namespaces", .flag = &get.all_namespaces, .help = "In every namespace"},
        {.letter = 'l', .name = "selector", .value = "LABELS", .text = &get.selector, .help = "Only these labels"},
        {.name = "field-selector", .value = "FIELDS", .text = &get.fields, .help = "Only these fields"},
        {.letter = 'w', .name = "watch", .flag = &get.watch, .help = "Go on and print what changes"},
        {.name = "no-headers", .flag = &get.no_headers, .help = "Rows only"},
        REMOTE_OUTPUT_OPTION(get.remote),
        REMOTE_SOCKET_OPTION(get.remote),
    };
    struct error err;
    int positional;
    bool done;
    if (verb_options("get", argc, argv, options, ARRAY_SIZE(options), &positional, &done, &err) < 0 ||
        (!done && remote_output(get.remote.output, &get.output, &err) < 0))
        return verb_fail("get", &err);
    if (done)
        return 0;
    client_init(&get.client, get.remote.socket);
    int r = get_all(&get, positional, argv, &err);
    client_finish(&get.client);
    return r < 0 ? verb_fail("get", &err) : 0;
}
