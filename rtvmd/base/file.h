/* Small files: read one whole (under an optional root, for recorded trees), write one so that a crash leaves either
 * the old or the new content, make directories. */
#pragma once

#include "rtvmd/base/error.h"
#include "rtvmd/base/text.h"

/* Reads ROOT + path ("" or NULL root: the live system) up to limit bytes into *ret_text (appended). ENOENT and ENODEV
 * give ERROR_NOT_FOUND, more than limit bytes ERROR_TOO_LARGE. */
int file_read(const char *root, const char *path, size_t limit, struct text *ret_text, struct error *err);
/* Writes through a temporary neighbour, fsync, rename, fsync of the folder. */
int file_write_atomic(const char *path, const void *bytes, size_t length, unsigned mode, struct error *err);
/* Writes a value into an existing kernel file (/proc, /sys) with one write(2). */
int file_write_value(const char *path, const char *value, struct error *err);
/* mkdir -p; existing folders are kept as they are. */
int file_make_folders(const char *path, unsigned mode, struct error *err);
/* rm -r, without following links; missing is fine. */
int file_remove_tree(const char *path, struct error *err);
