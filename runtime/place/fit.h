/* Does the VM fit, and how: the earlier CPUs if they still do, else the solver's answer, with memory beside them. */
#pragma once

#include "runtime/place/search.h"

/* kept may be NULL; log may be NULL, or gets what the solver tried. False: no room, *placement is then undefined. */
bool fit_placement(const struct board *board, const struct demand *demand, const struct vm_spec *spec,
                   const struct placement *kept, struct placement *placement, struct candidates *log);
/* Ordinary memory the VM needs on the host. */
uint64_t fit_ordinary_bytes(const struct demand *demand, const struct vm_spec *spec);
/* The earlier placement only. */
bool fit_kept(const struct board *board, const struct demand *demand, const struct vm_spec *spec,
              const struct placement *kept, struct placement *placement);
