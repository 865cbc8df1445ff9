#include "rtvmd/websocket.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FINAL = 0x80, MASKED = 0x80, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };
enum { FRAME_MAX = 1 << 20 };

void websocket_init(struct websocket *socket, int fd, struct text *early)
{
    socket->fd = fd;
    socket->incoming = *early;
    *early = (struct text){0};
}

void websocket_finish(struct websocket *socket)
{
    close(socket->fd);
    text_finish(&socket->incoming);
}

/* What a client sends is masked (RFC 6455, 5.3). */
static int send_frame(struct websocket *socket, int op, const unsigned char *bytes, size_t length, struct error *err)
{
    unsigned char head[14] = {(unsigned char)(FINAL | op)};
    size_t used = 2;
    if (length < 126) {
        head[1] = (unsigned char)(MASKED | length);
    } else {
        head[1] = MASKED | 126;
        head[2] = (unsigned char)(length >> 8);
        head[3] = (unsigned char)length;
        used = 4;
    }
    unsigned char *mask = head + used;
    if (getrandom(mask, 4, 0) != 4)
        return fail_errno(err, "random bytes");
    auto_text frame = {0};
    text_append_n(&frame, head, used + 4);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = bytes[i] ^ mask[i % 4];
        text_append_n(&frame, &c, 1);
    }
    for (size_t sent = 0; sent < frame.length;) {
        ssize_t n = send(socket->fd, frame.data + sent, frame.length - sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return fail_errno(err, "send to the daemon");
        sent += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int websocket_send(struct websocket *socket, const void *bytes, size_t length, struct error *err)
{
    const unsigned char *at = bytes;
    while (length > 0) {
        size_t n = length < 32768 ? length : 32768;
        if (send_frame(socket, OP_BINARY, at, n, err) < 0)
            return -1;
        at += n;
        length -= n;
    }
    return 0;
}

int websocket_send_message(struct websocket *socket, const void *bytes, size_t length, struct error *err)
{
    return send_frame(socket, OP_BINARY, bytes, length, err);
}

void websocket_close(struct websocket *socket)
{
    struct error ignored;
    static const unsigned char normal[] = {1000 >> 8, 1000 & 0xff};
    send_frame(socket, OP_CLOSE, normal, sizeof normal, &ignored);
}

/* The frame at the front, when it is there whole: its size with head; 0 when more bytes are needed, -1 when garbled. */
static long frame_size(const unsigned char *at, size_t there, size_t *ret_head)
{
    if (there < 2)
        return 0;
    uint64_t length = at[1] & 0x7f;
    *ret_head = 2;
    if (length >= 126) {
        size_t bytes = length == 126 ? 2 : 8;
        if (there < 2 + bytes)
            return 0;
        length = 0;
        for (size_t i = 0; i < bytes; i++)
            length = length << 8 | at[2 + i];
        *ret_head += bytes;
    }
    if (length > FRAME_MAX || at[1] & MASKED)
        return -1;
    return there < *ret_head + length ? 0 : (long)(*ret_head + length);
}

static void drop_front(struct text *text, size_t length)
{
    text->length -= length;
    memmove(text->data, text->data + length, text->length);
    text->data[text->length] = '\0';
}

int websocket_receive_messages(struct websocket *socket,
                               void (*on_message)(const void *bytes, size_t length, void *arg), void *arg,
                               struct error *err)
{
    char chunk[16384];
    ssize_t n = recv(socket->fd, chunk, sizeof chunk, socket->incoming.length ? MSG_DONTWAIT : 0);
    if (n < 0 && errno != EINTR && errno != EAGAIN)
        return fail_errno(err, "read from the daemon");
    if (n == 0)
        return fail(err, ERROR_UNAVAILABLE,
                    "disconnected: the VM stopped, another connection took over, or the daemon ended");
    if (n > 0)
        text_append_n(&socket->incoming, chunk, (size_t)n);
    for (;;) {
        size_t head = 0;
        const unsigned char *at = (const unsigned char *)socket->incoming.data;
        long size = at ? frame_size(at, socket->incoming.length, &head) : 0;
        if (size < 0)
            return fail(err, ERROR_INTERNAL, "the daemon's stream is garbled");
        if (size == 0)
            return 1;
        size_t length = (size_t)size - head;
        int op = at[0] & 0x0f;
        if (op == OP_CLOSE)
            return 0;
        if (op == OP_PING && send_frame(socket, OP_PONG, at + head, length, err) < 0)
            return -1;
        if (op <= OP_BINARY)
            on_message(at + head, length, arg);
        drop_front(&socket->incoming, (size_t)size);
    }
}

static void append(const void *bytes, size_t length, void *arg)
{
    text_append_n(arg, bytes, length);
}

int websocket_receive(struct websocket *socket, struct text *ret_data, struct error *err)
{
    return websocket_receive_messages(socket, append, ret_data, err);
}
