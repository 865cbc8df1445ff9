/* api/read: get and list. */
#pragma once

#include "api/call.h"
#include "api/wire/selector.h"
#include "api/wire/table.h"

call_handler read_get;
call_handler read_list;

/* The selectors of a list or watch. */
struct read_filter {
    struct selector *labels;
    struct selector *fields;
};
int read_filter_init(struct read_filter *filter, const struct call *call, struct error *err);
void read_filter_finish(struct read_filter *filter);
bool read_filter_matches(const struct read_filter *filter, const json_t *object);

/* resourceVersionMatch and sendInitialEvents of a list or watch: what does not go together is refused as by Kubernetes.
 */
int read_check_options(const struct call *call, bool is_watch, struct error *err);

/* "the object is not there", as Kubernetes words it. Returns -1. */
int read_not_found(const struct target *target, struct error *err);
/* One object in the form the client asked for. Steals; a new reference comes back. */
json_t *read_in_form(const struct call *call, enum table_include include, json_t *object);
