/* The way of a write: read the body, prepare it (server's fields), admit it (runtime: defaults and validation), note
 * who owns which field, store it, answer after the commit. A dry run goes the same way and is taken back before anybody
 * can see it. */
#include "api/write.h"

#include <stdlib.h>
#include <string.h>

#include "api/prepare.h"
#include "api/read.h"
#include "api/source.h"
#include "api/wire/managed.h"
#include "api/wire/patch.h"
#include "runtime/spec/spec.h"

enum field_validation { VALIDATION_IGNORE, VALIDATION_WARN, VALIDATION_STRICT };

struct write {
    bool dry_run;
    bool is_patch; /* the client wrote only a part: what was odd before is not its doing */
    enum field_validation validation;
};

static int write_init(struct write *write, const struct call *call, struct error *err)
{
    static const char *const NAMES[] = {"Ignore", "Warn", "Strict"};
    *write = (struct write){.validation = VALIDATION_WARN};
    const char *dry_run = http_query(call->http, "dryRun");
    write->dry_run = dry_run && dry_run[0];
    if (write->dry_run && strcmp(dry_run, "All") != 0)
        return fail(err, ERROR_BAD_REQUEST, "dryRun: \"%s\": supported values: All", dry_run);
    const char *wanted = http_query(call->http, "fieldValidation");
    if (!wanted || !wanted[0])
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++) {
        if (strcmp(wanted, NAMES[i]) == 0) {
            write->validation = (enum field_validation)i;
            return 0;
        }
    }
    return fail(err, ERROR_BAD_REQUEST, "fieldValidation: \"%s\": supported values: Ignore, Warn, Strict", wanted);
}

static int refuse_unknown(const struct call *call, const struct findings *findings, struct error *err)
{
    auto_text fields = {0};
    for (size_t i = 0; i < findings->unknown_count; i++)
        text_printf(&fields, "%sunknown field \"%s\"", i ? ", " : "", findings->unknown[i]);
    const struct target *t = &call->target;
    return fail(err, ERROR_BAD_REQUEST, "%s in version \"%s\" cannot be handled as a %s: strict decoding error: %s",
                t->resource->kind, t->version, t->resource->kind, text_cstr(&fields));
}

/* A dry run of a VM asks above all whether there is room for it now. kubectl shows warnings. */
static void warn_of_refusal(struct call *call, const json_t *object)
{
    struct error err;
    const char *kind = call->target.resource->kind;
    if (strcmp(kind, "VirtualMachine") != 0 && strcmp(kind, "VirtualMachineInstance") != 0)
        return;
    auto_json *decision = runtime_plan(call->api->runtime, object, &err);
    size_t i;
    json_t *value;
    json_array_foreach(json_object_get(decision, "reasons"), i, value)
    {
        auto_free char *sentence = must_format("it cannot be placed now: %s", json_text_at(value, "message", ""));
        call_warn(call, sentence);
    }
    json_array_foreach(json_object_get(decision, "suggestions"), i, value)
    {
        auto_free char *sentence = must_format("it %s", json_string_value(value));
        call_warn(call, sentence);
    }
}

/* Unknown fields that are stored already: who changes a label does not hear of them again, nor is refused. */
static void forget_stored_unknowns(struct findings *findings, const json_t *before)
{
    struct error err;
    auto_findings stored = {0};
    auto_json *copy = json_clone(before);
    if (spec_admit(copy, &stored, &err) == 0)
        findings_forget_unknowns(findings, &stored);
}

/* 0: go on; 1: answered with the causes; -1: error. */
static int admit(struct call *call, const struct write *write, json_t *object, const json_t *before, struct error *err)
{
    auto_findings findings = {0};
    if (runtime_admit_write(call->api->runtime, object, before, &findings, err) < 0)
        return -1;
    if (write->is_patch && findings.unknown_count > 0)
        forget_stored_unknowns(&findings, before);
    if (write->validation == VALIDATION_STRICT && findings.unknown_count > 0)
        return refuse_unknown(call, &findings, err);
    for (size_t i = 0; i < findings.warning_count && i < LIMIT_WARNINGS; i++)
        if (write->validation != VALIDATION_IGNORE)
            call_warn(call, findings.warning[i]);
    if (findings.cause_count == 0) {
        if (write->dry_run)
            warn_of_refusal(call, object);
        return 0;
    }
    call_answer_invalid(call, &findings, json_text_at(object, "metadata.name", ""));
    return 1;
}

/* A dry run makes no version: kubectl diff would show it. */
static json_t *without_new_version(json_t *stored, const json_t *before)
{
    json_t *shown = json_clone(stored);
    json_t *version = json_at(before, "metadata.resourceVersion");
    if (version)
        json_put_at(shown, "metadata.resourceVersion", json_incref(version));
    else
        json_drop_at(shown, "metadata.resourceVersion");
    json_decref(stored);
    return shown;
}

/* Steals stored. */
static void answer_stored(struct call *call, const struct write *write, size_t mark, int status, json_t *stored,
                          const json_t *before)
{
    if (write->dry_run)
        stored = without_new_version(stored, before);
    json_t *view = source_view(call->target.resource, call->target.version, stored);
    json_decref(stored);
    view = read_in_form(call, TABLE_METADATA, view);
    if (write->dry_run) {
        store_rollback(call->api->store, mark);
        call_answer(call, status, view);
    } else {
        call_answer_after_commit(call, status, view);
    }
}

static int check_namespace_exists(const struct call *call, struct error *err)
{
    const struct target *t = &call->target;
    if (!t->resource->namespaced)
        return 0;
    auto_json *namespace_ = store_get(call->api->store, "Namespace", "", t->namespace_);
    if (!namespace_)
        return fail(err, ERROR_NOT_FOUND, "namespaces \"%s\" not found; make it with: rtvmd create namespace %s",
                    t->namespace_, t->namespace_);
    if (json_at(namespace_, "metadata.deletionTimestamp"))
        return fail(err, ERROR_FORBIDDEN,
                    "%s is forbidden: unable to create new content in namespace %s because it is being terminated",
                    t->resource->plural, t->namespace_);
    return 0;
}

static int store_new(struct api *api, json_t *object, json_t **ret_stored, struct error *err)
{
    bool is_generated = json_text_at(object, "metadata.generateName", "")[0] != '\0';
    if (!is_generated)
        return store_create(api->store, json_incref(object), ret_stored, err);
    for (unsigned try = 0;; try++) {
        if (store_create(api->store, json_clone(object), ret_stored, err) == 0)
            return 0;
        if (err->kind != ERROR_ALREADY_EXISTS || try == LIMIT_GENERATED_NAME_TRIES)
            return -1;
        prepare_generate_name(object);
    }
}

/* The last steps of every create, whatever it came from. Steals the object. */
static int create(struct call *call, const struct write *write, json_t *object, struct error *err)
{
    auto_json *owned = object;
    if (check_namespace_exists(call, err) < 0)
        return -1;
    int refused = admit(call, write, object, NULL, err);
    if (refused)
        return refused < 0 ? -1 : 0;
    size_t mark = store_mark(call->api->store);
    json_t *stored;
    if (store_new(call->api, object, &stored, err) < 0) {
        if (err->kind == ERROR_ALREADY_EXISTS) {
            auto_free char *resource = resource_full_name(call->target.resource);
            fail(err, ERROR_ALREADY_EXISTS, "%s \"%s\" already exists", resource,
                 json_text_at(object, "metadata.name", ""));
        }
        return -1;
    }
    answer_stored(call, write, mark, 201, stored, NULL);
    return 0;
}

/* Remembers what was to be made: when it is refused, the log says so. */
static void note_name(struct call *call, const json_t *object)
{
    const char *name = json_text_at(object, "metadata.name", "");
    const char *stem = json_text_at(object, "metadata.generateName", "");
    auto_free char *generated = must_format("%s0", stem);
    if (name[0] && !name_check(name))
        call->created = must_strdup(name);
    else if (!name[0] && stem[0] && !name_check(generated))
        call->created = must_format("%s*", stem);
}

int write_create(struct call *call, struct error *err)
{
    struct write write;
    if (write_init(&write, call, err) < 0)
        return -1;
    auto_json *object = call_body(call, false, err);
    if (!object)
        return -1;
    note_name(call, object);
    if (prepare_create(object, &call->target, err) < 0)
        return -1;
    auto_free char *manager = call_manager(call);
    managed_update(object, NULL, manager, call->target.sub);
    return create(call, &write, take(object), err);
}

/* The object of a deletion in progress lost its last finalizer: now it goes. */
static bool is_released(const json_t *object, const json_t *before)
{
    return json_at(before, "metadata.deletionTimestamp") &&
           json_array_size(json_at(before, "metadata.finalizers")) > 0 &&
           json_array_size(json_at(object, "metadata.finalizers")) == 0;
}

/* The last steps of every update. Steals the object, which is in the version of the path. manager NULL: the object
 * carries its managedFields already. */
static int update(struct call *call, const struct write *write, json_t *object, json_t *before, const char *manager,
                  struct error *err)
{
    auto_json *owned = object;
    const struct target *t = &call->target;
    struct store *store = call->api->store;
    if (prepare_update(&owned, before, t, err) < 0)
        return -1;
    object = owned;
    int refused = strcmp(t->sub, "status") == 0 ? 0 : admit(call, write, object, before, err);
    if (refused)
        return refused < 0 ? -1 : 0;
    if (manager)
        managed_update(object, before, manager, t->sub);
    size_t mark = store_mark(store);
    bool bump = t->resource->has_spec && prepare_spec_differs(object, before);
    bool released = is_released(object, before);
    json_t *stored;
    if (store_update(store, take(owned), bump, &stored, err) < 0)
        return -1;
    if (released) {
        json_decref(stored);
        if (store_delete(store, t->resource->kind, t->namespace_, t->name, &stored, err) < 0)
            return -1;
    }
    answer_stored(call, write, mark, 200, stored, before);
    return 0;
}

int write_replace(struct call *call, struct error *err)
{
    const struct target *t = &call->target;
    struct write write;
    if (write_init(&write, call, err) < 0)
        return -1;
    auto_json *object = call_body(call, false, err);
    if (!object)
        return -1;
    auto_json *before = store_get(call->api->store, t->resource->kind, t->namespace_, t->name);
    if (!before)
        return read_not_found(t, err);
    auto_free char *manager = call_manager(call);
    return update(call, &write, take(object), before, manager, err);
}

/* ---- patches */

static json_t *read_patch(struct call *call, enum media_type media, struct error *err)
{
    size_t length;
    const char *body = http_body(call->http, &length);
    return media == MEDIA_APPLY ? call_body(call, false, err) : json_from_text(body, length, err);
}

static json_t *patched(struct call *call, enum media_type media, const json_t *view, const json_t *patch,
                       struct error *err)
{
    if (media == MEDIA_JSON_PATCH)
        return patch_json(view, patch, err);
    if (media == MEDIA_MERGE_PATCH)
        return patch_merge(view, patch, err);
    if (media == MEDIA_STRATEGIC_PATCH && call->target.resource->strategic)
        return patch_strategic(view, patch, err);
    fail(err, ERROR_UNSUPPORTED_MEDIA,
         "the body of the request was in an unknown format - accepted media types include: "
         "application/json-patch+json, application/merge-patch+json, %sapplication/apply-patch+yaml",
         call->target.resource->strategic ? "application/strategic-merge-patch+json, " : "");
    return NULL;
}

static int apply(struct call *call, const struct write *write, const json_t *wanted, json_t *before, struct error *err)
{
    const struct target *t = &call->target;
    const char *manager = http_query(call->http, "fieldManager");
    if (!manager || !manager[0])
        return fail(err, ERROR_BAD_REQUEST, "fieldManager: is required for apply patch");
    auto_json *view = before ? source_view(t->resource, t->version, before) : NULL;
    auto_json *causes = NULL;
    auto_json *merged = managed_apply(wanted, view, manager, t->sub, call_flag(call, "force"), &causes, err);
    if (!merged && causes) {
        call_answer_causes(call, err, causes);
        return 0;
    }
    if (!merged)
        return -1;
    if (before)
        return update(call, write, take(merged), before, NULL, err);
    json_t *managed = json_incref(json_at(merged, "metadata.managedFields"));
    int prepared = prepare_create(merged, t, err);
    json_put_at(merged, "metadata.managedFields", managed);
    return prepared < 0 ? -1 : create(call, write, take(merged), err);
}

int write_patch(struct call *call, struct error *err)
{
    const struct target *t = &call->target;
    enum media_type media = media_type_of(http_header(call->http, "Content-Type"));
    struct write write;
    if (write_init(&write, call, err) < 0)
        return -1;
    auto_json *patch = read_patch(call, media, err);
    if (!patch)
        return -1;
    auto_json *before = store_get(call->api->store, t->resource->kind, t->namespace_, t->name);
    if (media == MEDIA_APPLY)
        return apply(call, &write, patch, before, err);
    if (!before)
        return read_not_found(t, err);
    auto_json *view = source_view(t->resource, t->version, before);
    auto_json *object = patched(call, media, view, patch, err);
    if (!object)
        return -1;
    write.is_patch = true;
    auto_free char *manager = call_manager(call);
    return update(call, &write, take(object), before, manager, err);
}
