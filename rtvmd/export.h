/* An object as its author wrote it: what the daemon keeps, without what the daemon and its defaults put in, so that it
 * applies to any KubeVirt unchanged. Pure. */
#pragma once

#include "rtvmd/base/json.h"

/* A new object. What clients set is known from metadata.managedFields; without those, everything stays that is not
 * the server's by its nature (status, uid, versions, times, owners, finalizers). The namespace "default" is left out.
 */
json_t *export_object(const json_t *object);
/* Not on its way out, and nobody's child: a VM's VMI comes from the VM. */
bool export_is_wanted(const json_t *object);
