#include "api/wire/digest.h"

#include <mbedtls/base64.h>
#include <mbedtls/sha1.h>
#include <mbedtls/sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void base64_write(const void *bytes, size_t length, struct text *out)
{
    size_t size = (length + 2) / 3 * 4 + 1, written;
    auto_free unsigned char *encoded = must_calloc(size, 1);
    if (mbedtls_base64_encode(encoded, size, &written, bytes, length) != 0)
        abort(); /* the buffer is as large as it must be */
    text_append_n(out, encoded, written);
}

void digest_text(const void *bytes, size_t length, char ret_text[DIGEST_TEXT_MAX])
{
    unsigned char digest[32];
    if (mbedtls_sha256_ret(bytes, length, digest, 0) != 0)
        abort(); /* software without parameters that could be wrong */
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(ret_text + 2 * i, 3, "%02x", digest[i]);
}

void websocket_accept(const char *key, char ret_accept[WEBSOCKET_ACCEPT_MAX])
{
    unsigned char digest[20];
    size_t written;
    auto_free char *text = must_format("%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    if (mbedtls_sha1_ret((const unsigned char *)text, strlen(text), digest) != 0 ||
        mbedtls_base64_encode((unsigned char *)ret_accept, WEBSOCKET_ACCEPT_MAX, &written, digest, sizeof digest) != 0)
        abort(); /* neither fails with these sizes */
}
