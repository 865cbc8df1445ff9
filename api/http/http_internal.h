/* What the two halves of api/http share: connections (http_server.c) and the requests on them (http_request.c). */
#pragma once

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>

#include "api/http/http.h"
#include "rtvmd/base/limits.h"

struct http_listener {
    struct http_server *server;
    struct evhttp *evhttp;
    struct evconnlistener *listener;
    http_wrap *wrap;
    void *wrap_arg;
    bool local;
    bool is_full; /* not accepting */
    char *path;   /* of the unix socket, to be removed at the end */
    struct http_listener *next;
};

struct http_connection {
    struct http_server *server;
    struct http_listener *listener;
    struct bufferevent *bufferevent;
    struct evhttp_connection *evhttp; /* NULL until the event after accepting */
    int fd;                           /* -1 until then */
    struct event *refusal;            /* exchanges libevent's page of refusal for ours */
    struct event *deadline;           /* armed from the first byte of a request until it is read whole; before the
                                         first one from accepting, when there is a handshake */
    size_t head_bytes;                /* came since the request began */
    bool is_remote;                   /* over TCP */
    bool is_reading;                  /* the deadline is armed */
    bool is_answering;                /* a request was read and its answer is not wholly sent */
    struct http_peer peer;
    void (*on_lost)(void *arg); /* of the request, stream or tunnel that is on it; the connection goes after the call */
    void *on_lost_arg;
    struct http_connection *next_fresh;
};

struct http_server {
    struct loop *loop;
    http_handler *handler;
    void *handler_arg;
    http_describe *describe; /* NULL: plain sentences */
    struct http_listener *listeners;
    struct http_connection *fresh; /* just accepted */
    size_t connection_count;
    size_t remote_count; /* of them over TCP */
    uint64_t warned_ms;  /* when it was last said that there are too many */
    struct http_connection **by_fd;
    size_t by_fd_size;
    struct event *arrived;
    const struct timeval *deadline;
};

/* A request was read whole. */
void http_request_arrived(struct evhttp_request *event, struct http_connection *connection);

/* ---- http_refusal.c */

/* The body of a refusal; the caller frees. */
char *http_refusal_body(const struct http_server *server, int status, const char *sentence, const char **ret_type);
/* From now on refusals by libevent are in our words. */
void http_refusal_watch(struct http_connection *connection);
/* The whole answer to a request that did not become whole in time; the caller frees. */
char *http_refusal_late(const struct http_server *server);
