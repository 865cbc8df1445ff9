/* Lifecycle actions of users: what act_vm.c and act_vmi.c share. Inside of runtime/ itself only. */
#pragma once

#include "runtime/inside.h"

/* Writes what is wanted of a VM. */
int act_on_vm(struct runtime *runtime, enum runtime_action action, const char *namespace_, const char *name,
              const json_t *options, struct error *err);
/* Adds a volume to a VM and its VMI, or to a VMI alone, or takes it away. */
int act_on_volumes(struct runtime *runtime, enum runtime_action action, const char *namespace_, const char *name,
                   const json_t *options, struct error *err);
/* options.dryRun holds "All". */
bool act_is_dry(const json_t *options);
