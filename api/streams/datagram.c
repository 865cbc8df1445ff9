#include "api/streams/datagram.h"

#include <stdlib.h>
#include <unistd.h>

#include "rtvmd/base/limits.h"
#include "rtvmd/base/text.h"

struct datagrams {
    int fd;
    struct loop_watch *watch;
    void (*came)(const unsigned char *bytes, size_t length, void *arg);
    void *arg;
    struct text message; /* so far */
    bool is_too_long;
};

/* A bounded number per turn: a flood does not keep the loop. Errors (nobody listens on that port) are not ours to
 * judge: the guest may come up later. */
static void readable(int fd, int what, void *arg)
{
    enum { AT_ONCE = 16 };
    (void)what;
    struct datagrams *d = arg;
    unsigned char bytes[LIMIT_DATAGRAM_BYTES];
    for (unsigned i = 0; i < AT_ONCE; i++) {
        ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n < 0)
            return;
        d->came(bytes, (size_t)n, d->arg);
    }
}

struct datagrams *datagrams_new(struct loop *loop, const struct sockaddr *address, socklen_t length,
                                void (*came)(const unsigned char *bytes, size_t length, void *arg), void *arg,
                                struct error *err)
{
    int fd = socket(address->sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, address, length) < 0) {
        fail_errno(err, "Internal error occurred: dialing VM");
        err->kind = ERROR_INTERNAL;
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    struct datagrams *d = must_calloc(1, sizeof *d);
    d->fd = fd;
    d->came = came;
    d->arg = arg;
    d->watch = loop_watch_fd(loop, fd, LOOP_READ, readable, d);
    return d;
}

void datagrams_free(struct datagrams *d)
{
    if (!d)
        return;
    loop_watch_free(d->watch);
    close(d->fd);
    text_finish(&d->message);
    free(d);
}

void datagrams_take(struct datagrams *d, const unsigned char *bytes, size_t length, bool last)
{
    if (d->message.length + length > LIMIT_DATAGRAM_BYTES)
        d->is_too_long = true;
    if (!d->is_too_long)
        text_append_n(&d->message, bytes, length);
    if (!last)
        return;
    if (!d->is_too_long)
        (void)!send(d->fd, text_cstr(&d->message), d->message.length, MSG_DONTWAIT | MSG_NOSIGNAL);
    text_clear(&d->message);
    d->is_too_long = false;
}
