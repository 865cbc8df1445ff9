/* api/http: an HTTP/1.1 server on unix sockets and TCP (libevent's evhttp). It knows connections, limits, requests and
 * replies; it never knows what a path means. One callback gets every request once it is read whole.
 *
 * A request lives until it is answered by exactly one of http_reply*, http_stream_begin or http_upgrade; what its
 * accessors return is borrowed until then, and only inside the callback unless said otherwise. The client may leave at
 * any time: answering a request whose client is gone does nothing. */
#pragma once

#include <sys/types.h>

#include "rtvmd/base/loop.h"
#include "rtvmd/base/text.h"

struct http_server;
struct http_request;
struct bufferevent;

enum http_method {
    HTTP_GET = 1,
    HTTP_HEAD = 2,
    HTTP_POST = 4,
    HTTP_PUT = 8,
    HTTP_PATCH = 16,
    HTTP_DELETE = 32,
    HTTP_OPTIONS = 64
};

/* Who is at the other end. */
struct http_peer {
    bool local; /* unix socket: uid, gid and pid as the kernel says */
    uid_t uid;
    gid_t gid;
    pid_t pid;
    bool wrapped;     /* TCP through a filter (TLS) */
    char address[64]; /* TCP: "127.0.0.1" */
};

typedef void http_handler(struct http_request *request, void *arg);

struct http_server *http_server_new(struct loop *loop, http_handler *handler, void *arg);
/* How a refusal of a request that the handler never sees is put: the body, JSON, for a status and a sentence, freed by
 * the server. Without it they are plain text. */
typedef char *http_describe(int status, const char *sentence);
void http_server_describe(struct http_server *server, http_describe *describe);
/* Stops listening and drops every connection; requests still unanswered may be answered later, to nobody. */
void http_server_free(struct http_server *server);
/* mode is set on the socket file; a stale file of a dead server is replaced, a live one is ERROR_CONFLICT. */
int http_listen_unix(struct http_server *server, const char *path, unsigned mode, struct error *err);
/* A listening unix socket that somebody else opened (socket activation). Takes the descriptor. */
int http_listen_fd(struct http_server *server, int fd, struct error *err);
/* "127.0.0.1:8080", "[::1]:8080"; port 0 lets the kernel choose, *ret_port tells. wrap, when not NULL, gives each new
 * connection its bufferevent (a TLS filter): it is handed a plain socket one and owns it from then on. */
typedef struct bufferevent *http_wrap(struct bufferevent *plain, void *arg);
int http_listen_tcp(struct http_server *server, const char *address, http_wrap *wrap, void *wrap_arg,
                    unsigned *ret_port, struct error *err);
size_t http_connection_count(const struct http_server *server);

enum http_method http_method(const struct http_request *request);
const char *http_method_text(const struct http_request *request);
/* The path as sent, still percent-encoded, without the query; stays valid until the request is answered. */
const char *http_path(const struct http_request *request);
/* Decoded value of the first query parameter of that name, "" when it has none; NULL when absent. Stays valid. */
const char *http_query(const struct http_request *request, const char *name);
/* Every value of a parameter that may be repeated: the index-th, or NULL. */
const char *http_query_at(const struct http_request *request, const char *name, size_t index);
const char *http_header(const struct http_request *request, const char *name);
/* NUL-terminated, "" when there is none; *ret_length may be NULL. Stays valid. */
const char *http_body(const struct http_request *request, size_t *ret_length);
/* Stays valid. */
const struct http_peer *http_peer(const struct http_request *request);

/* The connection's bufferevent, for whoever made its filter to ask it; NULL when the client is gone. */
struct bufferevent *http_bufferevent(const struct http_request *request);

/* Adds a header to the answer to come. A value that would break the header is left out. */
void http_add_header(struct http_request *request, const char *name, const char *value);
/* Answers with a copy of the bytes. */
void http_reply(struct http_request *request, int status, const char *content_type, const char *bytes, size_t length);
/* Answers with a heap string, which is freed when it is sent. */
void http_reply_take(struct http_request *request, int status, const char *content_type, char *text);
/* An answer put together from pieces. Shared text is not copied: one hold of it is kept until it is sent. */
struct http_body;
struct http_body *http_body_new(void);
void http_body_add(struct http_body *body, const char *text);
void http_body_add_shared(struct http_body *body, struct shared_text *text);
void http_reply_body(struct http_request *request, int status, const char *content_type, struct http_body *body);

/* Answers with what is in a file: never as a whole in memory. Takes the descriptor; the file may be unlinked already.
 */
void http_reply_file(struct http_request *request, int status, const char *content_type, int fd);

/* A reply written in pieces (chunked). on_closed is called once, from the event loop and never from inside a call made
 * here, when the client is gone or was cut off because it does not read (LIMIT_HTTP_STREAM_BYTES waiting); the stream
 * is freed after it. NULL, with no call to come, when the client is gone already. */
struct http_stream;
struct http_stream *http_stream_begin(struct http_request *request, int status, const char *content_type,
                                      void (*on_closed)(void *arg), void *arg);
/* False when the client is gone or being cut off: stop writing, on_closed is about to come. */
bool http_stream_write(struct http_stream *stream, const char *bytes, size_t length);
bool http_stream_write_shared(struct http_stream *stream, struct shared_text *text); /* without copying it */
/* This many bytes more than the limit may wait: the client asked for them all at once (the list a watch begins with).
 */
void http_stream_allow(struct http_stream *stream, size_t bytes);
/* Ends the reply well and frees the stream; on_closed is not called any more. */
void http_stream_end(struct http_stream *stream);

/* Leaves HTTP: sends "101 Switching Protocols" with the headers added so far and hands out the connection's
 * bufferevent with no callbacks and no time-outs set. The caller sets its own, and triggers
 * a read once for bytes that came early; on_closed is called when the server is
 * freed first. It ends with http_tunnel_close, which may be called inside those callbacks. NULL when the client is gone
 * already. */
struct http_tunnel;
struct http_tunnel *http_upgrade(struct http_request *request, const char *protocol, void (*on_closed)(void *arg),
                                 void *arg);
struct bufferevent *http_tunnel_bufferevent(struct http_tunnel *tunnel);
void http_tunnel_close(struct http_tunnel *tunnel);
