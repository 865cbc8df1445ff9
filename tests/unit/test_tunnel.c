#include "api/streams/tunnel.c"

#include <netinet/in.h>

#include "tests/test.h"
#include "tests/unit/api_client.h"

/* ---- web sockets: the test plays the device, too */

#define CONSOLE "/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachineinstances/x/console"
static int device_listener = -1;

static int device_accept(void)
{
    int fd = -1;
    for (int i = 0; i < 1000 && fd < 0; i++) {
        loop_run_once(loop, false);
        fd = accept4(device_listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            usleep(1000);
    }
    return fd;
}

static int upgrade(const char *target)
{
    int fd = dial();
    auto_free char *request = must_format(
        "GET %s HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
        "13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: plain.kubevirt.io\r\n\r\n",
        target);
    CHECK(write(fd, request, strlen(request)) == (ssize_t)strlen(request));
    return fd;
}

static void say_frame(int fd, enum frame_kind kind, const char *bytes)
{
    auto_text frame = {0};
    if (kind == FRAME_CLOSE)
        frame_write_close(true, 1000, &frame);
    else
        frame_write(kind, true, bytes, strlen(bytes), &frame);
    CHECK(write(fd, frame.data, frame.length) == (ssize_t)frame.length);
}

static void turn(unsigned ms)
{
    uint64_t end = now_monotonic_ms() + ms;
    do {
        loop_run_once(loop, false);
        usleep(200);
    } while (now_monotonic_ms() < end);
}

static void consoles_carry_bytes(void)
{
    asked.socket = NULL;
    const json_t *a = ask("GET", CONSOLE, "");
    CHECK_INT(status, 400);
    CHECK_TEXT(says(a, "message"), "VMI is not running");
    static char device[80];
    snprintf(device, sizeof device, "%s/serial0", folder);
    asked.socket = device;
    a = ask("GET", CONSOLE, "");
    CHECK_INT(status, 400);
    CHECK(strstr(says(a, "message"), "web socket") != NULL);
    int fd = upgrade(CONSOLE); /* nobody listens there */
    CHECK(strstr(hear(fd, "}"), "HTTP/1.1 500 ") != NULL);
    close(fd);

    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", device);
    device_listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK_INT(bind(device_listener, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_INT(listen(device_listener, 8), 0);
    fd = upgrade(CONSOLE);
    int guest = device_accept();
    const char *answer = hear(fd, "\r\n\r\n");
    CHECK(strstr(answer, "HTTP/1.1 101 ") == answer);
    CHECK(strstr(answer, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") != NULL);
    CHECK(strstr(answer, "Sec-WebSocket-Protocol: plain.kubevirt.io\r\n") != NULL);
    say_frame(fd, FRAME_DATA, "login");
    CHECK_TEXT(hear(guest, "login"), "login");
    CHECK(write(guest, "hello", 5) == 5);
    CHECK_TEXT(hear(fd, "hello"), "\x82\x05hello");
    say_frame(fd, FRAME_PING, "p");
    CHECK_TEXT(hear(fd, "p"), "\x8a\x01p");

    int second = upgrade(CONSOLE); /* ends the first one, without a word */
    int guest2 = device_accept();
    hear(second, "\r\n\r\n");
    CHECK_TEXT(hear(fd, NULL), "");
    close(fd);
    close(guest);
    ask("GET", CONSOLE "?preserveSession=true", "");
    CHECK_INT(status, 503);
    CHECK(write(guest2, "last", 4) == 4);
    close(guest2);
    CHECK_TEXT(hear(second, "\xe8"), "\x82\x04last\x88\x02\x03\xe8"); /* 1000: a normal end */
    close(second);
    turn(5);
    CHECK_INT(tunnels_count(api->tunnels), 0);
}

#define SCREEN "/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachineinstances/x/vnc"

/* A datagram for a message and a message for a datagram, whatever pieces they come in. */
static void ports_carry_datagrams(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int guest = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK_INT(bind(guest, (struct sockaddr *)&address, size), 0);
    getsockname(guest, (struct sockaddr *)&address, &size);
    struct error err;
    json_t *vmi = json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:s, s:[{s:s}]}}", "kind", "VirtualMachineInstance",
                            "apiVersion", "kubevirt.io/v1", "metadata", "name", "u", "namespace", "default", "status",
                            "phase", "Running", "interfaces", "ipAddress", "127.0.0.1");
    CHECK_INT(store_create(store, vmi, NULL, &err), 0);
    auto_free char *target =
        must_format("/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachineinstances/u/portforward/%u/udp",
                    ntohs(address.sin_port));
    int fd = upgrade(target);
    CHECK(strstr(hear(fd, "\r\n\r\n"), "HTTP/1.1 101 ") != NULL);
    auto_text two = {0};
    frame_write(FRAME_DATA, true, "one", 3, &two);
    frame_write(FRAME_DATA, true, "", 0, &two);
    frame_write(FRAME_DATA, true, "three", 5, &two);
    two.data[two.length - 11] = 0x02; /* not the last piece of its message */
    frame_write(FRAME_DATA, true, "four", 4, &two);
    two.data[two.length - 10] = (char)0x80; /* the rest of it */
    CHECK(write(fd, two.data, two.length) == (ssize_t)two.length);
    turn(20);
    char bytes[64];
    struct sockaddr_in from;
    size = sizeof from;
    CHECK_INT(recvfrom(guest, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &size), 3);
    CHECK_INT(recv(guest, bytes, sizeof bytes, 0), 0);
    CHECK_INT(recv(guest, bytes, sizeof bytes, 0), 9);
    CHECK(memcmp(bytes, "threefour", 9) == 0);
    CHECK_INT(sendto(guest, "a", 1, 0, (struct sockaddr *)&from, size), 1);
    CHECK_INT(sendto(guest, "bc", 2, 0, (struct sockaddr *)&from, size), 2);
    const char *heard_bytes = hear(fd, "bc");
    CHECK(memcmp(heard_bytes,
                 "\x82\x01"
                 "a\x82\x02"
                 "bc",
                 7) == 0);
    auto_text huge = {0}; /* more than a datagram may be: dropped, and the next one goes through */
    auto_free char *much = must_calloc(LIMIT_DATAGRAM_BYTES + 1, 1);
    frame_write(FRAME_DATA, true, much, LIMIT_DATAGRAM_BYTES + 1, &huge);
    frame_write(FRAME_DATA, true, "after", 5, &huge);
    size_t sent = 0;
    for (int i = 0; i < 1000 && sent < huge.length; i++) {
        ssize_t n = write(fd, huge.data + sent, huge.length - sent);
        sent += n > 0 ? (size_t)n : 0;
        turn(1);
    }
    CHECK_INT(sent, huge.length);
    turn(20);
    CHECK_INT(recv(guest, bytes, sizeof bytes, 0), 5);
    CHECK_INT(tunnels_count(api->tunnels), 1);
    say_frame(fd, FRAME_CLOSE, "");
    hear(fd, NULL);
    close(fd);
    turn(20);
    CHECK_INT(tunnels_count(api->tunnels), 0);
    close(guest);
    ask("GET", "/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachineinstances/u/portforward/1/sctp", "");
    CHECK_INT(status, 400);
    CHECK_INT(store_delete(store, "VirtualMachineInstance", "default", "u", NULL, &err), 0);
}

static void screens_come_open(void)
{
    const json_t *a = ask("GET", SCREEN, "");
    CHECK_INT(status, 400);
    CHECK(strstr(says(a, "message"), "web socket") != NULL);
    int fd = upgrade(SCREEN);
    CHECK(strstr(hear(fd, "}"), "No graphics devices are present.") != NULL);
    close(fd);

    int ends[2];
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    asked.screen_fd = ends[0]; /* the runtime gives a copy away */
    CHECK(write(ends[1], "RFB 003.008\n", 12) == 12);
    fd = upgrade(SCREEN);
    hear(fd, "RFB 003.008\n");
    CHECK(strstr(heard.data, "HTTP/1.1 101 ") == heard.data);
    say_frame(fd, FRAME_DATA, "RFB 003.008\n");
    CHECK_TEXT(hear(ends[1], "\n"), "RFB 003.008\n");
    ask("GET", SCREEN "?preserveSession=true", "");
    CHECK_INT(status, 400); /* no web socket was asked for */
    close(ends[0]);
    asked.screen_fd = 0;
    say_frame(fd, FRAME_CLOSE, "");
    hear(fd, NULL);
    CHECK_TEXT(hear(ends[1], NULL), ""); /* our end was closed with the tunnel */
    close(fd);
    close(ends[1]);
    turn(5);
    CHECK_INT(tunnels_count(api->tunnels), 0);
}

static void what_a_leaving_client_said_is_delivered(void)
{
    int fd = upgrade(CONSOLE);
    int guest = device_accept();
    hear(fd, "\r\n\r\n");
    say_frame(fd, FRAME_DATA, "echo done\n");
    say_frame(fd, FRAME_CLOSE, "");
    CHECK_TEXT(hear(fd, NULL), "\x88\x02\x03\xe8");
    CHECK_TEXT(hear(guest, NULL), "echo done\n");
    close(fd);
    close(guest);
    turn(5);
    CHECK_INT(tunnels_count(api->tunnels), 0);
    CHECK_INT(http_connection_count(api->http), 0);
}

static void a_slow_reader_stops_the_guest(void)
{
    int fd = upgrade(CONSOLE);
    int guest = device_accept();
    hear(fd, "\r\n\r\n");
    char block[4096];
    memset(block, 'x', sizeof block);
    size_t sent = 0, idle = 0;
    while (idle < 50 && sent < 64u << 20) {
        ssize_t n = write(guest, block, sizeof block);
        idle = n < 0 ? idle + 1 : 0;
        sent += n > 0 ? (size_t)n : 0;
        loop_run_once(loop, false);
    }
    CHECK(sent < 8u << 20); /* socket buffers and LIMIT_TUNNEL_BYTES, not everything */
    close(guest);
    hear(fd, "\x88\x02\x03\xe8");
    size_t count = 0;
    for (size_t i = 0; i < heard.length; i++)
        count += heard.data[i] == 'x';
    CHECK_INT(count, sent); /* nothing is lost */
    close(fd);
    turn(5);
    CHECK_INT(tunnels_count(api->tunnels), 0);
}

/* Who asks and does not listen to the answers is not asked to go on. */
static void pings_do_not_pile_up(void)
{
    int fd = upgrade(CONSOLE);
    int guest = device_accept();
    hear(fd, "\r\n\r\n");
    char payload[126] = "";
    auto_text pings = {0};
    memset(payload, 'p', sizeof payload - 1);
    for (unsigned i = 0; i < 100; i++)
        frame_write(FRAME_PING, true, payload, sizeof payload - 1, &pings);
    size_t sent = 0;
    for (unsigned idle = 0; idle < 50 && sent < 64u << 20;) {
        ssize_t n = write(fd, pings.data + sent % pings.length, pings.length - sent % pings.length);
        idle = n < 0 ? idle + 1 : 0;
        sent += n > 0 ? (size_t)n : 0;
        loop_run_once(loop, false);
    }
    CHECK(sent < 8u << 20); /* what two sockets and LIMIT_TUNNEL_BYTES hold */
    CHECK(evbuffer_get_length(bufferevent_get_output(api->tunnels->first->client)) < 2 * LIMIT_TUNNEL_BYTES);
    hear(fd, "no such words"); /* it listens after all: everything is answered */
    CHECK(heard.length / (sizeof payload + 1) >= sent / (sizeof payload + 5));
    say_frame(fd, FRAME_DATA, "on"); /* behind half a ping: the rest of its payload */
    close(fd);
    turn(20);
    close(guest);
    turn(20);
    CHECK_INT(tunnels_count(api->tunnels), 0);
}

/* The device is gone, the client was told so and talks on. */
static void nobody_talks_to_a_device_that_is_gone_for_ever(void)
{
    int fd = upgrade(CONSOLE);
    int guest = device_accept();
    hear(fd, "\r\n\r\n");
    close(guest);
    hear(fd, "\x88\x02\x03\xe8");
    say_frame(fd, FRAME_DATA, "and another thing");
    say_frame(fd, FRAME_PING, "still there?");
    turn(20);
    CHECK_INT(tunnels_count(api->tunnels), 1);
    ping_due(api->tunnels->first);
    CHECK_INT(tunnels_count(api->tunnels), 0);
    hear(fd, NULL);
    close(fd);
}

static void a_token_that_is_revoked_ends_its_tunnels(void)
{
    int fd = upgrade(CONSOLE);
    int guest = device_accept();
    hear(fd, "\r\n\r\n");
    struct tunnel *t = api->tunnels->first;
    tunnels_end_of_token(api->tunnels, ""); /* who has none is none of this */
    tunnels_end_of_token(api->tunnels, "0123456789ab");
    CHECK_INT(tunnels_count(api->tunnels), 1);
    snprintf(t->token, sizeof t->token, "0123456789ab");
    tunnels_end_of_token(api->tunnels, "0123456789ab");
    CHECK_INT(tunnels_count(api->tunnels), 0);
    hear(fd, NULL);
    CHECK_TEXT(hear(guest, NULL), "");
    close(fd);
    close(guest);

    fd = upgrade(CONSOLE);
    guest = device_accept();
    hear(fd, "\r\n\r\n");
    api->tunnels->first->expires_s = now_wall_s() + 3600;
    ping_due(api->tunnels->first);
    CHECK_INT(tunnels_count(api->tunnels), 1);
    api->tunnels->first->expires_s = now_wall_s() - 1;
    ping_due(api->tunnels->first);
    CHECK_INT(tunnels_count(api->tunnels), 0);
    close(fd);
    close(guest);
}

/* The device does not take what a client said before it left; the next one does not wait for that. */
static void a_device_that_does_not_listen_is_free_for_the_next_one(void)
{
    int fd = upgrade(CONSOLE);
    int guest = device_accept();
    hear(fd, "\r\n\r\n");
    auto_text much = {0};
    auto_free char *block = must_calloc(LIMIT_TUNNEL_BYTES / 4, 1);
    for (unsigned i = 0; i < 4; i++) /* more than a socket takes, less than the client has to wait for */
        frame_write(FRAME_DATA, true, block, LIMIT_TUNNEL_BYTES / 4, &much);
    size_t sent = 0;
    for (unsigned idle = 0; idle < 50 && sent < much.length;) {
        ssize_t n = write(fd, much.data + sent, much.length - sent);
        idle = n < 0 ? idle + 1 : 0;
        sent += n > 0 ? (size_t)n : 0;
        loop_run_once(loop, false);
    }
    CHECK_INT(sent, much.length);
    close(fd);
    turn(20);
    CHECK_INT(tunnels_count(api->tunnels), 1); /* there is something to be delivered */
    ask("GET", CONSOLE "?preserveSession=true", "");
    CHECK_INT(status, 400); /* no web socket, but nobody to be preserved either */
    fd = upgrade(CONSOLE);
    int next = device_accept();
    hear(fd, "\r\n\r\n");
    CHECK_INT(tunnels_count(api->tunnels), 1);
    close(guest);
    for (unsigned i = 0; i < 16; i++) { /* more than may wait at the device's socket: it is tried again */
        int later = upgrade(CONSOLE);
        turn(1);
        close(fd);
        fd = later;
    }
    CHECK_INT(tunnels_count(api->tunnels), 1);
    CHECK(api->tunnels->first->call != NULL);
    close(next);
    while ((next = accept4(device_listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        close(next);
    CHECK(strstr(hear(fd, "\r\n\r\n"), " 101 ") != NULL);
    next = device_accept();
    close(next);
    hear(fd, "\x88\x02\x03\xe8");
    close(fd);
    turn(20);
    CHECK_INT(tunnels_count(api->tunnels), 0);
}

int main(void)
{
    if (!api_begin())
        return 1;
    RUN(consoles_carry_bytes);
    RUN(ports_carry_datagrams);
    RUN(screens_come_open);
    RUN(what_a_leaving_client_said_is_delivered);
    RUN(a_slow_reader_stops_the_guest);
    RUN(a_device_that_does_not_listen_is_free_for_the_next_one);
    RUN(pings_do_not_pile_up);
    RUN(nobody_talks_to_a_device_that_is_gone_for_ever);
    RUN(a_token_that_is_revoked_ends_its_tunnels);
    close(device_listener);
    api_end();
    return test_end();
}
