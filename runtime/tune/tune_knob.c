#include <string.h>

#include "runtime/tune/tunable.h"

/* One knob by its name: to try out what it is good for. */

int tune_check_knob(const char *knob, struct error *err)
{
    auto_text names = {0};
    for (size_t i = 0; tune_knob_name(i); i++) {
        if (strcmp(tune_knob_name(i), knob) == 0)
            return 0;
        text_printf(&names, "%s%s", i ? ", " : "", tune_knob_name(i));
    }
    return fail(err, ERROR_BAD_REQUEST, "knob \"%.40s\": want one of %s", knob, text_cstr(&names));
}

void tune_plan_keep_knob(struct tune_plan *plan, const char *knob)
{
    struct tune_plan rest = {.notes = plan->notes};
    struct tune_plan wanted = {0};
    for (size_t i = 0; i < plan->count; i++) {
        struct tune_plan *to = strcmp(plan->change[i].knob, knob) == 0 ? &wanted : &rest;
        to->change = must_realloc(to->change, to->count + 1, sizeof *to->change);
        to->change[to->count++] = plan->change[i];
    }
    plan->count = 0;
    plan->notes = (struct text){0};
    tune_plan_finish(plan);
    tune_plan_finish(&rest);
    *plan = wanted;
}
