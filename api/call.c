#include "api/call.h"

#include <stdlib.h>
#include <string.h>

#include "api/metrics/meter.h"
#include "api/wire/protobuf.h"
#include "rtvmd/base/log.h"

void call_end(struct call *call, int status)
{
    meter_count(call->api->meter, call->verb, call->target.resource, status, now_monotonic_ns() - call->began_ns);
    free(call->created);
    free(call);
}

/* Who changed what, for the operator. Names that are none are left out: they are a client's bytes. */
static void audit(const struct call *call, int status, const json_t *value)
{
    const struct target *t = &call->target;
    if (!call->audited || !t->resource)
        return;
    const char *name = t->has_name ? t->name : json_text_at(value, "metadata.name", "");
    name = name_check(name) ? "" : name;
    if (!name[0] && call->created)
        name = call->created;
    auto_free char *resource = resource_full_name(t->resource);
    log_info("audit user=\"%s\" verb=%s resource=%s%s%s namespace=%s name=%s status=%d", call->who.user, call->audited,
             resource, t->sub[0] && !name_check(t->sub) ? "/" : "", name_check(t->sub) ? "" : t->sub,
             name_check(t->namespace_) ? "" : t->namespace_, name, status);
}

void call_end_upgraded(struct call *call)
{
    call->audited = call->verb;
    audit(call, 101, NULL);
    call_end(call, 101);
}

static bool wants_pretty(const struct call *call)
{
    static const char *const PEOPLE[] = {"curl/", "Wget/", "Mozilla/"};
    const char *pretty = http_query(call->http, "pretty");
    if (pretty)
        return strcmp(pretty, "true") == 0 || strcmp(pretty, "1") == 0 || pretty[0] == '\0';
    const char *agent = http_header(call->http, "User-Agent");
    for (size_t i = 0; agent && i < ARRAY_SIZE(PEOPLE); i++)
        if (text_starts_with(agent, PEOPLE[i]))
            return true;
    return false;
}

static void answer_body(struct call *call, int status, struct http_body *body)
{
    http_reply_body(call->http, status, "application/json", body);
    call_end(call, status);
}

static struct shared_text *pretty_text(json_t *value)
{
    struct text out = {0};
    json_write_pretty(value, &out);
    return shared_text_new(text_take(&out));
}

static void add_and_release(struct http_body *body, struct shared_text *text)
{
    http_body_add_shared(body, text);
    shared_text_release(text);
}

void call_answer(struct call *call, int status, json_t *value)
{
    struct http_body *body = http_body_new();
    add_and_release(body, wants_pretty(call) ? pretty_text(value) : store_text(call->api->store, value));
    audit(call, status, value);
    json_decref(value);
    answer_body(call, status, body);
}

void call_answer_list(struct call *call, json_t *list, json_t *items)
{
    if (wants_pretty(call)) {
        json_object_set(list, "items", items);
        call_answer(call, 200, list);
        return;
    }
    struct http_body *body = http_body_new();
    auto_free char *head = json_to_text(list);
    head[strlen(head) - 1] = '\0'; /* the brace that would end it */
    http_body_add(body, head);
    http_body_add(body, ",\"items\":[");
    size_t i;
    json_t *object;
    json_array_foreach(items, i, object)
    {
        if (i > 0)
            http_body_add(body, ",");
        add_and_release(body, store_text(call->api->store, object));
    }
    http_body_add(body, "]}");
    json_decref(list);
    answer_body(call, 200, body);
}

void call_answer_text(struct call *call, int status, const char *text)
{
    http_reply(call->http, status, "text/plain; charset=utf-8", text, strlen(text));
    call_end(call, status);
}

void call_answer_take(struct call *call, int status, const char *content_type, char *text)
{
    http_reply_take(call->http, status, content_type, text);
    call_end(call, status);
}

void call_answer_empty(struct call *call, int status)
{
    audit(call, status, NULL);
    http_reply(call->http, status, "application/json", "", 0);
    call_end(call, status);
}

static struct status_about about_target(const struct call *call)
{
    const struct target *t = &call->target;
    if (!t->resource)
        return (struct status_about){0};
    return (struct status_about){t->resource->group, t->resource->plural, t->has_name ? t->name : NULL, NULL};
}

void call_answer_error(struct call *call, const struct error *failure)
{
    call_answer_causes(call, failure, NULL);
}

void call_answer_causes(struct call *call, const struct error *failure, json_t *causes)
{
    struct status_about about = about_target(call);
    if (failure->kind == ERROR_TOO_MANY_REQUESTS)
        http_add_header(call->http, "Retry-After", "1");
    call_answer(call, error_kind_info(failure->kind)->http_status, status_failure(failure, &about, causes));
}

void call_answer_invalid(struct call *call, const struct findings *findings, const char *name)
{
    struct status_about about = about_target(call);
    about.name = name;
    about.kind = call->target.resource->kind; /* as Kubernetes: here it is the kind, elsewhere the plural */
    struct error failure;
    json_t *status = status_invalid(findings, &about, call->target.resource->kind, &failure);
    call_answer(call, error_kind_info(failure.kind)->http_status, status);
}

struct pending {
    struct call *call;
    int status;
    json_t *value;
};

static void committed(const struct error *failure, void *arg)
{
    struct pending *pending = arg;
    if (failure) {
        call_answer_error(pending->call, failure);
        json_decref(pending->value);
    } else {
        call_answer(pending->call, pending->status, pending->value);
    }
    free(pending);
}

void call_answer_after_commit(struct call *call, int status, json_t *value)
{
    struct pending *pending = must_calloc(1, sizeof *pending);
    *pending = (struct pending){call, status, value};
    store_after_commit(call->api->store, committed, pending);
}

json_t *call_body(struct call *call, bool may_be_empty, struct error *err)
{
    size_t length;
    const char *body = http_body(call->http, &length);
    if (length == 0 && may_be_empty)
        return json_object();
    enum media_type media = media_type_of(http_header(call->http, "Content-Type"));
    if (media == MEDIA_PROTOBUF)
        return protobuf_read(body, length, err);
    if (media == MEDIA_OTHER) {
        fail(err, ERROR_UNSUPPORTED_MEDIA,
             "the body of the request was in an unknown format - accepted media types include: application/json, "
             "application/yaml");
        return NULL;
    }
    if (length == 0) {
        fail(err, ERROR_BAD_REQUEST, "the request has no body; send the object as JSON or YAML");
        return NULL;
    }
    auto_json *objects = manifest_parse(body, length, err);
    if (!objects)
        return NULL;
    if (json_array_size(objects) == 0 && may_be_empty)
        return json_object();
    if (json_array_size(objects) != 1 || !json_is_object(json_array_get(objects, 0))) {
        fail(err, ERROR_BAD_REQUEST, "the body holds %zu objects; send one object per request",
             json_array_size(objects));
        return NULL;
    }
    return json_incref(json_array_get(objects, 0));
}

bool call_flag(const struct call *call, const char *name)
{
    static const char *const TRUE_WORDS[] = {"true", "1", "True", "TRUE", "t", "T", ""}; /* Go's; "True" is Python's */
    const char *value = http_query(call->http, name);
    for (size_t i = 0; value && i < ARRAY_SIZE(TRUE_WORDS); i++)
        if (strcmp(value, TRUE_WORDS[i]) == 0)
            return true;
    return false;
}

int call_number(const struct call *call, const char *name, uint64_t limit, uint64_t *ret_value, struct error *err)
{
    const char *text = http_query(call->http, name);
    *ret_value = 0;
    if (!text || !text[0])
        return 0;
    if (!text_to_u64(text, ret_value) || *ret_value > limit)
        return fail(err, ERROR_BAD_REQUEST, "%s: \"%s\" must be a whole number from 0 to %llu", name, text,
                    (unsigned long long)limit);
    return 0;
}

void call_warn(struct call *call, const char *sentence)
{
    auto_text header = {0};
    text_append(&header, "299 - \"");
    for (const char *p = sentence; *p; p++) {
        if (*p == '"' || *p == '\\')
            text_append(&header, "\\");
        text_append_n(&header, (unsigned char)*p < ' ' ? " " : p, 1);
    }
    text_append(&header, "\"");
    http_add_header(call->http, "Warning", text_cstr(&header));
}

char *call_manager(const struct call *call)
{
    const char *manager = http_query(call->http, "fieldManager");
    if (manager && manager[0])
        return must_strdup(manager);
    const char *agent = http_header(call->http, "User-Agent");
    if (!agent || !agent[0])
        return must_strdup("unknown");
    return must_strndup(agent, strcspn(agent, "/ "));
}
