#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "rtvmd/base/log.h"
#include "runtime/hypervisor/bridge.h"
#include "runtime/hypervisor/connection.h"

/* What happens to domains is not kept, queued or interpreted: every event means "look", and looking is one observation
 * however many events came. The eventfd joins them, and brings a loss noticed by a worker thread to the loop thread. */

void events_announce(struct hypervisor *hypervisor)
{
    if (hypervisor->change_fd >= 0)
        eventfd_write(hypervisor->change_fd, 1);
}

static void on_announced(int fd, int what, void *arg)
{
    (void)what;
    struct hypervisor *hypervisor = arg;
    eventfd_t count;
    eventfd_read(fd, &count);
    if (hypervisor->on_change)
        hypervisor->on_change(hypervisor->arg);
}

static int on_lifecycle(virConnectPtr connection, virDomainPtr domain, int event, int detail, void *arg)
{
    (void)connection, (void)event, (void)detail;
    /* Ours are called NAMESPACE_NAME, and neither part may hold an underscore: spares looking for others' domains. */
    if (strchr(virDomainGetName(domain), '_'))
        events_announce(arg);
    return 0;
}

static void on_agent(virConnectPtr connection, virDomainPtr domain, int state, int reason, void *arg)
{
    (void)connection, (void)domain, (void)state, (void)reason;
    struct hypervisor *hypervisor = arg;
    process_cache_forget(&hypervisor->cache);
    events_announce(hypervisor);
}

static void on_close(virConnectPtr connection, int reason, void *arg)
{
    (void)connection;
    struct hypervisor *hypervisor = arg;
    log_at(LOG_LEVEL_WARN, "connection to libvirt lost uri=%s reason=%s", hypervisor->uri,
           reason == VIR_CONNECT_CLOSE_REASON_KEEPALIVE ? "no answer" : "closed");
    events_announce(hypervisor);
}

static const struct {
    int id;
    virConnectDomainEventGenericCallback callback;
} EVENTS[CONNECTION_CALLBACKS_MAX] = {
    {VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle)},
    {VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_agent)},
};

void events_register(struct hypervisor *hypervisor, virConnectPtr connection)
{
    for (size_t i = 0; i < ARRAY_SIZE(EVENTS); i++) {
        hypervisor->callback[i] =
            virConnectDomainEventRegisterAny(connection, NULL, EVENTS[i].id, EVENTS[i].callback, hypervisor, NULL);
        if (hypervisor->callback[i] < 0)
            log_at(LOG_LEVEL_WARN, "libvirt gives no events of kind %d: %s", EVENTS[i].id, virGetLastErrorMessage());
    }
    virConnectRegisterCloseCallback(connection, on_close, hypervisor, NULL);
    events_announce(hypervisor); /* what happened while nobody was listening */
}

void events_unregister(struct hypervisor *hypervisor, virConnectPtr connection)
{
    virConnectUnregisterCloseCallback(connection, on_close);
    for (size_t i = 0; i < ARRAY_SIZE(EVENTS); i++)
        if (hypervisor->callback[i] >= 0)
            virConnectDomainEventDeregisterAny(connection, hypervisor->callback[i]);
}

void events_start(struct hypervisor *hypervisor)
{
    hypervisor->change_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (hypervisor->change_fd < 0)
        abort();
    hypervisor->change = loop_watch_fd(hypervisor->loop, hypervisor->change_fd, LOOP_READ, on_announced, hypervisor);
}

void events_stop(struct hypervisor *hypervisor)
{
    loop_watch_free(take(hypervisor->change));
    close(hypervisor->change_fd);
    hypervisor->change_fd = -1;
}
