#include "runtime/hypervisor/bridge.h"

#include <libvirt/libvirt.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* libvirt adds, changes and removes descriptors and timers from whichever thread is making a call; the loop may be
 * touched by its own thread only, and should sleep on: every call stops watching the connection, waits for its answer,
 * watches again and puts the keepalive timer off.
 *  - Descriptors are in an epoll set of their own, which any thread may change; the loop watches that set.
 *  - A timer that is put off stays armed as it was; when it fires too early, it is armed for the rest. Only a timer
 * that is wanted earlier, and a removed entry, wake the loop thread, which then makes the loop agree (settle).
 *
 * Two promises libvirt relies on:
 *  - the free function of a removed entry runs later, outside the removing call (it takes locks the caller holds);
 *  - it runs after the entry has left the set and the loop. libvirt closes a descriptor only from there, so a number
 * can never be opened anew while the set still remembers the old one. An entry is released by the loop thread only, so
 * a callback that is running never loses its entry. A callback that was already on its way when another thread changed
 * the entry is dropped here (events, interval and dead are read again under the lock) or ignored by libvirt, which
 * knows who holds the connection. */

enum { READY_MAX = 16 }; /* descriptors handled in one round; the others stay ready */

struct entry {
    struct entry *next;
    int id;
    bool is_timer;
    int fd;
    int events; /* VIR_EVENT_HANDLE_*; 0: none, and not in the set */
    bool is_in_set;
    int interval_ms; /* -1: off, 0: in every round */
    uint64_t due_ms; /* of a timer that is on, by the monotonic clock */
    union {
        virEventHandleCallback on_fd;
        virEventTimeoutCallback on_tick;
    } callback;
    void *opaque;
    virFreeCallback release;
    bool dead;
    bool dirty; /* a timer that the loop must arm */
    /* of the loop thread; is_armed and armed_ms are read under the lock by others */
    struct loop_watch *watch; /* of a timer */
    bool is_armed;
    uint64_t armed_ms; /* when it will fire */
};

static struct {
    pthread_mutex_t lock;
    struct entry *first;
    int last_id;
    int set_fd; /* epoll */
    int wake_fd;
    bool awake; /* a wake-up is under way */
    /* of the loop thread; thread and loop are read under the lock by others */
    unsigned users;
    pthread_t thread;
    struct loop *loop;
    struct loop_watch *set;
    struct loop_watch *wake;
} bridge = {.lock = PTHREAD_MUTEX_INITIALIZER, .set_fd = -1, .wake_fd = -1};

static void on_due(void *arg);

/* The lock is held, as everywhere until find(). */
static void wake(void)
{
    if (bridge.awake)
        return;
    bridge.awake = true;
    if (eventfd_write(bridge.wake_fd, 1) < 0)
        abort(); /* the counter cannot be full: it is written once per wake-up */
}

/* Makes the set agree with the entry. Nothing wanted: not in the set, which tells of errors unasked. */
static int watch_descriptor(struct entry *entry)
{
    int events = entry->dead ? 0 : entry->events;
    struct epoll_event event = {.events = (events & VIR_EVENT_HANDLE_READABLE ? EPOLLIN : 0u) |
                                          (events & VIR_EVENT_HANDLE_WRITABLE ? EPOLLOUT : 0u),
                                .data.u64 = (uint64_t)entry->id};
    bool was_in_set = entry->is_in_set;
    entry->is_in_set = event.events != 0;
    if (!was_in_set && !entry->is_in_set)
        return 0;
    int what = !entry->is_in_set ? EPOLL_CTL_DEL : was_in_set ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    return epoll_ctl(bridge.set_fd, what, entry->fd, &event);
}

/* Of the loop thread. */
static void arm(struct entry *entry)
{
    entry->dirty = false;
    entry->is_armed = entry->interval_ms >= 0;
    if (!entry->watch)
        entry->watch = loop_timer(bridge.loop, on_due, entry);
    if (!entry->is_armed) {
        loop_timer_disarm(entry->watch);
        return;
    }
    uint64_t now_ms = now_monotonic_ms();
    entry->armed_ms = entry->due_ms;
    loop_timer_arm(entry->watch, entry->due_ms > now_ms ? entry->due_ms - now_ms : 0);
}

/* After a change of interval_ms. */
static void watch_timer(struct entry *entry)
{
    if (entry->interval_ms >= 0)
        entry->due_ms = now_monotonic_ms() + (uint64_t)entry->interval_ms;
    if (bridge.loop && pthread_equal(pthread_self(), bridge.thread)) {
        arm(entry);
    } else if (entry->interval_ms >= 0 && (!entry->is_armed || entry->due_ms < entry->armed_ms)) {
        entry->dirty = true;
        wake();
    }
}

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
    int id = added->id = ++bridge.last_id;
    if (!entry.is_timer && watch_descriptor(added) < 0) {
        free(added);
        id = -1;
    } else {
        added->next = bridge.first;
        bridge.first = added;
        if (entry.is_timer)
            watch_timer(added);
    }
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
        watch_descriptor(entry);
    }
    pthread_mutex_unlock(&bridge.lock);
}

static void update_timeout(int id, int interval_ms)
{
    pthread_mutex_lock(&bridge.lock);
    struct entry *entry = find(id);
    if (entry && (entry->interval_ms != interval_ms || interval_ms > 0)) { /* the same interval again: start over */
        entry->interval_ms = interval_ms;
        watch_timer(entry);
    }
    pthread_mutex_unlock(&bridge.lock);
}

static int remove_entry(int id)
{
    pthread_mutex_lock(&bridge.lock);
    struct entry *entry = find(id);
    if (entry) {
        entry->dead = true;
        if (!entry->is_timer)
            watch_descriptor(entry);
        wake(); /* to release it */
    }
    pthread_mutex_unlock(&bridge.lock);
    return entry ? 0 : -1;
}

static void on_ready(const struct epoll_event *ready)
{
    pthread_mutex_lock(&bridge.lock);
    struct entry *entry = find((int)ready->data.u64);
    int events = entry ? entry->events : 0;
    pthread_mutex_unlock(&bridge.lock);
    if (!(ready->events & (EPOLLHUP | EPOLLERR))) /* these show in reading and in writing */
        events &= (ready->events & EPOLLIN ? VIR_EVENT_HANDLE_READABLE : 0) |
                  (ready->events & EPOLLOUT ? VIR_EVENT_HANDLE_WRITABLE : 0);
    if (events)
        entry->callback.on_fd(entry->id, entry->fd, events, entry->opaque);
}

static void on_set_ready(int fd, int what, void *arg)
{
    (void)what, (void)arg;
    struct epoll_event ready[READY_MAX];
    int count = epoll_wait(fd, ready, READY_MAX, 0);
    for (int i = 0; i < count; i++)
        on_ready(&ready[i]);
}

/* True when the timer is to fire; one that fires too early is armed anew. */
static bool is_due(struct entry *entry)
{
    entry->is_armed = false;
    if (entry->dead || entry->interval_ms < 0)
        return false;
    if (entry->due_ms == entry->armed_ms || entry->due_ms <= now_monotonic_ms())
        return true; /* the loop's coarser clock may be some milliseconds behind ours */
    arm(entry);
    return false;
}

static void on_due(void *arg)
{
    struct entry *entry = arg;
    pthread_mutex_lock(&bridge.lock);
    bool fires = is_due(entry);
    pthread_mutex_unlock(&bridge.lock);
    if (!fires)
        return;
    entry->callback.on_tick(entry->id, entry->opaque);
    pthread_mutex_lock(&bridge.lock);
    if (!entry->dead && !entry->is_armed && entry->interval_ms >= 0)
        watch_timer(entry);
    pthread_mutex_unlock(&bridge.lock);
}

/* Arms the timers that others moved and releases what was removed. A free function may remove further entries. */
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
            arm(entry);
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
        bridge.set_fd = epoll_create1(EPOLL_CLOEXEC);
        if (bridge.wake_fd < 0 || bridge.set_fd < 0)
            abort();
        virEventRegisterImpl(add_handle, update_handle, remove_entry, add_timeout, update_timeout, remove_entry);
    }
    pthread_mutex_lock(&bridge.lock);
    bridge.thread = pthread_self();
    bridge.loop = loop;
    pthread_mutex_unlock(&bridge.lock);
    bridge.set = loop_watch_fd(loop, bridge.set_fd, LOOP_READ, on_set_ready, NULL);
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
        entry->is_armed = false;
        entry->dirty = entry->is_timer;
    }
    bridge.loop = NULL;
    pthread_mutex_unlock(&bridge.lock);
    loop_watch_free(take(bridge.set));
    loop_watch_free(take(bridge.wake));
}
