/* api/prepare: what a client's object must be before it is admitted, and what the server writes into it itself. Pure.
 */
#pragma once

#include "api/target.h"

/* kind, apiVersion, name, namespace against the path; metadata's types; fields only the server writes are dropped;
 * apiVersion becomes the stored one; small conversions of the kind (Secret.stringData). */
int prepare_create(json_t *object, const struct target *target, struct error *err);
/* As above against the stored object: what a client may not change is put back. With the status subresource only the
 * status is taken. */
int prepare_update(json_t **object, const json_t *before, const struct target *target, struct error *err);
/* True when anything but metadata and status differs. */
bool prepare_spec_differs(const json_t *object, const json_t *before);
/* Five characters that spell no words, appended to metadata.generateName. */
void prepare_generate_name(json_t *object);
