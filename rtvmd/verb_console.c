/* console: this terminal on the VM's serial port. In a terminal, keys go through raw and ctrl-] leaves; without one
 * (a pipe), bytes are copied until the input ends. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "rtvmd/remote.h"
#include "rtvmd/verbs.h"
#include "rtvmd/websocket.h"

enum { LEAVE = 29 }; /* ctrl-] */

static struct termios saved;
static bool is_raw;

static void restore_terminal(void)
{
    if (is_raw)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved);
    is_raw = false;
}

static void on_signal(int signal)
{
    restore_terminal();
    _exit(128 + signal);
}

static void make_raw(void)
{
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &saved) < 0)
        return;
    struct termios raw = saved;
    cfmakeraw(&raw);
    is_raw = tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) == 0;
    signal(SIGTERM, on_signal);
    signal(SIGHUP, on_signal);
}

/* 1: go on, 0: the person is done, -1: error */
static int from_person(struct websocket *socket, struct error *err)
{
    char keys[4096];
    ssize_t n = read(STDIN_FILENO, keys, sizeof keys);
    if (n <= 0)
        return 0;
    const char *leave = is_raw ? memchr(keys, LEAVE, (size_t)n) : NULL;
    size_t length = leave ? (size_t)(leave - keys) : (size_t)n;
    if (length > 0 && websocket_send(socket, keys, length, err) < 0)
        return -1;
    return leave == NULL;
}

static int from_guest(struct websocket *socket, struct error *err)
{
    auto_text data = {0};
    int r = websocket_receive(socket, &data, err);
    for (size_t done = 0; done < data.length;) {
        ssize_t n = write(STDOUT_FILENO, data.data + done, data.length - done);
        if (n < 0)
            return fail_errno(err, "write");
        done += (size_t)n;
    }
    return r;
}

static int talk(struct websocket *socket, struct error *err)
{
    int r = socket->incoming.length > 0 ? from_guest(socket, err) : 1;
    struct pollfd ready[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = socket->fd, .events = POLLIN}};
    while (r > 0) {
        if (poll(ready, 2, -1) < 0)
            continue;
        if (ready[1].revents)
            r = from_guest(socket, err);
        if (r > 0 && ready[0].revents)
            r = from_person(socket, err);
    }
    if (r == 0)
        websocket_close(socket);
    return r;
}

static int console(const struct client *client, const char *namespace_, const char *name, struct error *err)
{
    auto_free char *path = remote_subresource_path("virtualmachineinstances", namespace_, name, "console");
    auto_text early = {0};
    int fd = client_upgrade(client, path, &early, err);
    if (fd < 0)
        return -1;
    if (isatty(STDIN_FILENO))
        fprintf(stderr, "Connected to the console of %s; ctrl-] leaves.\n", name);
    struct websocket socket;
    websocket_init(&socket, fd, &early);
    make_raw();
    int r = talk(&socket, err);
    restore_terminal();
    websocket_finish(&socket);
    return r;
}

int verb_console(int argc, char **argv)
{
    struct remote_options remote = {.namespace_ = "default"};
    const struct verb_option options[] = {REMOTE_NAMESPACE_OPTION(remote), REMOTE_SOCKET_OPTION(remote)};
    struct error err;
    int positional;
    bool done;
    if (verb_options("console", argc, argv, options, ARRAY_SIZE(options), &positional, &done, &err) < 0)
        return verb_fail("console", &err);
    if (done)
        return 0;
    if (positional != 1) {
        fail(&err, ERROR_BAD_REQUEST, "say which: rtvmd console NAME");
        return verb_fail("console", &err);
    }
    auto_client client;
    client_init(&client, remote.socket);
    return console(&client, remote.namespace_, argv[0], &err) < 0 ? verb_fail("console", &err) : 0;
}
