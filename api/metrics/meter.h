/* api/meter: how long requests took and how they ended, by verb and resource. Streams and tunnels are counted as they
 * begin; how long they stay says nothing. Private to api/. */
#pragma once

#include "api/metrics/exposition.h"
#include "api/resource.h"

struct meter;

struct meter *meter_new(void);
void meter_free(struct meter *meter);
/* verb as access_check() was asked, NULL when it did not come so far; resource NULL: a page that is none. */
void meter_count(struct meter *meter, const char *verb, const struct resource *resource, int status, uint64_t took_ns);
/* The samples of the two metrics that have begun. */
void meter_write_requests(const struct meter *meter, struct exposition *e);
void meter_write_durations(const struct meter *meter, struct exposition *e);
