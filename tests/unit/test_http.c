#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "rtvmd/base/limits.h"
#undef LIMIT_HTTP_REQUEST_MS
#define LIMIT_HTTP_REQUEST_MS 200u
#undef LIMIT_HTTP_CONNECTIONS
#define LIMIT_HTTP_CONNECTIONS 8u
#undef LIMIT_HTTP_REMOTE_CONNECTIONS
#define LIMIT_HTTP_REMOTE_CONNECTIONS 6u

#include "api/http/http_request.c"
#include "api/http/http_server.c"
#include "rtvmd/base/file.h"
#include "rtvmd/base/text.h"
#include "tests/test.h"

static struct loop *loop;
static struct http_server *server;
static char folder[] = "/tmp/rtvmd-http-XXXXXX";
static char path[64];

static struct http_request *held;
static struct http_stream *stream;
static struct shared_text *shared;
static int closed_calls;
static struct http_tunnel *tunnel;

static void on_closed(void *arg)
{
    (void)arg;
    closed_calls++;
    stream = NULL;
}

static void tunnel_read(struct bufferevent *bev, void *arg)
{
    (void)arg;
    bufferevent_write_buffer(bev, bufferevent_get_input(bev)); /* echo */
}

static void tunnel_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    (void)what;
    (void)arg;
    http_tunnel_close(tunnel);
    tunnel = NULL;
}

static void handler(struct http_request *request, void *arg)
{
    (void)arg;
    if (strcmp(http_path(request), "/hold") == 0) {
        held = request;
    } else if (strcmp(http_path(request), "/stream") == 0) {
        stream = http_stream_begin(request, 200, "text/plain", on_closed, NULL);
        http_stream_write(stream, "one\n", 4);
    } else if (strcmp(http_path(request), "/pieces") == 0) {
        struct http_body *body = http_body_new();
        http_body_add(body, "[");
        http_body_add_shared(body, shared);
        http_body_add_shared(body, shared);
        http_body_add(body, "]");
        CHECK_INT(shared->holders, 3);
        http_reply_body(request, 200, "text/plain", body);
    } else if (strcmp(http_path(request), "/tunnel") == 0) {
        http_add_header(request, "X-Test", "1");
        tunnel = http_upgrade(request, "websocket", on_closed, NULL);
        bufferevent_setcb(http_tunnel_bufferevent(tunnel), tunnel_read, NULL, tunnel_event, NULL);
        bufferevent_trigger(http_tunnel_bufferevent(tunnel), EV_READ, BEV_TRIG_DEFER_CALLBACKS);
    } else {
        size_t length;
        auto_text out = {0};
        const char *body = http_body(request, &length);
        text_printf(&out, "%s %s q=%s q1=%s h=%s uid=%d body=%s/%zu", http_method_text(request), http_path(request),
                    http_query(request, "q") ? http_query(request, "q") : "-",
                    http_query_at(request, "q", 1) ? http_query_at(request, "q", 1) : "-",
                    http_header(request, "x-one") ? http_header(request, "X-One") : "-",
                    http_peer(request)->local ? (int)http_peer(request)->uid : -1, length > 40 ? "..." : body, length);
        http_reply(request, 200, "text/plain", text_cstr(&out), out.length);
    }
}

static int dial(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        perror("connect");
    return fd;
}

static void turn(unsigned ms)
{
    uint64_t end = now_monotonic_ms() + ms;
    do {
        event_base_loop(loop_event_base(loop), EVLOOP_NONBLOCK);
        usleep(200);
    } while (now_monotonic_ms() < end);
}

/* Reads what the server says until it closes, or until `until` was seen. */
static const char *hear(int fd, const char *until)
{
    static struct text heard;
    text_clear(&heard);
    uint64_t end = now_monotonic_ms() + 3000;
    while (now_monotonic_ms() < end) {
        event_base_loop(loop_event_base(loop), EVLOOP_NONBLOCK);
        char chunk[4096];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n == 0) {
            text_append(&heard, "<EOF>");
            break;
        }
        if (n > 0)
            text_append_n(&heard, chunk, (size_t)n);
        else
            usleep(200);
        if (until && strstr(text_cstr(&heard), until))
            break;
    }
    return text_cstr(&heard);
}

static void say(int fd, const char *bytes)
{
    CHECK(write(fd, bytes, strlen(bytes)) == (ssize_t)strlen(bytes));
}

static void a_request_is_read_and_answered(void)
{
    int fd = dial();
    say(fd, "POST /a/b%20c?q=x%2Fy+z&q=2&r HTTP/1.1\r\nHost: h\r\nX-One: 1\r\nContent-Length: 5\r\n\r\nhello");
    auto_free char *wanted = must_format("POST /a/b%%20c q=x/y z q1=2 h=1 uid=%d body=hello/5", (int)getuid());
    CHECK(strstr(hear(fd, "hello"), wanted) != NULL);
    /* the connection is kept */
    say(fd, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    const char *heard = hear(fd, NULL);
    CHECK(strstr(heard, "GET / q=- q1=- h=-") != NULL);
    CHECK(strstr(heard, "<EOF>") != NULL);
    close(fd);
    turn(5);
    CHECK_INT(http_connection_count(server), 0);
}

static void pipelined_requests_are_answered_in_order(void)
{
    int fd = dial();
    say(fd, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    const char *heard = hear(fd, NULL);
    const char *one = strstr(heard, "GET /1"), *two = strstr(heard, "GET /2");
    CHECK(one && two && one < two);
    close(fd);
}

static void a_body_over_the_limit_is_refused(void)
{
    int fd = dial();
    auto_free char *head = must_format("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %u\r\nConnection: close\r\n\r\n",
                                       LIMIT_MANIFEST_BYTES + 1);
    say(fd, head);
    auto_free char *zeros = must_calloc(1, 1 << 16);
    for (size_t left = LIMIT_MANIFEST_BYTES + 1; left > 0;) {
        ssize_t n = write(fd, zeros, left < 1 << 16 ? left : 1 << 16);
        if (n > 0)
            left -= (size_t)n;
        event_base_loop(loop_event_base(loop), EVLOOP_NONBLOCK);
    }
    const char *heard = hear(fd, NULL);
    CHECK(strstr(heard, "HTTP/1.1 413 ") && strstr(heard, "longer than 3145728 bytes") && !strstr(heard, "<H"));
    close(fd);
    fd = dial();
    auto_free char *good = must_format("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %u\r\nConnection: close\r\n\r\n",
                                       LIMIT_MANIFEST_BYTES);
    say(fd, good);
    for (size_t left = LIMIT_MANIFEST_BYTES; left > 0;) {
        ssize_t n = write(fd, zeros, left < 1 << 16 ? left : 1 << 16);
        if (n > 0)
            left -= (size_t)n;
        event_base_loop(loop_event_base(loop), EVLOOP_NONBLOCK);
    }
    CHECK(strstr(hear(fd, NULL), "body=.../3145728") != NULL);
    close(fd);
}

static void headers_over_the_limits_are_refused(void)
{
    int fd = dial();
    auto_text request = {0};
    text_append(&request, "GET / HTTP/1.1\r\n");
    for (unsigned i = 0; i < LIMIT_HTTP_HEADERS; i++)
        text_printf(&request, "X-%u: v\r\n", i);
    auto_text one_more = {0};
    text_printf(&one_more, "%sHost: h\r\n\r\n", request.data);
    text_append(&request, "\r\n");
    say(fd, request.data);
    CHECK(strstr(hear(fd, "body"), "HTTP/1.1 200 ") != NULL);
    say(fd, one_more.data);
    const char *heard = hear(fd, "fewer");
    CHECK(strstr(heard, "HTTP/1.1 431 ") && strstr(heard, "too many headers: at most 100 are read"));
    close(fd);

    fd = dial();
    text_clear(&request);
    text_append(&request, "GET / HTTP/1.1\r\nX: ");
    for (unsigned i = 0; i < LIMIT_HTTP_HEADER_BYTES; i++)
        text_append(&request, "a");
    text_append(&request, "\r\n\r\n");
    say(fd, request.data);
    heard = hear(fd, NULL);
    CHECK(strstr(heard, "HTTP/1.1 431 ") && strstr(heard, "longer than 65536 bytes") && !strstr(heard, "<H"));
    close(fd);

    fd = dial();
    text_clear(&request);
    text_append(&request, "GET /?a=1");
    for (unsigned i = 0; i < LIMIT_HTTP_PARAMETERS; i++)
        text_append(&request, "&b");
    text_append(&request, " HTTP/1.1\r\n\r\n");
    say(fd, request.data);
    CHECK(strstr(hear(fd, "fewer"), "too many query parameters: at most 64 are read") != NULL);
    close(fd);
    turn(5);
    CHECK_INT(http_connection_count(server), 0);
}

static void a_request_that_never_ends_is_cut_off(void)
{
    int fd = dial();
    uint64_t begin = now_monotonic_ms();
    say(fd, "GET / HTTP/1.1\r\n");
    for (int i = 0; i < 12; i++) {
        turn(20);
        if (write(fd, "X: y\r\n", 6) < 0)
            break;
    }
    CHECK(strstr(hear(fd, NULL), "408") != NULL);
    CHECK(now_monotonic_ms() - begin < 1500);
    close(fd);
    turn(5);
    CHECK_INT(http_connection_count(server), 0);
}

static void garbage_is_refused(void)
{
    static const char *const garbage[] = {"\r\n\r\n\r\n",
                                          "x\r\n\r\n",
                                          "GET\r\n\r\n",
                                          "GET / HTTP/9.9.9\r\n\r\n",
                                          "BREW / HTTP/1.1\r\n\r\n",
                                          "GET / HTTP/1.1\r\nno colon\r\n\r\n",
                                          "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
                                          "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                                          "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"};
    for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
        int fd = dial();
        say(fd, garbage[i]);
        shutdown(fd, SHUT_WR);
        const char *heard = hear(fd, NULL);
        CHECK(strstr(heard, "200 OK") == NULL && strstr(heard, "<H") == NULL);
        CHECK(strstr(heard, "<EOF>") != NULL);
        close(fd);
    }
    turn(5);
    CHECK_INT(http_connection_count(server), 0);
}

static void an_answer_to_a_client_that_left_goes_nowhere(void)
{
    int fd = dial();
    say(fd, "GET /hold HTTP/1.1\r\n\r\n");
    turn(5);
    CHECK(held != NULL);
    close(fd);
    turn(5);
    http_reply(held, 200, "text/plain", "x", 1);
    held = NULL;
    turn(5);
    CHECK_INT(http_connection_count(server), 0);
}

static void a_stream_ends_from_either_side(void)
{
    int fd = dial();
    say(fd, "GET /stream HTTP/1.1\r\n\r\n");
    CHECK(strstr(hear(fd, "one"), "4\r\none\n\r\n") != NULL);
    http_stream_write(stream, "two\n", 4);
    http_stream_end(stream);
    CHECK(strstr(hear(fd, "0\r\n\r\n"), "two") != NULL);
    CHECK_INT(closed_calls, 0);
    say(fd, "GET /stream HTTP/1.1\r\n\r\n"); /* the connection is kept */
    hear(fd, "one");
    close(fd);
    turn(5);
    CHECK_INT(closed_calls, 1);
    CHECK(stream == NULL);
    closed_calls = 0;
}

static void a_stream_nobody_reads_is_cut_off(void)
{
    int fd = dial();
    say(fd, "GET /stream HTTP/1.1\r\n\r\n");
    hear(fd, "one");
    auto_free char *zeros = must_calloc(1, 1 << 16);
    unsigned pieces = 0;
    while (http_stream_write(stream, zeros, 1 << 16)) {
        event_base_loop(loop_event_base(loop), EVLOOP_NONBLOCK);
        if (++pieces > 1000)
            break;
    }
    CHECK(pieces >= 32 && pieces < 200);
    CHECK_INT(closed_calls, 0); /* never from inside the call */
    turn(5);
    CHECK_INT(closed_calls, 1);
    CHECK_INT(http_connection_count(server), 0);
    closed_calls = 0;
    close(fd);
}

static void shared_text_is_held_until_it_is_sent(void)
{
    shared = shared_text_new(must_strdup("both"));
    int fd = dial();
    say(fd, "GET /pieces HTTP/1.1\r\n\r\n");
    CHECK(strstr(hear(fd, "]"), "\r\n\r\n[bothboth]") != NULL);
    CHECK_INT(shared->holders, 1);
    say(fd, "GET /stream HTTP/1.1\r\n\r\n");
    hear(fd, "one");
    CHECK(http_stream_write_shared(stream, shared));
    CHECK_INT(shared->holders, 2);
    CHECK(strstr(hear(fd, "both\r\n"), "4\r\nboth") != NULL);
    CHECK_INT(shared->holders, 1);
    while (http_stream_write_shared(stream, shared)) /* nobody reads: cut off, and nothing is held any more */
        ;
    CHECK(shared->holders > 1000);
    turn(5);
    CHECK_INT(closed_calls, 1);
    CHECK_INT(shared->holders, 1);
    closed_calls = 0;
    close(fd);
    shared_text_release(take(shared));
}

static void bytes_sent_into_a_stream_do_no_harm(void)
{
    int fd = dial();
    say(fd, "GET /stream HTTP/1.1\r\n\r\n");
    hear(fd, "one");
    say(fd, "GET / HTTP/1.1\r\n\r\n");
    turn(250); /* past the request deadline */
    CHECK_INT(closed_calls, 0);
    http_stream_end(stream);
    CHECK(strstr(hear(fd, "body="), "GET / ") != NULL);
    close(fd);
    turn(5);
}

static void an_upgraded_connection_carries_bytes(void)
{
    int fd = dial();
    say(fd, "GET /tunnel HTTP/1.1\r\n\r\nearly");
    const char *heard = hear(fd, "early");
    CHECK(strstr(heard, "HTTP/1.1 101 ") == heard);
    CHECK(strstr(heard, "\r\nX-Test: 1\r\n") != NULL);
    say(fd, "bytes");
    CHECK(strstr(hear(fd, "bytes"), "bytes") != NULL);
    close(fd);
    turn(5);
    CHECK(tunnel == NULL);
    CHECK_INT(http_connection_count(server), 0);
}

static void connections_over_the_limit_wait(void)
{
    int fd[LIMIT_HTTP_CONNECTIONS + 1];
    for (unsigned i = 0; i <= LIMIT_HTTP_CONNECTIONS; i++) {
        fd[i] = dial();
        turn(1);
    }
    CHECK_INT(http_connection_count(server), LIMIT_HTTP_CONNECTIONS);
    say(fd[LIMIT_HTTP_CONNECTIONS], "GET /late HTTP/1.1\r\n\r\n");
    turn(20);
    char byte;
    CHECK(read(fd[LIMIT_HTTP_CONNECTIONS], &byte, 1) < 0);
    close(fd[0]);
    CHECK(strstr(hear(fd[LIMIT_HTTP_CONNECTIONS], "/late"), "GET /late") != NULL);
    for (unsigned i = 1; i <= LIMIT_HTTP_CONNECTIONS; i++)
        close(fd[i]);
    turn(5);
    CHECK_INT(http_connection_count(server), 0);
}

static void a_live_socket_is_not_taken_over(void)
{
    struct error err;
    CHECK_INT(http_listen_unix(server, path, 0660, &err), -1);
    CHECK_INT(err.kind, ERROR_CONFLICT);
    auto_free char *file = must_format("%s/file", folder);
    CHECK_INT(file_write_atomic(file, "x", 1, 0600, &err), 0);
    CHECK_INT(http_listen_unix(server, file, 0660, &err), -1);
    char long_path[200];
    memset(long_path, 'a', sizeof long_path);
    long_path[199] = '\0';
    CHECK_INT(http_listen_unix(server, long_path, 0660, &err), -1);
    CHECK_INT(err.kind, ERROR_INVALID);
    struct stat status;
    CHECK_INT(stat(path, &status), 0);
    CHECK_INT(status.st_mode & 0777, 0660);
}

static void tcp_listens_on_loopback(void)
{
    struct error err;
    unsigned port = 0;
    CHECK_INT(http_listen_tcp(server, "127.0.0.1:0", NULL, NULL, &port, &err), 0);
    CHECK(port > 0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK_INT(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    evutil_make_socket_nonblocking(fd);
    say(fd, "GET / HTTP/1.0\r\n\r\n");
    CHECK(strstr(hear(fd, NULL), "uid=-1") != NULL);
    close(fd);
    CHECK_INT(http_listen_tcp(server, "nonsense", NULL, NULL, &port, &err), -1);
    CHECK_INT(http_listen_tcp(server, "127.0.0.1", NULL, NULL, &port, &err), -1); /* not any port */
}

static int dial_tcp(unsigned port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_INT(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    evutil_make_socket_nonblocking(fd);
    turn(1);
    return fd;
}

static void strangers_do_not_shut_the_unix_socket(void)
{
    struct error err;
    unsigned port = 0;
    int fd[LIMIT_HTTP_REMOTE_CONNECTIONS + 1];
    CHECK_INT(http_listen_tcp(server, "127.0.0.1:0", NULL, NULL, &port, &err), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(fd); i++)
        fd[i] = dial_tcp(port);
    CHECK_INT(http_connection_count(server), LIMIT_HTTP_REMOTE_CONNECTIONS);
    int local = dial();
    say(local, "GET /here HTTP/1.1\r\n\r\n");
    CHECK(strstr(hear(local, "/here"), "GET /here") != NULL);
    close(local);
    close(fd[0]);
    say(fd[LIMIT_HTTP_REMOTE_CONNECTIONS], "GET /late HTTP/1.1\r\n\r\n");
    CHECK(strstr(hear(fd[LIMIT_HTTP_REMOTE_CONNECTIONS], "/late"), "GET /late") != NULL);
    for (unsigned i = 1; i < ARRAY_SIZE(fd); i++)
        close(fd[i]);
    turn(5);
    CHECK_INT(http_connection_count(server), 0);
}

static struct bufferevent *wrap_in_nothing(struct bufferevent *plain, void *arg)
{
    (void)arg;
    return plain;
}

/* Who connects to where a handshake is due and says nothing holds nothing for long. */
static void a_handshake_has_its_time(void)
{
    struct error err;
    unsigned port = 0;
    CHECK_INT(http_listen_tcp(server, "127.0.0.1:0", wrap_in_nothing, NULL, &port, &err), 0);
    int silent = dial_tcp(port), busy = dial_tcp(port);
    say(busy, "GET /first HTTP/1.1\r\n\r\n");
    CHECK(strstr(hear(busy, "/first"), "GET /first") != NULL);
    CHECK_INT(http_connection_count(server), 2);
    turn(LIMIT_HTTP_REQUEST_MS + 100);
    CHECK_INT(http_connection_count(server), 1); /* between two requests there is more time */
    CHECK_TEXT(hear(silent, NULL), "<EOF>");
    close(silent);
    close(busy);
    turn(5);
    CHECK_INT(http_connection_count(server), 0);
}

int main(void)
{
    struct error err;
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/socket", folder);
    loop = loop_new();
    server = http_server_new(loop, handler, NULL);
    if (http_listen_unix(server, path, 0660, &err) < 0) {
        printf("Bail out! %s\n", err.text);
        return 1;
    }
    RUN(a_request_is_read_and_answered);
    RUN(pipelined_requests_are_answered_in_order);
    RUN(a_body_over_the_limit_is_refused);
    RUN(headers_over_the_limits_are_refused);
    RUN(a_request_that_never_ends_is_cut_off);
    RUN(garbage_is_refused);
    RUN(an_answer_to_a_client_that_left_goes_nowhere);
    RUN(a_stream_ends_from_either_side);
    RUN(a_stream_nobody_reads_is_cut_off);
    RUN(shared_text_is_held_until_it_is_sent);
    RUN(bytes_sent_into_a_stream_do_no_harm);
    RUN(an_upgraded_connection_carries_bytes);
    RUN(connections_over_the_limit_wait);
    RUN(a_live_socket_is_not_taken_over);
    RUN(tcp_listens_on_loopback);
    RUN(strangers_do_not_shut_the_unix_socket);
    RUN(a_handshake_has_its_time);
    int fd = dial(); /* the server goes first */
    say(fd, "GET /hold HTTP/1.1\r\n\r\n");
    turn(5);
    http_server_free(server);
    http_reply(held, 200, "text/plain", "x", 1);
    close(fd);
    loop_free(loop);
    file_remove_tree(folder, &err);
    return test_end();
}
