/* One connection to libvirt: opened on first use, opened again after a loss, shared by all worker threads. Inside of
 * runtime/hypervisor only. */
#pragma once

#include <libvirt/libvirt.h>
#include <pthread.h>

#include "runtime/hypervisor/hypervisor.h"
#include "runtime/hypervisor/process_cache.h"

enum { CONNECTION_CALLBACKS_MAX = 2 };

struct hypervisor {
    char *uri;
    bool is_test;
    pthread_mutex_t lock; /* guards the connection and its callbacks while opening and closing */
    virConnectPtr connection;
    int callback[CONNECTION_CALLBACKS_MAX]; /* libvirt's ids, -1: none */
    bool reported_lost;                     /* one log line per loss */
    struct process_cache cache;             /* has a lock of its own */

    struct loop *loop; /* NULL: no events */
    int change_fd;     /* eventfd: somebody should look */
    struct loop_watch *change;
    void (*on_change)(void *arg);
    void *arg;
};

#define auto_connection __attribute__((cleanup(connection_release_p))) virConnectPtr
#define auto_domain __attribute__((cleanup(connection_release_domain_p))) virDomainPtr
void connection_release_p(virConnectPtr *connection);
void connection_release_domain_p(virDomainPtr *domain);

/* A reference to the open connection; opens it when there is none or it was lost. NULL: ERROR_UNAVAILABLE or
 * ERROR_FORBIDDEN. */
virConnectPtr connection_get(struct hypervisor *hypervisor, struct error *err);
/* The domain with this name when it is ours; NULL with ERROR_NOT_FOUND when there is none or it belongs to somebody
 * else. */
virDomainPtr connection_find(struct hypervisor *hypervisor, const char *name, struct error *err);
/* 1: ours, identity filled (may be NULL); 0: not ours or gone; -1: failed. */
int connection_identify(virDomainPtr domain, struct domain_identity *ret_identity, struct error *err);

/* events.c: registers for what changes; asks the loop thread to call on_change. */
void events_register(struct hypervisor *hypervisor, virConnectPtr connection);
void events_unregister(struct hypervisor *hypervisor, virConnectPtr connection);
void events_start(struct hypervisor *hypervisor);
void events_stop(struct hypervisor *hypervisor);
void events_announce(struct hypervisor *hypervisor);
