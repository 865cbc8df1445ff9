/* port-forward: local TCP ports that lead to ports of a guest, through the daemon. Every connection is a process of its
 * own, so that a slow one holds up nobody. --stdio is one connection on our own input and output, for ssh. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

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
    unsigned count;
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

/* [tcp/]LOCAL[:REMOTE] */
static int read_ports(const char *word, unsigned *ret_local, unsigned *ret_remote, struct error *err)
{
    const char *slash = strchr(word, '/');
    if (slash && !text_starts_with(word, "tcp/"))
        return fail(err, ERROR_BAD_REQUEST, "port \"%s\": only tcp is forwarded", word);
    const char *ports = slash ? slash + 1 : word;
    const char *colon = strchr(ports, ':');
    auto_free char *local = must_strndup(ports, strcspn(ports, ":"));
    if (read_port(local, colon != NULL, ret_local, err) < 0)
        return -1;
    return read_port(colon ? colon + 1 : local, false, ret_remote, err);
}

static int open_stream(const struct forward *f, unsigned port, struct websocket *ret_socket, struct error *err)
{
    auto_free char *sub = must_format("portforward/%u/tcp", port);
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
    if (open_stream(f, port, &socket, err) < 0)
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
    for (int i = 0; i < count; i++) {
        unsigned local = 0;
        if (f->count == PORTS_MAX)
            return fail(err, ERROR_BAD_REQUEST, "at most %d ports at once", PORTS_MAX);
        if (read_ports(words[i], &local, &f->remote_port[f->count], err) < 0)
            return -1;
        int fd = relay_listen(f->address, local, &local, err);
        if (fd < 0)
            return -1;
        f->listener[f->count] = (struct pollfd){.fd = fd, .events = POLLIN};
        printf("Forwarding %s:%u -> %u\n", f->address, local, f->remote_port[f->count++]);
    }
    fflush(stdout);
    signal(SIGCHLD, SIG_IGN); /* connections that have ended are nobody's concern */
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
    unsigned local = 0, port = 0;
    if (positional != 2)
        return fail(err, ERROR_BAD_REQUEST, "--stdio takes one port");
    if (read_ports(argv[1], &local, &port, err) < 0)
        return -1;
    return connect_streams(f, port, STDIN_FILENO, STDOUT_FILENO, err);
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
