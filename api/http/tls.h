/* TLS on server connections: mbedTLS as a filter between evhttp and the socket. TLS 1.2 and newer as far as mbedTLS has
 * it, AEAD suites only, client certificates asked for and checked but not demanded (a bearer token may come instead).
 * Together with pki.c and digest.c this is the only place that includes mbedTLS. */
#pragma once

#include "rtvmd/base/loop.h"

struct tls;
struct bufferevent;

/* Everything PEM, NUL-terminated; chain: the server's certificate first; client_ca: who may sign client certificates.
 * ERROR_INVALID says which of them cannot be read. */
struct tls *tls_new(struct loop *loop, const char *chain, const char *key, const char *client_ca, struct error *err);
/* The same for connections to come; open ones go on with what they have. On error nothing changes. */
int tls_replace(struct tls *tls, const char *chain, const char *key, const char *client_ca, struct error *err);
/* Connections that still use it keep their part alive. NULL is fine. */
void tls_free(struct tls *tls);

/* Fits http_wrap: arg is the struct tls. */
struct bufferevent *tls_wrap(struct bufferevent *plain, void *arg);

/* Who the client proved to be with a certificate: its common name and its organizations, as far as they fit here. */
struct tls_peer {
    char common_name[128];
    char organization[8][64];
    unsigned organization_count;
};
/* False when the connection has no TLS, the handshake is not over, or the client sent no certificate. A certificate
 * that does not verify ends the handshake, so what is here is true. */
bool tls_peer(struct bufferevent *bufferevent, struct tls_peer *ret_peer);
