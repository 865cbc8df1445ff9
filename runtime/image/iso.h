/* Small ISO 9660 images (Rock Ridge and Joliet) from files in memory, by libisofs. The same content gives the same
 * bytes: times, owners and modes are fixed. */
#pragma once

#include "rtvmd/base/error.h"

struct iso_file {
    char *path; /* "user-data", "openstack/latest/meta_data.json" */
    char *bytes;
    size_t length;
};
struct iso_content {
    size_t count;
    struct iso_file *file;
};
#define auto_iso __attribute__((cleanup(iso_content_finish))) struct iso_content
/* Copies the bytes. Names are one or more components of letters, digits, '-', '_' and '.', none of them "." or "..";
 * ERROR_INVALID for others, ERROR_TOO_LARGE for more than LIMIT_ISO_FILES files or LIMIT_ISO_BYTES. */
int iso_content_add(struct iso_content *content, const char *path, const void *bytes, size_t length, struct error *err);
void iso_content_finish(struct iso_content *content);

/* Writes the image to a neighbour of path and renames it (mode 0600: it may hold secrets). */
int iso_make(const struct iso_content *content, const char *label, const char *path, struct error *err);
