#include "rtvmd/service.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "rtvmd/base/log.h"
#include "rtvmd/base/text.h"

enum { FIRST_PASSED_FD = 3 }; /* SD_LISTEN_FDS_START */

void service_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof address.sun_path)
        return;
    size_t length = strlen(path);
    memcpy(address.sun_path, path, length);
    if (path[0] == '@')
        address.sun_path[0] = '\0'; /* the abstract namespace */
    auto_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, size) < 0)
        log_warn("cannot notify the service manager socket=%s", path);
}

struct watchdog {
    struct loop_watch *timer;
    uint64_t period_ms;
};

static void pat(void *arg)
{
    struct watchdog *watchdog = arg;
    service_notify("WATCHDOG=1");
    loop_timer_arm(watchdog->timer, watchdog->period_ms);
}

struct loop_watch *service_watchdog(struct loop *loop)
{
    static struct watchdog watchdog;
    const char *interval = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    uint64_t interval_us;
    uint64_t for_pid;
    if (!interval || !text_to_u64(interval, &interval_us) || interval_us < 2000)
        return NULL;
    if (pid && (!text_to_u64(pid, &for_pid) || for_pid != (uint64_t)getpid()))
        return NULL;
    watchdog.period_ms = interval_us / 2000;
    watchdog.timer = loop_timer(loop, pat, &watchdog);
    loop_timer_arm(watchdog.timer, watchdog.period_ms);
    return watchdog.timer;
}

/* names is $LISTEN_FDNAMES, "a:b:c". */
static bool name_at_is(const char *names, uint64_t index, const char *name)
{
    for (; index > 0; index--) {
        names = strchr(names, ':');
        if (!names)
            return false;
        names++;
    }
    size_t length = strcspn(names, ":");
    return strlen(name) == length && memcmp(names, name, length) == 0;
}

int service_listen_fd(const char *name)
{
    const char *pid = getenv("LISTEN_PID");
    const char *count = getenv("LISTEN_FDS");
    const char *names = getenv("LISTEN_FDNAMES");
    uint64_t for_pid;
    uint64_t fds;
    if (!pid || !count || !text_to_u64(pid, &for_pid) || for_pid != (uint64_t)getpid() || !text_to_u64(count, &fds) ||
        fds > 64)
        return -1;
    for (uint64_t i = 0; i < fds; i++) {
        if (name && !(names && name_at_is(names, i, name)))
            continue;
        int fd = FIRST_PASSED_FD + (int)i;
        int flags = fcntl(fd, F_GETFD);
        if (flags < 0)
            return -1;
        fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
        return fd;
    }
    return -1;
}
