/* Get and list. A list with `limit` is cut at that many objects; its continue token says behind which key, and at which
 * version, the first page was read. Later pages are read from the store as it is then and carry the first page's
 * version, so that a watch from there tells everything that changed in between. */
#include "api/read.h"

#include <event2/http.h>
#include <stdlib.h>
#include <string.h>

#include "api/source.h"

int read_not_found(const struct target *target, struct error *err)
{
    auto_free char *resource = resource_full_name(target->resource);
    return fail(err, ERROR_NOT_FOUND, "%s \"%s\" not found", resource, target->name);
}

int read_filter_init(struct read_filter *filter, const struct call *call, struct error *err)
{
    *filter = (struct read_filter){0};
    if (selector_parse_labels(http_query(call->http, "labelSelector"), &filter->labels, err) < 0)
        return -1;
    if (selector_parse_fields(http_query(call->http, "fieldSelector"), call->target.resource->selectable,
                              &filter->fields, err) == 0)
        return 0;
    read_filter_finish(filter);
    return -1;
}

void read_filter_finish(struct read_filter *filter)
{
    selector_free(take(filter->labels));
    selector_free(take(filter->fields));
}

bool read_filter_matches(const struct read_filter *filter, const json_t *object)
{
    return selector_matches(filter->labels, object) && selector_matches(filter->fields, object);
}

json_t *read_in_form(const struct call *call, enum table_include include, json_t *object)
{
    auto_json *owned = object;
    if (call->form == FORM_METADATA)
        return table_metadata_of(object);
    if (call->form != FORM_TABLE)
        return take(owned);
    auto_json *one = json_array();
    json_array_append(one, object);
    auto_json *meta = json_pack("{s:s}", "resourceVersion", json_text_at(object, "metadata.resourceVersion", ""));
    return table_render(call->target.resource, one, meta, include, true);
}

static bool is_said(const char *value)
{
    return value && value[0];
}

int read_check_options(const struct call *call, bool is_watch, struct error *err)
{
    const char *match = http_query(call->http, "resourceVersionMatch");
    const char *version = http_query(call->http, "resourceVersion");
    const char *initial = http_query(call->http, "sendInitialEvents");
    const char *wrong = NULL;
    if (is_watch && initial && !text_equal(match, "NotOlderThan"))
        wrong = "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to "
                "NotOlderThan";
    else if (is_watch && !initial && is_said(match))
        wrong = "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents "
                "is provided";
    else if (!is_watch && initial)
        wrong = "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list";
    else if (is_said(match) && !is_watch && !is_said(version))
        wrong = "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided";
    else if (is_said(match) && strcmp(match, "Exact") != 0 && strcmp(match, "NotOlderThan") != 0)
        wrong = "resourceVersionMatch: Unsupported value: supported values: \"Exact\", \"NotOlderThan\"";
    else if (text_equal(match, "Exact") && text_equal(version, "0"))
        wrong = "resourceVersionMatch: Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion "
                "\"0\"";
    else if (is_said(match) && is_said(http_query(call->http, "continue")))
        wrong = "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided";
    return wrong ? fail(err, ERROR_INVALID, "ListOptions.meta.k8s.io \"\" is invalid: %s", wrong) : 0;
}

static int get_now(struct call *call, struct error *err)
{
    const struct target *t = &call->target;
    enum table_include include;
    if (table_include_from_text(http_query(call->http, "includeObject"), &include, err) < 0)
        return -1;
    json_t *object = source_get(call->api, t->resource, t->version, t->namespace_, t->name);
    if (!object)
        return read_not_found(t, err);
    call_answer(call, 200, read_in_form(call, include, object));
    return 0;
}

/* ---- pages */

struct page {
    uint64_t limit;      /* 0: no limit */
    uint64_t version;    /* of the first page; 0: this is it */
    char *behind;        /* "namespace/name" of the last object of the page before */
    uint64_t left_count; /* objects not on this page or an earlier one */
};

static char *object_key(const json_t *object)
{
    return must_format("%s/%s", json_text_at(object, "metadata.namespace", ""),
                       json_text_at(object, "metadata.name", ""));
}

/* As the store orders: by namespace, then name. */
static int key_compare(const char *a, const char *b)
{
    size_t na = strcspn(a, "/"), nb = strcspn(b, "/");
    int order = memcmp(a, b, na < nb ? na : nb);
    if (order == 0 && na != nb)
        order = na < nb ? -1 : 1;
    return order ? order : strcmp(a + na, b + nb);
}

static int page_read(struct page *page, const struct call *call, struct error *err)
{
    if (call_number(call, "limit", LIMIT_LIST_PAGE, &page->limit, err) < 0)
        return -1;
    const char *token = http_query(call->http, "continue");
    if (!token || !token[0])
        return 0;
    const char *key = strchr(token, '.');
    auto_free char *version = must_strndup(token, key ? (size_t)(key - token) : 0);
    if (!key || !strchr(key, '/') || !text_to_u64(version, &page->version))
        return fail(err, ERROR_BAD_REQUEST, "continue key is not valid: \"%.100s\"; it is made by the server", token);
    if (page->version > store_version(call->api->store) || page->version < store_replay_begin(call->api->store))
        return fail(err, ERROR_EXPIRED,
                    "The provided continue parameter is too old to display a consistent list result. You can start a "
                    "new list without the continue parameter.");
    page->behind = must_strdup(key + 1);
    return 0;
}

static json_t *select_page(json_t *all, const struct read_filter *filter, struct page *page)
{
    json_t *items = json_array();
    size_t i;
    json_t *object;
    json_array_foreach(all, i, object)
    {
        if (!read_filter_matches(filter, object))
            continue;
        if (page->behind) {
            auto_free char *key = object_key(object);
            if (key_compare(key, page->behind) <= 0)
                continue;
        }
        if (page->limit && json_array_size(items) == page->limit)
            page->left_count++;
        else
            json_array_append(items, object);
    }
    return items;
}

static json_t *list_meta(const struct page *page, const json_t *items, uint64_t version)
{
    if (page->version)
        version = page->version;
    json_t *meta = json_pack("{s:o}", "resourceVersion", json_sprintf("%llu", (unsigned long long)version));
    if (page->left_count == 0)
        return meta;
    auto_free char *last = object_key(json_array_get(items, json_array_size(items) - 1));
    json_object_set_new(meta, "continue", json_sprintf("%llu.%s", (unsigned long long)version, last));
    json_object_set_new(meta, "remainingItemCount", json_integer((json_int_t)page->left_count));
    return meta;
}

static void answer_list(struct call *call, enum table_include include, json_t *items, json_t *meta)
{
    const struct target *t = &call->target;
    if (call->form == FORM_TABLE) {
        call_answer(call, 200, table_render(t->resource, items, meta, include, true));
        return;
    }
    auto_free char *api_version = resource_api_version(t->resource, t->version);
    auto_free char *kind = must_format("%sList", t->resource->kind);
    if (call->form != FORM_METADATA) {
        call_answer_list(call, json_pack("{s:s, s:s, s:O}", "kind", kind, "apiVersion", api_version, "metadata", meta),
                         items);
        return;
    }
    json_t *metadata = json_array();
    size_t i;
    json_t *object;
    json_array_foreach(items, i, object) json_array_append_new(metadata, table_metadata_of(object));
    call_answer(call, 200,
                json_pack("{s:s, s:s, s:O, s:o}", "kind", "PartialObjectMetadataList", "apiVersion", "meta.k8s.io/v1",
                          "metadata", meta, "items", metadata));
}

/* The version a client wants to see at least, or exactly. */
static int check_version(const struct call *call, struct error *err)
{
    uint64_t wanted;
    const char *match = http_query(call->http, "resourceVersionMatch");
    if (call_number(call, "resourceVersion", UINT64_MAX, &wanted, err) < 0)
        return -1;
    uint64_t now = store_version(call->api->store);
    if (wanted > now)
        return fail(err, ERROR_TIMEOUT, "Too large resource version: %llu, current: %llu", (unsigned long long)wanted,
                    (unsigned long long)now);
    if (match && strcmp(match, "Exact") == 0 && wanted != now)
        return fail(err, ERROR_EXPIRED, "The resourceVersion for the provided list is too old.");
    return 0;
}

static int list_now(struct call *call, struct error *err)
{
    const struct target *t = &call->target;
    enum table_include include;
    struct read_filter filter;
    struct page page = {0};
    if (table_include_from_text(http_query(call->http, "includeObject"), &include, err) < 0 ||
        read_check_options(call, false, err) < 0 || check_version(call, err) < 0 ||
        read_filter_init(&filter, call, err) < 0)
        return -1;
    int result = page_read(&page, call, err);
    if (result == 0) {
        uint64_t version;
        auto_json *all =
            source_list(call->api, t->resource, t->version, t->has_namespace ? t->namespace_ : NULL, &version);
        auto_json *items = select_page(all, &filter, &page);
        auto_json *meta = list_meta(&page, items, version);
        answer_list(call, include, items, meta);
    }
    free(page.behind);
    read_filter_finish(&filter);
    return result;
}

/* ---- what must be looked at first */
static void get_seen(void *arg)
{
    struct error err;
    if (get_now(arg, &err) < 0)
        call_answer_error(arg, &err);
}

static void list_seen(void *arg)
{
    struct error err;
    if (list_now(arg, &err) < 0)
        call_answer_error(arg, &err);
}

int read_get(struct call *call, struct error *err)
{
    if (call->target.resource->source != SOURCE_HOST_CHANGE)
        return get_now(call, err);
    runtime_see_host_changes(call->api->runtime, get_seen, call);
    return 0;
}

int read_list(struct call *call, struct error *err)
{
    if (call->target.resource->source != SOURCE_HOST_CHANGE)
        return list_now(call, err);
    runtime_see_host_changes(call->api->runtime, list_seen, call);
    return 0;
}
