/* api/datagram: the UDP side of a tunnel. A message of the web socket is one datagram and the other way round; what
 * does not fit in a hurry is dropped, as UDP allows. */
#pragma once

#include <sys/socket.h>

#include "rtvmd/base/loop.h"

struct datagrams;

/* A socket that sends to this address and hears nobody else; came is called for each datagram. NULL with ERROR_INTERNAL
 * when the address cannot be reached at all. */
struct datagrams *datagrams_new(struct loop *loop, const struct sockaddr *address, socklen_t length,
                                void (*came)(const unsigned char *bytes, size_t length, void *arg), void *arg,
                                struct error *err);
void datagrams_free(struct datagrams *datagrams); /* NULL is fine */
/* A piece of a message; the last one sends it. A message larger than a datagram may be is dropped whole. */
void datagrams_take(struct datagrams *datagrams, const unsigned char *bytes, size_t length, bool last);
