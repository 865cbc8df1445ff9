/* Bytes as text: SHA-256 digests and base64, by mbedTLS' crypto library (no TLS here). */
#pragma once

#include "rtvmd/base/error.h"
#include "rtvmd/base/text.h"

enum { DIGEST_TEXT_MAX = 65 }; /* 64 hex digits and NUL */

/* A running SHA-256. digest_finish writes the lower-case hex digits and frees the state; NULL text: only free. */
struct digest;
struct digest *digest_new(void);
void digest_add(struct digest *digest, const void *bytes, size_t length);
void digest_finish(struct digest *digest, char ret_hex[DIGEST_TEXT_MAX]);

/* Appends the decoded bytes. RFC 4648 standard alphabet with padding; line breaks are skipped, as Go's decoder does.
 * ERROR_INVALID for anything else. */
int base64_decode(const char *text, size_t length, struct text *ret_bytes, struct error *err);
void base64_encode(const void *bytes, size_t length, struct text *ret_text);
