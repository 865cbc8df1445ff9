/* A set of small numbers, read and written in the kernel's list format ("0-3,8"): host CPUs, guest vCPUs, nodes.
 * A plain value: copy with =. */
#pragma once

#include "rtvmd/base/error.h"

enum { CPUSET_MAX = 1024, CPUSET_WORDS = CPUSET_MAX / 64 };

struct cpuset {
    uint64_t word[CPUSET_WORDS];
};

/* Accepts what the kernel prints: "", "0", "0-3,8", surrounding blanks, a final newline; also strides "0-31:2/8"
 * ("used/group", Documentation/core-api/printk-formats and bitmap_parselist). ERROR_INVALID names the bad piece. */
int cpuset_parse(const char *s, struct cpuset *ret_set, struct error *err);
/* "0-3,8"; "" when empty. Returns a pointer into buffer. */
enum { CPUSET_TEXT_MAX = 5 * CPUSET_MAX };
struct cpuset_text {
    char text[CPUSET_TEXT_MAX];
};
const char *cpuset_format(const struct cpuset *set, struct cpuset_text *buffer);
/* "1,00000003": the kernel's mask format, groups of 32 bits, highest first; "0" when empty. The caller frees. */
char *cpuset_mask(const struct cpuset *set);

struct cpuset cpuset_of(unsigned cpu);
struct cpuset cpuset_range(unsigned first, unsigned last);
void cpuset_add(struct cpuset *set, unsigned cpu); /* cpu >= CPUSET_MAX is ignored */
void cpuset_remove(struct cpuset *set, unsigned cpu);
bool cpuset_has(const struct cpuset *set, unsigned cpu);
bool cpuset_is_empty(const struct cpuset *set);
unsigned cpuset_count(const struct cpuset *set);
bool cpuset_equal(const struct cpuset *a, const struct cpuset *b);
bool cpuset_is_subset(const struct cpuset *inner, const struct cpuset *outer);
bool cpuset_intersects(const struct cpuset *a, const struct cpuset *b);
struct cpuset cpuset_and(const struct cpuset *a, const struct cpuset *b);
struct cpuset cpuset_or(const struct cpuset *a, const struct cpuset *b);
struct cpuset cpuset_minus(const struct cpuset *a, const struct cpuset *b);
/* The smallest member >= from, or -1. */
int cpuset_next(const struct cpuset *set, unsigned from);

#define cpuset_foreach(cpu, set) \
    for (int cpu = cpuset_next((set), 0); cpu >= 0; cpu = cpuset_next((set), (unsigned)cpu + 1))
