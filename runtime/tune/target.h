/* One thing that can be changed on the machine, and the journal's entries about it. Private to tuning. */
#pragma once

#include "runtime/tune/tune.h"

enum target_kind { TARGET_LIST, TARGET_MASK, TARGET_VALUE, TARGET_AFFINITY };

struct target {
    enum target_kind kind;
    const char *path; /* into the text given to target_parse; for TARGET_AFFINITY the thread's name */
    int tid;
};

bool target_parse(const char *text, struct target *ret_target);
/* As it is now: a word, or a CPU list; ERROR_NOT_FOUND when it is gone. The caller frees. */
char *target_read(const struct tune_machine *machine, const struct target *target, struct error *err);
/* value as target_read gives it. */
int target_write(const struct tune_machine *machine, const struct target *target, const char *value, struct error *err);

/* What all the wishes together make of it. CPU sets: before without all the CPUs; all online ones without them when
 * nothing would be left. Words: the last wish. No wish: before. The caller frees. */
char *target_value(const struct target *target, const char *before, const char *const *wish, size_t count,
                   const struct cpuset *online);
/* Is present what before becomes by some of the wishes (or none)? Else somebody else had a hand in it. */
bool target_is_ours(const struct target *target, const char *present, const char *before, const char *const *wish,
                    size_t count, const struct cpuset *online);
