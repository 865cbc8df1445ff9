#include "runtime/hypervisor/connection.h"

#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/log.h"
#include "runtime/hypervisor/bridge.h"
#include "runtime/hypervisor/failure.h"

/* A worker that needs the connection opens it; the others wait for that one. Each call works on a reference of its
 * own, so a connection found dead by one thread is replaced while another still holds (and fails on) the old one.
 * Nobody retries by timer here: a loss is announced, the next observation asks again. */

void connection_release_p(virConnectPtr *connection)
{
    if (*connection)
        virConnectClose(*connection);
}

void connection_release_domain_p(virDomainPtr *domain)
{
    if (*domain)
        virDomainFree(*domain);
}

static void keep_quiet(void *arg, virErrorPtr error)
{
    (void)arg, (void)error; /* libvirt would print to stderr; errors are returned instead */
}

static void start_libvirt(void)
{
    virSetErrorFunc(NULL, keep_quiet);
    virInitialize();
}

struct hypervisor *hypervisor_new(const char *uri, struct loop *loop, void (*on_change)(void *arg), void *arg)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_libvirt);
    struct hypervisor *hypervisor = must_calloc(1, sizeof *hypervisor);
    hypervisor->uri = must_strdup(uri);
    hypervisor->is_test = text_starts_with(uri, "test:");
    hypervisor->loop = loop;
    hypervisor->on_change = on_change;
    hypervisor->arg = arg;
    hypervisor->change_fd = -1;
    pthread_mutex_init(&hypervisor->lock, NULL);
    pthread_mutex_init(&hypervisor->cache.lock, NULL);
    if (loop) {
        bridge_attach(loop);
        events_start(hypervisor);
    }
    return hypervisor;
}

/* The lock is held. */
static void drop(struct hypervisor *hypervisor)
{
    if (!hypervisor->connection)
        return;
    if (hypervisor->loop)
        events_unregister(hypervisor, hypervisor->connection);
    virConnectClose(take(hypervisor->connection));
    process_cache_forget(&hypervisor->cache);
}

void hypervisor_free(struct hypervisor *hypervisor)
{
    if (!hypervisor)
        return;
    drop(hypervisor);
    if (hypervisor->loop) {
        events_stop(hypervisor);
        bridge_detach();
    }
    process_cache_finish(&hypervisor->cache);
    pthread_mutex_destroy(&hypervisor->cache.lock);
    pthread_mutex_destroy(&hypervisor->lock);
    free(hypervisor->uri);
    free(hypervisor);
}

/* The lock is held. */
static int open_anew(struct hypervisor *hypervisor, struct error *err)
{
    drop(hypervisor);
    virConnectPtr connection = virConnectOpen(hypervisor->uri);
    if (!connection) {
        failure_from_libvirt(err, "libvirt at %s", hypervisor->uri);
        if (err->kind != ERROR_FORBIDDEN)
            err->kind = ERROR_UNAVAILABLE;
        return -1;
    }
    /* A daemon that hangs is noticed after this long; one that dies closes the socket at once. Fails for drivers
     * that need none (test:///). libvirtd itself asks every keepalive_interval of libvirtd.conf (5 s by default), the
     * one thing that wakes an idle rtvmd from there; each answer moves our own timer ahead, so it does not add to it.
     */
    virConnectSetKeepAlive(connection, LIMIT_LIBVIRT_KEEPALIVE_S, LIMIT_LIBVIRT_KEEPALIVE_COUNT);
    hypervisor->connection = connection;
    if (hypervisor->loop)
        events_register(hypervisor, connection);
    log_at(LOG_LEVEL_DEBUG, "connected to libvirt uri=%s", hypervisor->uri);
    return 0;
}

virConnectPtr connection_get(struct hypervisor *hypervisor, struct error *err)
{
    pthread_mutex_lock(&hypervisor->lock);
    int failed = 0;
    if (!hypervisor->connection || virConnectIsAlive(hypervisor->connection) != 1)
        failed = open_anew(hypervisor, err);
    virConnectPtr connection = failed ? NULL : hypervisor->connection;
    if (connection)
        virConnectRef(connection);
    pthread_mutex_unlock(&hypervisor->lock);
    return connection;
}

int connection_identify(virDomainPtr domain, struct domain_identity *ret_identity, struct error *err)
{
    auto_free char *xml =
        virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, DOMAIN_METADATA_URI, VIR_DOMAIN_AFFECT_CURRENT);
    if (!xml) {
        int code = failure_code();
        if (code == VIR_ERR_NO_DOMAIN_METADATA || code == VIR_ERR_NO_DOMAIN)
            return 0;
        return failure_from_libvirt(err, "metadata of domain %s", virDomainGetName(domain));
    }
    struct domain_identity identity;
    struct error not_ours;
    if (domain_identity_from_xml(xml, &identity, &not_ours) < 0)
        return 0;
    if (ret_identity)
        *ret_identity = identity;
    return 1;
}

virDomainPtr connection_find(struct hypervisor *hypervisor, const char *name, struct error *err)
{
    auto_connection connection = connection_get(hypervisor, err);
    if (!connection)
        return NULL;
    auto_domain domain = virDomainLookupByName(connection, name);
    if (!domain) {
        failure_from_libvirt(err, "domain %s", name);
        return NULL;
    }
    int ours = connection_identify(domain, NULL, err);
    if (ours == 0)
        fail(err, ERROR_NOT_FOUND, "domain %s was not made by rtvmd", name);
    return ours == 1 ? take(domain) : NULL;
}
