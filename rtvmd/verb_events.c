#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rtvmd/remote.h"
#include "rtvmd/verbs.h"

struct events {
    struct remote_options remote;
    const char *for_name;
    bool all_namespaces;
    bool watch;
    enum remote_output output;
    struct client client;
};

static const char *time_of(const json_t *event)
{
    const char *last = json_text_at(event, "lastTimestamp", NULL);
    return last ? last : json_text_at(event, "metadata.creationTimestamp", "");
}

static void add_row(struct text_table *table, const json_t *event)
{
    text_table_cell(table, "%s", time_of(event));
    text_table_cell(table, "%s", json_text_at(event, "type", ""));
    text_table_cell(table, "%s", json_text_at(event, "reason", ""));
    text_table_cell(table, "%s/%s", json_text_at(event, "involvedObject.kind", ""),
                    json_text_at(event, "involvedObject.name", ""));
    int64_t count = json_int_at(event, "count", 1);
    if (count > 1)
        text_table_cell(table, "%s (%lld times)", json_text_at(event, "message", ""), (long long)count);
    else
        text_table_cell(table, "%s", json_text_at(event, "message", ""));
}

static bool print_event(json_t *line, void *arg)
{
    struct events *events = arg;
    const json_t *event = json_object_get(line, "object");
    const char *type = json_text_at(line, "type", "");
    if (strcmp(type, "ADDED") != 0 && strcmp(type, "MODIFIED") != 0)
        return true;
    if (events->for_name && strcmp(json_text_at(event, "involvedObject.name", ""), events->for_name) != 0)
        return true;
    struct text_table table = {.columns = 5};
    add_row(&table, event);
    auto_text out = {0};
    text_table_write(&table, &out);
    fputs(text_cstr(&out), stdout);
    fflush(stdout);
    return true;
}

static int by_time(const void *a, const void *b)
{
    return strcmp(time_of(*(json_t *const *)a), time_of(*(json_t *const *)b));
}

static void print_list(const struct events *events, const json_t *items)
{
    size_t count = 0;
    json_t **sorted = must_calloc(json_array_size(items), sizeof(json_t *));
    size_t i;
    json_t *event;
    json_array_foreach(items, i, event) if (!events->for_name || strcmp(json_text_at(event, "involvedObject.name", ""),
                                                                        events->for_name) == 0) sorted[count++] = event;
    qsort(sorted, count, sizeof(json_t *), by_time);
    struct text_table table = {.columns = 5};
    static const char *const HEAD[] = {"LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"};
    for (size_t h = 0; h < ARRAY_SIZE(HEAD); h++)
        text_table_cell(&table, "%s", HEAD[h]);
    for (i = 0; i < count; i++)
        add_row(&table, sorted[i]);
    auto_text out = {0};
    text_table_write(&table, &out);
    fputs(text_cstr(&out), stdout);
    fflush(stdout);
    free(sorted);
}

static int show(struct events *events, struct error *err)
{
    const struct remote_resource *resource = remote_resource("events", err);
    auto_free char *path = remote_path(resource, events->all_namespaces ? NULL : events->remote.namespace_, NULL, NULL);
    struct client_request request = {.method = "GET", .path = path};
    auto_reply reply = {0};
    if (client_call(&events->client, &request, &reply, err) < 0)
        return -1;
    if (events->output == REMOTE_TABLE || events->output == REMOTE_WIDE)
        print_list(events, json_object_get(reply.body, "items"));
    else
        remote_print(reply.body, events->output);
    if (!events->watch)
        return 0;
    auto_free char *watch =
        must_format("%s?watch=1&resourceVersion=%s", path, json_text_at(reply.body, "metadata.resourceVersion", "0"));
    return client_stream(&events->client, watch, NULL, 0, print_event, events, err);
}

int verb_events(int argc, char **argv)
{
    struct events events = {.remote = {.namespace_ = "default"}};
    const struct verb_option options[] = {
        REMOTE_NAMESPACE_OPTION(events.remote),
        {.letter = 'A', .name = "all-namespaces", .flag = &events.all_namespaces, .help = "In every namespace"},
        {.name = "for", .value = "NAME", .text = &events.for_name, .help = "Only about this object"},
        {.letter = 'w', .name = "watch", .flag = &events.watch, .help = "Go on and print what comes"},
        REMOTE_OUTPUT_OPTION(events.remote),
        REMOTE_SOCKET_OPTION(events.remote),
    };
    struct error err;
    int positional;
    bool done;
    if (verb_options("events", argc, argv, options, ARRAY_SIZE(options), &positional, &done, &err) < 0 ||
        (!done && remote_output(events.remote.output, &events.output, &err) < 0))
        return verb_fail("events", &err);
    if (done)
        return 0;
    client_init(&events.client, events.remote.socket);
    int r = show(&events, &err);
    client_finish(&events.client);
    return r < 0 ? verb_fail("events", &err) : 0;
}
