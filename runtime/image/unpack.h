/* Reading foreign archives where they can do no harm: layer.h in a short-lived child that has nothing but the archives
 * to read from and two pipes to write to.
 *
 * The child is this same program started anew (/proc/self/exe with the hidden verb "image-unpack"), not a fork of the
 * daemon: it shares no memory with it, so what it could be tricked into telling is only what is in the archive. It gets
 *   0 /dev/null   1 a pipe for the bytes   2 a pipe for one line of result   3… the archives, opened by the parent
 * and an empty environment; then it gives up, in this order, what it does not need (unpack_child):
 *   root: no groups, user and group nobody          limits: no new file or process, memory, CPU time, no file writes
 *   dies with its parent                            no new privileges, not dumpable
 *   system calls: only reading, writing and memory (a filter the verb loads)
 * The parent believes nothing of it: it counts, limits and digests the bytes itself (writer.h). */
#pragma once

#include "runtime/image/layer.h"

struct unpack_job {
    const char *member; /* this member of the one archive; NULL: */
    const char *wanted; /* the disk, as layer_find_disk wants it */
    const int *archive; /* descriptors standing at the start */
    size_t archive_count;
    void (*progress)(unsigned percent, void *arg); /* may be NULL; of the bytes read */
    void *progress_arg;
};

/* [blocks] ret_path (new string, may be NULL for a member) as layer_find_disk. Errors as there, and ERROR_INVALID when
 * the child was stopped for what it did, ERROR_TIMEOUT past LIMIT_IMAGE_UNPACK_MS. */
int unpack_run(const struct unpack_job *job, layer_sink *sink, void *arg, char **ret_path, struct error *err);

/* The child's whole life; argv as a verb gets it. filter (may be NULL) loads the system call filter. Returns the
 * exit status: leave with _exit. */
#define UNPACK_VERB "image-unpack"
int unpack_child(int argc, char **argv, int (*filter)(struct error *err));
