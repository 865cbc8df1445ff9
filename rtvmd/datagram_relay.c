#include "rtvmd/datagram_relay.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rtvmd/base/limits.h"
#include "rtvmd/relay.h"

struct sender {
    struct sockaddr_storage address;
    socklen_t length;
    struct websocket socket;
    uint64_t used; /* sequence number of its last datagram */
};

struct relay {
    int fd;
    datagram_open *open;
    void *arg;
    void (*complain)(const struct error *failure);
    struct sender sender[LIMIT_RELAY_SENDERS];
    size_t count;
    uint64_t sequence;
};

int datagram_listen(const char *address, unsigned port, unsigned *ret_port, struct error *err)
{
    return relay_bind(address, port, SOCK_DGRAM, ret_port, err);
}

static void drop(struct relay *relay, size_t i)
{
    websocket_close(&relay->sender[i].socket);
    websocket_finish(&relay->sender[i].socket);
    relay->sender[i] = relay->sender[--relay->count];
}

static struct sender *find(struct relay *relay, const struct sockaddr_storage *address, socklen_t length)
{
    for (size_t i = 0; i < relay->count; i++)
        if (relay->sender[i].length == length && memcmp(&relay->sender[i].address, address, length) == 0)
            return &relay->sender[i];
    return NULL;
}

static struct sender *add(struct relay *relay, const struct sockaddr_storage *address, socklen_t length,
                          struct error *err)
{
    if (relay->count == LIMIT_RELAY_SENDERS) {
        size_t oldest = 0;
        for (size_t i = 1; i < relay->count; i++)
            if (relay->sender[i].used < relay->sender[oldest].used)
                oldest = i;
        drop(relay, oldest);
    }
    struct sender *sender = &relay->sender[relay->count];
    *sender = (struct sender){.address = *address, .length = length};
    if (relay->open(relay->arg, &sender->socket, err) < 0)
        return NULL;
    relay->count++;
    return sender;
}

static int from_local(struct relay *relay, struct error *err)
{
    char bytes[LIMIT_DATAGRAM_BYTES];
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof address;
    struct error failure;
    ssize_t n = recvfrom(relay->fd, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&address, &length);
    if (n < 0) /* ECONNREFUSED: a sender has gone, which an answer to it has found out */
        return errno == EAGAIN || errno == EINTR || errno == ECONNREFUSED ? 0 : fail_errno(err, "receive");
    struct sender *sender = find(relay, &address, length);
    if (!sender)
        sender = add(relay, &address, length, &failure);
    if (sender)
        sender->used = ++relay->sequence;
    if (!sender) {
        relay->complain(&failure);
    } else if (websocket_send_message(&sender->socket, bytes, (size_t)n, &failure) < 0) {
        relay->complain(&failure);
        drop(relay, (size_t)(sender - relay->sender));
    }
    return 0;
}

struct answer {
    const struct relay *relay;
    const struct sender *sender;
};

/* What does not fit in a hurry is dropped, as UDP allows. */
static void to_local(const void *bytes, size_t length, void *arg)
{
    const struct answer *to = arg;
    (void)!sendto(to->relay->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL,
                  (const struct sockaddr *)&to->sender->address, to->sender->length);
}

static void from_guest(struct relay *relay, size_t i)
{
    struct error failure;
    struct answer to = {relay, &relay->sender[i]};
    int r = websocket_receive_messages(&relay->sender[i].socket, to_local, &to, &failure);
    if (r < 0)
        relay->complain(&failure);
    if (r <= 0)
        drop(relay, i);
}

int datagram_relay(int fd, datagram_open *open, void *arg, void (*complain)(const struct error *failure),
                   struct error *err)
{
    struct relay relay = {.fd = fd, .open = open, .arg = arg, .complain = complain};
    for (;;) {
        struct pollfd ready[LIMIT_RELAY_SENDERS + 1] = {{.fd = fd, .events = POLLIN}};
        size_t count = relay.count;
        bool waits = true;
        for (size_t i = 0; i < count; i++) {
            ready[i + 1] = (struct pollfd){.fd = relay.sender[i].socket.fd, .events = POLLIN};
            waits = waits && relay.sender[i].socket.incoming.length == 0;
        }
        if (poll(ready, count + 1, waits ? -1 : 0) < 0 && errno != EINTR)
            return fail_errno(err, "poll");
        for (size_t i = count; i-- > 0;) /* backwards: drop() puts the last in the place of the dropped */
            if (ready[i + 1].revents || relay.sender[i].socket.incoming.length > 0)
                from_guest(&relay, i);
        if (ready[0].revents && from_local(&relay, err) < 0)
            return -1;
    }
}
