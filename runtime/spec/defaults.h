/* What KubeVirt writes into an object on create (facts 1.5), in place. */
#pragma once

#include "rtvmd/base/json.h"

/* What a VM gets itself, so that it survives restarts: architecture and machine type of the template. */
void defaults_vm(json_t *vm);
/* The computed defaults of a VMI spec that validation counts on: resources, memory, topology, pull policies, network,
 * disks. */
void defaults_spec(json_t *spec);
/* All of a VMI: defaults_spec and what only instances get: constants of the field table, firmware UUID, CPU model. */
void defaults_vmi(json_t *vmi);
