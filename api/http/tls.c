/* How the filter works. The socket's bufferevent moves ciphertext; the filter's two callbacks turn it into plaintext
 * and back. mbedTLS does its own I/O through two functions: reading takes from the ciphertext that has come (none left:
 * WANT_READ), writing appends to the socket's output.
 *
 * Three things libevent 2.1 does not do for a filter:
 *  - evhttp disables writing while it reads a request, which would hold back handshake messages: sending enables it;
 *  - enabling the filter for writing does not look at plaintext already there: every addition schedules a flush;
 *  - evhttp closes when the plaintext is gone, though the ciphertext may still wait in the socket's output, and it is
 *    lost then. So plaintext is taken only while nothing waits there, one record at a time, and pushed into the kernel
 * at once. */
#include "api/http/tls.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/limits.h"
#include "rtvmd/base/log.h"

/* One generation of certificates; connections made under it hold a reference. */
struct tls_material {
    unsigned references;
    mbedtls_x509_crt chain;
    mbedtls_x509_crt client_ca;
    mbedtls_pk_context key;
    mbedtls_ssl_config config;
    /* Clients that come back need no second handshake of public keys. The keys of the tickets are made anew when one is
     * written or read after its time, never by a timer, and go with the certificates they vouch for. */
    mbedtls_ssl_ticket_context tickets;
};

struct tls {
    struct loop *loop;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    struct tls_material *material;
    unsigned references; /* the owner and every connection: the random source must outlive them */
};

struct tls_connection {
    struct tls *tls;
    struct tls_material *material;
    mbedtls_ssl_context ssl;
    struct bufferevent *socket;
    struct bufferevent *filter;
    struct event *flush;
    struct event *writable;    /* made when the kernel first had no room */
    struct evbuffer *incoming; /* the ciphertext of the callback that runs */
    bool is_established;
    bool is_failed;
    struct tls_connection *next;
};

/* Filters do not tell their context, so connections are found by their bufferevent, at every request. */
static struct tls_connection *connections[256];

static struct tls_connection **bucket_of(const struct bufferevent *filter)
{
    return &connections[((uintptr_t)filter >> 6) % ARRAY_SIZE(connections)];
}

/* mbedTLS 2.28 does GCM block by block, also with the CPU's own instructions: its ChaCha20 is a quarter faster
 *, and encryption is most of what a long list costs. */
static const int SUITES[] = {
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    0,
};

/* mbedTLS would prefer the longest one both sides know, P-521: a handshake four times as long, and nobody else is
 * answered meanwhile. */
static const mbedtls_ecp_group_id CURVES[] = {
    MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP384R1,
    MBEDTLS_ECP_DP_SECP521R1, MBEDTLS_ECP_DP_NONE,
};

static int fail_mbedtls(struct error *err, int code, const char *what)
{
    char text[128];
    mbedtls_strerror(code, text, sizeof text);
    return fail(err, ERROR_INVALID, "%s: %s", what, text);
}

static void material_release(struct tls_material *material)
{
    if (!material || --material->references > 0)
        return;
    mbedtls_ssl_config_free(&material->config);
    mbedtls_ssl_ticket_free(&material->tickets);
    mbedtls_pk_free(&material->key);
    mbedtls_x509_crt_free(&material->chain);
    mbedtls_x509_crt_free(&material->client_ca);
    free(material);
}

static int parse_certificates(mbedtls_x509_crt *ret, const char *pem, const char *what, struct error *err)
{
    int r = mbedtls_x509_crt_parse(ret, (const unsigned char *)pem, strlen(pem) + 1);
    if (r > 0)
        return fail(err, ERROR_INVALID, "%s: %d certificates cannot be read", what, r);
    return r < 0 ? fail_mbedtls(err, r, what) : 0;
}

static int material_fill(struct tls *tls, struct tls_material *m, const char *chain, const char *key,
                         const char *client_ca, struct error *err)
{
    if (parse_certificates(&m->chain, chain, "server certificate", err) < 0 ||
        parse_certificates(&m->client_ca, client_ca, "client CA", err) < 0)
        return -1;
    int r = mbedtls_pk_parse_key(&m->key, (const unsigned char *)key, strlen(key) + 1, NULL, 0);
    if (r)
        return fail_mbedtls(err, r, "server key");
    if (mbedtls_pk_check_pair(&m->chain.pk, &m->key))
        return fail(err, ERROR_INVALID, "server key: does not belong to the server certificate");
    r = mbedtls_ssl_config_defaults(&m->config, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT);
    if (r)
        return fail_mbedtls(err, r, "TLS defaults");
    mbedtls_ssl_conf_min_version(&m->config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_ciphersuites(&m->config, SUITES);
    mbedtls_ssl_conf_curves(&m->config, CURVES);
    mbedtls_ssl_conf_rng(&m->config, mbedtls_ctr_drbg_random, &tls->random);
    mbedtls_ssl_conf_authmode(&m->config, MBEDTLS_SSL_VERIFY_OPTIONAL);
    mbedtls_ssl_conf_ca_chain(&m->config, &m->client_ca, NULL);
    mbedtls_ssl_conf_renegotiation(&m->config, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
    static const char *protocols[] = {"http/1.1", NULL};
    mbedtls_ssl_conf_alpn_protocols(&m->config, protocols);
    r = mbedtls_ssl_ticket_setup(&m->tickets, mbedtls_ctr_drbg_random, &tls->random, MBEDTLS_CIPHER_AES_256_GCM,
                                 LIMIT_TLS_TICKET_S);
    if (r)
        return fail_mbedtls(err, r, "TLS tickets");
    mbedtls_ssl_conf_session_tickets_cb(&m->config, mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse, &m->tickets);
    r = mbedtls_ssl_conf_own_cert(&m->config, &m->chain, &m->key);
    return r ? fail_mbedtls(err, r, "server certificate") : 0;
}

int tls_replace(struct tls *tls, const char *chain, const char *key, const char *client_ca, struct error *err)
{
    struct tls_material *m = must_calloc(1, sizeof *m);
    m->references = 1;
    mbedtls_x509_crt_init(&m->chain);
    mbedtls_x509_crt_init(&m->client_ca);
    mbedtls_pk_init(&m->key);
    mbedtls_ssl_config_init(&m->config);
    mbedtls_ssl_ticket_init(&m->tickets);
    if (material_fill(tls, m, chain, key, client_ca, err) < 0) {
        material_release(m);
        return -1;
    }
    material_release(tls->material);
    tls->material = m;
    return 0;
}

static void tls_release(struct tls *tls)
{
    if (--tls->references > 0)
        return;
    material_release(tls->material);
    mbedtls_ctr_drbg_free(&tls->random);
    mbedtls_entropy_free(&tls->entropy);
    free(tls);
}

struct tls *tls_new(struct loop *loop, const char *chain, const char *key, const char *client_ca, struct error *err)
{
    struct tls *tls = must_calloc(1, sizeof *tls);
    tls->loop = loop;
    tls->references = 1;
    mbedtls_entropy_init(&tls->entropy);
    mbedtls_ctr_drbg_init(&tls->random);
    int r = mbedtls_ctr_drbg_seed(&tls->random, mbedtls_entropy_func, &tls->entropy, NULL, 0);
    if (r)
        fail_mbedtls(err, r, "random source");
    if (r || tls_replace(tls, chain, key, client_ca, err) < 0) {
        tls_release(tls);
        return NULL;
    }
    return tls;
}

void tls_free(struct tls *tls)
{
    if (tls)
        tls_release(tls);
}

/* ---- one connection */

static int receive(void *arg, unsigned char *bytes, size_t length)
{
    struct tls_connection *c = arg;
    int n = c->incoming ? evbuffer_remove(c->incoming, bytes, length) : 0;
    return n > 0 ? n : MBEDTLS_ERR_SSL_WANT_READ;
}

static int send_out(void *arg, const unsigned char *bytes, size_t length)
{
    struct tls_connection *c = arg;
    evbuffer_add(bufferevent_get_output(c->socket), bytes, length);
    bufferevent_enable(c->socket, EV_WRITE);
    return (int)length;
}

/* Into the kernel now, rather than in the next round. A socket's bufferevent keeps its output frozen against that. */
static void push(struct tls_connection *c)
{
    struct evbuffer *waiting = bufferevent_get_output(c->socket);
    evbuffer_unfreeze(waiting, 1);
    evbuffer_write(waiting, bufferevent_getfd(c->socket));
    evbuffer_freeze(waiting, 1);
}

static enum bufferevent_filter_result refuse(struct tls_connection *c, int code)
{
    if (!c->is_failed && code != MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY && code != MBEDTLS_ERR_SSL_CONN_EOF) {
        char text[128];
        mbedtls_strerror(code, text, sizeof text);
        log_debug("TLS connection refused: %s", text);
    }
    if (!c->is_failed) {
        push(c); /* the alert, while we can */
        /* a filter's BEV_ERROR is told to nobody (libevent 2.1) */
        bufferevent_trigger_event(c->filter, BEV_EVENT_ERROR | BEV_EVENT_READING, BEV_TRIG_DEFER_CALLBACKS);
    }
    c->is_failed = true;
    return BEV_ERROR;
}

/* A certificate that was sent must verify; none at all is fine (tokens). A ticket holds the certificate and what was
 * found of it then: whether its time is over is looked at again. */
static bool certificate_is_good(struct tls_connection *c)
{
    uint32_t flags = mbedtls_ssl_get_verify_result(&c->ssl);
    const mbedtls_x509_crt *certificate = mbedtls_ssl_get_peer_cert(&c->ssl);
    if (certificate && mbedtls_x509_time_is_past(&certificate->valid_to))
        flags |= MBEDTLS_X509_BADCERT_EXPIRED;
    if (flags == 0 || !certificate)
        return true;
    char text[256];
    mbedtls_x509_crt_verify_info(text, sizeof text, "", flags);
    log_info("client certificate refused: %s", text);
    mbedtls_ssl_send_alert_message(&c->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL, MBEDTLS_SSL_ALERT_MSG_BAD_CERT);
    return false;
}

static enum bufferevent_filter_result decrypt(struct evbuffer *from, struct evbuffer *to, ev_ssize_t limit,
                                              enum bufferevent_flush_mode mode, void *arg)
{
    (void)limit;
    (void)mode;
    struct tls_connection *c = arg;
    if (c->is_failed)
        return BEV_ERROR;
    c->incoming = from;
    enum bufferevent_filter_result result = BEV_NEED_MORE;
    if (!c->is_established) {
        int r = mbedtls_ssl_handshake(&c->ssl);
        if (r != 0 && r != MBEDTLS_ERR_SSL_WANT_READ && r != MBEDTLS_ERR_SSL_WANT_WRITE)
            return refuse(c, r);
        if (r == 0 && !certificate_is_good(c))
            return refuse(c, MBEDTLS_ERR_X509_CERT_VERIFY_FAILED);
        c->is_established = r == 0;
        if (c->is_established)
            event_active(c->flush, EV_TIMEOUT, 0);
    }
    while (c->is_established) {
        unsigned char record[4096];
        int n = mbedtls_ssl_read(&c->ssl, record, sizeof record);
        if (n == MBEDTLS_ERR_SSL_WANT_READ || n == MBEDTLS_ERR_SSL_WANT_WRITE)
            break;
        if (n <= 0)
            return refuse(c, n == 0 ? MBEDTLS_ERR_SSL_CONN_EOF : n);
        evbuffer_add(to, record, (size_t)n);
        result = BEV_OK;
    }
    c->incoming = NULL;
    return result;
}

static void flush_now(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct tls_connection *c = arg;
    bufferevent_flush(c->filter, EV_WRITE, BEV_NORMAL);
}

/* Will the kernel take a short record now? If not, the filter is flushed again when it will. */
static bool has_room(struct tls_connection *c)
{
    struct pollfd socket = {.fd = bufferevent_getfd(c->socket), .events = POLLOUT};
    if (poll(&socket, 1, 0) != 0)
        return true; /* room, or an error that writing will tell */
    if (!c->writable)
        c->writable = event_new(loop_event_base(c->tls->loop), socket.fd, EV_WRITE, flush_now, c);
    if (c->writable)
        event_add(c->writable, NULL);
    return false;
}

enum { RECORD_MAX = 16384, LAST_MAX = 1024 };

/* The largest record there is, but never a long one that would be the last. */
static size_t record_length(const struct evbuffer *from)
{
    size_t all = evbuffer_get_length(from);
    if (all <= LAST_MAX)
        return all;
    size_t length = all < RECORD_MAX ? all : RECORD_MAX;
    return all - length < LAST_MAX ? all - LAST_MAX : length;
}

static enum bufferevent_filter_result encrypt(struct evbuffer *from, struct evbuffer *to, ev_ssize_t limit,
                                              enum bufferevent_flush_mode mode, void *arg)
{
    static unsigned char record[RECORD_MAX]; /* an answer is many pieces of memory, a record is one */
    (void)to;                                /* send_out appends to it: it is the socket's output */
    (void)limit;
    (void)mode;
    struct tls_connection *c = arg;
    if (c->is_failed)
        return BEV_ERROR;
    struct evbuffer *waiting = bufferevent_get_output(c->socket);
    enum bufferevent_filter_result result = BEV_NEED_MORE;
    while (c->is_established && evbuffer_get_length(from) > 0 && evbuffer_get_length(waiting) == 0) {
        if (!has_room(c))
            break;
        ev_ssize_t length = evbuffer_copyout(from, record, record_length(from));
        int n = mbedtls_ssl_write(&c->ssl, record, (size_t)length);
        if (n < 0)
            return refuse(c, n);
        evbuffer_drain(from, (size_t)n);
        push(c);
        result = BEV_OK;
    }
    return result;
}

static void plaintext_added(struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *arg)
{
    (void)buffer;
    struct tls_connection *c = arg;
    if (info->n_added > 0)
        event_active(c->flush, EV_TIMEOUT, 0);
}

static void connection_free(void *arg)
{
    struct tls_connection *c = arg;
    for (struct tls_connection **at = bucket_of(c->filter); *at; at = &(*at)->next) {
        if (*at == c) {
            *at = c->next;
            break;
        }
    }
    event_free(c->flush);
    if (c->writable)
        event_free(c->writable);
    mbedtls_ssl_free(&c->ssl);
    material_release(c->material);
    tls_release(c->tls);
    free(c);
}

struct bufferevent *tls_wrap(struct bufferevent *plain, void *arg)
{
    struct tls *tls = arg;
    struct tls_connection *c = must_calloc(1, sizeof *c);
    c->tls = tls;
    tls->references++;
    c->material = tls->material;
    c->material->references++;
    c->socket = plain;
    mbedtls_ssl_init(&c->ssl);
    if (mbedtls_ssl_setup(&c->ssl, &c->material->config))
        abort(); /* only for want of memory */
    mbedtls_ssl_set_bio(&c->ssl, c, send_out, receive, NULL);
    c->filter = bufferevent_filter_new(plain, decrypt, encrypt, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS,
                                       connection_free, c);
    c->flush = event_new(loop_event_base(tls->loop), -1, 0, flush_now, c);
    if (!c->filter || !c->flush)
        abort();
    evbuffer_add_cb(bufferevent_get_output(c->filter), plaintext_added, c);
    struct tls_connection **bucket = bucket_of(c->filter);
    c->next = *bucket;
    *bucket = c;
    return c->filter;
}

/* A name that does not fit, or that a NUL would make look like another one, is none. */
static bool copy_name(char *to, size_t size, const mbedtls_x509_name *name)
{
    if (name->val.len >= size || memchr(name->val.p, '\0', name->val.len))
        return false;
    memcpy(to, name->val.p, name->val.len);
    to[name->val.len] = '\0';
    return true;
}

bool tls_peer(struct bufferevent *bufferevent, struct tls_peer *ret_peer)
{
    struct tls_connection *c = *bucket_of(bufferevent);
    while (c && c->filter != bufferevent)
        c = c->next;
    const mbedtls_x509_crt *certificate = c && c->is_established ? mbedtls_ssl_get_peer_cert(&c->ssl) : NULL;
    if (!certificate)
        return false;
    *ret_peer = (struct tls_peer){0};
    for (const mbedtls_x509_name *name = &certificate->subject; name; name = name->next) {
        if (MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &name->oid) == 0)
            copy_name(ret_peer->common_name, sizeof ret_peer->common_name, name);
        unsigned i = ret_peer->organization_count;
        if (MBEDTLS_OID_CMP(MBEDTLS_OID_AT_ORGANIZATION, &name->oid) == 0 && i < ARRAY_SIZE(ret_peer->organization))
            ret_peer->organization_count +=
                copy_name(ret_peer->organization[i], sizeof ret_peer->organization[0], name);
    }
    return ret_peer->common_name[0] != '\0';
}
