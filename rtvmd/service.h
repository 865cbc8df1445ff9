/* What a service manager and we tell each other: readiness and the watchdog over its datagram socket
 * (sd_notify(3)), and listening sockets it opened for us (sd_listen_fds(3)). The protocols are stable and small; the
 * library that wraps them does not exist as an archive. Without a service manager everything here does nothing. */
#pragma once

#include "rtvmd/base/loop.h"

/* Sends "READY=1", "STOPPING=1", "RELOADING=1", "STATUS=…" or several separated by newlines to $NOTIFY_SOCKET. */
void service_notify(const char *state);
/* When $WATCHDOG_USEC asks for it: notifies WATCHDOG=1 at half that interval, from the loop, so a stuck loop is
 * noticed. NULL when nobody asks; free with loop_watch_free(). */
struct loop_watch *service_watchdog(struct loop *loop);
/* The descriptor of the passed socket with that name (FileDescriptorName; NULL: the first one), or -1. Marks it
 * close-on-exec; the caller owns it. */
int service_listen_fd(const char *name);
