/* Listeners and connections. evhttp parses; what it leaves open is added here:
 *  - how many connections there may be: at the limit the listeners stop accepting, the kernel's backlog waits;
 *  - how long a request may take to arrive, whole: evhttp's own time-out starts anew with every byte, so one byte every
 *    minute would hold a connection for ever;
 *  - knowing every connection from its first moment to its last. evhttp hands out its connection object only with the
 *    first request, but makes it the argument of the bufferevent's callbacks right after asking us for the bufferevent;
 *    one event later it is there to be asked for, and its close callback tells the end. */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/listener.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/http/http_internal.h"
#include "rtvmd/base/log.h"

/* At a limit the kernel's backlog waits. Strangers reach theirs first: who is on this machine still gets in. */
static void accept_as_allowed(struct http_server *server)
{
    for (struct http_listener *l = server->listeners; l; l = l->next) {
        unsigned limit = l->local ? LIMIT_HTTP_CONNECTIONS : LIMIT_HTTP_REMOTE_CONNECTIONS;
        bool is_full = server->connection_count >= LIMIT_HTTP_CONNECTIONS ||
                       (!l->local && server->remote_count >= LIMIT_HTTP_REMOTE_CONNECTIONS);
        if (is_full == l->is_full)
            continue;
        l->is_full = is_full;
        if (is_full)
            evconnlistener_disable(l->listener);
        else
            evconnlistener_enable(l->listener);
        uint64_t now_ms = now_monotonic_ms();
        if (!is_full || (server->warned_ms != 0 && now_ms - server->warned_ms < LIMIT_HTTP_WARNING_MS))
            continue;
        server->warned_ms = now_ms; /* clients that come and go at the limit do not fill the log */
        log_warn("%u connections open%s, no more are accepted until one closes", limit, l->local ? "" : " over TCP");
    }
}

static void connection_free(struct http_connection *connection)
{
    struct http_server *server = connection->server;
    server->connection_count--;
    server->remote_count -= connection->is_remote;
    accept_as_allowed(server);
    if (connection->fd >= 0 && server->by_fd[connection->fd] == connection)
        server->by_fd[connection->fd] = NULL;
    event_free(connection->deadline);
    event_free(connection->refusal);
    free(connection);
}

static void connection_closed(struct evhttp_connection *evhttp, void *arg)
{
    (void)evhttp;
    struct http_connection *connection = arg;
    if (connection->on_lost)
        connection->on_lost(connection->on_lost_arg);
    connection_free(connection);
}

static void deadline_passed(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct http_connection *connection = arg;
    log_debug("request not complete after %u ms, connection closed", LIMIT_HTTP_REQUEST_MS);
    auto_free char *answer = http_refusal_late(connection->server);
    if (!connection->listener->wrap && send(connection->fd, answer, strlen(answer), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        log_debug("408 not sent: %s", strerror(errno));
    evhttp_connection_free(connection->evhttp); /* ends in connection_closed */
}

static void bytes_came(struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *arg)
{
    (void)buffer;
    struct http_connection *connection = arg;
    if (info->n_added == 0 || connection->is_answering || connection->fd < 0)
        return;
    connection->head_bytes += info->n_added;
    if (connection->is_reading)
        return;
    connection->is_reading = true;
    event_add(connection->deadline, connection->server->deadline);
}

static void connection_index(struct http_connection *connection)
{
    struct http_server *server = connection->server;
    size_t needed = (size_t)connection->fd + 1;
    if (needed > server->by_fd_size) {
        size_t size = needed * 2;
        server->by_fd = must_realloc(server->by_fd, size, sizeof(struct http_connection *));
        memset(server->by_fd + server->by_fd_size, 0, (size - server->by_fd_size) * sizeof(struct http_connection *));
        server->by_fd_size = size;
    }
    server->by_fd[connection->fd] = connection;
}

static void peer_look_up(struct http_connection *connection)
{
    struct http_peer *peer = &connection->peer;
    peer->local = connection->listener->local;
    peer->wrapped = connection->listener->wrap != NULL;
    if (peer->local) {
        struct ucred who;
        socklen_t size = sizeof who;
        if (getsockopt(connection->fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0) {
            peer->uid = who.uid;
            peer->gid = who.gid;
            peer->pid = who.pid;
        }
        return;
    }
    char *address = NULL;
    uint16_t port;
    evhttp_connection_get_peer(connection->evhttp, &address, &port);
    snprintf(peer->address, sizeof peer->address, "%s", address ? address : "");
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

/* One event after accepting: evhttp's connection objects exist now. */
static void connections_arrived(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct http_server *server = arg;
    while (server->fresh) {
        struct http_connection *connection = server->fresh;
        server->fresh = connection->next_fresh;
        void *evhttp = NULL;
        bufferevent_getcb(connection->bufferevent, NULL, NULL, NULL, &evhttp);
        connection->fd = bufferevent_getfd(connection->bufferevent);
        bufferevent_decref(connection->bufferevent);
        if (!evhttp || connection->fd < 0) {
            connection_free(connection);
            continue;
        }
        connection->evhttp = evhttp;
        evhttp_connection_set_closecb(connection->evhttp, connection_closed, connection);
        connection_index(connection);
        peer_look_up(connection);
        if (connection->peer.wrapped) /* a handshake is no request yet: it has its own time */
            event_add(connection->deadline, server->deadline);
    }
}

/* evhttp asks for the bufferevent of a connection just accepted. */
static struct bufferevent *connection_new(struct event_base *base, void *arg)
{
    struct http_listener *listener = arg;
    struct http_server *server = listener->server;
    struct http_connection *connection = must_calloc(1, sizeof *connection);
    connection->server = server;
    connection->listener = listener;
    connection->fd = -1;
    connection->deadline = evtimer_new(base, deadline_passed, connection);
    struct bufferevent *plain = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (!plain || !connection->deadline)
        abort();
    connection->bufferevent = listener->wrap ? listener->wrap(plain, listener->wrap_arg) : plain;
    bufferevent_incref(connection->bufferevent); /* until connections_arrived: evhttp may fail to take it */
    evbuffer_add_cb(bufferevent_get_input(connection->bufferevent), bytes_came, connection);
    http_refusal_watch(connection);
    connection->next_fresh = server->fresh;
    server->fresh = connection;
    server->connection_count++;
    connection->is_remote = !listener->local;
    server->remote_count += connection->is_remote;
    accept_as_allowed(server);
    event_active(server->arrived, EV_TIMEOUT, 0);
    return connection->bufferevent;
}

static void request_arrived(struct evhttp_request *event, void *arg)
{
    struct http_listener *listener = arg;
    struct http_server *server = listener->server;
    evutil_socket_t fd = bufferevent_getfd(evhttp_connection_get_bufferevent(evhttp_request_get_connection(event)));
    struct http_connection *connection = fd >= 0 && (size_t)fd < server->by_fd_size ? server->by_fd[fd] : NULL;
    if (!connection) {
        evhttp_send_error(event, HTTP_INTERNAL, NULL);
        return;
    }
    connection->is_reading = false;
    connection->is_answering = true;
    connection->head_bytes = 0;
    event_del(connection->deadline);
    http_request_arrived(event, connection);
}

struct http_server *http_server_new(struct loop *loop, http_handler *handler, void *arg)
{
    struct http_server *server = must_calloc(1, sizeof *server);
    server->loop = loop;
    server->handler = handler;
    server->handler_arg = arg;
    const struct timeval deadline = {LIMIT_HTTP_REQUEST_MS / 1000, LIMIT_HTTP_REQUEST_MS % 1000 * 1000L};
    server->deadline = event_base_init_common_timeout(loop_event_base(loop), &deadline); /* cheap to arm and disarm */
    server->arrived = event_new(loop_event_base(loop), -1, 0, connections_arrived, server);
    if (!server->arrived)
        abort();
    signal(SIGPIPE, SIG_IGN); /* a client that left is seen by write's error */
    return server;
}

void http_server_describe(struct http_server *server, http_describe *describe)
{
    server->describe = describe;
}

void http_server_free(struct http_server *server)
{
    if (!server)
        return;
    while (server->listeners) {
        struct http_listener *listener = server->listeners;
        server->listeners = listener->next;
        evhttp_free(listener->evhttp); /* with its listener and connections */
        if (listener->path)
            unlink(listener->path);
        free(listener->path);
        free(listener);
    }
    while (server->fresh) { /* accepted in the very last round */
        struct http_connection *connection = server->fresh;
        server->fresh = connection->next_fresh;
        bufferevent_decref(connection->bufferevent);
        connection_free(connection);
    }
    event_free(server->arrived);
    free(server->by_fd);
    free(server);
}

size_t http_connection_count(const struct http_server *server)
{
    return server->connection_count;
}

/* Takes the descriptor. */
static struct http_listener *listener_add(struct http_server *server, int *fd)
{
    struct event_base *base = loop_event_base(server->loop);
    struct http_listener *listener = must_calloc(1, sizeof *listener);
    listener->server = server;
    listener->evhttp = evhttp_new(base);
    listener->listener =
        evconnlistener_new(base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, LIMIT_HTTP_BACKLOG, *fd);
    *fd = -1;
    if (!listener->evhttp || !listener->listener || !evhttp_bind_listener(listener->evhttp, listener->listener))
        abort();
    evhttp_set_allowed_methods(listener->evhttp, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT |
                                                     EVHTTP_REQ_PATCH | EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS);
    evhttp_set_max_headers_size(listener->evhttp, LIMIT_HTTP_HEADER_BYTES);
    evhttp_set_max_body_size(listener->evhttp, LIMIT_MANIFEST_BYTES);
    evhttp_set_timeout(listener->evhttp, LIMIT_HTTP_IDLE_S);
    evhttp_set_flags(listener->evhttp, EVHTTP_SERVER_LINGERING_CLOSE); /* a body too large is read, then refused */
    evhttp_set_bevcb(listener->evhttp, connection_new, listener);
    evhttp_set_gencb(listener->evhttp, request_arrived, listener);
    listener->next = server->listeners;
    server->listeners = listener;
    return listener;
}

static int unix_address(const char *path, struct sockaddr_un *ret_address, struct error *err)
{
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof ret_address->sun_path)
        return fail(err, ERROR_INVALID, "socket %s: the path is longer than %zu bytes; choose a shorter one", path,
                    sizeof ret_address->sun_path - 1);
    snprintf(ret_address->sun_path, sizeof ret_address->sun_path, "%s", path);
    return 0;
}

/* A socket file that nobody answers on is left over from a daemon that was killed. */
static int remove_stale(const struct sockaddr_un *address, struct error *err)
{
    struct stat status;
    if (lstat(address->sun_path, &status) < 0)
        return errno == ENOENT ? 0 : fail_errno(err, "socket %s", address->sun_path);
    if (!S_ISSOCK(status.st_mode))
        return fail(err, ERROR_CONFLICT, "socket %s: a file that is no socket is in the way", address->sun_path);
    auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0)
        return fail(err, ERROR_CONFLICT, "socket %s: another daemon answers there; stop it or choose another --socket",
                    address->sun_path);
    if (unlink(address->sun_path) < 0)
        return fail_errno(err, "socket %s: remove the old one", address->sun_path);
    return 0;
}

int http_listen_unix(struct http_server *server, const char *path, unsigned mode, struct error *err)
{
    struct sockaddr_un address;
    if (unix_address(path, &address, err) < 0 || remove_stale(&address, err) < 0)
        return -1;
    auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fail_errno(err, "socket %s", path);
    mode_t before = umask(0777); /* nobody connects before the mode is right */
    int bound = bind(fd, (struct sockaddr *)&address, sizeof address);
    umask(before);
    if (bound < 0)
        return fail_errno(err, "socket %s", path);
    if (chmod(path, mode) < 0 || listen(fd, LIMIT_HTTP_BACKLOG) < 0)
        return fail_errno(err, "socket %s", path);
    struct http_listener *listener = listener_add(server, &fd);
    listener->local = true;
    listener->path = must_strdup(path);
    return 0;
}

int http_listen_fd(struct http_server *server, int fd, struct error *err)
{
    auto_close int owned = fd;
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        return fail_errno(err, "the socket handed over");
    if (address.ss_family != AF_UNIX)
        return fail(err, ERROR_INVALID, "the socket handed over is no unix socket; set ListenStream to a path");
    evutil_make_socket_nonblocking(fd);
    listener_add(server, &owned)->local = true;
    return 0;
}

int http_listen_tcp(struct http_server *server, const char *address, http_wrap *wrap, void *wrap_arg,
                    unsigned *ret_port, struct error *err)
{
    struct sockaddr_storage parsed;
    int length = sizeof parsed;
    bool any_port = text_ends_with(address, ":0"); /* evutil takes no port 0 */
    auto_free char *with_port = must_format("%s%s", address, any_port ? "1" : "");
    in_port_t *port = &((struct sockaddr_in *)&parsed)->sin_port; /* at the same place in both families */
    if (evutil_parse_sockaddr_port(with_port, (struct sockaddr *)&parsed, &length) < 0 || *port == 0)
        return fail(err, ERROR_INVALID, "listen address \"%s\": write it as 127.0.0.1:8080 or [::1]:8080", address);
    if (any_port)
        *port = 0;
    auto_close int fd = socket(parsed.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fail_errno(err, "listen on %s", address);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(fd, (struct sockaddr *)&parsed, (socklen_t)length) < 0 || listen(fd, LIMIT_HTTP_BACKLOG) < 0)
        return fail_errno(err, "listen on %s", address);
    socklen_t size = sizeof parsed;
    if (getsockname(fd, (struct sockaddr *)&parsed, &size) < 0)
        return fail_errno(err, "listen on %s", address);
    if (ret_port)
        *ret_port = ntohs(*port);
    struct http_listener *listener = listener_add(server, &fd);
    listener->wrap = wrap;
    listener->wrap_arg = wrap_arg;
    return 0;
}
