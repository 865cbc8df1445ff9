#include "runtime/image/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rtvmd/base/limits.h"
#include "rtvmd/base/process.h"
#include "rtvmd/base/text.h"

enum { FIRST_ARCHIVE = 3, CHUNK_BYTES = 64 << 10, PIPE_BYTES = 1 << 20, RESULT_BYTES_MAX = 8192, POLL_MS = 500 };

struct child {
    pid_t pid;
    int bytes;  /* read ends */
    int result; /* -1 once closed */
};

/* Copies at numbers no target number reaches, so that moving one into place cannot cover another. */
static int lift(int fd, int *ret_copy, struct error *err)
{
    *ret_copy = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_ARCHIVE + (int)LIMIT_IMAGE_LAYERS);
    return *ret_copy < 0 ? fail_errno(err, "start the unpacking child") : 0;
}

static int spawn(const struct unpack_job *job, const int *fds, size_t fd_count, pid_t *ret_pid, struct error *err)
{
    char count[24];
    char verb[] = UNPACK_VERB;
    char program[] = "rtvmd";
    char kind[] = "member";
    snprintf(count, sizeof count, "%zu", job->archive_count);
    auto_free char *name = must_strdup(job->member ? job->member : job->wanted);
    if (!job->member)
        snprintf(kind, sizeof kind, "disk");
    char *argv[] = {program, verb, kind, name, count, NULL};
    char *environment[] = {NULL};
    return process_spawn_self(argv, environment, fds, fd_count, ret_pid) < 0
               ? fail_errno(err, "start the unpacking child")
               : 0;
}

static int start(const struct unpack_job *job, struct child *ret_child, struct error *err)
{
    int bytes[2];
    int result[2];
    if (job->archive_count == 0 || job->archive_count > LIMIT_IMAGE_LAYERS)
        return fail(err, ERROR_TOO_LARGE, "the image has %zu layers; want 1 to %u", job->archive_count,
                    LIMIT_IMAGE_LAYERS);
    if (pipe2(bytes, O_CLOEXEC) < 0)
        return fail_errno(err, "start the unpacking child");
    if (pipe2(result, O_CLOEXEC) < 0) {
        fail_errno(err, "start the unpacking child");
        close(bytes[0]);
        close(bytes[1]);
        return -1;
    }
    fcntl(bytes[0], F_SETPIPE_SZ, PIPE_BYTES);
    size_t fd_count = 2 + job->archive_count;
    int *lifted = must_calloc(fd_count, sizeof *lifted);
    size_t done = 0;
    int r = 0;
    for (; r == 0 && done < fd_count; done++)
        r = lift(done == 0 ? bytes[1] : done == 1 ? result[1] : job->archive[done - 2], &lifted[done], err);
    if (r == 0)
        r = spawn(job, lifted, fd_count, &ret_child->pid, err);
    for (size_t i = 0; i < done; i++)
        base_close_p(&lifted[i]);
    free(lifted);
    close(bytes[1]);
    close(result[1]);
    ret_child->bytes = bytes[0];
    ret_child->result = result[0];
    if (r != 0) {
        close(bytes[0]);
        close(result[0]);
        return -1;
    }
    return 0;
}

/* The descriptors are shared with the child, and so is where they stand. */
static void report_progress(const struct unpack_job *job, unsigned *last)
{
    uint64_t read_bytes = 0;
    uint64_t all_bytes = 0;
    for (size_t i = 0; job->progress && i < job->archive_count; i++) {
        struct stat status;
        off_t at = lseek(job->archive[i], 0, SEEK_CUR);
        if (at < 0 || fstat(job->archive[i], &status) < 0)
            return;
        read_bytes += (uint64_t)at;
        all_bytes += (uint64_t)status.st_size;
    }
    unsigned percent = all_bytes ? (unsigned)(read_bytes * 100 / all_bytes) : 0;
    if (job->progress && percent != *last)
        job->progress(percent, job->progress_arg);
    *last = percent;
}

/* One read of each pipe that has something. */
static int receive(struct child *child, struct pollfd fds[2], char *chunk, layer_sink *sink, void *arg,
                   struct text *result, struct error *err)
{
    ssize_t n = fds[0].revents ? read(child->bytes, chunk, CHUNK_BYTES) : 1;
    if (fds[0].revents && n > 0 && sink(chunk, (size_t)n, arg, err) < 0)
        return -1;
    if (n <= 0 && !(n < 0 && errno == EINTR))
        fds[0].fd = -1;
    n = fds[1].revents ? read(child->result, chunk, RESULT_BYTES_MAX) : 1;
    if (fds[1].revents && n > 0 && result->length + (size_t)n > RESULT_BYTES_MAX)
        return fail(err, ERROR_INVALID, "the unpacking child talks too much");
    if (fds[1].revents && n > 0)
        text_append_n(result, chunk, (size_t)n);
    if (n <= 0 && !(n < 0 && errno == EINTR))
        fds[1].fd = -1;
    return 0;
}

static int collect(const struct unpack_job *job, struct child *child, layer_sink *sink, void *arg, struct text *result,
                   struct error *err)
{
    struct pollfd fds[2] = {{child->bytes, POLLIN, 0}, {child->result, POLLIN, 0}};
    uint64_t deadline = now_monotonic_ms() + LIMIT_IMAGE_UNPACK_MS;
    uint64_t next_report = 0;
    unsigned percent = 0;
    auto_free char *chunk = must_calloc(1, CHUNK_BYTES);
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        uint64_t now = now_monotonic_ms();
        if (now >= deadline)
            return fail(err, ERROR_TIMEOUT, "unpacking took longer than %u s", LIMIT_IMAGE_UNPACK_MS / 1000);
        if (now >= next_report) {
            report_progress(job, &percent);
            next_report = now + POLL_MS;
        }
        if (poll(fds, 2, POLL_MS) < 0 && errno != EINTR)
            return fail_errno(err, "wait for the unpacking child");
        if (receive(child, fds, chunk, sink, arg, result, err) < 0)
            return -1;
    }
    return 0;
}

/* "ok BYTES PATH" or "error KIND TEXT". Control characters would come from the archive. */
static int judge(const char *result, int status, uint64_t received, char **ret_path, struct error *err)
{
    auto_free char *line = must_strndup(result, strcspn(result, "\n"));
    for (char *p = line; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
    char *rest = NULL;
    bool ok = text_starts_with(line, "ok ");
    bool error = text_starts_with(line, "error ");
    unsigned long number = ok || error ? strtoul(strchr(line, ' ') + 1, &rest, 10) : 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && ok && *rest == ' ' && number == received) {
        if (ret_path)
            *ret_path = must_strdup(rest + 1);
        return 0;
    }
    if (WIFEXITED(status) && error && *rest == ' ' && number > ERROR_NONE && number < ERROR_KIND_COUNT)
        return fail(err, (enum error_kind)number, "%s", rest + 1);
    if (WIFSIGNALED(status))
        return fail(err, ERROR_INVALID,
                    "the unpacking child was stopped by signal %d: the archive is broken or hostile", WTERMSIG(status));
    return fail(err, ERROR_INTERNAL, "the unpacking child left with status %d and no result", WEXITSTATUS(status));
}

struct counted {
    layer_sink *sink;
    void *arg;
    uint64_t bytes;
};

static int count_bytes(const void *bytes, size_t length, void *arg, struct error *err)
{
    struct counted *counted = arg;
    counted->bytes += length;
    return counted->sink(bytes, length, counted->arg, err);
}

int unpack_run(const struct unpack_job *job, layer_sink *sink, void *arg, char **ret_path, struct error *err)
{
    struct child child = {.bytes = -1, .result = -1};
    struct counted counted = {.sink = sink, .arg = arg};
    auto_text result = {0};
    if (start(job, &child, err) < 0)
        return -1;
    int r = collect(job, &child, count_bytes, &counted, &result, err);
    if (r < 0)
        kill(child.pid, SIGKILL);
    close(child.bytes);
    close(child.result);
    int status = 0;
    while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return r < 0 ? -1 : judge(text_cstr(&result), status, counted.bytes, ret_path, err);
}
