/* api: every way in over HTTP. Kubernetes' wire conventions (paths, Status, lists, watches, patches, tables), the
 * subresources of VMs, web sockets. It turns requests into calls of store/ and runtime/ and never decides anything
 * about a VM itself. Everything runs on the loop thread; a write is answered only once it is durable.
 *
 * Here: the table of resources, a call and what its verb does. http/: the server, web socket frames, TLS. identity/:
 * who asks and what they may. wire/: formats without state (Status, tables, patches, selectors, protobuf). schema/:
 * discovery and OpenAPI. streams/: tunnels into a VM. metrics/: what Prometheus reads. http/, identity/ and wire/ know
 * no VM. */
#pragma once

#include "api/http/http.h"
#include "runtime/runtime.h"

struct api;

/* The namespace "default" is made when there is none. */
struct api *api_new(struct loop *loop, struct store *store, struct runtime *runtime);
void api_free(struct api *api);
/* To listen on: http_listen_unix, http_listen_tcp. */
struct http_server *api_http(struct api *api);
