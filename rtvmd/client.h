/* The clients' side of the API: one request at a time to the daemon's unix socket, blocking. What comes back is our own
 * daemon's; it is still read with every length checked. */
#pragma once

#include "rtvmd/base/json.h"

struct client {
    char *socket; /* path; owned */
};
#define auto_client __attribute__((cleanup(client_finish))) struct client
/* socket NULL: $RTVMD_SOCKET, else the default of this user (paths.h). */
void client_init(struct client *client, const char *socket);
void client_finish(struct client *client);

struct client_reply {
    int status;
    json_t *body; /* NULL when there is none or it is not JSON */
    struct text text;
    char *warnings; /* the texts of Warning headers, a line each; NULL: none */
};
void client_reply_finish(struct client_reply *reply);
#define auto_reply __attribute__((cleanup(client_reply_finish))) struct client_reply

struct client_request {
    const char *method;
    const char *path;         /* with query */
    const char *accept;       /* NULL: application/json */
    const char *content_type; /* NULL: no body */
    const char *body;
    size_t body_length;
};
/* Status 400 and above is an error: the kind of the Status object's reason, and its message (ret_reply is filled all
 * the same, and is to be finished in any case). Nobody listening: ERROR_UNAVAILABLE. */
int client_call(const struct client *client, const struct client_request *request, struct client_reply *ret_reply,
                struct error *err);

/* GET of a stream of JSON lines (watch): the callback gets each, borrowed, and returns whether to go on. deadline_ms on
 * the monotonic clock, 0: none; passing it is ERROR_TIMEOUT. The server ending the stream is a success. */
int client_stream(const struct client *client, const char *path, const char *accept, uint64_t deadline_ms,
                  bool (*callback)(json_t *line, void *arg), void *arg, struct error *err);

/* GET that becomes a web socket with subprotocol plain.kubevirt.io: the connected descriptor, or -1. What the server
 * sent right behind its answer is appended to *ret_early. */
int client_upgrade(const struct client *client, const char *path, struct text *ret_early, struct error *err);
