/* The client's half of a web socket (RFC 6455), blocking: binary messages over a connected descriptor. */
#pragma once

#include "rtvmd/base/error.h"
#include "rtvmd/base/text.h"

struct websocket {
    int fd;
    struct text incoming; /* bytes read and not yet understood */
};
/* Takes fd and what came with the answer. */
void websocket_init(struct websocket *socket, int fd, struct text *early);
void websocket_finish(struct websocket *socket);

int websocket_send(struct websocket *socket, const void *bytes, size_t length, struct error *err);
/* The same as one message, which is then one datagram on the other side: at most 65535 bytes. */
int websocket_send_message(struct websocket *socket, const void *bytes, size_t length, struct error *err);
/* Says good-bye; the server ends the stream then. */
void websocket_close(struct websocket *socket);
/* Reads once (the descriptor is readable) and appends the payload of every whole data frame to *ret_data; answers
 * pings. 1: go on, 0: the other side ended well, -1: error or an abrupt end. */
int websocket_receive(struct websocket *socket, struct text *ret_data, struct error *err);
/* The same, but hands over message by message. The daemon sends each as one frame. */
int websocket_receive_messages(struct websocket *socket,
                               void (*on_message)(const void *bytes, size_t length, void *arg), void *arg,
                               struct error *err);
