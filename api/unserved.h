/* api/unserved: what a cluster with KubeVirt serves and this host does not. Tools that ask for it are told why, and
 * what to do instead, in place of "could not find". */
#pragma once

#include "rtvmd/base/error.h"

/* Replaces the sentence of an ERROR_NOT_FOUND when the path (as sent) names such a thing; its beginning stays. */
void unserved_explain(const char *path, struct error *err);
/* Why no claim is filled by an upload (virtctl image-upload makes one and waits for it). */
const char *unserved_upload(void);
