/* Deleting one object or a collection. VMs and VMIs end through runtime/, which lets the guest shut down first; other
 * objects go at once, or, with finalizers, are marked and go when the last one is taken off (write.c). A namespace is
 * marked and goes when it is empty (collect.c). A host change that is deleted is undone. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/collect.h"
#include "api/read.h"
#include "api/source.h"
#include "api/write.h"

struct deletion {
    int64_t grace_s; /* -1: as the object says */
    bool orphan;
    bool dry_run;
    char *uid;
    char *version;
};

static void deletion_finish(struct deletion *deletion)
{
    free(deletion->uid);
    free(deletion->version);
}

static int read_policy(struct deletion *deletion, const char *policy, struct error *err)
{
    static const char *const KNOWN[] = {"Orphan", "Background", "Foreground"};
    for (size_t i = 0; policy && policy[0] && i < ARRAY_SIZE(KNOWN); i++) {
        if (strcmp(policy, KNOWN[i]) == 0) {
            deletion->orphan = i == 0;
            return 0;
        }
    }
    return !policy || !policy[0] ? 0
                                 : fail(err, ERROR_INVALID,
                                        "propagationPolicy: Unsupported value: \"%s\": supported values: Foreground, "
                                        "Background, Orphan",
                                        policy);
}

/* DeleteOptions come in the body or in the query; the body wins. */
static int deletion_init(struct deletion *deletion, struct call *call, struct error *err)
{
    *deletion = (struct deletion){.grace_s = -1};
    auto_json *options = call_body(call, true, err);
    uint64_t grace;
    if (!options || call_number(call, "gracePeriodSeconds", INT32_MAX, &grace, err) < 0)
        return -1;
    const char *in_query = http_query(call->http, "gracePeriodSeconds");
    deletion->grace_s = json_int_at(options, "gracePeriodSeconds", in_query && in_query[0] ? (int64_t)grace : -1);
    if (json_is_integer(json_object_get(options, "gracePeriodSeconds")) && deletion->grace_s < 0)
        deletion->grace_s = 1; /* as a Kubernetes API server */
    const char *policy = json_text_at(options, "propagationPolicy", http_query(call->http, "propagationPolicy"));
    if (read_policy(deletion, policy, err) < 0)
        return -1;
    if (json_bool_at(options, "orphanDependents", call_flag(call, "orphanDependents")))
        deletion->orphan = true;
    const char *dry_run = json_text_at(options, "dryRun.0", http_query(call->http, "dryRun"));
    deletion->dry_run = dry_run && dry_run[0];
    if (deletion->dry_run && strcmp(dry_run, "All") != 0)
        return fail(err, ERROR_BAD_REQUEST, "dryRun: \"%s\": supported values: All", dry_run);
    deletion->uid = must_strdup(json_text_at(options, "preconditions.uid", ""));
    deletion->version = must_strdup(json_text_at(options, "preconditions.resourceVersion", ""));
    return 0;
}

static int check_preconditions(const struct deletion *deletion, const struct resource *resource, const json_t *object,
                               struct error *err)
{
    const struct {
        const char *wanted, *found, *word;
    } rows[] = {
        {deletion->uid, json_text_at(object, "metadata.uid", ""), "UID"},
        {deletion->version, json_text_at(object, "metadata.resourceVersion", ""), "ResourceVersion"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (!rows[i].wanted || !rows[i].wanted[0] || strcmp(rows[i].wanted, rows[i].found) == 0)
            continue;
        auto_free char *name = resource_full_name(resource);
        return fail(err, ERROR_CONFLICT,
                    "Operation cannot be fulfilled on %s \"%s\": Precondition failed: %s in precondition: %s, %s in "
                    "object meta: %s",
                    name, json_text_at(object, "metadata.name", ""), rows[i].word, rows[i].wanted, rows[i].word,
                    rows[i].found);
    }
    return 0;
}

/* Marks the object; what holds it (finalizers, the content of a namespace) decides when it goes. */
static int mark_deleted(struct store *store, const json_t *object, bool is_namespace, json_t **ret_object,
                        struct error *err)
{
    if (json_at(object, "metadata.deletionTimestamp")) {
        *ret_object = json_incref((json_t *)object);
        return 0;
    }
    json_t *marked = json_deep_copy(object);
    char now[32];
    time_t seconds = (time_t)now_wall_s();
    strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", gmtime(&seconds));
    json_put_at(marked, "metadata.deletionTimestamp", json_string(now));
    json_put_at(marked, "metadata.deletionGracePeriodSeconds", json_integer(0));
    if (is_namespace)
        json_put_at(marked, "status.phase", json_string("Terminating"));
    return store_update(store, marked, true, ret_object, err);
}

/* Deletes one stored object. *ret_left is its state when it stays for a while, NULL when it is gone. */
static int delete_object(struct api *api, const struct resource *resource, const struct deletion *deletion,
                         const json_t *object, json_t **ret_left, struct error *err)
{
    const char *namespace_ = json_text_at(object, "metadata.namespace", "");
    const char *name = json_text_at(object, "metadata.name", "");
    bool is_namespace = strcmp(resource->kind, "Namespace") == 0 && resource->group[0] == '\0';
    *ret_left = NULL;
    if (check_preconditions(deletion, resource, object, err) < 0)
        return -1;
    if (resource->has_spec) {
        if (!deletion->dry_run)
            return runtime_delete(api->runtime, resource->kind, namespace_, name, deletion->grace_s, deletion->orphan,
                                  ret_left, err);
        *ret_left = json_incref((json_t *)object);
        return 0;
    }
    if (is_namespace && strcmp(name, "default") == 0)
        return fail(err, ERROR_FORBIDDEN, "namespaces \"default\" is forbidden: this namespace may not be deleted");
    if (is_namespace || json_array_size(json_at(object, "metadata.finalizers")) > 0) {
        if (mark_deleted(api->store, object, is_namespace, ret_left, err) < 0)
            return -1;
        if (is_namespace && !deletion->dry_run)
            collect_namespace(api, name);
        return 0;
    }
    if (deletion->orphan && !deletion->dry_run)
        collect_orphans(api, json_text_at(object, "metadata.uid", ""));
    return store_delete(api->store, resource->kind, namespace_, name, NULL, err);
}

static void host_change_undone(const struct error *failure, void *arg)
{
    struct call *call = arg;
    const struct target *t = &call->target;
    const struct status_about about = {t->resource->group, t->resource->plural, t->name, ""};
    if (failure)
        call_answer_error(call, failure);
    else
        call_answer_after_commit(call, 200, status_success(&about));
}

static int undo_host_change(struct call *call, const struct deletion *deletion, struct error *err)
{
    const struct target *t = &call->target;
    auto_json *object = source_get(call->api, t->resource, t->version, NULL, t->name);
    if (!object)
        return read_not_found(t, err);
    if (check_preconditions(deletion, t->resource, object, err) < 0)
        return -1;
    if (deletion->dry_run)
        host_change_undone(NULL, call);
    else
        runtime_undo_host_change(call->api->runtime, t->name, host_change_undone, call);
    return 0;
}

static int delete_one(struct call *call, const struct deletion *deletion, struct error *err)
{
    const struct target *t = &call->target;
    if (t->resource->source == SOURCE_HOST_CHANGE)
        return undo_host_change(call, deletion, err);
    auto_json *object = store_get(call->api->store, t->resource->kind, t->namespace_, t->name);
    if (!object)
        return read_not_found(t, err);
    size_t mark = store_mark(call->api->store);
    json_t *left;
    if (delete_object(call->api, t->resource, deletion, object, &left, err) < 0)
        return -1;
    json_t *answer;
    if (left) {
        answer = read_in_form(call, TABLE_METADATA, source_view(t->resource, t->version, left));
        json_decref(left);
    } else {
        const struct status_about about = {t->resource->group, t->resource->plural, t->name,
                                           json_text_at(object, "metadata.uid", "")};
        answer = status_success(&about);
    }
    if (deletion->dry_run) {
        store_rollback(call->api->store, mark);
        call_answer(call, 200, answer);
    } else {
        call_answer_after_commit(call, 200, answer);
    }
    return 0;
}

int write_delete(struct call *call, struct error *err)
{
    struct deletion deletion;
    int result = deletion_init(&deletion, call, err);
    if (result == 0)
        result = delete_one(call, &deletion, err);
    deletion_finish(&deletion);
    return result;
}

static int delete_matching(struct call *call, const struct deletion *deletion, const struct read_filter *filter,
                           struct error *err)
{
    const struct target *t = &call->target;
    uint64_t version;
    auto_json *all = store_list(call->api->store, t->resource->kind, t->has_namespace ? t->namespace_ : NULL, &version);
    auto_json *deleted = json_array();
    size_t mark = store_mark(call->api->store);
    size_t i;
    json_t *object;
    json_array_foreach(all, i, object)
    {
        json_t *left = NULL;
        if (!read_filter_matches(filter, object))
            continue;
        if (delete_object(call->api, t->resource, deletion, object, &left, err) < 0) {
            store_rollback(call->api->store, mark);
            return -1;
        }
        json_array_append_new(deleted, source_view(t->resource, t->version, left ? left : object));
        json_decref(left);
    }
    if (deletion->dry_run)
        store_rollback(call->api->store, mark);
    auto_free char *api_version = resource_api_version(t->resource, t->version);
    auto_free char *kind = must_format("%sList", t->resource->kind);
    json_t *list =
        json_pack("{s:s, s:s, s:{s:o}, s:O}", "kind", kind, "apiVersion", api_version, "metadata", "resourceVersion",
                  json_sprintf("%llu", (unsigned long long)store_version(call->api->store)), "items", deleted);
    call_answer_after_commit(call, 200, list);
    return 0;
}

int write_delete_collection(struct call *call, struct error *err)
{
    struct deletion deletion;
    struct read_filter filter;
    int result = deletion_init(&deletion, call, err);
    if (result == 0 && (result = read_filter_init(&filter, call, err)) == 0) {
        result = delete_matching(call, &deletion, &filter, err);
        read_filter_finish(&filter);
    }
    deletion_finish(&deletion);
    return result;
}
