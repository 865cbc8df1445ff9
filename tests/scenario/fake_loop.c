#include <stdlib.h>

#include "rtvmd/base/loop.h"
#include "tests/scenario/fake.h"

/* rtvmd/base/loop.h without a clock: what a scenario does must not depend on how fast the machine is today. A timer
 * that is armed for now, or nearly, fires in the next round, in the order of arming; later ones wait, because time is
 * the world's, which wakes the runtime itself. Shuffled, each round takes some of what is due in some order, and a late
 * timer may fire early: an event loop promises no more. */

struct loop {
    struct loop_watch *first;
    struct loop_watch **end;
};

struct loop_watch {
    struct loop *loop;
    void (*on_tick)(void *arg);
    void *arg;
    bool is_armed;
    bool is_late;
    unsigned round; /* armed in it: not due before the next */
    struct loop_watch *next;
};

static unsigned round_now;
static unsigned (*chance)(unsigned limit);

void fake_shuffle(unsigned (*random_below)(unsigned limit))
{
    chance = random_below;
}

struct loop *loop_new(void)
{
    struct loop *loop = must_calloc(1, sizeof *loop);
    loop->end = &loop->first;
    return loop;
}

void loop_free(struct loop *loop)
{
    free(loop);
}

struct loop_watch *loop_timer(struct loop *loop, void (*callback)(void *arg), void *arg)
{
    struct loop_watch *timer = must_calloc(1, sizeof *timer);
    timer->loop = loop;
    timer->on_tick = callback;
    timer->arg = arg;
    return timer;
}

void loop_timer_disarm(struct loop_watch *timer)
{
    if (!timer->is_armed)
        return;
    struct loop_watch **at = &timer->loop->first;
    while (*at != timer)
        at = &(*at)->next;
    *at = timer->next;
    if (timer->loop->end == &timer->next)
        timer->loop->end = at;
    timer->is_armed = false;
}

void loop_timer_arm(struct loop_watch *timer, uint64_t delay_ms)
{
    loop_timer_disarm(timer);
    timer->is_armed = true;
    timer->is_late = delay_ms >= 1000; /* shorter ones are a matter of moments, and the world counts seconds */
    timer->round = round_now;
    timer->next = NULL;
    *timer->loop->end = timer;
    timer->loop->end = &timer->next;
}

void loop_watch_free(struct loop_watch *watch)
{
    if (watch)
        loop_timer_disarm(watch);
    free(watch);
}

static bool is_due(const struct loop_watch *timer)
{
    enum { EARLY = 64 };
    if (timer->round == round_now)
        return false;
    return !timer->is_late || (chance && chance(EARLY) == 0);
}

static struct loop_watch *choose(const struct loop *loop)
{
    struct loop_watch *chosen = NULL;
    unsigned due = 0;
    for (struct loop_watch *timer = loop->first; timer; timer = timer->next)
        if (is_due(timer) && (due++ == 0 || (chance && chance(due) == 0)))
            chosen = timer;
    return chosen;
}

bool loop_run_once(struct loop *loop, bool wait)
{
    enum { TIRED = 4 };
    (void)wait;
    bool any = false;
    round_now++;
    for (struct loop_watch *timer; (timer = choose(loop)); any = true) {
        if (any && chance && chance(TIRED) == 0)
            break;
        loop_timer_disarm(timer);
        timer->on_tick(timer->arg);
    }
    return any;
}

/* The worker pool runs without threads here: nothing waits for a descriptor. */
struct loop_watch *loop_watch_fd(struct loop *loop, int fd, int what, void (*callback)(int fd, int what, void *arg),
                                 void *arg)
{
    (void)loop;
    (void)fd;
    (void)what;
    (void)callback;
    (void)arg;
    abort();
}
