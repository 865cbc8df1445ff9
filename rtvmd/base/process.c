#include "rtvmd/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct stream {
    int fd;
    struct text text;
    size_t limit;
};

static void run_child(const char *const argv[], int out, int error_out)
{
    setpgid(0, 0);
    int null = open("/dev/null", O_RDONLY);
    if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(error_out, 2) < 0)
        _exit(126);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    execvp(argv[0], (char *const *)argv);
    _exit(errno == ENOENT ? 127 : 126);
}

/* Reads once; false when the stream has ended. What goes over the limit is read and dropped, so the child never
 * blocks on a full pipe. */
static bool drain(struct stream *stream)
{
    char chunk[4096];
    ssize_t n = read(stream->fd, chunk, sizeof chunk);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    size_t room = stream->limit - stream->text.length;
    text_append_n(&stream->text, chunk, (size_t)n < room ? (size_t)n : room);
    return n > 0;
}

static bool collect(struct stream streams[2], uint64_t deadline)
{
    int open_count = 2;
    struct pollfd fds[2] = {{streams[0].fd, POLLIN, 0}, {streams[1].fd, POLLIN, 0}};
    while (open_count > 0) {
        uint64_t now = now_monotonic_ms();
        if (now >= deadline)
            return false;
        if (poll(fds, 2, (int)(deadline - now)) < 0 && errno != EINTR)
            return false;
        for (int i = 0; i < 2; i++) {
            if (fds[i].fd >= 0 && fds[i].revents && !drain(&streams[i])) {
                fds[i].fd = -1;
                open_count--;
            }
        }
    }
    return true;
}

static bool reap(pid_t pid, uint64_t deadline, int *ret_status)
{
    for (;;) {
        pid_t done = waitpid(pid, ret_status, WNOHANG);
        if (done == pid)
            return true;
        if (now_monotonic_ms() >= deadline)
            return false;
        poll(NULL, 0, 2);
    }
}

static const char *last_line(const struct text *text)
{
    char *s = text->data;
    if (!s)
        return "no message";
    size_t n = text->length;
    while (n > 0 && s[n - 1] == '\n')
        s[--n] = '\0';
    char *newline = strrchr(s, '\n');
    return newline ? newline + 1 : s;
}

int process_run(const char *const argv[], unsigned deadline_ms, size_t output_limit, struct text *ret_output,
                struct error *err)
{
    int out[2];
    int error_out[2];
    if (pipe2(out, O_CLOEXEC) < 0)
        return fail_errno(err, "pipe for %s", argv[0]);
    if (pipe2(error_out, O_CLOEXEC) < 0) {
        fail_errno(err, "pipe for %s", argv[0]);
        close(out[0]);
        close(out[1]);
        return -1;
    }
    uint64_t deadline = now_monotonic_ms() + deadline_ms;
    pid_t pid = fork();
    if (pid == 0)
        run_child(argv, out[1], error_out[1]);
    close(out[1]);
    close(error_out[1]);
    struct stream streams[2] = {{out[0], {0}, output_limit}, {error_out[0], {0}, 64u << 10}};
    int status = 0;
    bool finished = pid > 0 && collect(streams, deadline) && reap(pid, deadline, &status);
    if (pid > 0 && !finished) {
        kill(-pid, SIGKILL);
        waitpid(pid, &status, 0);
    }
    close(out[0]);
    close(error_out[0]);
    int result = 0;
    if (pid < 0)
        result = fail_errno(err, "start %s", argv[0]);
    else if (!finished)
        result = fail(err, ERROR_TIMEOUT, "%s did not finish within %u ms", argv[0], deadline_ms);
    else if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        result = fail(err, ERROR_NOT_FOUND, "program %s not found: install it or add it to PATH", argv[0]);
    else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        result = fail(err, ERROR_INTERNAL, "%s failed: %.600s", argv[0], last_line(&streams[1].text));
    if (result == 0 && ret_output)
        text_append_n(ret_output, text_cstr(&streams[0].text), streams[0].text.length);
    text_finish(&streams[0].text);
    text_finish(&streams[1].text);
    return result;
}

int process_spawn_self(char *const argv[], char *const environment[], const int *fd, size_t fd_count, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    for (size_t i = 0; i < fd_count; i++)
        posix_spawn_file_actions_adddup2(&actions, fd[i], (int)i + 1);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    errno = posix_spawn(ret_pid, "/proc/self/exe", &actions, &attributes, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return errno ? -1 : 0;
}
