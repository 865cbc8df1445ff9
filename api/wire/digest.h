/* api/digest: the small things of mbedTLS: base64, and SHA-256, and the answer a web socket handshake wants. */
#pragma once

#include "rtvmd/base/text.h"

/* Appends the bytes as base64. */
void base64_write(const void *bytes, size_t length, struct text *out);

enum { DIGEST_TEXT_MAX = 65 };
/* SHA-256 of the bytes, in hexadecimal. */
void digest_text(const void *bytes, size_t length, char ret_text[DIGEST_TEXT_MAX]);

enum { WEBSOCKET_ACCEPT_MAX = 32 };
/* RFC 6455, 4.2.2: base64(SHA-1(key + the fixed GUID)). */
void websocket_accept(const char *key, char ret_accept[WEBSOCKET_ACCEPT_MAX]);
