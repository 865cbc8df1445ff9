/* api: every way in over HTTP. Kubernetes' wire conventions (paths, Status, lists, watches, patches, tables), the
 * subresources of VMs, web sockets. It turns requests into calls of store/ and runtime/ and never decides anything
 * about a VM itself. Everything runs on the loop thread; a write is answered only once it is durable. */
#pragma once

#include "api/http.h"
#include "runtime/runtime.h"

struct api;

/* The namespace "default" is made when there is none. */
struct api *api_new(struct loop *loop, struct store *store, struct runtime *runtime);
void api_free(struct api *api);
/* To listen on: http_listen_unix, http_listen_tcp. */
struct http_server *api_http(struct api *api);
