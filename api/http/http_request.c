/* Requests and their three kinds of answer: at once, in pieces, or leaving HTTP. The rule that keeps evhttp and us from
 * freeing the same thing twice: a request without an answer is ours. When its connection goes first, evhttp has either
 * taken the request off the connection (then we free it) or frees it right after telling us (then we forget it). */
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "api/http/http_internal.h"

struct parameter {
    char *name;
    char *value;
};

struct http_request {
    struct http_connection *connection; /* NULL: the client is gone */
    struct evhttp_request *event;       /* NULL: gone with it */
    char *path;
    char *body; /* NULL: none */
    size_t body_length;
    struct parameter *parameter; /* room for LIMIT_HTTP_PARAMETERS; NULL: none */
    size_t parameter_count;
    struct http_peer peer;
    enum http_method method;
};

struct http_stream {
    struct http_connection *connection;
    struct evhttp_request *event;
    void (*on_closed)(void *arg);
    void *arg;
    size_t limit_bytes;
    bool is_dying;
};

struct http_tunnel {
    struct http_connection *connection;
    void (*on_closed)(void *arg);
    void *arg;
};

static const struct {
    enum evhttp_cmd_type type;
    enum http_method method;
    const char *text;
} METHODS[] = {
    {EVHTTP_REQ_GET, HTTP_GET, "GET"},
    {EVHTTP_REQ_HEAD, HTTP_HEAD, "HEAD"},
    {EVHTTP_REQ_POST, HTTP_POST, "POST"},
    {EVHTTP_REQ_PUT, HTTP_PUT, "PUT"},
    {EVHTTP_REQ_PATCH, HTTP_PATCH, "PATCH"},
    {EVHTTP_REQ_DELETE, HTTP_DELETE, "DELETE"},
    {EVHTTP_REQ_OPTIONS, HTTP_OPTIONS, "OPTIONS"},
};

static void request_free(struct http_request *request)
{
    for (size_t i = 0; i < request->parameter_count; i++) {
        free(request->parameter[i].name);
        free(request->parameter[i].value);
    }
    free(request->parameter);
    free(request->path);
    free(request->body);
    free(request);
}

/* Also true of evhttp itself, which frees what it still holds once this returns. */
static struct evhttp_request *still_ours(struct evhttp_request *event)
{
    return evhttp_request_get_connection(event) ? NULL : event;
}

static void request_lost(void *arg)
{
    struct http_request *request = arg;
    request->connection = NULL;
    request->event = still_ours(request->event);
}

static void answer_sent(struct evhttp_request *event, void *arg)
{
    (void)event;
    struct http_connection *connection = arg;
    connection->is_answering = false;
}

static char *decode(const char *text, size_t length)
{
    auto_free char *copy = must_strndup(text, length);
    char *decoded = evhttp_uridecode(copy, 1, NULL);
    return decoded ? decoded : must_strdup("");
}

static int parse_query(struct http_request *request, const char *query)
{
    if (query && *query)
        request->parameter = must_calloc(LIMIT_HTTP_PARAMETERS, sizeof *request->parameter);
    while (query && *query) {
        size_t length = strcspn(query, "&");
        size_t name = strcspn(query, "=&");
        if (request->parameter_count == LIMIT_HTTP_PARAMETERS)
            return -1;
        struct parameter *p = &request->parameter[request->parameter_count++];
        p->name = decode(query, name);
        p->value = name < length ? decode(query + name + 1, length - name - 1) : must_strdup("");
        query += length + (query[length] == '&');
    }
    return 0;
}

static size_t header_count(struct evhttp_request *event)
{
    size_t count = 0;
    const struct evkeyval *header;
    TAILQ_FOREACH(header, evhttp_request_get_input_headers(event), next)
    count++;
    return count;
}

static void refuse(struct http_request *request, int status, const char *what, unsigned limit)
{
    const char *type;
    auto_free char *sentence = must_format("too many %s: at most %u are read; send fewer", what, limit);
    char *body = http_refusal_body(request->connection->server, status, sentence, &type);
    http_reply_take(request, status, type, body);
}

void http_request_arrived(struct evhttp_request *event, struct http_connection *connection)
{
    struct http_request *request = must_calloc(1, sizeof *request);
    request->connection = connection;
    request->event = event;
    request->peer = connection->peer;
    for (size_t i = 0; i < ARRAY_SIZE(METHODS); i++)
        if (METHODS[i].type == evhttp_request_get_command(event))
            request->method = METHODS[i].method;
    connection->on_lost = request_lost;
    connection->on_lost_arg = request;
    evhttp_request_set_on_complete_cb(event, answer_sent, connection);

    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(event);
    const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
    request->path = must_strdup(path && *path ? path : "/");
    struct evbuffer *body = evhttp_request_get_input_buffer(event);
    request->body_length = evbuffer_get_length(body);
    if (request->body_length > 0) {
        request->body = must_calloc(request->body_length + 1, 1);
        evbuffer_remove(body, request->body, request->body_length);
    }
    if (header_count(event) > LIMIT_HTTP_HEADERS)
        return refuse(request, 431, "headers", LIMIT_HTTP_HEADERS);
    if (parse_query(request, uri ? evhttp_uri_get_query(uri) : NULL) < 0)
        return refuse(request, 400, "query parameters", LIMIT_HTTP_PARAMETERS);
    connection->server->handler(request, connection->server->handler_arg);
}

enum http_method http_method(const struct http_request *request)
{
    return request->method;
}

const char *http_method_text(const struct http_request *request)
{
    for (size_t i = 0; i < ARRAY_SIZE(METHODS); i++)
        if (METHODS[i].method == request->method)
            return METHODS[i].text;
    return "";
}

const char *http_path(const struct http_request *request)
{
    return request->path;
}

const char *http_query_at(const struct http_request *request, const char *name, size_t index)
{
    for (size_t i = 0; i < request->parameter_count; i++)
        if (strcmp(request->parameter[i].name, name) == 0 && index-- == 0)
            return request->parameter[i].value;
    return NULL;
}

const char *http_query(const struct http_request *request, const char *name)
{
    return http_query_at(request, name, 0);
}

const char *http_header(const struct http_request *request, const char *name)
{
    return request->event ? evhttp_find_header(evhttp_request_get_input_headers(request->event), name) : NULL;
}

const char *http_body(const struct http_request *request, size_t *ret_length)
{
    if (ret_length)
        *ret_length = request->body_length;
    return request->body ? request->body : "";
}

const struct http_peer *http_peer(const struct http_request *request)
{
    return &request->peer;
}

struct bufferevent *http_bufferevent(const struct http_request *request)
{
    return request->connection ? request->connection->bufferevent : NULL;
}

void http_add_header(struct http_request *request, const char *name, const char *value)
{
    if (request->event)
        evhttp_add_header(evhttp_request_get_output_headers(request->event), name, value);
}

/* The request has its answer: takes what is needed to send it, NULL when nobody is there to read it. */
static struct evhttp_request *request_close(struct http_request *request, struct http_connection **ret_connection)
{
    struct http_connection *connection = request->connection;
    struct evhttp_request *event = request->event;
    request_free(request);
    if (!connection) {
        if (event)
            evhttp_request_free(event);
        return NULL;
    }
    connection->on_lost = NULL;
    *ret_connection = connection;
    return event;
}

/* libevent would work out the day anew for every answer. */
static void add_date(struct http_request *request)
{
    static time_t written_s;
    static char date[64];
    time_t now_s = time(NULL);
    if (now_s != written_s)
        evutil_date_rfc1123(date, sizeof date, NULL);
    written_s = now_s;
    http_add_header(request, "Date", date);
}

static void reply_buffer(struct http_request *request, int status, const char *content_type, struct evbuffer *body)
{
    struct http_connection *connection;
    http_add_header(request, "Content-Type", content_type);
    add_date(request);
    if (request->method == HTTP_HEAD) { /* libevent would send the body, and the next answer would be read out of it */
        char length[24];
        snprintf(length, sizeof length, "%zu", evbuffer_get_length(body));
        http_add_header(request, "Content-Length", length);
        evbuffer_drain(body, evbuffer_get_length(body));
    }
    struct evhttp_request *event = request_close(request, &connection);
    if (event)
        evhttp_send_reply(event, status, NULL, body);
    evbuffer_free(body);
}

static struct evbuffer *buffer_new(void)
{
    struct evbuffer *buffer = evbuffer_new();
    if (!buffer)
        abort();
    return buffer;
}

void http_reply(struct http_request *request, int status, const char *content_type, const char *bytes, size_t length)
{
    struct evbuffer *body = buffer_new();
    evbuffer_add(body, bytes, length);
    reply_buffer(request, status, content_type, body);
}

/* A body is an evbuffer by another name: nobody outside needs to know libevent. */
static struct evbuffer *buffer_of(struct http_body *body)
{
    return (struct evbuffer *)body;
}

struct http_body *http_body_new(void)
{
    return (struct http_body *)buffer_new();
}

void http_body_add(struct http_body *body, const char *text)
{
    evbuffer_add(buffer_of(body), text, strlen(text));
}

static void release_sent(const void *bytes, size_t length, void *arg)
{
    (void)bytes;
    (void)length;
    shared_text_release(arg);
}

void http_body_add_shared(struct http_body *body, struct shared_text *text)
{
    evbuffer_add_reference(buffer_of(body), text->data, text->length, release_sent, shared_text_hold(text));
}

void http_reply_body(struct http_request *request, int status, const char *content_type, struct http_body *body)
{
    reply_buffer(request, status, content_type, buffer_of(body));
}

void http_reply_take(struct http_request *request, int status, const char *content_type, char *text)
{
    struct http_body *body = http_body_new();
    struct shared_text *shared = shared_text_new(text);
    http_body_add_shared(body, shared);
    shared_text_release(shared);
    http_reply_body(request, status, content_type, body);
}

void http_reply_file(struct http_request *request, int status, const char *content_type, int fd)
{
    struct evbuffer *body = buffer_new();
    /* Mapped, not sendfile(2): a TLS filter must be able to read it. */
    struct evbuffer_file_segment *file =
        evbuffer_file_segment_new(fd, 0, -1, EVBUF_FS_CLOSE_ON_FREE | EVBUF_FS_DISABLE_SENDFILE);
    if (!file)
        close(fd);
    bool whole = file && evbuffer_add_file_segment(body, file, 0, -1) == 0;
    if (file)
        evbuffer_file_segment_free(file);
    if (!whole) {
        status = 500;
        evbuffer_drain(body, evbuffer_get_length(body));
    }
    reply_buffer(request, status, content_type, body);
}

static void stream_lost(void *arg)
{
    struct http_stream *stream = arg;
    struct evhttp_request *event = still_ours(stream->event);
    if (event)
        evhttp_request_free(event);
    stream->on_closed(stream->arg);
    free(stream);
}

static void set_timeouts(struct http_connection *connection, bool reading)
{
    const struct timeval idle = {.tv_sec = LIMIT_HTTP_IDLE_S};
    bufferevent_set_timeouts(connection->bufferevent, reading ? &idle : NULL, &idle);
}

struct http_stream *http_stream_begin(struct http_request *request, int status, const char *content_type,
                                      void (*on_closed)(void *arg), void *arg)
{
    struct http_connection *connection;
    http_add_header(request, "Content-Type", content_type);
    struct evhttp_request *event = request_close(request, &connection);
    if (!event)
        return NULL;
    struct http_stream *stream = must_calloc(1, sizeof *stream);
    *stream = (struct http_stream){connection, event, on_closed, arg, LIMIT_HTTP_STREAM_BYTES, false};
    connection->on_lost = stream_lost;
    connection->on_lost_arg = stream;
    evhttp_send_reply_start(event, status, NULL);
    set_timeouts(connection, false); /* the client has nothing more to say */
    return stream;
}

/* Whether this many bytes more may wait; if not, the client is cut off. */
static bool stream_has_room(struct http_stream *stream, size_t length)
{
    struct bufferevent *bufferevent = stream->connection->bufferevent;
    if (stream->is_dying)
        return false;
    if (evbuffer_get_length(bufferevent_get_output(bufferevent)) + length <= stream->limit_bytes)
        return true;
    stream->is_dying = true;
    bufferevent_trigger_event(bufferevent, BEV_EVENT_WRITING | BEV_EVENT_ERROR, BEV_TRIG_DEFER_CALLBACKS);
    return false;
}

static void stream_send(struct http_stream *stream, struct evbuffer *piece)
{
    evhttp_send_reply_chunk(stream->event, piece);
    evbuffer_free(piece);
}

bool http_stream_write(struct http_stream *stream, const char *bytes, size_t length)
{
    if (!stream_has_room(stream, length))
        return false;
    struct evbuffer *piece = buffer_new();
    evbuffer_add(piece, bytes, length);
    stream_send(stream, piece);
    return true;
}

bool http_stream_write_shared(struct http_stream *stream, struct shared_text *text)
{
    if (!stream_has_room(stream, text->length))
        return false;
    struct http_body *piece = http_body_new();
    http_body_add_shared(piece, text);
    stream_send(stream, buffer_of(piece));
    return true;
}

void http_stream_allow(struct http_stream *stream, size_t bytes)
{
    stream->limit_bytes += bytes;
}

void http_stream_end(struct http_stream *stream)
{
    struct http_connection *connection = stream->connection;
    struct evhttp_request *event = stream->event;
    free(stream);
    connection->on_lost = NULL;
    set_timeouts(connection, true);
    evhttp_send_reply_end(event);
}

static void tunnel_lost(void *arg)
{
    struct http_tunnel *tunnel = arg;
    tunnel->on_closed(tunnel->arg);
    free(tunnel);
}

struct http_tunnel *http_upgrade(struct http_request *request, const char *protocol, void (*on_closed)(void *arg),
                                 void *arg)
{
    struct http_connection *connection;
    struct evhttp_request *event = request_close(request, &connection);
    if (!event)
        return NULL;
    struct http_tunnel *tunnel = must_calloc(1, sizeof *tunnel);
    *tunnel = (struct http_tunnel){connection, on_closed, arg};
    connection->on_lost = tunnel_lost;
    connection->on_lost_arg = tunnel;
    struct bufferevent *bufferevent = connection->bufferevent;
    bufferevent_setcb(bufferevent, NULL, NULL, NULL, NULL);
    bufferevent_set_timeouts(bufferevent, NULL, NULL);
    struct evbuffer *output = bufferevent_get_output(bufferevent);
    evbuffer_add_printf(output, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n", protocol);
    const struct evkeyval *header;
    TAILQ_FOREACH(header, evhttp_request_get_output_headers(event), next)
    evbuffer_add_printf(output, "%s: %s\r\n", header->key, header->value);
    evbuffer_add(output, "\r\n", 2);
    bufferevent_enable(bufferevent, EV_READ | EV_WRITE);
    return tunnel;
}

struct bufferevent *http_tunnel_bufferevent(struct http_tunnel *tunnel)
{
    return tunnel->connection->bufferevent;
}

void http_tunnel_close(struct http_tunnel *tunnel)
{
    struct http_connection *connection = tunnel->connection;
    free(tunnel);
    connection->on_lost = NULL;
    evhttp_connection_free(connection->evhttp); /* frees the request left on it, too */
}
