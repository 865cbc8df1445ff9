/* What /proc says of one process's threads and memory. Inside of runtime/prove only. */
#pragma once

#include "runtime/prove/prove.h"

/* Appends every thread of the process, and the kernel threads that work for it, with what was found; wanted_* stay
 * zero. ERROR_NOT_FOUND when the process is gone. */
int reading_threads(const char *root, int pid, struct proof *proof, struct error *err);
/* Fills what was found of memory. guest_bytes: how much one block of guest memory has at least, to tell it from QEMU's
 * own; 0: do not look where pages are (the kernel walks all of them for that). resident_bytes: everything of the
 * process in ordinary pages. */
int reading_memory(const char *root, int pid, uint64_t guest_bytes, struct prove_memory *ret_memory,
                   uint64_t *ret_resident_bytes, struct error *err);
/* The row of a node and page size, added when there was none; NULL when there is no more room. */
struct prove_huge *reading_huge(struct prove_memory *memory, int node, uint64_t page_bytes);
/* One thread folder (/proc/PID/task/TID or /proc/TID). 1: read, 0: gone meanwhile. */
int reading_thread(const char *root, const char *folder, int tid, struct prove_thread *ret_thread, struct error *err);

/* wish.c, pure: role and number from a thread's name; what the plan wants; whether it is so. */
/* "OTHER", "FIFO", … */
const char *wish_policy_text(int policy);
void wish_role(struct prove_thread *thread);
void wish_compare(struct proof *proof, const struct placement *placement);
void wish_compare_memory(struct prove_memory *memory, const struct placement *placement, const struct vm_spec *spec,
                         bool want_locked, uint64_t resident_bytes);
