/* api/access: who a caller is and what it may do. Through the unix socket the file's mode decides who gets in, and who
 * is in may do everything; so may whoever reaches a plain listener, which is loopback by explicit choice only. */
#pragma once

#include "api/call.h"

struct identity {
    char user[128];
    const char *groups[4]; /* NULL-terminated */
};
struct identity access_identity(const struct http_peer *peer);

/* POST of the self-subject reviews: answered, not stored. */
call_handler access_review;
