/* api/jsonpath: the part of Kubernetes' JSONPath that columns, selectors and `wait --for=jsonpath` use: .key, ['key'],
 * [0], [-1], [*], [?(@.key=="value")]; surrounding braces and a leading $ are allowed. Pure. */
#pragma once

#include "rtvmd/base/json.h"

/* Borrowed value at the first match, or NULL. A path that cannot be read matches nothing; see jsonpath_check. */
const json_t *jsonpath_first(const json_t *value, const char *path);
/* Every match, in order; a new array. */
json_t *jsonpath_all(const json_t *value, const char *path);
/* ERROR_BAD_REQUEST naming what cannot be read. */
int jsonpath_check(const char *path, struct error *err);
