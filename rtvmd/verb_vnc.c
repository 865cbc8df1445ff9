/* vnc: the VM's screen on a local port, with a viewer if there is one. A viewer is a program of the system; the rows
 * say how each is told a port. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rtvmd/relay.h"
#include "rtvmd/remote.h"
#include "rtvmd/verbs.h"

static const struct {
    const char *program;
    const char *before; /* the address */
    const char *after;  /* and before the port */
} VIEWERS[] = {
    {"remote-viewer", "vnc://", ":"}, {"gvncviewer", "", "::"}, {"xtigervncviewer", "", "::"},
    {"vncviewer", "", "::"},          {"vinagre", "", "::"},
};

struct vnc {
    struct remote_options remote;
    const char *address;
    const char *port;
    bool proxy_only;
    struct client client;
};

static bool is_in_path(const char *program)
{
    const char *path = getenv("PATH");
    auto_free char *copy = must_strdup(path ? path : "/usr/bin:/bin");
    for (char *save = NULL, *folder = strtok_r(copy, ":", &save); folder; folder = strtok_r(NULL, ":", &save)) {
        auto_free char *full = must_format("%s/%s", folder, program);
        if (access(full, X_OK) == 0)
            return true;
    }
    return false;
}

/* The process of a viewer on the port, or -1. */
static pid_t start_viewer(const char *address, unsigned port, int listener, struct error *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(VIEWERS); i++) {
        if (!is_in_path(VIEWERS[i].program))
            continue;
        auto_free char *target = must_format("%s%s%s%u", VIEWERS[i].before, address, VIEWERS[i].after, port);
        pid_t child = fork();
        if (child == 0) {
            close(listener);
            execlp(VIEWERS[i].program, VIEWERS[i].program, target, NULL);
            _exit(127);
        }
        return child < 0 ? fail_errno(err, "fork") : child;
    }
    auto_text known = {0};
    for (size_t i = 0; i < ARRAY_SIZE(VIEWERS); i++)
        text_printf(&known, "%s%s", i ? ", " : "", VIEWERS[i].program);
    return fail(err, ERROR_NOT_FOUND,
                "there is no viewer in PATH (%s); install one, or use --proxy-only and connect to the port it prints",
                text_cstr(&known));
}

/* The stream is opened before anybody can connect: what is wrong with the VM is said at once. */
static int open_screen(const struct vnc *vnc, const char *name, struct websocket *ret_socket, struct error *err)
{
    auto_free char *path = remote_subresource_path("virtualmachineinstances", vnc->remote.namespace_, name, "vnc");
    auto_text early = {0};
    int fd = client_upgrade(&vnc->client, path, &early, err);
    if (fd >= 0)
        websocket_init(ret_socket, fd, &early);
    return fd < 0 ? -1 : 0;
}

/* A viewer that ends before it connects would be waited for in vain. */
static int accept_viewer(int listener, pid_t viewer, struct error *err)
{
    enum { LOOK_MS = 500 };
    struct pollfd ready = {.fd = listener, .events = POLLIN};
    for (;;) {
        int count = poll(&ready, 1, viewer > 0 ? LOOK_MS : -1);
        if (count > 0)
            return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (viewer > 0 && waitpid(viewer, NULL, WNOHANG) == viewer)
            return fail(err, ERROR_INTERNAL, "the viewer ended without connecting");
    }
}

static int show(const struct vnc *vnc, int listener, unsigned port, struct websocket *socket, struct error *err)
{
    pid_t viewer = 0;
    if (vnc->proxy_only)
        printf("{\"port\": %u}\n", port); /* as virtctl says it */
    else
        viewer = start_viewer(vnc->address, port, listener, err);
    fflush(stdout);
    if (viewer < 0)
        return -1;
    int fd = accept_viewer(listener, viewer, err);
    if (fd < 0)
        return -1;
    int r = relay_copy(socket, fd, fd, err);
    close(fd);
    if (viewer > 0)
        waitpid(viewer, NULL, 0);
    return r;
}

static int run(const struct vnc *vnc, const char *name, struct error *err)
{
    uint64_t port = 0;
    if (vnc->port && (!text_to_u64(vnc->port, &port) || port > UINT16_MAX))
        return fail(err, ERROR_BAD_REQUEST, "--port \"%s\": want a number from 0 to 65535", vnc->port);
    struct websocket socket;
    if (open_screen(vnc, name, &socket, err) < 0)
        return -1;
    unsigned bound = 0;
    int listener = relay_listen(vnc->address, (unsigned)port, &bound, err);
    int r = listener < 0 ? -1 : show(vnc, listener, bound, &socket, err);
    if (listener >= 0)
        close(listener);
    websocket_finish(&socket);
    return r;
}

int verb_vnc(int argc, char **argv)
{
    struct vnc vnc = {.remote = {.namespace_ = "default"}, .address = "127.0.0.1"};
    const struct verb_option options[] = {
        {.name = "proxy-only", .flag = &vnc.proxy_only, .help = "Print the local port, start no viewer"},
        {.name = "port", .value = "PORT", .text = &vnc.port, .help = "Local port; a free one unless said"},
        {.name = "address", .value = "IP", .text = &vnc.address, .help = "Where to listen (127.0.0.1)"},
        REMOTE_NAMESPACE_OPTION(vnc.remote),
        REMOTE_SOCKET_OPTION(vnc.remote),
    };
    struct error err;
    int positional;
    bool done;
    if (verb_options("vnc", argc, argv, options, ARRAY_SIZE(options), &positional, &done, &err) < 0)
        return verb_fail("vnc", &err);
    if (done)
        return 0;
    if (positional != 1) {
        fail(&err, ERROR_BAD_REQUEST, "say which: rtvmd vnc NAME");
        return verb_fail("vnc", &err);
    }
    client_init(&vnc.client, vnc.remote.socket);
    int r = run(&vnc, argv[0], &err);
    client_finish(&vnc.client);
    return r < 0 ? verb_fail("vnc", &err) : 0;
}
