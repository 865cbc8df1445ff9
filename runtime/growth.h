/* runtime/growth: huge-page pools that are made larger while a VM runs (host.hugepages.allocate). The journal of host
 * changes says whose pages are in which pool, before they are put there and until they are taken out:
 *
 *   target "pages:FILE", before: what the pool held before anybody made it larger,
 *   wanted "16 more": pages of ours are in the pool; "up to 16 more": work is in hand, or was when the daemon died.
 *
 * An entry without owner belongs to nobody any more: its pages are no room for others, and are taken out as soon as
 * they are free. They are taken out by nobody's hand but ours, and never while somebody uses them. */
#pragma once

#include "runtime/place/place.h"
#include "runtime/work.h"

/* Before the start of a domain: journals what its pools lack into work->growth. An error: not written down. */
int growth_begin(struct runtime *runtime, struct work *work, struct error *err);
/* The job ended: writes down what came of it, and remembers which pools the kernel had no memory for. */
void growth_made(struct runtime *runtime, struct work *work);
/* A pool that the placement needs larger cannot be made so: the VM is to be placed anew. */
bool growth_fell_short(const struct work *work);
/* What is remembered is for the solver, and for a while only: memory comes and goes. growth_limits_end_s: when they are
 * forgotten, 0: there are none. growth_forget_limits: at once, for a VM let go of its memory. */
void growth_limits(const struct runtime *runtime, struct place_policy *policy);
int64_t growth_limits_end_s(const struct runtime *runtime);
void growth_forget_limits(struct runtime *runtime);
/* The VM does not run any more: its pages are nobody's, and go. */
void growth_end(struct runtime *runtime, const char *owner);
/* Before anything else is done after a start of the daemon: what the journal says against what the pools hold. */
void growth_recover(struct runtime *runtime);
/* Tries again what could not be taken out before. */
void growth_retry(struct runtime *runtime);
/* Pages a placement (as JSON) wants to be added to a pool. */
uint64_t growth_planned(const json_t *placement, int node, uint64_t page_bytes);
/* Nobody's pages, as claims: for the solver. Appends to claims->pages (allocated). */
void growth_add_claims(struct runtime *runtime, struct claims *claims);
