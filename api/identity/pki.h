/* Certificates of our own, so that TLS works from the first start: a CA in STATE/pki (only its owner may enter), which
 * signs the server's certificate and the clients' in kubeconfigs. EC P-256 throughout. Keys are written with mode 0600
 * and never logged. */
#pragma once

#include "rtvmd/base/error.h"

struct pki_server {
    char *chain; /* PEM, all three; owned */
    char *key;
    char *ca;
};
void pki_server_finish(struct pki_server *server);

/* Makes what is missing: the CA (ten years), and the server certificate (one year) when there is none, when it ends
 * within 30 days, when it is not this CA's or not of this key, or when it does not name `host` (an address or a host
 * name; also in it: localhost, 127.0.0.1, ::1 and the host's name). */
int pki_server_load(const char *state_dir, const char *host, struct pki_server *ret_server, struct error *err);

/* A client certificate (one year): common name `user`, organization `role` ("rtvmd:admin", "rtvmd:edit", "rtvmd:view").
 * PEM, the caller frees. The CA must be there: ERROR_NOT_FOUND. */
int pki_client_make(const char *state_dir, const char *user, const char *role, char **ret_certificate, char **ret_key,
                    struct error *err);
/* The CA's certificate as PEM, or NULL; the caller frees. */
char *pki_ca(const char *state_dir, struct error *err);
