#include "rtvmd/base/loop.h"

#include <event2/event.h>
#include <stdlib.h>

struct loop {
    struct event_base *base;
};

struct loop_watch {
    struct loop *loop;
    struct event *event;
    void (*on_fd)(int fd, int what, void *arg);
    void (*on_tick)(void *arg);
    void *arg;
};

struct loop *loop_new(void)
{
    struct loop *loop = must_calloc(1, sizeof *loop);
    /* What changes and changes back between two waits costs no system call. Needs that no descriptor in the loop is a
     * duplicate of another: libvirt's, which might be, are in a set of their own (runtime/hypervisor/bridge.c). */
    struct event_config *config = event_config_new();
    if (!config || event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST) < 0)
        abort();
    loop->base = event_base_new_with_config(config);
    event_config_free(config);
    if (!loop->base)
        abort(); /* no epoll, no daemon */
    return loop;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    event_base_free(loop->base);
    free(loop);
}

struct event_base *loop_event_base(struct loop *loop)
{
    return loop->base;
}

void loop_run(struct loop *loop)
{
    event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

bool loop_run_once(struct loop *loop, bool wait)
{
    return event_base_loop(loop->base, EVLOOP_ONCE | (wait ? 0 : EVLOOP_NONBLOCK)) == 0;
}

void loop_stop(struct loop *loop)
{
    event_base_loopbreak(loop->base);
}

static void fire(evutil_socket_t fd, short what, void *arg)
{
    struct loop_watch *watch = arg;
    if (watch->on_tick)
        watch->on_tick(watch->arg);
    else
        watch->on_fd(fd, (what & EV_READ ? LOOP_READ : 0) | (what & EV_WRITE ? LOOP_WRITE : 0), watch->arg);
}

static short to_events(int what)
{
    return (short)(EV_PERSIST | (what & LOOP_READ ? EV_READ : 0) | (what & LOOP_WRITE ? EV_WRITE : 0));
}

static struct loop_watch *watch_new(struct loop *loop, evutil_socket_t fd, short events)
{
    struct loop_watch *watch = must_calloc(1, sizeof *watch);
    watch->loop = loop;
    watch->event = event_new(loop->base, fd, events, fire, watch);
    if (!watch->event)
        abort();
    return watch;
}

struct loop_watch *loop_watch_fd(struct loop *loop, int fd, int what, void (*callback)(int fd, int what, void *arg),
                                 void *arg)
{
    struct loop_watch *watch = watch_new(loop, fd, to_events(what));
    watch->on_fd = callback;
    watch->arg = arg;
    if (what)
        event_add(watch->event, NULL);
    return watch;
}

void loop_watch_set(struct loop_watch *watch, int what)
{
    evutil_socket_t fd = event_get_fd(watch->event);
    event_del(watch->event);
    event_assign(watch->event, watch->loop->base, fd, to_events(what), fire, watch);
    if (what)
        event_add(watch->event, NULL);
}

struct loop_watch *loop_timer(struct loop *loop, void (*callback)(void *arg), void *arg)
{
    struct loop_watch *watch = watch_new(loop, -1, 0);
    watch->on_tick = callback;
    watch->arg = arg;
    return watch;
}

void loop_timer_arm(struct loop_watch *timer, uint64_t delay_ms)
{
    struct timeval delay = {.tv_sec = (time_t)(delay_ms / 1000), .tv_usec = (suseconds_t)(delay_ms % 1000 * 1000)};
    event_add(timer->event, &delay);
}

void loop_timer_disarm(struct loop_watch *timer)
{
    event_del(timer->event);
}

struct loop_watch *loop_signal(struct loop *loop, int signal, void (*callback)(void *arg), void *arg)
{
    struct loop_watch *watch = watch_new(loop, signal, EV_SIGNAL | EV_PERSIST);
    watch->on_tick = callback;
    watch->arg = arg;
    event_add(watch->event, NULL);
    return watch;
}

void loop_watch_free(struct loop_watch *watch)
{
    if (!watch)
        return;
    event_free(watch->event);
    free(watch);
}
