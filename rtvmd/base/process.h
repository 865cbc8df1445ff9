/* Child programs, run without a shell. */
#pragma once

#include <sys/types.h>

#include "rtvmd/base/error.h"
#include "rtvmd/base/text.h"

/* Runs argv (NULL-terminated, argv[0] looked up in PATH), waits at most deadline_ms (then SIGKILL to its process
 * group), and appends what it wrote to stdout to *ret_output (may be NULL), at most output_limit bytes. Standard input
 * is empty. Exit status other than 0: ERROR_INTERNAL with the last line of its stderr; past the deadline:
 * ERROR_TIMEOUT; program not found: ERROR_NOT_FOUND. Blocks: call it from a worker or a verb, never from the loop
 * thread of the daemon. */
int process_run(const char *const argv[], unsigned deadline_ms, size_t output_limit, struct text *ret_output,
                struct error *err);

/* Starts this very program anew with argv and environment, and does not wait: standard input is empty, fd[i] becomes
 * its descriptor i + 1 (none of fd may be one of those), no signal is blocked or handled. -1 with errno set; *ret_pid
 * is the caller's to wait for. */
int process_spawn_self(char *const argv[], char *const environment[], const int *fd, size_t fd_count, pid_t *ret_pid);
