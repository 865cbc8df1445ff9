/* A budget and what was measured, for the parts that are C: one line now, one in run.sh's closing table. */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* relation: "<", "<=", ">=" or ">". Returns whether the budget is kept. */
static inline bool budget(const char *what, double measured, const char *relation, double limit, const char *unit)
{
    bool kept = relation[0] == '<' ? measured < limit : measured > limit;
    if (strlen(relation) > 1)
        kept = kept || !(measured < limit || measured > limit);
    const char *verdict = kept ? "ok" : "over";
    const char *space = *unit ? " " : "";
    printf("%s: %.4g%s%s, budget %s %.4g%s%s: %s\n", what, measured, space, unit, relation, limit, space, unit,
           verdict);
    fflush(stdout);
    const char *summary = getenv("BENCH_SUMMARY");
    FILE *file = summary ? fopen(summary, "a") : NULL;
    if (file) {
        fprintf(file, "%s\t%s %.4g%s%s\t%.4g%s%s\t%s\n", what, relation, limit, space, unit, measured, space, unit,
                verdict);
        fclose(file);
    }
    return kept;
}
