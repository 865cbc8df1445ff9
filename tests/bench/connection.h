/* One client connection of the load generator: non-blocking, plain (unix, TCP) or TLS with a client certificate. */
#pragma once

#include <errno.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ssl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "rtvmd/base/base.h"

/* Where to connect, and as whom. */
struct target {
    union {
        struct sockaddr any;
        struct sockaddr_un unix_;
        struct sockaddr_in tcp;
    } address;
    socklen_t address_size;
    bool tls;
    bool resumes; /* TLS: later connections come with the ticket of the first */
    bool has_session;
    mbedtls_ssl_session session;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_x509_crt ca;
    mbedtls_x509_crt certificate;
    mbedtls_pk_context key;
    mbedtls_ssl_config config;
};

struct connection {
    struct target *target;
    int fd;
    mbedtls_ssl_context ssl; /* when the target is TLS */
    bool tls;
    bool is_open; /* the TLS handshake is done, or there is none */
};

enum { IO_AGAIN = -1, IO_END = -2 };

__attribute__((noreturn)) static inline void give_up(const char *what, const char *why)
{
    fprintf(stderr, "bench_api: %s: %s\n", what, why);
    exit(1);
}

static inline void target_tls(struct target *target, const char *folder)
{
    static const char *const FILES[] = {"ca.crt", "client.crt", "client.key"};
    char path[3][256];
    for (int i = 0; i < 3; i++)
        snprintf(path[i], sizeof path[i], "%s/%s", folder, FILES[i]);
    mbedtls_entropy_init(&target->entropy);
    mbedtls_ctr_drbg_init(&target->random);
    mbedtls_x509_crt_init(&target->ca);
    mbedtls_x509_crt_init(&target->certificate);
    mbedtls_pk_init(&target->key);
    mbedtls_ssl_config_init(&target->config);
    if (mbedtls_ctr_drbg_seed(&target->random, mbedtls_entropy_func, &target->entropy, NULL, 0) ||
        mbedtls_x509_crt_parse_file(&target->ca, path[0]) ||
        mbedtls_x509_crt_parse_file(&target->certificate, path[1]) ||
        mbedtls_pk_parse_keyfile(&target->key, path[2], NULL) ||
        mbedtls_ssl_config_defaults(&target->config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) ||
        mbedtls_ssl_conf_own_cert(&target->config, &target->certificate, &target->key))
        give_up(folder, "ca.crt, client.crt and client.key cannot be read");
    mbedtls_ssl_conf_rng(&target->config, mbedtls_ctr_drbg_random, &target->random);
    mbedtls_ssl_conf_ca_chain(&target->config, &target->ca, NULL);
    mbedtls_ssl_conf_authmode(&target->config, MBEDTLS_SSL_VERIFY_REQUIRED);
}

/* A path is a unix socket, a number a port of 127.0.0.1. certificates: the folder that makes it TLS, or NULL. */
static inline void target_init(struct target *target, const char *where, const char *certificates)
{
    *target = (struct target){.tls = certificates != NULL};
    if (where[0] == '/') {
        target->address.unix_.sun_family = AF_UNIX;
        snprintf(target->address.unix_.sun_path, sizeof target->address.unix_.sun_path, "%s", where);
        target->address_size = sizeof target->address.unix_;
    } else {
        target->address.tcp.sin_family = AF_INET;
        target->address.tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        target->address.tcp.sin_port = htons((uint16_t)strtoul(where, NULL, 10));
        target->address_size = sizeof target->address.tcp;
    }
    if (certificates)
        target_tls(target, certificates);
}

static inline int connection_send_raw(void *arg, const unsigned char *bytes, size_t length)
{
    ssize_t n = send(((struct connection *)arg)->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    return n >= 0 ? (int)n : errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_SSL_CONN_EOF;
}

static inline int connection_receive_raw(void *arg, unsigned char *bytes, size_t length)
{
    ssize_t n = recv(((struct connection *)arg)->fd, bytes, length, MSG_DONTWAIT);
    return n > 0 ? (int)n : n < 0 && errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_SSL_CONN_EOF;
}

static inline void connection_init(struct connection *c, struct target *target)
{
    int family = target->address.any.sa_family;
    *c = (struct connection){.fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), .tls = target->tls};
    if (c->fd < 0 || connect(c->fd, &target->address.any, target->address_size) < 0)
        give_up("connect", strerror(errno));
    if (family == AF_INET)
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    c->target = target;
    c->is_open = !c->tls;
    if (!c->tls)
        return;
    mbedtls_ssl_init(&c->ssl);
    if (mbedtls_ssl_setup(&c->ssl, &target->config)) /* the name is not checked: mbedTLS 2.28 knows no addresses */
        give_up("TLS", "cannot be set up");
    if (target->has_session && mbedtls_ssl_set_session(&c->ssl, &target->session))
        give_up("TLS", "the session cannot be taken up");
    mbedtls_ssl_set_bio(&c->ssl, c, connection_send_raw, connection_receive_raw, NULL);
}

static inline void connection_finish(struct connection *c)
{
    if (c->tls)
        mbedtls_ssl_free(&c->ssl);
    close(c->fd);
}

static inline int connection_outcome(int n)
{
    if (n == MBEDTLS_ERR_SSL_WANT_READ || n == MBEDTLS_ERR_SSL_WANT_WRITE)
        return IO_AGAIN;
    return n <= 0 ? IO_END : n;
}

/* One step of the TLS handshake. Returns 1 when the connection is open, IO_AGAIN while it is not, IO_END when refused.
 */
static inline int connection_open(struct connection *c)
{
    if (c->is_open)
        return 1;
    int r = mbedtls_ssl_handshake(&c->ssl);
    c->is_open = r == 0;
    if (r == 0 && c->target->resumes && !c->target->has_session) {
        mbedtls_ssl_session_init(&c->target->session);
        c->target->has_session = mbedtls_ssl_get_session(&c->ssl, &c->target->session) == 0;
    }
    return c->is_open ? 1 : connection_outcome(r);
}

/* Bytes read or written, IO_AGAIN, or IO_END. */
static inline int connection_read(struct connection *c, void *bytes, size_t length)
{
    return connection_outcome(c->tls ? mbedtls_ssl_read(&c->ssl, bytes, length)
                                     : connection_receive_raw(c, bytes, length));
}

static inline int connection_write(struct connection *c, const void *bytes, size_t length)
{
    return connection_outcome(c->tls ? mbedtls_ssl_write(&c->ssl, bytes, length)
                                     : connection_send_raw(c, bytes, length));
}
