#include "api/http/frames.h"

#include <string.h>
#include <sys/random.h>

enum { OP_CONTINUATION = 0, OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };
enum { PROTOCOL_ERROR = 1002 };

static bool is_control(unsigned opcode)
{
    return opcode >= OP_CLOSE;
}

/* How long the head is, as far as it can be known from what there is. */
static size_t head_size(const struct frame_reader *r)
{
    if (r->head_length < 2)
        return 2;
    unsigned length = r->head[1] & 0x7f;
    return 2 + (length == 126 ? 2 : length == 127 ? 8 : 0) + (r->head[1] & 0x80 ? 4 : 0);
}

static int begin_payload(struct frame_reader *r)
{
    const unsigned char *h = r->head;
    unsigned length = h[1] & 0x7f;
    bool masked = h[1] & 0x80;
    size_t extra = length == 126 ? 2 : length == 127 ? 8 : 0;
    r->fin = h[0] & 0x80;
    r->opcode = h[0] & 0x0f;
    r->left = extra ? 0 : length;
    for (size_t i = 0; i < extra; i++)
        r->left = r->left << 8 | h[2 + i];
    memset(r->mask, 0, sizeof r->mask);
    if (masked)
        memcpy(r->mask, h + 2 + extra, sizeof r->mask);
    r->offset = 0;
    r->control_length = 0;
    r->in_payload = true;
    r->head_length = 0;
    if ((h[0] & 0x70) || masked != r->from_client || r->left >> 63)
        return PROTOCOL_ERROR;
    if (is_control(r->opcode))
        return r->opcode > OP_PONG || !r->fin || r->left > sizeof r->control ? PROTOCOL_ERROR : 0;
    if (r->opcode > OP_BINARY || (r->opcode == OP_CONTINUATION) != r->in_message)
        return PROTOCOL_ERROR;
    r->in_message = !r->fin;
    return 0;
}

static void end_payload(struct frame_reader *r)
{
    static const enum frame_kind KINDS[] = {FRAME_CLOSE, FRAME_PING, FRAME_PONG};
    r->in_payload = false;
    if (is_control(r->opcode))
        r->on_frame(KINDS[r->opcode - OP_CLOSE], r->control, r->control_length, true, r->arg);
}

static void take_payload(struct frame_reader *r, unsigned char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] ^= r->mask[(r->offset + i) & 3];
    r->offset += length;
    r->left -= length;
    if (is_control(r->opcode)) {
        memcpy(r->control + r->control_length, bytes, length);
        r->control_length += length;
    } else {
        r->on_frame(FRAME_DATA, bytes, length, r->fin && r->left == 0, r->arg);
    }
}

int frame_read(struct frame_reader *r, unsigned char *bytes, size_t length)
{
    size_t at = 0;
    while (at < length || (r->in_payload && r->left == 0)) {
        if (!r->in_payload) {
            r->head[r->head_length++] = bytes[at++];
            if (r->head_length < head_size(r))
                continue;
            int wrong = begin_payload(r);
            if (wrong)
                return wrong;
            if (r->left == 0 && !is_control(r->opcode))
                r->on_frame(FRAME_DATA, bytes, 0, r->fin, r->arg);
        }
        size_t here = length - at < r->left ? length - at : (size_t)r->left;
        if (here > 0)
            take_payload(r, bytes + at, here);
        at += here;
        if (r->left > 0)
            continue;
        bool was_close = r->opcode == OP_CLOSE;
        end_payload(r);
        if (was_close)
            return 0;
    }
    return 0;
}

void frame_write(enum frame_kind kind, bool from_client, const void *bytes, size_t length, struct text *out)
{
    static const unsigned char OPCODES[] = {
        [FRAME_DATA] = OP_BINARY, [FRAME_PING] = OP_PING, [FRAME_PONG] = OP_PONG, [FRAME_CLOSE] = OP_CLOSE};
    unsigned char head[10];
    size_t head_length = 2;
    unsigned char mask_bit = from_client ? 0x80 : 0;
    head[0] = 0x80 | OPCODES[kind];
    if (length < 126) {
        head[1] = (unsigned char)(mask_bit | length);
    } else {
        size_t extra = length <= UINT16_MAX ? 2 : 8;
        head[1] = mask_bit | (extra == 2 ? 126 : 127);
        for (size_t i = 0; i < extra; i++)
            head[2 + i] = (unsigned char)((uint64_t)length >> (8 * (extra - 1 - i)));
        head_length += extra;
    }
    text_append_n(out, head, head_length);
    size_t begin = out->length + (from_client ? 4 : 0);
    unsigned char mask[4] = {0};
    if (from_client) {
        if (getrandom(mask, sizeof mask, GRND_NONBLOCK) != sizeof mask)
            memset(mask, 0x5a, sizeof mask); /* it only keeps proxies from being fooled */
        text_append_n(out, mask, sizeof mask);
    }
    text_append_n(out, bytes, length);
    for (size_t i = 0; from_client && i < length; i++)
        out->data[begin + i] = (char)((unsigned char)out->data[begin + i] ^ mask[i & 3]);
}

void frame_write_close(bool from_client, unsigned code, struct text *out)
{
    const unsigned char payload[2] = {(unsigned char)(code >> 8), (unsigned char)code};
    frame_write(FRAME_CLOSE, from_client, payload, sizeof payload, out);
}
