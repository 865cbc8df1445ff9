#include "api/identity/pki.h"

#include <arpa/inet.h>
#include <mbedtls/asn1write.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecp.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rtvmd/base/file.h"
#include "rtvmd/base/log.h"

enum { PEM_MAX = 16384, CA_DAYS = 3650, CERTIFICATE_DAYS = 365, RENEW_DAYS = 30 };

struct maker {
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
};

static int fail_mbedtls(struct error *err, int code, const char *what)
{
    char text[128];
    mbedtls_strerror(code, text, sizeof text);
    return fail(err, ERROR_INTERNAL, "%s: %s", what, text);
}

static int maker_init(struct maker *maker, struct error *err)
{
    mbedtls_entropy_init(&maker->entropy);
    mbedtls_ctr_drbg_init(&maker->random);
    int r = mbedtls_ctr_drbg_seed(&maker->random, mbedtls_entropy_func, &maker->entropy, NULL, 0);
    return r ? fail_mbedtls(err, r, "random source") : 0;
}

static void maker_finish(struct maker *maker)
{
    mbedtls_ctr_drbg_free(&maker->random);
    mbedtls_entropy_free(&maker->entropy);
}

static int key_make(struct maker *maker, mbedtls_pk_context *key, struct error *err)
{
    int r = mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
    if (r == 0)
        r = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key), mbedtls_ctr_drbg_random, &maker->random);
    return r ? fail_mbedtls(err, r, "make a key") : 0;
}

/* ---- subject alternative names: mbedTLS 2.28 writes extensions only as finished DER */

struct names {
    unsigned char der[1024];
    unsigned char *at; /* written from the end */
    size_t length;
};

static void names_add(struct names *names, int tag, const void *bytes, size_t length)
{
    int n = mbedtls_asn1_write_raw_buffer(&names->at, names->der, bytes, length);
    int m = n < 0 ? n : mbedtls_asn1_write_len(&names->at, names->der, length);
    int k = m < 0
                ? m
                : mbedtls_asn1_write_tag(&names->at, names->der, (unsigned char)(MBEDTLS_ASN1_CONTEXT_SPECIFIC | tag));
    if (k > 0)
        names->length += (size_t)(n + m + k);
}

static void names_add_host(struct names *names, const char *host)
{
    unsigned char address[16];
    if (inet_pton(AF_INET, host, address) == 1)
        names_add(names, 7, address, 4); /* iPAddress */
    else if (inet_pton(AF_INET6, host, address) == 1)
        names_add(names, 7, address, 16);
    else if (*host)
        names_add(names, 2, host, strlen(host)); /* dNSName */
}

static int names_write(mbedtls_x509write_cert *request, const char *host)
{
    struct names names = {0};
    names.at = names.der + sizeof names.der;
    char own[256] = "";
    gethostname(own, sizeof own - 1);
    const char *all[] = {"localhost", "127.0.0.1", "::1", own, host};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        names_add_host(&names, all[i]);
    int n = mbedtls_asn1_write_len(&names.at, names.der, names.length);
    int m = mbedtls_asn1_write_tag(&names.at, names.der, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE);
    if (n < 0 || m < 0)
        return MBEDTLS_ERR_ASN1_BUF_TOO_SMALL;
    return mbedtls_x509write_crt_set_extension(request, MBEDTLS_OID_SUBJECT_ALT_NAME,
                                               MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME), 0, names.at,
                                               names.length + (size_t)n + (size_t)m);
}

/* ---- certificates */

struct wish {
    const char *subject; /* "CN=…,O=…" */
    const char *issuer;
    mbedtls_pk_context *key; /* of the subject */
    mbedtls_pk_context *signer;
    const char *host; /* a server certificate for it; NULL else */
    bool is_ca;
    int days;
};

static int set_validity(mbedtls_x509write_cert *request, int days)
{
    char from[16];
    char until[16];
    time_t now = time(NULL) - 300; /* clocks differ */
    time_t end = now + (time_t)days * 86400;
    struct tm broken;
    strftime(from, sizeof from, "%Y%m%d%H%M%S", gmtime_r(&now, &broken));
    strftime(until, sizeof until, "%Y%m%d%H%M%S", gmtime_r(&end, &broken));
    return mbedtls_x509write_crt_set_validity(request, from, until);
}

/* extKeyUsage: one OID in a SEQUENCE. */
static int set_purpose(mbedtls_x509write_cert *request, bool server)
{
    const char *oid = server ? MBEDTLS_OID_SERVER_AUTH : MBEDTLS_OID_CLIENT_AUTH;
    size_t length = server ? MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH) : MBEDTLS_OID_SIZE(MBEDTLS_OID_CLIENT_AUTH);
    unsigned char der[32] = {MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE, (unsigned char)(length + 2),
                             MBEDTLS_ASN1_OID, (unsigned char)length};
    memcpy(der + 4, oid, length);
    return mbedtls_x509write_crt_set_extension(request, MBEDTLS_OID_EXTENDED_KEY_USAGE,
                                               MBEDTLS_OID_SIZE(MBEDTLS_OID_EXTENDED_KEY_USAGE), 0, der, length + 4);
}

static int fill_request(struct maker *maker, mbedtls_x509write_cert *request, const struct wish *wish)
{
    unsigned char serial[16];
    mbedtls_mpi number;
    mbedtls_mpi_init(&number);
    int r = mbedtls_ctr_drbg_random(&maker->random, serial, sizeof serial);
    serial[0] = (unsigned char)((serial[0] & 0x3f) | 0x40); /* positive, and never zero */
    if (r == 0)
        r = mbedtls_mpi_read_binary(&number, serial, sizeof serial);
    if (r == 0)
        r = mbedtls_x509write_crt_set_serial(request, &number);
    mbedtls_mpi_free(&number);
    mbedtls_x509write_crt_set_version(request, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(request, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(request, wish->key);
    mbedtls_x509write_crt_set_issuer_key(request, wish->signer);
    if (r == 0)
        r = mbedtls_x509write_crt_set_subject_name(request, wish->subject);
    if (r == 0)
        r = mbedtls_x509write_crt_set_issuer_name(request, wish->issuer);
    if (r == 0)
        r = set_validity(request, wish->days);
    if (r == 0)
        r = mbedtls_x509write_crt_set_basic_constraints(request, wish->is_ca, wish->is_ca ? 0 : -1);
    if (r == 0)
        r = mbedtls_x509write_crt_set_key_usage(request, wish->is_ca
                                                             ? MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN
                                                             : MBEDTLS_X509_KU_DIGITAL_SIGNATURE);
    if (r == 0) /* two CAs of this name can be told apart while one takes the other's place */
        r = mbedtls_x509write_crt_set_subject_key_identifier(request);
    if (r == 0)
        r = mbedtls_x509write_crt_set_authority_key_identifier(request);
    if (r == 0 && !wish->is_ca)
        r = set_purpose(request, wish->host != NULL);
    if (r == 0 && wish->host)
        r = names_write(request, wish->host);
    return r;
}

/* PEM of a new certificate; the caller frees. */
static char *certificate_make(struct maker *maker, const struct wish *wish, struct error *err)
{
    mbedtls_x509write_cert request;
    mbedtls_x509write_crt_init(&request);
    int r = fill_request(maker, &request, wish);
    char *pem = must_calloc(1, PEM_MAX);
    if (r == 0)
        r = mbedtls_x509write_crt_pem(&request, (unsigned char *)pem, PEM_MAX, mbedtls_ctr_drbg_random, &maker->random);
    mbedtls_x509write_crt_free(&request);
    if (r == 0)
        return pem;
    free(pem);
    fail_mbedtls(err, r, "make a certificate");
    return NULL;
}

static char *key_to_pem(mbedtls_pk_context *key)
{
    char *pem = must_calloc(1, PEM_MAX);
    if (mbedtls_pk_write_key_pem(key, (unsigned char *)pem, PEM_MAX))
        abort(); /* a P-256 key always fits */
    return pem;
}

/* ---- the files */

static char *pki_path(const char *state_dir, const char *name)
{
    return must_format("%s/pki/%s", state_dir, name);
}

static char *pki_read(const char *state_dir, const char *name, struct error *err)
{
    auto_free char *path = pki_path(state_dir, name);
    auto_text text = {0};
    return file_read(NULL, path, PEM_MAX, &text, err) < 0 ? NULL : text_take(&text);
}

static int pki_write(const char *state_dir, const char *name, const char *pem, unsigned mode, struct error *err)
{
    auto_free char *path = pki_path(state_dir, name);
    return file_write_atomic(path, pem, strlen(pem), mode, err);
}

char *pki_ca(const char *state_dir, struct error *err)
{
    return pki_read(state_dir, "ca.crt", err);
}

static const char CA_NAME[] = "CN=rtvmd CA";

static int ca_load(const char *state_dir, mbedtls_pk_context *key, struct error *err)
{
    auto_free char *pem = pki_read(state_dir, "ca.key", err);
    if (!pem)
        return -1;
    int r = mbedtls_pk_parse_key(key, (const unsigned char *)pem, strlen(pem) + 1, NULL, 0);
    return r ? fail_mbedtls(err, r, "pki/ca.key") : 0;
}

/* Leaves the CA's key in *key, made anew when there is none. The certificate is written last: with it the CA exists. */
static int ca_ensure(struct maker *maker, const char *state_dir, mbedtls_pk_context *key, struct error *err)
{
    auto_free char *there = pki_ca(state_dir, err);
    if (there)
        return ca_load(state_dir, key, err);
    if (err->kind != ERROR_NOT_FOUND)
        return -1;
    auto_free char *folder = pki_path(state_dir, "");
    folder[strlen(folder) - 1] = '\0';
    if (file_make_folders(folder, 0700, err) < 0 || key_make(maker, key, err) < 0)
        return -1;
    struct wish wish = {
        .subject = CA_NAME, .issuer = CA_NAME, .key = key, .signer = key, .is_ca = true, .days = CA_DAYS};
    auto_free char *certificate = certificate_make(maker, &wish, err);
    auto_free char *key_pem = key_to_pem(key);
    if (!certificate || pki_write(state_dir, "ca.key", key_pem, 0600, err) < 0 ||
        pki_write(state_dir, "ca.crt", certificate, 0644, err) < 0)
        return -1;
    log_info("made a certificate authority folder=%s", folder);
    return 0;
}

static bool names_host(const mbedtls_x509_crt *certificate, const char *host)
{
    unsigned char address[16];
    size_t length = strlen(host);
    const void *bytes = host;
    if (inet_pton(AF_INET, host, address) == 1) {
        bytes = address;
        length = 4;
    } else if (inet_pton(AF_INET6, host, address) == 1) {
        bytes = address;
        length = 16;
    }
    for (const mbedtls_x509_sequence *name = &certificate->subject_alt_names; name; name = name->next)
        if (name->buf.len == length && memcmp(name->buf.p, bytes, length) == 0)
            return true;
    return *host == '\0';
}

/* Made by this CA, and with this key: one of them may have been replaced, or a crash come between the two files. */
static bool belongs(mbedtls_x509_crt *certificate, const char *ca_pem, const char *key_pem)
{
    uint32_t flags;
    mbedtls_x509_crt ca;
    mbedtls_pk_context key;
    mbedtls_x509_crt_init(&ca);
    mbedtls_pk_init(&key);
    bool all = mbedtls_x509_crt_parse(&ca, (const unsigned char *)ca_pem, strlen(ca_pem) + 1) == 0 &&
               mbedtls_x509_crt_verify(certificate, &ca, NULL, NULL, &flags, NULL, NULL) == 0 &&
               mbedtls_pk_parse_key(&key, (const unsigned char *)key_pem, strlen(key_pem) + 1, NULL, 0) == 0 &&
               mbedtls_pk_check_pair(&certificate->pk, &key) == 0;
    mbedtls_pk_free(&key);
    mbedtls_x509_crt_free(&ca);
    return all;
}

static bool server_is_usable(const char *pem, const char *host, const char *ca_pem, const char *key_pem)
{
    mbedtls_x509_crt certificate;
    mbedtls_x509_crt_init(&certificate);
    bool usable = false;
    if (mbedtls_x509_crt_parse(&certificate, (const unsigned char *)pem, strlen(pem) + 1) == 0) {
        const mbedtls_x509_time *end = &certificate.valid_to;
        struct tm broken = {
            .tm_year = end->year - 1900, .tm_mon = end->mon - 1, .tm_mday = end->day, .tm_hour = end->hour};
        usable = timegm(&broken) - time(NULL) > (time_t)RENEW_DAYS * 86400 && names_host(&certificate, host) &&
                 belongs(&certificate, ca_pem, key_pem);
    }
    mbedtls_x509_crt_free(&certificate);
    return usable;
}

static int server_make(struct maker *maker, const char *state_dir, const char *host, mbedtls_pk_context *ca,
                       struct error *err)
{
    mbedtls_pk_context key;
    mbedtls_pk_init(&key);
    int r = key_make(maker, &key, err);
    if (r == 0) {
        struct wish wish = {.subject = "CN=rtvmd",
                            .issuer = CA_NAME,
                            .key = &key,
                            .signer = ca,
                            .host = host,
                            .days = CERTIFICATE_DAYS};
        auto_free char *certificate = certificate_make(maker, &wish, err);
        auto_free char *key_pem = key_to_pem(&key);
        r = certificate && pki_write(state_dir, "server.key", key_pem, 0600, err) == 0 ? 0 : -1;
        if (r == 0)
            r = pki_write(state_dir, "server.crt", certificate, 0644, err);
        if (r == 0)
            log_info("made a server certificate host=%s days=%d", host, CERTIFICATE_DAYS);
    }
    mbedtls_pk_free(&key);
    return r;
}

void pki_server_finish(struct pki_server *server)
{
    free(server->chain);
    free(server->key);
    free(server->ca);
    *server = (struct pki_server){0};
}

int pki_server_load(const char *state_dir, const char *host, struct pki_server *ret_server, struct error *err)
{
    struct maker maker;
    mbedtls_pk_context ca;
    mbedtls_pk_init(&ca);
    int r = maker_init(&maker, err);
    if (r == 0)
        r = ca_ensure(&maker, state_dir, &ca, err);
    if (r == 0) {
        struct error missing = {0};
        auto_free char *there = pki_read(state_dir, "server.crt", &missing);
        auto_free char *its_key = there ? pki_read(state_dir, "server.key", &missing) : NULL;
        auto_free char *its_ca = its_key ? pki_ca(state_dir, &missing) : NULL;
        if (!its_ca || !server_is_usable(there, host, its_ca, its_key))
            r = server_make(&maker, state_dir, host, &ca, err);
    }
    mbedtls_pk_free(&ca);
    maker_finish(&maker);
    if (r < 0)
        return -1;
    struct pki_server server = {.chain = pki_read(state_dir, "server.crt", err)};
    server.key = server.chain ? pki_read(state_dir, "server.key", err) : NULL;
    server.ca = server.key ? pki_ca(state_dir, err) : NULL;
    if (!server.ca) {
        pki_server_finish(&server);
        return -1;
    }
    *ret_server = server;
    return 0;
}

int pki_client_make(const char *state_dir, const char *user, const char *role, char **ret_certificate, char **ret_key,
                    struct error *err)
{
    if (!*user || strpbrk(user, ",=+\"\\<>;#") || strlen(user) > 63)
        return fail(err, ERROR_INVALID, "user \"%s\": want 1 to 63 characters without , = + \" \\ < > ; #", user);
    struct maker maker;
    mbedtls_pk_context ca;
    mbedtls_pk_context key;
    mbedtls_pk_init(&ca);
    mbedtls_pk_init(&key);
    int r = maker_init(&maker, err);
    if (r == 0)
        r = ca_load(state_dir, &ca, err);
    if (r == 0)
        r = key_make(&maker, &key, err);
    if (r == 0) {
        auto_free char *subject = must_format("CN=%s,O=%s", user, role);
        struct wish wish = {
            .subject = subject, .issuer = CA_NAME, .key = &key, .signer = &ca, .days = CERTIFICATE_DAYS};
        *ret_certificate = certificate_make(&maker, &wish, err);
        r = *ret_certificate ? 0 : -1;
        if (r == 0)
            *ret_key = key_to_pem(&key);
    }
    mbedtls_pk_free(&key);
    mbedtls_pk_free(&ca);
    maker_finish(&maker);
    return r;
}
