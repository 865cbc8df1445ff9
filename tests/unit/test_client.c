#include "rtvmd/client.c"

#include "rtvmd/websocket.c"

#include "tests/test.h"

/* What a server might send, read as an answer. */
static int answer(const char *bytes, struct client_reply *reply, struct error *err)
{
    int ends[2];
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    CHECK_INT(write(ends[1], bytes, strlen(bytes)), strlen(bytes));
    close(ends[1]);
    struct incoming in = {.fd = ends[0]};
    *reply = (struct client_reply){0};
    int r = read_head(&in, err);
    if (r == 0)
        r = read_reply(&in, reply, err);
    incoming_finish(&in);
    return r;
}

static void reads_every_kind_of_body(void)
{
    static const char *const ANSWERS[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}trailing",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n{\"a\":1}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(ANSWERS); i++) {
        auto_reply reply = {0};
        struct error err = {0};
        CHECK_INT(answer(ANSWERS[i], &reply, &err), 0);
        CHECK_INT(json_int_at(reply.body, "a", 0), 1);
    }
}

static void tells_statuses_and_warnings(void)
{
    auto_reply reply = {0};
    struct error err = {0};
    CHECK_INT(answer("HTTP/1.1 409 Conflict\r\nWarning: 299 - \"unknown field \\\"x\\\"\"\r\nContent-Length: 44\r\n\r\n"
                     "{\"reason\":\"AlreadyExists\",\"message\":\"there\"}",
                     &reply, &err),
              -1);
    CHECK_INT(err.kind, ERROR_ALREADY_EXISTS);
    CHECK_TEXT(err.text, "there");
    CHECK_TEXT(reply.warnings, "unknown field \"x\"\n");
}

static void broken_answers_are_errors(void)
{
    static const char *const BROKEN[] = {
        "",
        "HTTP/1.1 200 OK\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    };
    for (size_t i = 0; i < ARRAY_SIZE(BROKEN); i++) {
        auto_reply reply = {0};
        struct error err = {0};
        CHECK_INT(answer(BROKEN[i], &reply, &err), -1);
        CHECK(err.text[0] != '\0');
    }
}

static void nobody_listening_is_unavailable(void)
{
    auto_client client;
    client_init(&client, "/nonexistent/rtvmd.sock");
    struct client_request request = {.method = "GET", .path = "/"};
    auto_reply reply = {0};
    struct error err = {0};
    CHECK_INT(client_call(&client, &request, &reply, &err), -1);
    CHECK_INT(error_kind_info(err.kind)->exit_code, 7);
}

static void web_socket_frames_go_both_ways(void)
{
    int ends[2];
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    struct text early = {0};
    text_append_n(&early, "\x82\x02hi\x82", 5); /* one frame and the start of the next */
    struct websocket socket;
    websocket_init(&socket, ends[0], &early);
    CHECK_INT(write(ends[1], "\x03you\x89\x01p\x88\x00", 9), 9);
    struct error err = {0};
    auto_text data = {0};
    CHECK_INT(websocket_receive(&socket, &data, &err), 0); /* the last frame says good-bye */
    CHECK_TEXT(text_cstr(&data), "hiyou");
    unsigned char got[32] = {0};
    CHECK_INT(read(ends[1], got, sizeof got), 7); /* the answer to the ping, masked */
    CHECK_INT(got[0], FINAL | OP_PONG);
    CHECK_INT(got[6] ^ got[2], 'p');
    CHECK_INT(websocket_send(&socket, "abc", 3, &err), 0);
    CHECK_INT(read(ends[1], got, sizeof got), 9);
    CHECK_INT(got[1], MASKED | 3);
    size_t head;
    CHECK_INT(frame_size((const unsigned char *)"\x82\x81", 2, &head), -1); /* a server must not mask */
    websocket_finish(&socket);
    close(ends[1]);
}

int main(void)
{
    RUN(reads_every_kind_of_body);
    RUN(tells_statuses_and_warnings);
    RUN(broken_answers_are_errors);
    RUN(nobody_listening_is_unavailable);
    RUN(web_socket_frames_go_both_ways);
    return test_end();
}
