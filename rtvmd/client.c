#include "rtvmd/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "rtvmd/base/limits.h"
#include "rtvmd/paths.h"

enum { HEAD_MAX = 64 << 10 };

/* One answer as it comes in. */
struct incoming {
    int fd;
    struct text bytes; /* read and not yet used */
    size_t used;
    int status;
    bool is_chunked;
    bool has_length;
    uint64_t length;
    uint64_t deadline_ms; /* 0: none */
    struct text warnings;
};

void client_init(struct client *client, const char *socket)
{
    client->socket = socket ? must_strdup(socket) : paths_socket();
}

void client_finish(struct client *client)
{
    free(client->socket);
    client->socket = NULL;
}

void client_reply_finish(struct client_reply *reply)
{
    json_decref(reply->body);
    text_finish(&reply->text);
    free(reply->warnings);
    *reply = (struct client_reply){0};
}

static int connect_to(const char *path, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return fail(err, ERROR_INVALID, "socket path %s is longer than %zu bytes", path, sizeof address.sun_path - 1);
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail_errno(err, "socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    const char *why = errno == EACCES ? "you may not use it: join the group that owns it"
                                      : "is the daemon running (rtvmd serve)? --socket or RTVMD_SOCKET say where";
    fail(err, ERROR_UNAVAILABLE, "cannot connect to %s: %s; %s", path, strerror(errno), why);
    close(fd);
    return -1;
}

static int send_all(int fd, const char *bytes, size_t length, struct error *err)
{
    while (length > 0) {
        ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EPIPE ? 0 : fail_errno(err, "send"); /* refused early: the answer tells why */
        bytes += n;
        length -= (size_t)n;
    }
    return 0;
}

static int send_request(int fd, const struct client_request *request, const char *more, struct error *err)
{
    auto_text head = {0};
    text_printf(&head, "%s %s HTTP/1.1\r\nHost: rtvmd\r\nAccept: %s\r\nUser-Agent: rtvmd\r\n%s", request->method,
                request->path, request->accept ? request->accept : "application/json", more);
    if (request->content_type)
        text_printf(&head, "Content-Type: %s\r\nContent-Length: %zu\r\n", request->content_type, request->body_length);
    text_append(&head, "\r\n");
    if (send_all(fd, head.data, head.length, err) < 0)
        return -1;
    return request->content_type ? send_all(fd, request->body, request->body_length, err) : 0;
}

/* ---- reading */

/* More bytes: 1, end: 0, error: -1. */
static int fetch(struct incoming *in, struct error *err)
{
    if (in->used > 0 && in->used == in->bytes.length) {
        text_clear(&in->bytes);
        in->used = 0;
    }
    for (;;) {
        int wait_ms = -1;
        if (in->deadline_ms) {
            uint64_t now = now_monotonic_ms();
            wait_ms = now >= in->deadline_ms ? 0 : (int)(in->deadline_ms - now);
        }
        struct pollfd ready = {.fd = in->fd, .events = POLLIN};
        int r = poll(&ready, 1, wait_ms);
        if (r == 0)
            return fail(err, ERROR_TIMEOUT, "timed out waiting for the daemon");
        char chunk[16384];
        ssize_t n = r < 0 ? -1 : read(in->fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == ECONNRESET ? 0 : fail_errno(err, "read from the daemon");
        text_append_n(&in->bytes, chunk, (size_t)n);
        return n > 0;
    }
}

/* A line without its end, borrowed until the next fetch; NULL at the end or on error. */
static char *read_line(struct incoming *in, struct error *err)
{
    size_t searched = in->used;
    for (;;) {
        char *start = in->bytes.data ? in->bytes.data + in->used : NULL;
        char *newline = start ? memchr(in->bytes.data + searched, '\n', in->bytes.length - searched) : NULL;
        if (newline) {
            *newline = '\0';
            if (newline > start && newline[-1] == '\r')
                newline[-1] = '\0';
            in->used = (size_t)(newline + 1 - in->bytes.data);
            return start;
        }
        if (in->bytes.length - in->used > HEAD_MAX) {
            fail(err, ERROR_INTERNAL, "the daemon's answer has a line longer than %d bytes", HEAD_MAX);
            return NULL;
        }
        size_t unread = in->bytes.length - in->used;
        int r = fetch(in, err);
        searched = in->used + unread;
        if (r <= 0) {
            if (r == 0)
                fail(err, ERROR_UNAVAILABLE, "the daemon closed the connection in the middle of an answer");
            return NULL;
        }
    }
}

static void read_warning(struct incoming *in, const char *value)
{
    /* 299 - "text" */
    const char *open = strchr(value, '"');
    const char *close_quote = open ? strrchr(value, '"') : NULL;
    if (!open || close_quote == open)
        return;
    for (const char *c = open + 1; c < close_quote; c++) {
        if (*c == '\\' && c + 1 < close_quote)
            c++;
        text_append_n(&in->warnings, c, 1);
    }
    text_append(&in->warnings, "\n");
}

static int read_head(struct incoming *in, struct error *err)
{
    char *line = read_line(in, err);
    if (!line)
        return -1;
    in->status = text_starts_with(line, "HTTP/1.") && strlen(line) >= 12 ? (int)strtol(line + 9, NULL, 10) : 0;
    if (in->status < 100 || in->status > 599)
        return fail(err, ERROR_INTERNAL, "what listens there does not speak HTTP");
    while ((line = read_line(in, err)) && *line) {
        char *value = strchr(line, ':');
        if (!value)
            continue;
        *value++ = '\0';
        value += strspn(value, " \t");
        if (strcasecmp(line, "Content-Length") == 0)
            in->has_length = text_to_u64(value, &in->length);
        else if (strcasecmp(line, "Transfer-Encoding") == 0)
            in->is_chunked = strcasecmp(value, "chunked") == 0;
        else if (strcasecmp(line, "Warning") == 0)
            read_warning(in, value);
    }
    return line ? 0 : -1;
}

/* Appends exactly `length` bytes to *out. */
static int read_exactly(struct incoming *in, uint64_t length, struct text *out, struct error *err)
{
    while (length > 0) {
        size_t there = in->bytes.length - in->used;
        if (there == 0) {
            int r = fetch(in, err);
            if (r <= 0)
                return r < 0 ? -1
                             : fail(err, ERROR_UNAVAILABLE,
                                    "the daemon closed the connection in the middle of an answer");
            continue;
        }
        size_t n = there < length ? there : (size_t)length;
        text_append_n(out, in->bytes.data + in->used, n);
        in->used += n;
        length -= n;
    }
    return 0;
}

/* The next piece of the body into *out: 1, the body is over: 0, error: -1. */
static int read_piece(struct incoming *in, struct text *out, struct error *err)
{
    if (in->is_chunked) {
        char *line = read_line(in, err);
        if (!line)
            return -1;
        char *end;
        unsigned long long size = strtoull(line, &end, 16);
        if (end == line || size > UINT32_MAX)
            return fail(err, ERROR_INTERNAL, "the daemon's answer is garbled");
        if (read_exactly(in, size, out, err) < 0 || !read_line(in, err))
            return -1;
        return size > 0;
    }
    if (in->has_length) {
        uint64_t length = in->length;
        in->length = 0;
        return read_exactly(in, length, out, err) < 0 ? -1 : length > 0;
    }
    if (in->used == in->bytes.length) {
        int r = fetch(in, err);
        if (r <= 0)
            return r;
    }
    text_append_n(out, in->bytes.data + in->used, in->bytes.length - in->used);
    in->used = in->bytes.length;
    return 1;
}

static void incoming_finish(struct incoming *in)
{
    if (in->fd >= 0)
        close(in->fd);
    text_finish(&in->bytes);
    text_finish(&in->warnings);
}

static int fail_with_status(const struct client_reply *reply, struct error *err)
{
    enum error_kind kind = error_kind_from_http(reply->status, json_text_at(reply->body, "reason", NULL));
    const char *message = json_text_at(reply->body, "message", NULL);
    if (message)
        return fail(err, kind, "%s", message);
    return fail(err, kind, "HTTP status %d: %.200s", reply->status, text_cstr(&reply->text));
}

static int read_reply(struct incoming *in, struct client_reply *reply, struct error *err)
{
    reply->status = in->status;
    int r;
    while ((r = read_piece(in, &reply->text, err)) > 0)
        if (!in->is_chunked && in->has_length)
            break;
    if (r < 0)
        return -1;
    if (in->warnings.length > 0)
        reply->warnings = text_take(&in->warnings);
    struct error not_json;
    if (reply->text.length > 0)
        reply->body = json_from_text(reply->text.data, reply->text.length, &not_json);
    return reply->status >= 400 ? fail_with_status(reply, err) : 0;
}

int client_call(const struct client *client, const struct client_request *request, struct client_reply *ret_reply,
                struct error *err)
{
    *ret_reply = (struct client_reply){0};
    struct incoming in = {.fd = connect_to(client->socket, err)};
    int r = in.fd < 0 ? -1 : send_request(in.fd, request, "Connection: close\r\n", err);
    if (r == 0)
        r = read_head(&in, err);
    if (r == 0)
        r = read_reply(&in, ret_reply, err);
    incoming_finish(&in);
    return r;
}

/* Whole lines out of *pending; false when the callback wants no more. */
static bool deliver_lines(struct text *pending, bool (*callback)(json_t *line, void *arg), void *arg)
{
    size_t start = 0;
    bool go_on = true;
    while (go_on && pending->data) {
        char *newline = memchr(pending->data + start, '\n', pending->length - start);
        if (!newline)
            break;
        struct error ignored;
        auto_json *line = json_from_text(pending->data + start, (size_t)(newline - pending->data) - start, &ignored);
        if (line)
            go_on = callback(line, arg);
        start = (size_t)(newline + 1 - pending->data);
    }
    if (start > 0) {
        pending->length -= start;
        memmove(pending->data, pending->data + start, pending->length);
        pending->data[pending->length] = '\0';
    }
    return go_on;
}

int client_stream(const struct client *client, const char *path, const char *accept, uint64_t deadline_ms,
                  bool (*callback)(json_t *line, void *arg), void *arg, struct error *err)
{
    struct client_request request = {.method = "GET", .path = path, .accept = accept};
    struct incoming in = {.fd = connect_to(client->socket, err), .deadline_ms = deadline_ms};
    auto_text pending = {0};
    int r = in.fd < 0 ? -1 : send_request(in.fd, &request, "Connection: close\r\n", err);
    if (r == 0)
        r = read_head(&in, err);
    if (r == 0 && in.status >= 400) {
        auto_reply reply = {0};
        r = read_reply(&in, &reply, err);
    } else if (r == 0) {
        while ((r = read_piece(&in, &pending, err)) > 0 && deliver_lines(&pending, callback, arg))
            ;
        r = r < 0 ? -1 : 0;
    }
    incoming_finish(&in);
    return r;
}

int client_upgrade(const struct client *client, const char *path, struct text *ret_early, struct error *err)
{
    struct client_request request = {.method = "GET", .path = path};
    struct incoming in = {.fd = connect_to(client->socket, err)};
    int r = in.fd < 0 ? -1
                      : send_request(in.fd, &request,
                                     "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                                     "Sec-WebSocket-Key: cnR2bWQgY29uc29sZSBrZXk=\r\n"
                                     "Sec-WebSocket-Protocol: plain.kubevirt.io\r\n",
                                     err);
    if (r == 0)
        r = read_head(&in, err);
    int fd = -1;
    if (r == 0 && in.status == 101) {
        fd = in.fd;
        in.fd = -1;
        text_append_n(ret_early, in.bytes.data + in.used, in.bytes.length - in.used);
    } else if (r == 0) {
        auto_reply reply = {0};
        if (read_reply(&in, &reply, err) == 0)
            fail(err, ERROR_INTERNAL, "the daemon answered %d instead of a stream", in.status);
    }
    incoming_finish(&in);
    return fd;
}
