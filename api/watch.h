/* api/watch: streams of changes. Fed by the store's durable changes, in their order, filtered per watcher; a client
 * that does not read is cut off (http.h), others do not notice. */
#pragma once

#include "api/call.h"

struct watches *watches_new(struct api *api);
void watches_free(struct watches *watches); /* ends every stream well */
/* Ends those that were begun with this token (its ID; "" ends none), with an ERROR event that says so. */
void watches_end_of_token(struct watches *watches, const char *token);
size_t watches_count(const struct watches *watches);

/* GET with watch=true on a collection or on one name. */
call_handler watch_begin;
