/* api/protobuf: request bodies in Kubernetes' protocol buffers. Newer kubectl and client-go send the kinds of
 * Kubernetes itself (Namespace, Secret, ConfigMap, …) this way, whatever the server says it reads; answers are JSON all
 * the same. Pure. */
#pragma once

#include "rtvmd/base/json.h"

/* The object as its JSON would be, with kind and apiVersion. ERROR_BAD_REQUEST when it cannot be read,
 * ERROR_UNSUPPORTED_MEDIA for a kind whose fields are not known here. */
json_t *protobuf_read(const void *bytes, size_t length, struct error *err);
