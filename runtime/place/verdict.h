/* Adding reasons and warnings to a decision; and the rules that add them. */
#pragma once

#include "runtime/place/board.h"
#include "runtime/place/demand.h"

void verdict_reason(struct decision *decision, const char *code, int node, const char *format, ...) PRINTF_LIKE(4, 5);
void verdict_warn(struct decision *decision, const char *format, ...) PRINTF_LIKE(2, 3);

/* Everything about the host itself that refuses this VM, or is worth a warning. */
void check_host(const struct host *host, const struct place_policy *policy, const struct vm_spec *spec,
                const struct demand *demand, struct decision *decision);
/* What the spec asks for that no host could give: contradictions between policies. */
void check_wishes(const struct board *board, const struct vm_spec *spec, const struct demand *demand,
                  struct decision *decision);
/* Warnings about an admitted placement. */
void check_placement(const struct board *board, const struct vm_spec *spec, const struct demand *demand,
                     struct decision *decision);
/* Why the CPUs and the memory do not suffice: every reason with its numbers. Adds at least one reason when the
 * decision has none. */
void explain_refusal(const struct board *board, const struct demand *demand, struct decision *decision);
/* Ordinary memory: guests without huge pages, and what QEMU needs beside the guest. */
void explain_ordinary(const struct board *board, uint64_t ordinary_bytes, struct decision *decision);

/* "2Mi", "1Gi", "1536Mi" */
struct bytes_text {
    char text[24];
};
const char *bytes_format(uint64_t bytes, struct bytes_text *buffer);
