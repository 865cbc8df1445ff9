/* api/patch: RFC 6902 JSON patch, RFC 7386 merge patch, and Kubernetes' strategic merge patch as far as the core kinds
 * served here need it. Pure: a new value comes out, the inputs are left alone. */
#pragma once

#include "rtvmd/base/json.h"

/* ERROR_BAD_REQUEST for a patch that is none, ERROR_INVALID for one that does not fit the object (a failing "test", a
 * missing path). */
json_t *patch_json(const json_t *object, const json_t *patch, struct error *err);
json_t *patch_merge(const json_t *object, const json_t *patch, struct error *err);
json_t *patch_strategic(const json_t *object, const json_t *patch, struct error *err);
