/* What the load generator says and how it knows an answer's end: HTTP/1.1 for rtvmd, and as much of gRPC over HTTP/2 as
 * etcd's Put needs, so that etcd is asked in its own tongue and not through its JSON gateway. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/base.h"

/* What was read of an answer so far. */
struct answer {
    char head[4096]; /* HTTP/1.1: up to the blank line; HTTP/2: the frame being read */
    size_t head_length;
    uint64_t left; /* body bytes still to come */
    bool in_body;
    unsigned status; /* HTTP status; of gRPC 200 or 500 */
    bool has_message;
};

enum wire_progress { WIRE_MORE, WIRE_DONE, WIRE_BROKEN };

/* ---- HTTP/1.1 */

static inline size_t http1_request(char *out, size_t size, const char *method, const char *path, const char *body)
{
    size_t length = body ? strlen(body) : 0;
    int n = snprintf(out, size,
                     "%s %s HTTP/1.1\r\nHost: rtvmd\r\nAccept: application/json\r\nUser-Agent: bench\r\n"
                     "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n%s",
                     method, path, strcmp(method, "PATCH") == 0 ? "application/merge-patch+json" : "application/json",
                     length, body ? body : "");
    return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

static inline enum wire_progress http1_head(struct answer *a)
{
    const char *length = strcasestr(a->head, "\r\nContent-Length:");
    if (strncmp(a->head, "HTTP/1.1 ", 9) != 0)
        return WIRE_BROKEN;
    a->status = (unsigned)strtoul(a->head + 9, NULL, 10);
    a->left = length ? strtoull(length + 17, NULL, 10) : 0;
    a->in_body = true;
    return WIRE_MORE;
}

/* Takes what came; there is never more than one answer on its way. */
static inline enum wire_progress http1_take(struct answer *a, const char *bytes, size_t length)
{
    if (!a->in_body) {
        size_t room = sizeof a->head - 1 - a->head_length, n = length < room ? length : room;
        memcpy(a->head + a->head_length, bytes, n);
        a->head[a->head_length + n] = '\0';
        char *end = strstr(a->head, "\r\n\r\n");
        if (!end) {
            a->head_length += n;
            return n == room ? WIRE_BROKEN : WIRE_MORE;
        }
        end[2] = '\0';
        size_t used = (size_t)(end + 4 - a->head) - a->head_length;
        if (http1_head(a) == WIRE_BROKEN)
            return WIRE_BROKEN;
        bytes += used;
        length -= used;
    }
    if (length > a->left)
        return WIRE_BROKEN;
    a->left -= length;
    return a->left ? WIRE_MORE : WIRE_DONE;
}

/* ---- gRPC: the frames of RFC 9113 that a unary call meets. Header blocks are sent as literals, so no table is kept;
 * those received are not read: a call that failed has no message. */

enum { H2_DATA = 0, H2_HEADERS = 1, H2_RESET = 3, H2_SETTINGS = 4, H2_PING = 6, H2_GOAWAY = 7, H2_WINDOW = 8 };
enum { H2_END_STREAM = 1, H2_ACK = 1, H2_END_HEADERS = 4 };

struct bytes_out {
    char *data;
    size_t length, size;
};

static inline void out_add(struct bytes_out *out, const void *bytes, size_t length)
{
    if (out->length + length > out->size)
        abort();
    memcpy(out->data + out->length, bytes, length);
    out->length += length;
}

static inline void h2_frame(struct bytes_out *out, unsigned type, unsigned flags, uint32_t stream, const void *payload,
                            size_t length)
{
    const unsigned char head[9] = {
        (unsigned char)(length >> 16), (unsigned char)(length >> 8), (unsigned char)length,
        (unsigned char)type,           (unsigned char)flags,         (unsigned char)(stream >> 24),
        (unsigned char)(stream >> 16), (unsigned char)(stream >> 8), (unsigned char)stream};
    out_add(out, head, sizeof head);
    out_add(out, payload, length);
}

/* The connection's window is opened as wide as it goes: two GiB of answers. */
static inline void h2_preface(struct bytes_out *out)
{
    static const unsigned char widest[4] = {0x7f, 0xff, 0, 0};
    out_add(out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    h2_frame(out, H2_SETTINGS, 0, 0, "", 0);
    h2_frame(out, H2_WINDOW, 0, 0, widest, sizeof widest);
}

static inline void protobuf_bytes(struct bytes_out *out, unsigned field, const char *bytes, size_t length)
{
    unsigned char head[8] = {(unsigned char)(field << 3 | 2)};
    size_t n = 1;
    for (size_t rest = length;; rest >>= 7) {
        head[n++] = (unsigned char)(rest < 128 ? rest : (rest & 127) | 128);
        if (rest < 128)
            break;
    }
    out_add(out, head, n);
    out_add(out, bytes, length);
}

static inline void etcd_put(struct bytes_out *out, uint32_t stream, const char *key, const char *value)
{
    static const char headers[] = "\x83\x86"                     /* POST, http */
                                  "\x04\x14/etcdserverpb.KV/Put" /* path */
                                  "\x01\x04"
                                  "etcd" /* authority */
                                  "\x0f\x10\x10"
                                  "application/grpc" /* content type */
                                  "\x00\x02te\x08trailers";
    char message[16000];
    struct bytes_out put = {.data = message, .length = 5, .size = sizeof message};
    protobuf_bytes(&put, 1, key, strlen(key));
    protobuf_bytes(&put, 2, value, strlen(value));
    size_t length = put.length - 5;
    memcpy(message, (char[]){0, 0, 0, (char)(length >> 8), (char)length}, 5);
    h2_frame(out, H2_HEADERS, H2_END_HEADERS, stream, headers, sizeof headers - 1);
    h2_frame(out, H2_DATA, H2_END_STREAM, stream, message, put.length);
}

static inline enum wire_progress h2_frame_came(struct answer *a, const unsigned char *frame, size_t length,
                                               struct bytes_out *reply)
{
    unsigned type = frame[3], flags = frame[4];
    if (type == H2_SETTINGS && !(flags & H2_ACK))
        h2_frame(reply, H2_SETTINGS, H2_ACK, 0, "", 0);
    if (type == H2_PING && !(flags & H2_ACK))
        h2_frame(reply, H2_PING, H2_ACK, 0, frame + 9, length);
    if (type == H2_GOAWAY || type == H2_RESET)
        return WIRE_BROKEN;
    a->has_message = a->has_message || (type == H2_DATA && length > 5);
    if ((type != H2_HEADERS && type != H2_DATA) || !(flags & H2_END_STREAM))
        return WIRE_MORE;
    a->status = a->has_message ? 200 : 500;
    return WIRE_DONE;
}

static inline enum wire_progress h2_take(struct answer *a, const char *bytes, size_t length, struct bytes_out *reply)
{
    enum wire_progress progress = WIRE_MORE;
    if (a->head_length + length > sizeof a->head)
        return WIRE_BROKEN;
    memcpy(a->head + a->head_length, bytes, length);
    a->head_length += length;
    size_t at = 0;
    while (a->head_length - at >= 9) {
        const unsigned char *frame = (unsigned char *)a->head + at;
        size_t payload = (size_t)frame[0] << 16 | (size_t)frame[1] << 8 | frame[2];
        if (a->head_length - at < 9 + payload)
            break;
        enum wire_progress now = h2_frame_came(a, frame, payload, reply);
        progress = now != WIRE_MORE ? now : progress;
        at += 9 + payload;
    }
    memmove(a->head, a->head + at, a->head_length - at);
    a->head_length -= at;
    return progress;
}
