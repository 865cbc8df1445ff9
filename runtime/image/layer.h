/* Foreign archives, read by libarchive and by nothing else in the program. Both functions are one pass over file
 * descriptors: they open, create and name no file, so they can run where nothing else is allowed (unpack.h). Names
 * inside an archive are only ever compared as text; links are not followed. */
#pragma once

#include "rtvmd/base/error.h"

/* Where the bytes of the found file go. Returning -1 (with err) ends the reading. */
typedef int layer_sink(const void *bytes, size_t length, void *arg, struct error *err);

/* Finds the disk in the layers of a container image, given bottom to top as tar files (plain, gzip, zstd) whose
 * descriptors stand at their start. wanted: its path inside the image ("/disk/x.img"), or "" for the only regular file
 * directly in /disk. Upper layers replace and white out what lies below, as the OCI image specification says.
 * ret_path (new string): where it was found. ERROR_NOT_FOUND: no such file; ERROR_INVALID: several, a link, a broken
 * archive; ERROR_TOO_LARGE: over a limit. The sink may have been given bytes even then. */
int layer_find_disk(const int *layers, size_t count, const char *wanted, layer_sink *sink, void *arg, char **ret_path,
                    struct error *err);

/* One regular member of an archive by its exact name. */
int layer_find_member(int archive_fd, const char *name, layer_sink *sink, void *arg, struct error *err);
