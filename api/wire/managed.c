#include "api/wire/managed.h"

#include <string.h>
#include <time.h>

#include "api/wire/fieldset.h"
#include "rtvmd/base/limits.h"

/* managedFields is a list of {manager, operation, apiVersion, subresource, time, fieldsType, fieldsV1}; manager,
 * operation and subresource together say whose entry it is. */

struct owner {
    const char *manager;
    const char *operation; /* "Apply" or "Update" */
    const char *subresource;
};

static bool is_entry(const json_t *entry)
{
    return json_text_at(entry, "manager", "")[0] && json_is_object(json_object_get(entry, "fieldsV1"));
}

static bool is_owner(const json_t *entry, const struct owner *owner)
{
    return strcmp(json_text_at(entry, "manager", ""), owner->manager) == 0 &&
           strcmp(json_text_at(entry, "operation", ""), owner->operation) == 0 &&
           strcmp(json_text_at(entry, "subresource", ""), owner->subresource) == 0;
}

/* The entries to begin with: what the object says when it can be read, else what was stored; one empty entry, or an
 * empty list, asks to forget all owners. */
static json_t *entries_of(const json_t *object, const json_t *before)
{
    const json_t *said = json_at(object, "metadata.managedFields");
    bool reset = json_is_array(said) && (json_array_size(said) == 0 || json_object_size(json_array_get(said, 0)) == 0);
    const json_t *from = json_is_array(said) ? said : json_at(before, "metadata.managedFields");
    json_t *entries = json_array();
    for (size_t i = 0; !reset && i < json_array_size(from) && i < LIMIT_FIELD_MANAGERS; i++)
        if (is_entry(json_array_get(from, i)))
            json_array_append_new(entries, json_clone(json_array_get(from, i)));
    return entries;
}

/* Takes the fields from every entry; entries without any left go. */
static void disown(json_t *entries, const json_t *fields, const struct owner *except)
{
    if (fieldset_is_empty(fields))
        return;
    for (size_t i = json_array_size(entries); i-- > 0;) {
        json_t *entry = json_array_get(entries, i);
        if (except && is_owner(entry, except))
            continue;
        json_t *rest = fieldset_minus(json_object_get(entry, "fieldsV1"), fields, NULL);
        json_object_set_new(entry, "fieldsV1", rest);
        if (fieldset_is_empty(rest))
            json_array_remove(entries, i);
    }
}

static json_t *entry_find(const json_t *entries, const struct owner *owner)
{
    for (size_t i = 0; i < json_array_size(entries); i++)
        if (is_owner(json_array_get(entries, i), owner))
            return json_array_get(entries, i);
    return NULL;
}

/* Gives the owner exactly these fields. An entry that says the same already keeps its time. Steals fields. */
static void entry_put(json_t *entries, const struct owner *owner, const char *api_version, json_t *fields)
{
    auto_json *owned = fields;
    json_t *entry = entry_find(entries, owner);
    if (entry && json_equal(json_object_get(entry, "fieldsV1"), fields) &&
        text_equal(json_text_at(entry, "apiVersion", ""), api_version))
        return;
    if (!entry) {
        entry = json_object();
        json_array_append_new(entries, entry);
        while (json_array_size(entries) > LIMIT_FIELD_MANAGERS)
            json_array_remove(entries, 0);
    }
    char now[32];
    time_t seconds = (time_t)now_wall_s();
    strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", gmtime(&seconds));
    json_object_set_new(entry, "manager", json_string(owner->manager));
    json_object_set_new(entry, "operation", json_string(owner->operation));
    json_object_set_new(entry, "apiVersion", json_string(api_version));
    json_object_set_new(entry, "time", json_string(now));
    json_object_set_new(entry, "fieldsType", json_string("FieldsV1"));
    json_object_set_new(entry, "fieldsV1", take(owned));
    if (owner->subresource[0])
        json_object_set_new(entry, "subresource", json_string(owner->subresource));
}

static void entries_put(json_t *object, json_t *entries)
{
    if (json_array_size(entries) > 0)
        json_put_at(object, "metadata.managedFields", json_incref(entries));
    else
        json_drop_at(object, "metadata.managedFields");
}

void managed_update(json_t *object, const json_t *before, const char *manager, const char *subresource)
{
    const struct owner owner = {manager, "Update", subresource};
    auto_json *entries = entries_of(object, before);
    auto_json *changed = before ? fieldset_changed(before, object) : fieldset_of(object);
    auto_json *removed = before ? fieldset_removed(before, object) : json_object();
    disown(entries, removed, NULL);
    disown(entries, changed, &owner);
    if (!fieldset_is_empty(changed)) {
        const json_t *mine = json_object_get(entry_find(entries, &owner), "fieldsV1");
        entry_put(entries, &owner, json_text_at(object, "apiVersion", ""),
                  mine ? fieldset_union(mine, changed) : json_clone(changed));
    }
    entries_put(object, entries);
}

enum { FIELDS_IN_MESSAGE = 20, FIELDS_IN_CAUSES = 1000 };

static size_t tell_conflicts(const json_t *entry, const json_t *fields, struct text *text, json_t *causes)
{
    const char *manager = json_text_at(entry, "manager", ""), *version = json_text_at(entry, "apiVersion", "");
    auto_json *list = json_array();
    size_t count = fieldset_list(fields, FIELDS_IN_CAUSES, list);
    text_printf(text, "conflicts with \"%s\" using %s:\n", manager, version);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *field = json_string_value(json_array_get(list, i));
        if (i < FIELDS_IN_MESSAGE)
            text_printf(text, "- %s\n", field);
        json_array_append_new(causes, json_pack("{s:s, s:o, s:s}", "reason", "FieldManagerConflict", "message",
                                                json_sprintf("conflict with \"%s\" using %s", manager, version),
                                                "field", field));
    }
    return count;
}

/* What the wanted object would take from others with another value: named, per owner. */
static json_t *find_conflicts(const json_t *entries, const json_t *fields, const json_t *changed, const json_t *before,
                              const struct owner *owner, struct text *ret_text, json_t *causes, size_t *ret_count)
{
    json_t *taken = json_object();
    auto_json *wanted = fieldset_and(fields, changed, NULL);
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        if (is_owner(entry, owner))
            continue;
        auto_json *both = fieldset_and(wanted, json_object_get(entry, "fieldsV1"), before);
        if (fieldset_is_empty(both))
            continue;
        *ret_count += tell_conflicts(entry, both, ret_text, causes);
        json_t *sum = fieldset_union(taken, both);
        json_decref(taken);
        taken = sum;
    }
    return taken;
}

/* Fields the owner applied before and wants no more, that nobody else owns. */
static json_t *find_abandoned(const json_t *entries, const json_t *fields, const json_t *wanted, const json_t *before,
                              const struct owner *owner)
{
    const json_t *mine = json_object_get(entry_find(entries, owner), "fieldsV1");
    json_t *abandoned = mine ? fieldset_minus(mine, fields, wanted) : json_object();
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        if (is_owner(entry, owner))
            continue;
        json_t *rest = fieldset_minus(abandoned, json_object_get(entry, "fieldsV1"), before);
        json_decref(abandoned);
        abandoned = rest;
    }
    return abandoned;
}

json_t *managed_apply(const json_t *wanted, const json_t *before, const char *manager, const char *subresource,
                      bool force, json_t **ret_causes, struct error *err)
{
    *ret_causes = NULL;
    const struct owner owner = {manager, "Apply", subresource};
    const json_t *said = json_at(wanted, "metadata.managedFields");
    if (said && !json_is_null(said)) {
        fail(err, ERROR_BAD_REQUEST, "metadata.managedFields must be nil in what is applied");
        return NULL;
    }
    auto_json *entries = before ? entries_of(before, NULL) : json_array();
    auto_json *fields = fieldset_of(wanted);
    json_t *merged = before ? json_clone(before) : json_object();
    fieldset_merge(merged, wanted);

    auto_json *changed = before ? fieldset_changed(before, merged) : json_object();
    auto_text conflicts = {0};
    size_t conflict_count = 0;
    auto_json *causes = json_array();
    auto_json *taken = find_conflicts(entries, fields, changed, before, &owner, &conflicts, causes, &conflict_count);
    if (conflict_count > 0 && !force) {
        json_decref(merged);
        *ret_causes = take(causes);
        fail(err, ERROR_CONFLICT, "Apply failed with %zu conflict%s: %s", conflict_count, conflict_count > 1 ? "s" : "",
             text_cstr(&conflicts));
        return NULL;
    }
    auto_json *abandoned = find_abandoned(entries, fields, wanted, before, &owner);
    fieldset_take_out(merged, abandoned);
    fieldset_merge(merged, wanted); /* an object that is wanted empty stays */
    disown(entries, taken, &owner);
    disown(entries, abandoned, &owner);
    entry_put(entries, &owner, json_text_at(wanted, "apiVersion", ""), take(fields));
    entries_put(merged, entries);
    return merged;
}
