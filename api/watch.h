/* api/watch: streams of changes. Fed by the store's durable changes, in their order, filtered per watcher; a client
 * that does not read is cut off (http.h), others do not notice. */
#pragma once

#include "api/call.h"

struct watches *watches_new(struct api *api);
void watches_free(struct watches *watches); /* ends every stream well */
size_t watches_count(const struct watches *watches);

/* GET with watch=true on a collection or on one name. */
call_handler watch_begin;
