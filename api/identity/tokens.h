/* api/tokens: bearer tokens over the API, for those with the admin role: list, create, revoke. Not a Kubernetes kind:
 * a token is shown once and never again. */
#pragma once

#include "api/call.h"

#define TOKENS_PATH "/rtvmd/v1/tokens"

/* GET: {"items":[{id,user,role,created,expires}]}. POST {user,role,lifetimeSeconds}: {"token":…}. */
call_handler tokens_collection;
/* DELETE of TOKENS_PATH/ID. */
call_handler tokens_one;
