#include "api/metrics/meter.h"

#include <stdio.h>
#include <string.h>

/* One cell per resource and verb. What a client sends never makes a new one. */

static const char *const VERBS[] = {"get",  "list", "watch", "create", "update", "patch", "delete", "deletecollection",
                                    "other"};
static const int STATUSES[] = {200, 201, 202, 101, 304, 400, 401, 403, 404, 405, 406,
                               409, 410, 413, 415, 422, 429, 500, 503, 504, 0};
enum { VERB_COUNT = ARRAY_SIZE(VERBS), STATUS_COUNT = ARRAY_SIZE(STATUSES) };

struct cell {
    uint64_t ended[STATUS_COUNT];
    struct buckets took;
};

struct meter {
    struct cell *cell; /* of resource r and verb v: [r * VERB_COUNT + v]; the last resource is none */
};

struct meter *meter_new(void)
{
    struct meter *meter = must_calloc(1, sizeof *meter);
    meter->cell = must_calloc((RESOURCE_COUNT + 1) * VERB_COUNT, sizeof *meter->cell);
    return meter;
}

void meter_free(struct meter *meter)
{
    base_free_p(&meter->cell);
    base_free_p(&meter);
}

void meter_count(struct meter *meter, const char *verb, const struct resource *resource, int status, uint64_t took_ns)
{
    size_t v = 0;
    while (v < VERB_COUNT - 1 && !(verb && strcmp(VERBS[v], verb) == 0))
        v++;
    size_t s = 0;
    while (s < STATUS_COUNT - 1 && STATUSES[s] != status)
        s++;
    size_t r = resource ? (size_t)(resource - RESOURCES) : RESOURCE_COUNT;
    struct cell *cell = &meter->cell[r * VERB_COUNT + v];
    cell->ended[s]++;
    if (status != 101 && strcmp(VERBS[v], "watch") != 0)
        buckets_add(&cell->took, took_ns);
}

static const char *group_of(size_t r)
{
    return r < RESOURCE_COUNT ? RESOURCES[r].group : "";
}

static const char *plural_of(size_t r)
{
    return r < RESOURCE_COUNT ? RESOURCES[r].plural : "";
}

void meter_write_requests(const struct meter *meter, struct exposition *e)
{
    for (size_t i = 0; i < (RESOURCE_COUNT + 1) * VERB_COUNT; i++)
        for (size_t s = 0; s < STATUS_COUNT; s++) {
            char code[16];
            snprintf(code, sizeof code, "%d", STATUSES[s]);
            if (meter->cell[i].ended[s])
                exposition_count(e,
                                 LABELS({"group", group_of(i / VERB_COUNT)}, {"resource", plural_of(i / VERB_COUNT)},
                                        {"verb", VERBS[i % VERB_COUNT]}, {"code", STATUSES[s] ? code : "other"}),
                                 meter->cell[i].ended[s]);
        }
}

void meter_write_durations(const struct meter *meter, struct exposition *e)
{
    for (size_t i = 0; i < (RESOURCE_COUNT + 1) * VERB_COUNT; i++)
        if (buckets_total(&meter->cell[i].took))
            exposition_histogram(e,
                                 LABELS({"group", group_of(i / VERB_COUNT)}, {"resource", plural_of(i / VERB_COUNT)},
                                        {"verb", VERBS[i % VERB_COUNT]}),
                                 &meter->cell[i].took);
}
