/* A whole daemon without HTTP, on a clock of its own: store, runtime and the fakes behind it. */
#pragma once

#include "runtime/inside.h"
#include "tests/scenario/fake.h"

struct world {
    char folder[64];
    struct loop *loop;
    struct store *store;
    struct runtime *runtime;
    struct host *host;
    int64_t now_s;
    unsigned steps;   /* turns of the loop so far */
    unsigned kill_at; /* kill the daemon at this turn; 0: never */
    unsigned kills;
    bool emulation_allowed;
    bool tunes; /* host.tuning: full */
    bool grows; /* host.hugepages.allocate; pool and online CPUs are read again while it runs */
};

/* world->grows and world->tunes are as they were. A recorded host, with everything a real-time VM asks for switched on.
 * Starts the daemon.
 */
void world_open(struct world *world, const char *host);
void world_close(struct world *world);
/* As kill -9: nothing that is not on disk survives. Then the daemon starts again. */
void world_kill(struct world *world);
/* A clean stop and start. */
void world_restart(struct world *world);
/* Turns the loop until nothing is left to do at this time. False: it never comes to rest. */
bool world_settle(struct world *world);
/* Advances the clock, waking whatever is due on the way; settles. */
bool world_advance(struct world *world, int64_t seconds);

/* Puts an object in as a client would: admitted, stored. Steals it. */
int world_apply(struct world *world, json_t *object, struct error *err);
/* A VM from a short description: "strategy=Always cores=2 grace=30 dedicated=1 realtime=1 memory=64Mi". */
json_t *world_vm(const char *name, const char *description);
/* New reference, NULL when there is none. */
json_t *world_get(struct world *world, const char *kind, const char *name);
const char *world_strategy_word(const char *description, const char *key, char buffer[64]);
