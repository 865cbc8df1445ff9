#include "api/quiet.h"

#include <malloc.h>
#include <stdlib.h>

#include "rtvmd/base/limits.h"
#include "rtvmd/base/log.h"

struct quiet {
    struct store *store;
    struct loop_watch *timer;
    bool is_armed;
    unsigned requests; /* since the timer was armed */
    struct loop_watch *forget;
    bool forgets; /* that timer is armed */
};

static void give_back(void)
{
    struct mallinfo2 before = mallinfo2();
    if (before.fordblks < LIMIT_QUIET_FREE_BYTES)
        return;
    uint64_t began_ns = now_monotonic_ns();
    malloc_trim(0);
    log_debug("gave back memory free=%zu used=%zu took=%llu us", before.fordblks, before.uordblks,
              (unsigned long long)(now_monotonic_ns() - began_ns) / 1000);
}

/* Trimming takes milliseconds, during which nobody is answered: not while there is much to do, and not for little. */
static void period_over(void *arg)
{
    struct quiet *quiet = arg;
    bool is_busy = quiet->requests > LIMIT_QUIET_REQUESTS;
    quiet->requests = 0;
    quiet->is_armed = is_busy;
    if (is_busy) {
        loop_timer_arm(quiet->timer, LIMIT_QUIET_S * 1000ULL);
        return;
    }
    give_back();
}

/* Changes are kept for watches that come back. */
static void forget_due(void *arg)
{
    struct quiet *quiet = arg;
    quiet->forgets = store_forget_changes(quiet->store, LIMIT_CHANGE_AGE_S * 1000ULL) > 0;
    if (quiet->forgets)
        loop_timer_arm(quiet->forget, LIMIT_CHANGE_AGE_S * 1000ULL);
    if (!quiet->is_armed)
        give_back();
}

struct quiet *quiet_new(struct loop *loop, struct store *store)
{
    struct quiet *quiet = must_calloc(1, sizeof *quiet);
    quiet->store = store;
    quiet->forget = loop_timer(loop, forget_due, quiet);
    quiet->timer = loop_timer(loop, period_over, quiet);
    return quiet;
}

void quiet_free(struct quiet *quiet)
{
    if (!quiet)
        return;
    loop_watch_free(quiet->timer);
    loop_watch_free(quiet->forget);
    free(quiet);
}

void quiet_disturb(struct quiet *quiet)
{
    quiet->requests++;
    if (!quiet->forgets)
        loop_timer_arm(quiet->forget, LIMIT_CHANGE_AGE_S * 1000ULL);
    quiet->forgets = true;
    if (quiet->is_armed)
        return;
    quiet->is_armed = true;
    loop_timer_arm(quiet->timer, LIMIT_QUIET_S * 1000ULL);
}
