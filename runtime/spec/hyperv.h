/* Hyper-V enlightenments that need others. */
#pragma once

#include "runtime/spec/validate.h"

/* Switches on what is needed and not said, and the CPU feature vmx for evmcs. Enabled states must be written already
 * (fields_apply_defaults). */
void hyperv_complete(json_t *spec);
/* Causes for what is needed and was switched off. */
void hyperv_check(struct admission *a);
