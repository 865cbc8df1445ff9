/* api/openapi: the OpenAPI documents kubectl explains, validates and merges by, generated from schema.h. */
#pragma once

#include "api/call.h"

call_handler openapi_v3_index; /* /openapi/v3 */
call_handler openapi_v3_group; /* /openapi/v3/api/v1, /openapi/v3/apis/GROUP/VERSION */
call_handler openapi_v2;       /* /openapi/v2: JSON, and the protobuf form older kubectl insist on */

/* The whole swagger 2.0 document; a new value. */
json_t *openapi_v2_document(void);
