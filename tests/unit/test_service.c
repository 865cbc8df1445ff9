#include "rtvmd/service.c"

#include "tests/test.h"

static int receiver(char *path, size_t size)
{
    snprintf(path, size, "/tmp/rtvmd-notify-%d", getpid());
    unlink(path);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path) + 1);
    CHECK_INT(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void tells_readiness_and_pats_the_watchdog(void)
{
    char path[64];
    char got[64] = "";
    int fd = receiver(path, sizeof path);
    setenv("NOTIFY_SOCKET", path, 1);
    service_notify("READY=1");
    CHECK_INT(recv(fd, got, sizeof got - 1, MSG_DONTWAIT), 7);
    CHECK_TEXT(got, "READY=1");
    struct loop *loop = loop_new();
    unsetenv("WATCHDOG_USEC");
    CHECK(service_watchdog(loop) == NULL);
    setenv("WATCHDOG_USEC", "20000", 1);
    setenv("WATCHDOG_PID", "1", 1); /* meant for somebody else */
    CHECK(service_watchdog(loop) == NULL);
    unsetenv("WATCHDOG_PID");
    struct loop_watch *watchdog = service_watchdog(loop);
    CHECK(watchdog != NULL);
    for (int i = 0; i < 2; i++) {
        loop_run_once(loop, true);
        memset(got, 0, sizeof got);
        CHECK(recv(fd, got, sizeof got - 1, MSG_DONTWAIT) > 0);
        CHECK_TEXT(got, "WATCHDOG=1");
    }
    loop_watch_free(watchdog);
    loop_free(loop);
    unsetenv("NOTIFY_SOCKET");
    service_notify("READY=1"); /* nobody listens: nothing happens */
    CHECK_INT(recv(fd, got, sizeof got, MSG_DONTWAIT), -1);
    close(fd);
    unlink(path);
}

static void finds_passed_sockets_by_name(void)
{
    char pid[32];
    snprintf(pid, sizeof pid, "%d", getpid());
    CHECK_INT(service_listen_fd(NULL), -1);
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "2", 1);
    setenv("LISTEN_FDNAMES", "first:rtvmd.socket", 1);
    int pipes[2];
    CHECK_INT(pipe(pipes), 0);
    CHECK(dup2(pipes[0], 3) == 3 && dup2(pipes[1], 4) == 4);
    CHECK_INT(service_listen_fd("rtvmd.socket"), 4);
    CHECK(fcntl(4, F_GETFD) & FD_CLOEXEC);
    CHECK_INT(service_listen_fd(NULL), 3);
    CHECK_INT(service_listen_fd("other"), -1);
    setenv("LISTEN_PID", "1", 1);
    CHECK_INT(service_listen_fd("rtvmd.socket"), -1);
}

int main(void)
{
    RUN(tells_readiness_and_pats_the_watchdog);
    RUN(finds_passed_sockets_by_name);
    return test_end();
}
