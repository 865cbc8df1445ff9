/* describe: one object for a person: what it is, how it is, what happened to it. */
#include <stdio.h>
#include <string.h>

#include "rtvmd/remote.h"
#include "rtvmd/verbs.h"
#include "runtime/spec/yaml.h"

static void print_map(const char *title, const json_t *map)
{
    const char *key;
    json_t *value;
    const char *before = title;
    json_object_foreach((json_t *)map, key, value)
    {
        printf("%-14s%s=%s\n", before, key, json_is_string(value) ? json_string_value(value) : "…");
        before = "";
    }
}

static void print_conditions(const json_t *conditions)
{
    if (json_array_size(conditions) == 0)
        return;
    struct text_table table = {.columns = 4};
    static const char *const HEAD[] = {"  Type", "Status", "Reason", "Message"};
    for (size_t i = 0; i < ARRAY_SIZE(HEAD); i++)
        text_table_cell(&table, "%s", HEAD[i]);
    size_t i;
    json_t *condition;
    json_array_foreach(conditions, i, condition)
    {
        text_table_cell(&table, "  %s", json_text_at(condition, "type", ""));
        text_table_cell(&table, "%s", json_text_at(condition, "status", ""));
        text_table_cell(&table, "%s", json_text_at(condition, "reason", ""));
        text_table_cell(&table, "%s", json_text_at(condition, "message", ""));
    }
    auto_text out = {0};
    text_table_write(&table, &out);
    printf("Conditions:\n%s", text_cstr(&out));
}

static void print_section(const char *title, const json_t *value, const char *left_out)
{
    if (!json_is_object(value) || json_object_size(value) == 0)
        return;
    auto_json *copy = json_copy((json_t *)value);
    json_object_del(copy, left_out);
    auto_text yaml = {0};
    yaml_write(copy, &yaml);
    printf("%s:\n", title);
    for (const char *line = text_cstr(&yaml); *line;) {
        size_t length = strcspn(line, "\n");
        printf("  %.*s\n", (int)length, line);
        line += length + (line[length] == '\n');
    }
}

static void print_events(const struct client *client, const json_t *object)
{
    auto_text path = {0};
    text_printf(&path,
                "/api/v1/namespaces/%s/events?fieldSelector=", json_text_at(object, "metadata.namespace", "default"));
    auto_free char *selector = must_format("involvedObject.uid=%s", json_text_at(object, "metadata.uid", ""));
    remote_escape(&path, selector);
    struct client_request request = {.method = "GET", .path = text_cstr(&path)};
    auto_reply reply = {0};
    struct error err;
    if (client_call(client, &request, &reply, &err) < 0 || json_array_size(json_object_get(reply.body, "items")) == 0) {
        puts("Events:       none");
        return;
    }
    puts("Events:");
    size_t i;
    json_t *event;
    json_array_foreach(json_object_get(reply.body, "items"), i, event)
        printf("  %-8s %-24s %s\n", json_text_at(event, "type", ""), json_text_at(event, "reason", ""),
               json_text_at(event, "message", ""));
}

static int describe(const struct client *client, const struct remote_options *remote, const char *word,
                    const char *name, struct error *err)
{
    const struct remote_resource *resource = remote_resource(word, err);
    if (!resource)
        return -1;
    auto_free char *path = remote_path(resource, remote->namespace_, name, NULL);
    struct client_request request = {.method = "GET", .path = path};
    auto_reply reply = {0};
    if (client_call(client, &request, &reply, err) < 0)
        return -1;
    const json_t *object = reply.body;
    printf("%-14s%s\n", "Name:", json_text_at(object, "metadata.name", ""));
    if (resource->namespaced)
        printf("%-14s%s\n", "Namespace:", json_text_at(object, "metadata.namespace", ""));
    printf("%-14s%s\n%-14s%s\n", "Kind:", json_text_at(object, "kind", ""),
           "Created:", json_text_at(object, "metadata.creationTimestamp", ""));
    print_map("Labels:", json_at(object, "metadata.labels"));
    print_map("Annotations:", json_at(object, "metadata.annotations"));
    const char *state = json_text_at(object, "status.printableStatus", json_text_at(object, "status.phase", NULL));
    if (state)
        printf("%-14s%s\n", "Status:", state);
    print_conditions(json_at(object, "status.conditions"));
    print_section("Spec", json_object_get(object, "spec"), "");
    print_section("Details", json_object_get(object, "status"), "conditions");
    print_events(client, object);
    return 0;
}

int verb_describe(int argc, char **argv)
{
    struct remote_options remote = {.namespace_ = "default"};
    const struct verb_option options[] = {REMOTE_NAMESPACE_OPTION(remote), REMOTE_SOCKET_OPTION(remote)};
    struct error err;
    int positional;
    bool done;
    if (verb_options("describe", argc, argv, options, ARRAY_SIZE(options), &positional, &done, &err) < 0)
        return verb_fail("describe", &err);
    if (done)
        return 0;
    if (positional < 2) {
        fail(&err, ERROR_BAD_REQUEST, "say what: rtvmd describe vmi NAME");
        return verb_fail("describe", &err);
    }
    auto_client client;
    client_init(&client, remote.socket);
    int code = 0;
    for (int i = 1; i < positional; i++)
        if (describe(&client, &remote, argv[0], argv[i], &err) < 0)
            code = verb_fail("describe", &err);
    return code;
}
