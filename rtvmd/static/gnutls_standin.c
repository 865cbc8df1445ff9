/* A stand-in for gnutls in the static build. libvirt's client needs 43 of its functions to link, but talks to the
 * daemon on this host over a unix socket, where only gnutls_global_init and gnutls_rnd are ever reached. So: those two
 * work, the setters and destructors do nothing, and everything that would mean TLS says "unimplemented", which libvirt
 * reports as an error of qemu+tls://. The prototypes are checked against gnutls' own headers. */
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <sys/random.h>

int gnutls_global_init(void)
{
    return 0;
}

int gnutls_rnd(gnutls_rnd_level_t level, void *data, size_t length)
{
    (void)level;
    unsigned char *p = data;
    while (length > 0) {
        ssize_t n = getrandom(p, length, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return GNUTLS_E_RANDOM_FAILED;
        p += n;
        length -= (size_t)n;
    }
    return 0;
}

const char *gnutls_strerror(int error)
{
    return error == GNUTLS_E_UNIMPLEMENTED_FEATURE ? "TLS to a remote libvirt is not built into this program; "
                                                     "use the local unix socket"
                                                   : "error in the TLS stand-in";
}

#define NOTHING(name, ...) \
    void name(__VA_ARGS__) \
    {                      \
    }
#define UNIMPLEMENTED(type, name, ...)               \
    type name(__VA_ARGS__)                           \
    {                                                \
        return (type)GNUTLS_E_UNIMPLEMENTED_FEATURE; \
    }
#define NONE(type, name, ...) \
    type name(__VA_ARGS__)    \
    {                         \
        return (type)0;       \
    }

/* Parameters are only named in gnutls' prototypes. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

NOTHING(gnutls_certificate_free_credentials, gnutls_certificate_credentials_t c)
NOTHING(gnutls_certificate_server_set_request, gnutls_session_t s, gnutls_certificate_request_t r)
NOTHING(gnutls_cipher_deinit, gnutls_cipher_hd_t h)
NOTHING(gnutls_deinit, gnutls_session_t s)
NOTHING(gnutls_global_set_log_function, gnutls_log_func f)
NOTHING(gnutls_global_set_log_level, int level)
NOTHING(gnutls_transport_set_ptr, gnutls_session_t s, gnutls_transport_ptr_t p)
NOTHING(gnutls_transport_set_pull_function, gnutls_session_t s, gnutls_pull_func f)
NOTHING(gnutls_transport_set_push_function, gnutls_session_t s, gnutls_push_func f)
NOTHING(gnutls_x509_crt_deinit, gnutls_x509_crt_t c)

NONE(const gnutls_datum_t *, gnutls_certificate_get_peers, gnutls_session_t s, unsigned *n)
NONE(gnutls_certificate_type_t, gnutls_certificate_type_get, gnutls_session_t s)
NONE(gnutls_cipher_algorithm_t, gnutls_cipher_get, gnutls_session_t s)
NONE(size_t, gnutls_cipher_get_key_size, gnutls_cipher_algorithm_t a)
NONE(int, gnutls_record_get_direction, gnutls_session_t s)
NONE(unsigned, gnutls_x509_crt_check_hostname, gnutls_x509_crt_t c, const char *name)
NONE(time_t, gnutls_x509_crt_get_activation_time, gnutls_x509_crt_t c)
NONE(time_t, gnutls_x509_crt_get_expiration_time, gnutls_x509_crt_t c)

UNIMPLEMENTED(int, gnutls_certificate_allocate_credentials, gnutls_certificate_credentials_t *c)
UNIMPLEMENTED(int, gnutls_certificate_set_x509_crl_file, gnutls_certificate_credentials_t c, const char *f,
              gnutls_x509_crt_fmt_t t)
UNIMPLEMENTED(int, gnutls_certificate_set_x509_key_file, gnutls_certificate_credentials_t c, const char *f,
              const char *k, gnutls_x509_crt_fmt_t t)
UNIMPLEMENTED(int, gnutls_certificate_set_x509_trust_file, gnutls_certificate_credentials_t c, const char *f,
              gnutls_x509_crt_fmt_t t)
UNIMPLEMENTED(int, gnutls_certificate_verify_peers2, gnutls_session_t s, unsigned *status)
UNIMPLEMENTED(int, gnutls_cipher_encrypt, const gnutls_cipher_hd_t h, void *text, size_t n)
UNIMPLEMENTED(int, gnutls_cipher_init, gnutls_cipher_hd_t *h, gnutls_cipher_algorithm_t a, const gnutls_datum_t *k,
              const gnutls_datum_t *iv)
UNIMPLEMENTED(int, gnutls_credentials_set, gnutls_session_t s, gnutls_credentials_type_t t, void *c)
UNIMPLEMENTED(int, gnutls_handshake, gnutls_session_t s)
UNIMPLEMENTED(int, gnutls_hash_fast, gnutls_digest_algorithm_t a, const void *text, size_t n, void *digest)
UNIMPLEMENTED(int, gnutls_init, gnutls_session_t *s, unsigned flags)
UNIMPLEMENTED(int, gnutls_priority_set_direct, gnutls_session_t s, const char *p, const char **e)
UNIMPLEMENTED(ssize_t, gnutls_record_recv, gnutls_session_t s, void *data, size_t n)
UNIMPLEMENTED(ssize_t, gnutls_record_send, gnutls_session_t s, const void *data, size_t n)
UNIMPLEMENTED(int, gnutls_x509_crt_get_basic_constraints, gnutls_x509_crt_t c, unsigned *critical, unsigned *ca,
              int *length)
UNIMPLEMENTED(int, gnutls_x509_crt_get_dn, gnutls_x509_crt_t c, char *buffer, size_t *n)
UNIMPLEMENTED(int, gnutls_x509_crt_get_key_purpose_oid, gnutls_x509_crt_t c, unsigned i, void *oid, size_t *n,
              unsigned *critical)
UNIMPLEMENTED(int, gnutls_x509_crt_get_key_usage, gnutls_x509_crt_t c, unsigned *usage, unsigned *critical)
UNIMPLEMENTED(int, gnutls_x509_crt_import, gnutls_x509_crt_t c, const gnutls_datum_t *d, gnutls_x509_crt_fmt_t f)
UNIMPLEMENTED(int, gnutls_x509_crt_init, gnutls_x509_crt_t *c)
UNIMPLEMENTED(int, gnutls_x509_crt_list_import, gnutls_x509_crt_t *certs, unsigned *n, const gnutls_datum_t *d,
              gnutls_x509_crt_fmt_t f, unsigned flags)
UNIMPLEMENTED(int, gnutls_x509_crt_list_verify, const gnutls_x509_crt_t *certs, unsigned n, const gnutls_x509_crt_t *ca,
              unsigned ca_n, const gnutls_x509_crl_t *crls, unsigned crl_n, unsigned flags, unsigned *verify)
