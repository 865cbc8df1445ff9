/* Writes one disk file from a stream of bytes: blocks of zeros become holes, the digest covers every byte, and the file
 * system is never filled up. */
#pragma once

#include "rtvmd/base/bytes.h"

struct writer {
    int fd; /* an empty file, borrowed */
    uint64_t offset;
    uint64_t limit;
    uint64_t next_check;
    struct digest *digest;
};

void writer_start(struct writer *writer, int fd, uint64_t limit_bytes);
/* ERROR_TOO_LARGE past the limit, ERROR_UNAVAILABLE (with numbers) when less than LIMIT_IMAGE_FREE_BYTES would be left
 * free, errno's kind when a write fails. */
int writer_add(struct writer *writer, const void *bytes, size_t length, struct error *err);
/* Sets the length, fsyncs, gives the digest as "sha256:HEX". */
enum { WRITER_DIGEST_MAX = sizeof "sha256:" - 1 + DIGEST_TEXT_MAX };
int writer_finish(struct writer *writer, char ret_digest[WRITER_DIGEST_MAX], struct error *err);
/* When something failed before: only frees. Also after writer_finish. */
void writer_abandon(struct writer *writer);
