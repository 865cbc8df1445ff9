/* api/openapi_pb: a swagger 2.0 document in the protocol buffer form of gnostic (openapiv2/OpenAPIv2.proto), the only
 * form client-go asks /openapi/v2 for. Writes what our own documents have. Pure. */
#pragma once

#include "rtvmd/base/json.h"

/* As clients ask for it, and as it must be answered: "@" is no part of a media type. */
#define OPENAPI_PB_WISH "application/com.github.proto-openapi.spec.v2"
#define OPENAPI_PB_TYPE "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

void openapi_pb_write(const json_t *document, struct text *out);
