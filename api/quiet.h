/* api/quiet: gives memory back to the host after many requests. What a burst needed (200 watchers that are told
 * everything 100 writers do: 140 MB) is freed soon, but lies between what stays, and the allocator keeps it for ever
 * when it is not told otherwise. Old changes of the store's log are forgotten, too. Private to api/. */
#pragma once

#include "rtvmd/base/loop.h"
#include "store/store.h"

struct quiet;

struct quiet *quiet_new(struct loop *loop, struct store *store);
void quiet_free(struct quiet *quiet); /* NULL is fine */
/* A request came. Costs next to nothing; the first one after a pause arms timers of LIMIT_QUIET_S and
 * LIMIT_CHANGE_AGE_S. */
void quiet_disturb(struct quiet *quiet);
