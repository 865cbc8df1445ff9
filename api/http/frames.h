/* api/frames: web socket frames (RFC 6455), both directions. Pure: bytes in, pieces out. Payload is handed on as it
 * arrives, so that a frame of any size needs no memory. */
#pragma once

#include "rtvmd/base/text.h"

enum frame_kind {
    FRAME_DATA, /* text or binary; `final` tells the last piece of a message */
    FRAME_PING,
    FRAME_PONG,
    FRAME_CLOSE,
};

struct frame_reader {
    bool from_client; /* a client's frames must be masked, a server's must not */
    void (*on_frame)(enum frame_kind kind, const unsigned char *bytes, size_t length, bool final, void *arg);
    void *arg;

    unsigned char head[14];
    size_t head_length;
    bool in_payload;
    bool in_message; /* a fragmented message is going on */
    unsigned opcode;
    bool fin;
    uint64_t left;
    uint64_t offset;
    unsigned char mask[4];
    unsigned char control[125];
    size_t control_length;
};

/* Reads what arrived; on_frame is called for each piece. Bytes are unmasked in place. Returns 0, or the close code the
 * other end should be told (1002 a protocol error). Behind a close frame nothing is read. */
int frame_read(struct frame_reader *reader, unsigned char *bytes, size_t length);

/* Appends one whole frame. A client's frames are masked. */
void frame_write(enum frame_kind kind, bool from_client, const void *bytes, size_t length, struct text *out);
/* A close frame with its code. */
void frame_write_close(bool from_client, unsigned code, struct text *out);
