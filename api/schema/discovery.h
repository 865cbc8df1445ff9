/* api/discovery: /api, /apis, /version and the lists of resources, in the old form and the aggregated one, generated
 * from the resource and subresource tables. */
#pragma once

#include "api/call.h"

call_handler discovery_api;       /* /api */
call_handler discovery_apis;      /* /apis */
call_handler discovery_group;     /* /apis/GROUP */
call_handler discovery_resources; /* /api/v1, /apis/GROUP/VERSION */
call_handler discovery_version;   /* /version */
call_handler discovery_kubevirt;  /* /apis/subresources.kubevirt.io/VERSION/version */
