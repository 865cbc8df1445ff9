/* A VM's streams for other programs: a local port (or this process's own input and output) on one side, a web socket of
 * the daemon on the other. Blocking; for verbs. */
#pragma once

#include "rtvmd/websocket.h"

/* A listening TCP socket; port 0 takes a free one. address is numeric or "localhost". The descriptor, or -1. */
int relay_listen(const char *address, unsigned port, unsigned *ret_port, struct error *err);
/* The same for a type of socket: SOCK_STREAM listens, SOCK_DGRAM is bound. */
int relay_bind(const char *address, unsigned port, int type, unsigned *ret_port, struct error *err);

/* Copies both ways until the web socket ends, or until the input has ended and the other side has said nothing for a
 * while. in and out may be the same descriptor; neither is closed. */
int relay_copy(struct websocket *socket, int in, int out, struct error *err);
