/* A local UDP port that leads to one of a guest: every sender gets a web socket of its own, so that answers find their
 * way back. Blocking; for verbs. */
#pragma once

#include "rtvmd/websocket.h"

/* A bound UDP socket; port 0 takes a free one. address is numeric or "localhost". The descriptor, or -1. */
int datagram_listen(const char *address, unsigned port, unsigned *ret_port, struct error *err);

/* Opens the web socket for a new sender. */
typedef int datagram_open(void *arg, struct websocket *ret_socket, struct error *err);

/* Relays for ever; returns -1 when the local socket fails. What happens to one sender's stream is told to `complain`
 * and ends nothing else: the next datagram of that sender opens a new one. LIMIT_RELAY_SENDERS at once: the one that
 * was quiet for longest goes. */
int datagram_relay(int fd, datagram_open *open, void *arg, void (*complain)(const struct error *failure),
                   struct error *err);
