#include "runtime/latency/console.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LOOK_MS = 100 };

static int dial(const char *path, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return fail(err, ERROR_INTERNAL, "the path of the serial port is too long: %s", path);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail_errno(err, "open a socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    fail_errno(err, "connect to %s", path);
    close(fd);
    return -1;
}

int console_read(const char *path, unsigned wanted, uint64_t deadline_ms, const atomic_bool *stop, atomic_uint *percent,
                 struct probe_stream *stream, struct error *err)
{
    auto_close int fd = dial(path, err);
    if (fd < 0)
        return -1;
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    char chunk[16384];
    while (probe_stream_reports(stream) < wanted) {
        if (atomic_load(stop))
            return fail(err, ERROR_CONFLICT, "the measurement was called off");
        if (now_monotonic_ms() > deadline_ms)
            return fail(err, ERROR_TIMEOUT, "the guest gave %u of %u reports in time", probe_stream_reports(stream),
                        wanted);
        /* The guest begins when somebody listens; its serial port may not be open yet. */
        if (probe_stream_reports(stream) == 0 && send(fd, "\n", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN)
            return fail_errno(err, "write to %s", path);
        if (poll(&ready, 1, LOOK_MS) <= 0)
            continue;
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail(err, ERROR_UNAVAILABLE, "the guest ended after %u of %u reports", probe_stream_reports(stream),
                        wanted);
        if (probe_stream_feed(stream, chunk, (size_t)n, err) < 0)
            return -1;
        if (percent)
            atomic_store(percent, probe_stream_reports(stream) * 100 / wanted);
    }
    return 0;
}
