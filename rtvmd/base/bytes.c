#include "rtvmd/base/bytes.h"

#include <mbedtls/base64.h>
#include <mbedtls/sha256.h>
#include <stdlib.h>

struct digest {
    mbedtls_sha256_context context;
};

struct digest *digest_new(void)
{
    struct digest *digest = must_calloc(1, sizeof *digest);
    mbedtls_sha256_init(&digest->context);
    if (mbedtls_sha256_starts_ret(&digest->context, 0) != 0)
        abort(); /* only a hardware engine can fail, and none is configured */
    return digest;
}

void digest_add(struct digest *digest, const void *bytes, size_t length)
{
    if (mbedtls_sha256_update_ret(&digest->context, bytes, length) != 0)
        abort();
}

void digest_finish(struct digest *digest, char ret_hex[DIGEST_TEXT_MAX])
{
    unsigned char sum[32];
    if (mbedtls_sha256_finish_ret(&digest->context, sum) != 0)
        abort();
    mbedtls_sha256_free(&digest->context);
    free(digest);
    if (!ret_hex)
        return;
    for (size_t i = 0; i < sizeof sum; i++) {
        ret_hex[2 * i] = "0123456789abcdef"[sum[i] >> 4];
        ret_hex[2 * i + 1] = "0123456789abcdef"[sum[i] & 15];
    }
    ret_hex[DIGEST_TEXT_MAX - 1] = '\0';
}

/* mbedTLS skips blanks before line ends and accepts some unpadded input; Kubernetes does not, so shape is checked
 * here: groups of four, padding only at the end. */
int base64_decode(const char *text, size_t length, struct text *ret_bytes, struct error *err)
{
    auto_text packed = {0};
    for (size_t i = 0; i < length; i++)
        if (text[i] != '\n' && text[i] != '\r')
            text_append_n(&packed, &text[i], 1);
    size_t needed = packed.length / 4 * 3;
    auto_free unsigned char *bytes = must_calloc(needed + 1, 1);
    size_t written = 0;
    if (packed.length % 4 != 0 || mbedtls_base64_decode(bytes, needed + 1, &written,
                                                        (const unsigned char *)text_cstr(&packed), packed.length) != 0)
        return fail(err, ERROR_INVALID, "not valid base64");
    for (size_t i = 0; i < packed.length; i++)
        if (packed.data[i] == ' ')
            return fail(err, ERROR_INVALID, "not valid base64");
    text_append_n(ret_bytes, bytes, written);
    return 0;
}

void base64_encode(const void *bytes, size_t length, struct text *ret_text)
{
    size_t room = (length + 2) / 3 * 4 + 1;
    auto_free unsigned char *encoded = must_calloc(room, 1);
    size_t written = 0;
    if (mbedtls_base64_encode(encoded, room, &written, bytes, length) != 0)
        abort();
    text_append_n(ret_text, encoded, written);
}
