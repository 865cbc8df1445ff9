/* api/tunnel: bytes both ways between a web socket and a socket of a VM (console, VNC, a port of the guest). A side
 * that does not read stops the other one; nothing is dropped. */
#pragma once

#include <sys/socket.h>

#include "api/call.h"

struct tunnels;

struct tunnels *tunnels_new(struct api *api);
void tunnels_free(struct tunnels *tunnels);
/* Cuts off those that were opened with this token (its ID; "" ends none). */
void tunnels_end_of_token(struct tunnels *tunnels, const char *token);
size_t tunnels_count(const struct tunnels *tunnels);
/* How many lead to this device ("console", "vnc", "portforward") of each VMI that has any. */
void tunnels_each(const struct tunnels *tunnels, const char *device,
                  void (*callback)(const char *namespace_, const char *name, size_t count, void *arg), void *arg);

/* Dials, then upgrades the call and lets bytes flow; a dial that fails is answered with 500. Takes over the call when
 * it returns 0; -1 when the request asks for no web socket. key (may be NULL) names what can be used by one client
 * only: whoever uses it now is cut off first. */
int tunnel_begin(struct call *call, const struct sockaddr *address, socklen_t length, const char *key,
                 struct error *err);
/* The same over UDP: each message of the web socket is one datagram. */
int tunnel_begin_datagrams(struct call *call, const struct sockaddr *address, socklen_t length, struct error *err);
/* The same for a connection that is there already; fd is taken over, also on failure. */
int tunnel_adopt(struct call *call, int fd, const char *key, struct error *err);
/* Whether the request asks for a web socket properly: to be known before something is opened for it. */
int tunnel_check(const struct call *call, struct error *err);
bool tunnel_is_used(const struct tunnels *tunnels, const char *key);
