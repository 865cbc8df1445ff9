/* Images from registries, by skopeo: its own configuration (registries.conf, policy.json, auth files) decides mirrors,
 * signatures and credentials. */
#pragma once

#include "runtime/image/import.h"

/* What a failed try means for a copy that is already here. */
enum pull_failure { PULL_REFUSED, PULL_OFFLINE };

/* [blocks] Makes job->name the image the registry has now. When the store already has that very manifest
 * (known_manifest, may be NULL), nothing is downloaded. auth_file: for skopeo --authfile, may be NULL.
 * Errors: UNAVAILABLE when the registry cannot be reached, answers no, or skopeo is missing (*ret_failure tells
 * unreachable from refused), NOT_FOUND when the registry does not have the image; import's errors else. */
int pull_image(struct import_job *job, const char *known_manifest, const char *auth_file,
               enum pull_failure *ret_failure, struct error *err);

/* What skopeo's last line says, as an error. Pure. */
int pull_judge(const char *name, const char *message, enum pull_failure *ret_failure, struct error *err);
