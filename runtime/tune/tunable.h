/* One thing that can be changed on the machine, and the journal's entries about it. Private to tuning. */
#pragma once

#include "runtime/tune/tune.h"

enum tunable_kind {
    TUNABLE_LIST,
    TUNABLE_MASK,
    TUNABLE_VALUE,
    TUNABLE_AFFINITY,
    TUNABLE_ADD, /* a CPU list that owners add to */
    TUNABLE_IRQBALANCE,
};

struct tunable {
    enum tunable_kind kind;
    const char *path; /* into the text given to tunable_parse; for TUNABLE_AFFINITY the thread's name */
    int tid;          /* or the process */
};

/* What is written is seen only later: what is found now neither shows that it was done nor who did it. */
bool tunable_is_late(const struct tunable *target);
/* What an owner of these CPUs wishes of it: "without 1-2", "with 1-2". Not for words. The caller frees. */
char *tunable_wish(const struct tunable *target, const struct cpuset *cpus);

bool tunable_parse(const char *text, struct tunable *ret_target);
/* As it is now: a word, or a CPU list; ERROR_NOT_FOUND when it is gone. The caller frees. */
char *tunable_read(const struct tune_machine *machine, const struct tunable *target, struct error *err);
/* value as tunable_read gives it. */
int tunable_write(const struct tune_machine *machine, const struct tunable *target, const char *value,
                  struct error *err);

/* What all the wishes together make of it. CPU sets: before with, or without, all the CPUs; all online ones without
 * them when nothing would be left. Words: the last wish. No wish: before. The caller frees. */
char *tunable_value(const struct tunable *target, const char *before, const char *const *wish, size_t count,
                    const struct cpuset *online);
/* Is present what before becomes by some of the wishes (or none)? Else somebody else had a hand in it. */
bool tunable_is_ours(const struct tunable *target, const char *present, const char *before, const char *const *wish,
                     size_t count, const struct cpuset *online);

/* ---- planning: tune_plan.c, and tune_isolate.c for what is there only while the VM runs */
struct tune_wish {
    const char *knob;
    const char *why;
    const char *owner;                   /* who may have the same wish already; may be NULL */
    const char *value;                   /* of words */
    const struct cpuset *cpus;           /* of CPU sets */
    bool (*is_fine)(const char *before); /* good enough as it was; may be NULL */
};
/* One more change at the end of the plan, unless the target is not there, is as wished without it, or the owner wishes
 * it already. journal may be NULL. True: the target is there. */
bool tune_plan_add(const struct tune_machine *machine, const struct tune_journal *journal, const char *target,
                   const struct tune_wish *wish, struct tune_plan *plan);
void tune_plan_partitions(const struct tune_machine *machine, const struct tune_journal *journal, const char *owner,
                          int pid, const struct cpuset *cpus, size_t count, struct tune_plan *plan);
/* Leaves the changes of that knob. What stands in the way of others is nobody's business here. */
void tune_plan_keep_knob(struct tune_plan *plan, const char *knob);
/* Of the knobs in their order; NULL behind the last. */
const char *tune_knob_name(size_t index);
extern const struct tune_wish TUNE_PARTITION;
/* Which knob turned it, and why. */
void tune_describe(const char *target, const char **ret_knob, const char **ret_why);

/* ---- the journal in memory: tune_journal.c */
void tune_journal_read(struct store *store, struct tune_journal *ret_journal);
/* [{"id","target","before","wish","owner"}], and back; what is no tuning is left out. */
json_t *tune_journal_to_json(const struct tune_journal *journal);
void tune_journal_from_json(const json_t *list, struct tune_journal *ret_journal);
void tune_journal_finish(struct tune_journal *journal);
/* The wishes about a target, oldest first; but: without this one. wish: room for all rows. */
size_t tune_journal_wishes(const struct tune_journal *journal, const char *target, const struct tune_row *but,
                           const char **wish);
