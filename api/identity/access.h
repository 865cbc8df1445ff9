/* api/access: who a caller is and what it may do, asked of auth.h in the words of a request. */
#pragma once

#include "api/call.h"

/* Fills call->who. */
int access_identify(struct call *call, struct error *err);
/* May the caller do this to the call's target? Also marks writes for the audit log. */
int access_check(struct call *call, const char *verb, struct error *err);

/* POST of the self-subject reviews: answered, not stored. */
call_handler access_review;
