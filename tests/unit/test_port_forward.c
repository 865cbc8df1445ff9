/* `rtvmd port-forward` as a process of its own against the whole api/ in this one; the guest is a socket of the
 * loopback device. */
#include "rtvmd/datagram_relay.c"

#include <event2/util.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "api/call.h"
#include "api/streams/tunnel.h"
#include "rtvmd/verb.h"
#include "rtvmd/verbs.h"
#include "tests/unit/api_client.h"

/* main.c's table has all of them */
const struct verb VERBS[] = {{"port-forward", verb_port_forward, "", "", ""}};
const size_t VERB_COUNT = ARRAY_SIZE(VERBS);

static int udp_socket(struct sockaddr_in *ret_address)
{
    *ret_address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof *ret_address;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK_INT(bind(fd, (struct sockaddr *)ret_address, size), 0);
    CHECK_INT(getsockname(fd, (struct sockaddr *)ret_address, &size), 0);
    return fd;
}

/* One datagram; the API is served meanwhile. -1 when none comes. */
static ssize_t await(int fd, char *bytes, size_t size, struct sockaddr_in *ret_from)
{
    socklen_t length = sizeof *ret_from;
    uint64_t end = now_monotonic_ms() + 5000;
    while (now_monotonic_ms() < end) {
        loop_run_once(loop, false);
        ssize_t n = recvfrom(fd, bytes, size, 0, (struct sockaddr *)ret_from, &length);
        if (n >= 0)
            return n;
        usleep(200);
    }
    return -1;
}

static pid_t forward(const char *name, const char *ports, int *ret_output)
{
    int output[2];
    CHECK_INT(pipe2(output, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        char *argv[] = {must_strdup("port-forward"), must_strdup(name), must_strdup(ports),
                        must_strdup("--socket"),     must_strdup(path), NULL};
        setpgid(0, 0); /* with the processes it makes */
        dup2(output[1], STDOUT_FILENO);
        dup2(output[1], STDERR_FILENO);
        _exit(verb_port_forward(ARRAY_SIZE(argv) - 1, argv));
    }
    setpgid(child, child);
    close(output[1]);
    evutil_make_socket_nonblocking(output[0]);
    *ret_output = output[0];
    return child;
}

static void end(pid_t child)
{
    CHECK_INT(kill(-child, SIGTERM), 0);
    CHECK_INT(waitpid(child, NULL, 0), child);
}

static void make_vmi(void)
{
    struct error err;
    json_t *vmi = json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:s, s:[{s:s}]}}", "kind", "VirtualMachineInstance",
                            "apiVersion", "kubevirt.io/v1", "metadata", "name", "u", "namespace", "default", "status",
                            "phase", "Running", "interfaces", "ipAddress", "127.0.0.1");
    CHECK_INT(store_create(store, vmi, NULL, &err), 0);
}

static void datagrams_go_both_ways(void)
{
    struct sockaddr_in guest_address, here, from[2], back;
    int guest = udp_socket(&guest_address);
    auto_free char *ports = must_format("udp/0:%u", ntohs(guest_address.sin_port));
    int output;
    pid_t child = forward("vmi/u", ports, &output);
    const char *said = strstr(hear(output, "\n"), "Forwarding udp 127.0.0.1:");
    CHECK(said != NULL);
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    local.sin_port = said ? htons((uint16_t)strtoul(said + strlen("Forwarding udp 127.0.0.1:"), NULL, 10)) : 0;

    static char bytes[LIMIT_DATAGRAM_BYTES], much[60000];
    int sender[2];
    memset(much, 'm', sizeof much);
    for (int i = 0; i < 2; i++) { /* each is somebody of its own to the guest */
        sender[i] = udp_socket(&here);
        CHECK_INT(sendto(sender[i], i ? "second" : "1", i ? 6 : 1, 0, (struct sockaddr *)&local, sizeof local),
                  i ? 6 : 1);
        CHECK_INT(await(guest, bytes, sizeof bytes, &from[i]), i ? 6 : 1);
    }
    CHECK(from[0].sin_port != from[1].sin_port);
    CHECK_INT(tunnels_count(api->tunnels), 2);
    for (int i = 0; i < 2; i++) { /* two answers stay two; empty and long ones pass */
        CHECK_INT(sendto(guest, "a", 1, 0, (struct sockaddr *)&from[i], sizeof from[i]), 1);
        CHECK_INT(sendto(guest, "", 0, 0, (struct sockaddr *)&from[i], sizeof from[i]), 0);
        CHECK_INT(sendto(guest, much, 40000, 0, (struct sockaddr *)&from[i], sizeof from[i]), 40000);
        CHECK_INT(await(sender[i], bytes, sizeof bytes, &back), 1);
        CHECK_INT(await(sender[i], bytes, sizeof bytes, &back), 0);
        CHECK_INT(await(sender[i], bytes, sizeof bytes, &back), 40000);
        CHECK_INT(back.sin_port, local.sin_port);
    }
    CHECK_INT(sendto(sender[0], much, sizeof much, 0, (struct sockaddr *)&local, sizeof local), sizeof much);
    CHECK_INT(await(guest, bytes, sizeof bytes, &back), sizeof much);
    CHECK_INT(back.sin_port, from[0].sin_port); /* the tunnel it had */
    end(child);
    uint64_t patience = now_monotonic_ms() + 3000;
    while (tunnels_count(api->tunnels) > 0 && now_monotonic_ms() < patience)
        loop_run_once(loop, false);
    CHECK_INT(tunnels_count(api->tunnels), 0);
    close(output);
    close(guest);
    close(sender[0]);
    close(sender[1]);
}

/* Opens a stream whose other end is closed at once or kept. */
static int streams[2 * LIMIT_RELAY_SENDERS], stream_count;

static int open_pair(void *arg, struct websocket *ret_socket, struct error *err)
{
    (void)arg;
    (void)err;
    int ends[2];
    struct text nothing = {0};
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    streams[stream_count++] = ends[1];
    websocket_init(ret_socket, ends[0], &nothing);
    return 0;
}

static void the_quietest_sender_makes_room(void)
{
    static struct relay relay = {.open = open_pair};
    struct sockaddr_storage address[LIMIT_RELAY_SENDERS + 1] = {0};
    struct error err;
    for (unsigned i = 0; i <= LIMIT_RELAY_SENDERS; i++) {
        ((struct sockaddr_in *)&address[i])->sin_port = (in_port_t)(i + 1);
        struct sender *sender = add(&relay, &address[i], sizeof(struct sockaddr_in), &err);
        sender->used = i == 0 ? 1000 : i; /* the first one spoke last */
    }
    CHECK_INT(relay.count, LIMIT_RELAY_SENDERS);
    CHECK(find(&relay, &address[0], sizeof(struct sockaddr_in)) != NULL);
    CHECK(find(&relay, &address[1], sizeof(struct sockaddr_in)) == NULL);
    CHECK(find(&relay, &address[LIMIT_RELAY_SENDERS], sizeof(struct sockaddr_in)) != NULL);
    while (relay.count > 0)
        drop(&relay, 0);
    while (stream_count > 0)
        close(streams[--stream_count]);
}

static void what_cannot_be_forwarded_is_named(void)
{
    static const struct {
        const char *name, *ports, *message;
    } WRONG[] = {
        {"vmi/u", "sctp/53", "forwarded are tcp/PORT and udp/PORT"},
        {"vmi/u", "udp/x", "want a number from 1 to 65535"},
        {"vmi/none", "udp/0:53", "not found"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(WRONG); i++) {
        int output;
        pid_t child = forward(WRONG[i].name, WRONG[i].ports, &output);
        CHECK(strstr(hear(output, NULL), WRONG[i].message) != NULL);
        int how = 0;
        waitpid(child, &how, 0);
        CHECK(WIFEXITED(how) && WEXITSTATUS(how) > 0);
        close(output);
    }
}

int main(void)
{
    if (!api_begin())
        return 1;
    make_vmi();
    RUN(datagrams_go_both_ways);
    RUN(the_quietest_sender_makes_room);
    RUN(what_cannot_be_forwarded_is_named);
    api_end();
    return test_end();
}
