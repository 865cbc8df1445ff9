#include "rtvmd/relay.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 16, LINGER_MS = 5000 };

static int listen_on(const struct addrinfo *at)
{
    int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
    int yes = 1;
    bool is_stream = at->ai_socktype == SOCK_STREAM; /* two may not share a port for datagrams */
    if (fd >= 0 && (!is_stream || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0) &&
        bind(fd, at->ai_addr, at->ai_addrlen) == 0 && (!is_stream || listen(fd, BACKLOG) == 0))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

int relay_listen(const char *address, unsigned port, unsigned *ret_port, struct error *err)
{
    return relay_bind(address, port, SOCK_STREAM, ret_port, err);
}

int relay_bind(const char *address, unsigned port, int type, unsigned *ret_port, struct error *err)
{
    /* A numeric address needs no name service: there is none in the static program. */
    const char *numeric = strcmp(address, "localhost") == 0 ? "127.0.0.1" : address;
    const struct addrinfo hints = {.ai_socktype = type, .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
    auto_free char *service = must_format("%u", port);
    struct addrinfo *found = NULL;
    if (getaddrinfo(numeric, service, &hints, &found) != 0)
        return fail(err, ERROR_BAD_REQUEST, "--address \"%s\": want an IP address, like 127.0.0.1", address);
    int fd = listen_on(found);
    freeaddrinfo(found);
    if (fd < 0)
        return fail_errno(err, "listen on %s port %u", address, port);
    struct sockaddr_storage bound;
    socklen_t length = sizeof bound;
    char name[NI_MAXSERV] = "0";
    if (getsockname(fd, (struct sockaddr *)&bound, &length) == 0)
        getnameinfo((struct sockaddr *)&bound, length, NULL, 0, name, sizeof name, NI_NUMERICSERV);
    *ret_port = (unsigned)strtoul(name, NULL, 10);
    return fd;
}

static int write_all(int fd, const char *bytes, size_t length, struct error *err)
{
    while (length > 0) {
        ssize_t n = write(fd, bytes, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(err, "write");
        bytes += n;
        length -= (size_t)n;
    }
    return 0;
}

static int from_daemon(struct websocket *socket, int out, struct error *err)
{
    auto_text data = {0};
    int r = websocket_receive(socket, &data, err);
    return data.length && write_all(out, data.data, data.length, err) < 0 ? -1 : r;
}

/* 1: go on, 0: the input has ended, -1: error */
static int from_input(struct websocket *socket, int in, struct error *err)
{
    char bytes[16384];
    ssize_t n = read(in, bytes, sizeof bytes);
    if (n < 0 && errno == EINTR)
        return 1;
    if (n <= 0)
        return 0;
    return websocket_send(socket, bytes, (size_t)n, err) < 0 ? -1 : 1;
}

int relay_copy(struct websocket *socket, int in, int out, struct error *err)
{
    int r = socket->incoming.length > 0 ? from_daemon(socket, out, err) : 1;
    struct pollfd ready[2] = {{.fd = in, .events = POLLIN}, {.fd = socket->fd, .events = POLLIN}};
    while (r > 0) {
        int count = poll(ready, 2, ready[0].fd < 0 ? LINGER_MS : -1);
        if (count < 0)
            continue;
        if (count == 0)
            break;
        if (ready[1].revents)
            r = from_daemon(socket, out, err);
        int more = r > 0 && ready[0].revents ? from_input(socket, in, err) : 1;
        if (more < 0)
            r = -1;
        if (more == 0)
            ready[0].fd = -1; /* there is no half-closed web socket: let the answer come, then end */
    }
    if (r >= 0)
        websocket_close(socket);
    return r < 0 ? -1 : 0;
}
