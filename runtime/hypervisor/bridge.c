#include "runtime/hypervisor/bridge.h"

#include <libvirt/libvirt.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* libvirt adds, changes and removes descriptors and timers from whichever thread is making a call; the loop may be
 * touched by its own thread only. So the six functions given to libvirt change a list of wishes under a lock, and the
 * loop thread alone makes the loop agree with the list: at once when it is the caller, else it is woken for it
 * (settle).
 *
 * Two promises libvirt relies on:
 *  - the free function of a removed entry runs later, outside the removing call (it takes locks the caller holds);
 *  - it runs after the entry has left the loop. libvirt closes a descriptor only from there, so a number can never be
 *    opened anew while the loop still remembers the old one.
 * An entry is released by the loop thread only, so a callback that is running never loses its entry. A callback that
 * was already on its way when another thread changed the entry is dropped here (events, interval and dead are read
 * again under the lock) or ignored by libvirt, which knows who holds the connection. */

struct entry {
    struct entry *next;
    int id;
    bool is_timer;
    int fd;
    int events;      /* VIR_EVENT_HANDLE_*; 0: none */
    int interval_ms; /* -1: off, 0: in every round */
    union {
        virEventHandleCallback on_fd;
        virEventTimeoutCallback on_tick;
    } callback;
    void *opaque;
    virFreeCallback release;
    bool dirty; /* the loop does not agree yet */
    bool dead;
    struct loop_watch *watch; /* of the loop thread */
};

static struct {
    pthread_mutex_t lock;
    struct entry *first;
    int last_id;
    int wake_fd;
    bool awake; /* a wake-up is under way */
    /* of the loop thread; thread and loop are read under the lock by others */
    unsigned users;
    pthread_t thread;
    struct loop *loop;
    struct loop_watch *wake;
} bridge = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake_fd = -1};

static void settle_one(struct entry *entry);

/* The lock is held. */
static void wish(struct entry *entry)
{
    entry->dirty = true;
    if (!entry->dead && bridge.loop && pthread_equal(pthread_self(), bridge.thread)) {
        settle_one(entry);
        return;
    }
    if (bridge.awake)
        return;
    bridge.awake = true;
    if (eventfd_write(bridge.wake_fd, 1) < 0)
        abort(); /* the counter cannot be full: it is written once per wake-up */
}

/* The lock is held. */
static struct entry *find(int id)
{
    for (struct entry *entry = bridge.first; entry; entry = entry->next)
        if (entry->id == id && !entry->dead)
            return entry;
    return NULL;
}

static int add(struct entry entry)
{
    struct entry *added = must_calloc(1, sizeof *added);
    *added = entry;
    pthread_mutex_lock(&bridge.lock);
    added->id = ++bridge.last_id;
    added->next = bridge.first;
    bridge.first = added;
    int id = added->id;
    wish(added);
    pthread_mutex_unlock(&bridge.lock);
    return id;
}

static int add_handle(int fd, int events, virEventHandleCallback callback, void *opaque, virFreeCallback release)
{
    return add(
        (struct entry){.fd = fd, .events = events, .callback.on_fd = callback, .opaque = opaque, .release = release});
}

static int add_timeout(int interval_ms, virEventTimeoutCallback callback, void *opaque, virFreeCallback release)
{
    return add((struct entry){.is_timer = true,
                              .fd = -1,
                              .interval_ms = interval_ms,
                              .callback.on_tick = callback,
                              .opaque = opaque,
                              .release = release});
}

static void update_handle(int id, int events)
{
    pthread_mutex_lock(&bridge.lock);
    struct entry *entry = find(id);
    if (entry && entry->events != events) {
        entry->events = events;
        wish(entry);
    }
    pthread_mutex_unlock(&bridge.lock);
}

static void update_timeout(int id, int interval_ms)
{
    pthread_mutex_lock(&bridge.lock);
    struct entry *entry = find(id);
    if (entry && (entry->interval_ms != interval_ms || interval_ms > 0)) { /* the same interval again: start over */
        entry->interval_ms = interval_ms;
        wish(entry);
    }
    pthread_mutex_unlock(&bridge.lock);
}

static int remove_entry(int id)
{
    pthread_mutex_lock(&bridge.lock);
    struct entry *entry = find(id);
    if (entry) {
        entry->dead = true;
        wish(entry);
    }
    pthread_mutex_unlock(&bridge.lock);
    return entry ? 0 : -1;
}

static void on_ready(int fd, int what, void *arg)
{
    struct entry *entry = arg;
    int events =
        (what & LOOP_READ ? VIR_EVENT_HANDLE_READABLE : 0) | (what & LOOP_WRITE ? VIR_EVENT_HANDLE_WRITABLE : 0);
    pthread_mutex_lock(&bridge.lock);
    events &= entry->dead ? 0 : entry->events;
    pthread_mutex_unlock(&bridge.lock);
    if (events)
        entry->callback.on_fd(entry->id, fd, events, entry->opaque);
}

static void on_due(void *arg)
{
    struct entry *entry = arg;
    pthread_mutex_lock(&bridge.lock);
    bool wanted = !entry->dead && entry->interval_ms >= 0;
    pthread_mutex_unlock(&bridge.lock);
    if (!wanted)
        return;
    entry->callback.on_tick(entry->id, entry->opaque);
    pthread_mutex_lock(&bridge.lock);
    if (!entry->dead && entry->interval_ms >= 0)
        loop_timer_arm(entry->watch, (uint64_t)entry->interval_ms);
    pthread_mutex_unlock(&bridge.lock);
}

/* Makes the loop agree with one entry. The lock is held. */
static void settle_one(struct entry *entry)
{
    entry->dirty = false;
    int what = (entry->events & VIR_EVENT_HANDLE_READABLE ? LOOP_READ : 0) |
               (entry->events & VIR_EVENT_HANDLE_WRITABLE ? LOOP_WRITE : 0);
    if (entry->is_timer) {
        if (!entry->watch)
            entry->watch = loop_timer(bridge.loop, on_due, entry);
        if (entry->interval_ms >= 0)
            loop_timer_arm(entry->watch, (uint64_t)entry->interval_ms);
        else
            loop_timer_disarm(entry->watch);
    } else if (entry->watch) {
        loop_watch_set(entry->watch, what);
    } else {
        entry->watch = loop_watch_fd(bridge.loop, entry->fd, what, on_ready, entry);
    }
}

/* Makes the loop agree with the list and releases what was removed. A free function may remove further entries. */
static void settle(void)
{
    pthread_mutex_lock(&bridge.lock);
    if (bridge.awake) {
        eventfd_t count;
        eventfd_read(bridge.wake_fd, &count);
        bridge.awake = false;
    }
    struct entry *gone = NULL;
    for (struct entry **at = &bridge.first; *at;) {
        struct entry *entry = *at;
        if (entry->dead) {
            *at = entry->next;
            entry->next = gone;
            gone = entry;
            continue;
        }
        if (entry->dirty && bridge.loop)
            settle_one(entry);
        at = &entry->next;
    }
    pthread_mutex_unlock(&bridge.lock);
    while (gone) {
        struct entry *entry = gone;
        gone = entry->next;
        loop_watch_free(entry->watch);
        if (entry->release)
            entry->release(entry->opaque);
        free(entry);
    }
}

static void on_wake(int fd, int what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    settle();
}

void bridge_attach(struct loop *loop)
{
    if (bridge.users++ > 0) {
        if (bridge.loop != loop)
            abort(); /* a process has one loop thread */
        return;
    }
    if (bridge.wake_fd < 0) {
        bridge.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (bridge.wake_fd < 0)
            abort();
        virEventRegisterImpl(add_handle, update_handle, remove_entry, add_timeout, update_timeout, remove_entry);
    }
    pthread_mutex_lock(&bridge.lock);
    bridge.thread = pthread_self();
    bridge.loop = loop;
    pthread_mutex_unlock(&bridge.lock);
    bridge.wake = loop_watch_fd(loop, bridge.wake_fd, LOOP_READ, on_wake, NULL);
    settle();
}

void bridge_detach(void)
{
    if (--bridge.users > 0)
        return;
    pthread_mutex_lock(&bridge.lock);
    bool more = bridge.awake;
    pthread_mutex_unlock(&bridge.lock);
    while (more) {
        settle();
        pthread_mutex_lock(&bridge.lock);
        more = bridge.awake;
        pthread_mutex_unlock(&bridge.lock);
    }
    pthread_mutex_lock(&bridge.lock);
    for (struct entry *entry = bridge.first; entry; entry = entry->next) {
        loop_watch_free(take(entry->watch));
        entry->dirty = true;
    }
    bridge.loop = NULL;
    pthread_mutex_unlock(&bridge.lock);
    loop_watch_free(take(bridge.wake));
}
