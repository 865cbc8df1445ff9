/* What the irqbalance daemon is asked over its socket. Private to tuning. */
#pragma once

#include "runtime/tune/tune.h"

/* One line to the live process, and what it answers ("" is an answer). */
int irqbalance_ask(const struct tune_machine *machine, int pid, const char *line, struct text *ret_answer,
                   struct error *err);
/* The CPUs it says it keeps off. It takes a new set with its next round, up to ten seconds after it was written. */
int irqbalance_read(const struct tune_machine *machine, int pid, struct cpuset *ret_banned, struct error *err);
/* What it was told less than a round ago, in place of what it says now. */
void irqbalance_recall(const struct tune_machine *machine, int pid, struct cpuset *banned);
/* {"pid","told","until"}, for who carries orders out elsewhere, and back. */
json_t *irqbalance_memory_to_json(const struct irqbalance_memory *memory);
void irqbalance_memory_from_json(const json_t *json, struct irqbalance_memory *ret_memory);
int irqbalance_write(const struct tune_machine *machine, int pid, const struct cpuset *banned, struct error *err);
