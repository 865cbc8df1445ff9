/* The event loop of the one deciding thread: descriptors, timers, signals. libevent's core behind a few words; its
 * base is handed out only to the two that must share it (evhttp in api/, libvirt's event callbacks in
 * runtime/hypervisor/). Timers shorter than the idle rule (limits.h) are for work in progress only. */
#pragma once

#include "rtvmd/base/error.h"

struct loop;
struct loop_watch; /* one descriptor, timer or signal */
struct event_base;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

struct loop *loop_new(void);
/* Watches must have been freed before. NULL is fine. */
void loop_free(struct loop *loop);
struct event_base *loop_event_base(struct loop *loop);

/* Runs until loop_stop(). loop_run_once() handles what is ready, waiting for at least one event unless the wait is
 * false; true when anything was handled (tests). */
void loop_run(struct loop *loop);
bool loop_run_once(struct loop *loop, bool wait);
void loop_stop(struct loop *loop);

/* what is a mask of LOOP_READ and LOOP_WRITE; the callback gets what is ready. */
struct loop_watch *loop_watch_fd(struct loop *loop, int fd, int what, void (*callback)(int fd, int what, void *arg),
                                 void *arg);
void loop_watch_set(struct loop_watch *watch, int what);
/* Made unarmed; loop_timer_arm(watch, ms) fires once after ms (0: in the next round); arming again moves it. */
struct loop_watch *loop_timer(struct loop *loop, void (*callback)(void *arg), void *arg);
void loop_timer_arm(struct loop_watch *timer, uint64_t delay_ms);
void loop_timer_disarm(struct loop_watch *timer);
struct loop_watch *loop_signal(struct loop *loop, int signal, void (*callback)(void *arg), void *arg);
/* Frees and forgets; the callback is not called any more. NULL is fine. Does not close the descriptor. */
void loop_watch_free(struct loop_watch *watch);
