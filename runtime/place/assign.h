/* From counts per core to CPU numbers per thread. */
#pragma once

#include "runtime/place/search.h"

/* Fills the CPU half of a placement: vcpu_cpu, emulator, iothread, parked, exclusive, shared. */
void assign_solution(const struct board *board, const struct demand *demand, const struct vm_spec *spec,
                     const struct solution *solution, struct placement *placement);
/* What is not a matter of choice: floating vCPUs, threads without CPUs of their own. */
void assign_shared(const struct board *board, const struct demand *demand, const struct vm_spec *spec,
                   struct placement *placement);
/* Guest vCPUs by board node, as placed. */
void assign_vcpus_on(const struct board *board, const struct placement *placement, struct cpuset *ret_vcpus_on);
