/* api/fieldset: sets of fields in Kubernetes' FieldsV1 form: a JSON trie whose keys are "f:NAME" (a member of an
 * object), "v:VALUE" (an element of a set) and "k:{…}" (an element found by its key); {} is a field that is in the set.
 * Only leaves are in a set, never the objects above them; an empty object is a leaf. "." entries made by others are
 * read as nothing. Every function returns a new set. Pure. */
#pragma once

#include "rtvmd/base/json.h"

/* Every leaf of an object, without what the server owns (kind, apiVersion, name, uid, versions, times …). */
json_t *fieldset_of(const json_t *object);
/* Leaves that are new or have another value in `after`; and leaves of `before` that `after` has no more. */
json_t *fieldset_changed(const json_t *before, const json_t *after);
json_t *fieldset_removed(const json_t *before, const json_t *after);

json_t *fieldset_union(const json_t *a, const json_t *b);
/* `values`: an object that b is a set of fields of, or NULL. With it, a leaf of b that is an object there covers only
 * that object itself (as it was empty), not what a has below. */
json_t *fieldset_minus(const json_t *a, const json_t *b, const json_t *values);
json_t *fieldset_and(const json_t *a, const json_t *b, const json_t *values);
bool fieldset_is_empty(const json_t *set);
/* Appends each field as a string (".spec.running"), at most `limit`. Returns how many there are. */
size_t fieldset_list(const json_t *set, size_t limit, json_t *list);

/* Merges the fields of `from` into `into` (changed in place): objects by key (null is an empty one), finalizers as a
 * set, ownerReferences by uid, other lists whole. */
void fieldset_merge(json_t *into, const json_t *from);
/* Takes the fields of the set out of the object, and objects that became empty by it. */
void fieldset_take_out(json_t *object, const json_t *set);
