#include "runtime/latency/ab.h"

#include <string.h>

const char *const AB_VERDICT[] = {"unknown", "noise", "better", "worse"};

static struct measurement *find(const struct measurements *side, const struct measurement *like)
{
    for (size_t i = 0; i < side->count; i++)
        if (side->at[i].kind == like->kind && side->at[i].cpu == like->cpu)
            return &side->at[i];
    return NULL;
}

static void append(struct measurement *m, const struct measurement *more)
{
    histogram_merge(&m->histogram, &more->histogram);
    m->measured_ns += more->measured_ns;
    m->involuntary += more->involuntary;
    m->block = must_realloc(m->block, m->block_count + more->block_count + 1, sizeof *m->block);
    memcpy(m->block + m->block_count, more->block, more->block_count * sizeof *m->block);
    m->block_count += more->block_count;
}

void ab_add(struct measurements *side, struct measurements *round)
{
    if (side->count == 0) {
        *side = *round;
        *round = (struct measurements){0};
        return;
    }
    for (size_t i = 0; i < round->count; i++) {
        struct measurement *m = find(side, &round->at[i]);
        if (m)
            append(m, &round->at[i]);
    }
    measurements_finish(round);
}

enum ab_verdict ab_judge(const json_t *comparison)
{
    enum ab_verdict verdict = AB_UNKNOWN;
    size_t i;
    json_t *tail;
    json_array_foreach(json_object_get(comparison, "tails"), i, tail)
    {
        if (!json_bool_at(tail, "known", false))
            continue;
        bool real = json_bool_at(tail, "real", false);
        enum ab_verdict of_tail = !real ? AB_NOISE : json_int_at(tail, "difference", 0) < 0 ? AB_BETTER : AB_WORSE;
        verdict = of_tail > verdict ? of_tail : verdict;
    }
    return verdict;
}
