/* Refusals of requests that never became whole. libevent answers these by itself, with a page of HTML that names no
 * limit and no remedy, and offers no place to say it otherwise. So its page is exchanged for ours where it waits to be
 * sent: whatever is put into the output while no request is being answered is such a page (or "100 Continue"). The
 * exchange is made one event later, when the page is whole and before the loop writes it. */
#include <stdlib.h>
#include <string.h>

#include "api/http/http_internal.h"

char *http_refusal_body(const struct http_server *server, int status, const char *sentence, const char **ret_type)
{
    *ret_type = server->describe ? "application/json" : "text/plain";
    return server->describe ? server->describe(status, sentence) : must_format("%s\n", sentence);
}

/* What libevent means by its status, in words of ours. */
static char *sentence_of(const struct http_connection *connection, int *status)
{
    switch (*status) {
    case 400:
        if (connection->head_bytes <= LIMIT_HTTP_HEADER_BYTES)
            return must_strdup("the request line or a header cannot be read; send HTTP/1.1 (RFC 9112)");
        *status = 431;
        return must_format("the request line and headers are longer than %u bytes; send fewer or shorter ones",
                           LIMIT_HTTP_HEADER_BYTES);
    case 413:
        return must_format("the body is longer than %u bytes; send less at once, for example one object per request",
                           LIMIT_MANIFEST_BYTES);
    case 417:
        return must_strdup("Expect: only 100-continue is known; leave the header out");
    case 501:
        *status = 405;
        return must_strdup(
            "the server does not know this method; known are GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS");
    default:
        return must_strdup("the request cannot be read");
    }
}

/* The output of a socket's bufferevent is frozen against taking from it, that of a filter is not. */
static void drop_all(struct evbuffer *output)
{
    if (evbuffer_drain(output, evbuffer_get_length(output)) == 0)
        return;
    evbuffer_unfreeze(output, 1);
    evbuffer_drain(output, evbuffer_get_length(output));
    evbuffer_freeze(output, 1);
}

static void add_answer(struct evbuffer *output, const struct http_server *server, int status, const char *sentence)
{
    const char *type;
    auto_free char *body = http_refusal_body(server, status, sentence, &type);
    evbuffer_add_printf(output,
                        "HTTP/1.1 %d Refused\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                        status, type, strlen(body), body);
}

static void exchange(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct http_connection *connection = arg;
    struct evbuffer *output = bufferevent_get_output(connection->bufferevent);
    char head[16] = "";
    struct evbuffer_iovec first; /* the output of a socket is frozen against anything but a look */
    if (evbuffer_peek(output, -1, NULL, &first, 1) > 0)
        memcpy(head, first.iov_base, first.iov_len < sizeof head ? first.iov_len : sizeof head - 1);
    int status = text_starts_with(head, "HTTP/1.") ? (int)strtol(head + strlen("HTTP/1.1 "), NULL, 10) : 0;
    if (connection->is_answering || status < 400)
        return;
    auto_free char *sentence = sentence_of(connection, &status);
    connection->is_answering = true; /* our own words are not exchanged */
    drop_all(output);
    add_answer(output, connection->server, status, sentence);
}

static void output_changed(struct evbuffer *output, const struct evbuffer_cb_info *info, void *arg)
{
    (void)output;
    struct http_connection *connection = arg;
    if (info->n_added > 0 && !connection->is_answering)
        event_active(connection->refusal, EV_TIMEOUT, 0);
}

void http_refusal_watch(struct http_connection *connection)
{
    connection->refusal = event_new(loop_event_base(connection->server->loop), -1, 0, exchange, connection);
    if (!connection->refusal)
        abort();
    evbuffer_add_cb(bufferevent_get_output(connection->bufferevent), output_changed, connection);
}

char *http_refusal_late(const struct http_server *server)
{
    struct evbuffer *answer = evbuffer_new();
    auto_free char *sentence =
        must_format("the request was not complete after %u seconds; send it faster", LIMIT_HTTP_REQUEST_MS / 1000);
    if (!answer)
        abort();
    add_answer(answer, server, 408, sentence);
    size_t length = evbuffer_get_length(answer);
    char *text = must_calloc(length + 1, 1);
    evbuffer_remove(answer, text, length);
    evbuffer_free(answer);
    return text;
}
