/* What stands in the ISO of a cloud-init, configMap, secret or sysprep volume (facts 7.1, 7.2). */
#pragma once

#include "runtime/image/image.h"
#include "runtime/image/iso.h"

/* Fills content and label (which points into the spec or is static). Secrets and ConfigMaps come from config->lookup;
 * a missing object or key is ERROR_NOT_FOUND unless the volume says optional. */
int seed_fill(const struct image_config *config, const struct vm_spec *spec, const struct vm_volume *volume,
              struct iso_content *content, const char **ret_label, struct error *err);
