/* port-forward: local TCP and UDP ports that lead to ports of a guest, through the daemon. Every TCP connection and
 * every UDP port is a process of its own, so that a slow one holds up nobody. --stdio is one connection on our own
 * input and output, for ssh. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rtvmd/datagram_relay.h"
#include "rtvmd/relay.h"
#include "rtvmd/remote.h"
#include "rtvmd/verbs.h"

enum { PORTS_MAX = 32 };

struct forward {
    struct remote_options remote;
    const char *address;
    bool stdio;
    const char *name;
    const char *plural;
    struct client client;
    unsigned count; /* of TCP ports */
    unsigned remote_port[PORTS_MAX];
    struct pollfd listener[PORTS_MAX];
};

static int read_port(const char *word, bool may_be_free, unsigned *ret_port, struct error *err)
{
    uint64_t port;
    if (!text_to_u64(word, &port) || port > UINT16_MAX || (port == 0 && !may_be_free))
        return fail(err, ERROR_BAD_REQUEST, "port \"%s\": want a number from 1 to 65535", word);
    *ret_port = (unsigned)port;
    return 0;
}

struct ports {
    bool is_udp;
    unsigned local;
    unsigned remote;
};

/* [tcp/|udp/]LOCAL[:REMOTE] */
static int read_ports(const char *word, struct ports *ret_ports, struct error *err)
{
    const char *slash = strchr(word, '/');
    ret_ports->is_udp = text_starts_with(word, "udp/");
    if (slash && !ret_ports->is_udp && !text_starts_with(word, "tcp/"))
        return fail(err, ERROR_BAD_REQUEST, "port \"%s\": forwarded are tcp/PORT and udp/PORT", word);
    const char *ports = slash ? slash + 1 : word;
    const char *colon = strchr(ports, ':');
    auto_free char *local = must_strndup(ports, strcspn(ports, ":"));
    if (read_port(local, colon != NULL, &ret_ports->local, err) < 0)
        return -1;
    return read_port(colon ? colon + 1 : local, false, &ret_ports->remote, err);
}

static int open_stream(const struct forward *f, unsigned port, const char *protocol, struct websocket *ret_socket,
                       struct error *err)
{
    auto_free char *sub = must_format("portforward/%u/%s", port, protocol);
    auto_free char *path = remote_subresource_path(f->plural, f->remote.namespace_, f->name, sub);
    auto_text early = {0};
    int fd = client_upgrade(&f->client, path, &early, err);
    if (fd >= 0)
        websocket_init(ret_socket, fd, &early);
    return fd < 0 ? -1 : 0;
}

static int connect_streams(const struct forward *f, unsigned port, int in, int out, struct error *err)
{
    struct websocket socket;
    if (open_stream(f, port, "tcp", &socket, err) < 0)
        return -1;
    int r = relay_copy(&socket, in, out, err);
    websocket_finish(&socket);
    return r;
}

static void serve_connection(const struct forward *f, unsigned i)
{
    int fd = accept4(f->listener[i].fd, NULL, NULL, SOCK_CLOEXEC);
    pid_t child = fd < 0 ? -1 : fork();
    if (child == 0) {
        struct error err;
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        _exit(connect_streams(f, f->remote_port[i], fd, fd, &err) < 0 ? verb_fail("port-forward", &err) : 0);
    }
    if (child < 0)
        fprintf(stderr, "rtvmd port-forward: a connection is dropped: %s\n", strerror(errno));
    if (fd >= 0)
        close(fd);
}

struct udp_port {
    const struct forward *forward;
    unsigned remote;
};

static int open_sender(void *arg, struct websocket *ret_socket, struct error *err)
{
    const struct udp_port *port = arg;
    return open_stream(port->forward, port->remote, "udp", ret_socket, err);
}

static void complain(const struct error *failure)
{
    fprintf(stderr, "rtvmd port-forward: %s\n", failure->text);
}

static int serve_datagrams(const struct forward *f, struct ports *ports, struct error *err)
{
    auto_close int fd = datagram_listen(f->address, ports->local, &ports->local, err);
    pid_t child = fd < 0 ? -1 : fork();
    if (child == 0) {
        struct udp_port port = {f, ports->remote};
        struct error failure;
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        datagram_relay(fd, open_sender, &port, complain, &failure);
        _exit(verb_fail("port-forward", &failure));
    }
    return child < 0 && fd >= 0 ? fail_errno(err, "fork") : fd < 0 ? -1 : 0;
}

static int serve_port(struct forward *f, struct ports *ports, struct error *err)
{
    if (ports->is_udp)
        return serve_datagrams(f, ports, err);
    int fd = relay_listen(f->address, ports->local, &ports->local, err);
    if (fd < 0)
        return -1;
    f->listener[f->count] = (struct pollfd){.fd = fd, .events = POLLIN};
    f->remote_port[f->count++] = ports->remote;
    return 0;
}

/* Who asks for a VM that is not there is told now, not when the first connection comes. */
static int check_name(const struct forward *f, struct error *err)
{
    auto_free char *path =
        must_format("/apis/kubevirt.io/v1/namespaces/%s/%s/%s", f->remote.namespace_, f->plural, f->name);
    struct client_request request = {.method = "GET", .path = path};
    auto_reply reply = {0};
    return client_call(&f->client, &request, &reply, err);
}

static int serve(struct forward *f, char **words, int count, struct error *err)
{
    if (check_name(f, err) < 0)
        return -1;
    if (count > PORTS_MAX)
        return fail(err, ERROR_BAD_REQUEST, "at most %d ports at once", PORTS_MAX);
    signal(SIGCHLD, SIG_IGN); /* connections that have ended are nobody's concern */
    for (int i = 0; i < count; i++) {
        struct ports ports = {0};
        if (read_ports(words[i], &ports, err) < 0 || serve_port(f, &ports, err) < 0)
            return -1;
        printf("Forwarding %s%s:%u -> %u\n", ports.is_udp ? "udp " : "", f->address, ports.local, ports.remote);
    }
    fflush(stdout);
    for (;;) {
        if (poll(f->listener, f->count, -1) < 0 && errno != EINTR)
            return fail_errno(err, "poll");
        for (unsigned i = 0; i < f->count; i++)
            if (f->listener[i].revents & POLLIN)
                serve_connection(f, i);
    }
}

static int run(struct forward *f, int positional, char **argv, struct error *err)
{
    if (positional < 2)
        return fail(err, ERROR_BAD_REQUEST, "say which, and what: rtvmd port-forward NAME 8080:80");
    const char *slash = strchr(argv[0], '/');
    auto_free char *word = slash ? must_strndup(argv[0], (size_t)(slash - argv[0])) : must_strdup("vmi");
    const struct remote_resource *resource = remote_resource(word, err);
    if (!resource)
        return -1;
    if (!text_starts_with(resource->plural, "virtualmachine"))
        return fail(err, ERROR_BAD_REQUEST, "\"%s\" has no ports; vm/NAME and vmi/NAME have", argv[0]);
    f->plural = resource->plural;
    f->name = slash ? slash + 1 : argv[0];
    if (!f->stdio)
        return serve(f, argv + 1, positional - 1, err);
    struct ports ports = {0};
    if (positional != 2)
        return fail(err, ERROR_BAD_REQUEST, "--stdio takes one port");
    if (read_ports(argv[1], &ports, err) < 0)
        return -1;
    if (ports.is_udp)
        return fail(err, ERROR_BAD_REQUEST, "port \"%s\": --stdio is a stream and takes a TCP port", argv[1]);
    return connect_streams(f, ports.remote, STDIN_FILENO, STDOUT_FILENO, err);
}

int verb_port_forward(int argc, char **argv)
{
    struct forward f = {.remote = {.namespace_ = "default"}, .address = "127.0.0.1"};
    const struct verb_option options[] = {
        {.name = "address", .value = "IP", .text = &f.address, .help = "Where to listen (127.0.0.1)"},
        {.name = "stdio", .flag = &f.stdio, .help = "One connection, on standard input and output"},
        REMOTE_NAMESPACE_OPTION(f.remote),
        REMOTE_SOCKET_OPTION(f.remote),
    };
    struct error err;
    int positional;
    bool done;
    if (verb_options("port-forward", argc, argv, options, ARRAY_SIZE(options), &positional, &done, &err) < 0)
        return verb_fail("port-forward", &err);
    if (done)
        return 0;
    client_init(&f.client, f.remote.socket);
    int r = run(&f, positional, argv, &err);
    client_finish(&f.client);
    return r < 0 ? verb_fail("port-forward", &err) : 0;
}
