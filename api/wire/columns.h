/* api/columns: cells of tables that are more than the value at a path, and ages. Pure but for the clock in ages. The
 * caller frees what the column_ functions return. */
#pragma once

#include "rtvmd/base/json.h"

/* "5m", "3h20m", "2d" as Kubernetes writes durations; "<unknown>" for a time that cannot be read. */
char *age_text(const char *timestamp, int64_t now_s);
/* Seconds since the epoch of an RFC 3339 time in UTC ("2024-05-01T10:00:00Z", fractions ignored); -1 when it is none.
 */
int64_t time_from_text(const char *timestamp);

char *column_event_age(const json_t *event);
char *column_event_object(const json_t *event);
char *column_event_message(const json_t *event);
char *column_node_status(const json_t *node);
char *column_node_address(const json_t *node);
char *column_node_roles(const json_t *node);
char *column_data_count(const json_t *object);
char *column_change_owner(const json_t *change);
char *column_placement_cpus(const json_t *placement);
char *column_placement_emulator(const json_t *placement);
/* "0:4x1Gi,1:2048x2Mi": node, pages, size */
char *column_placement_pages(const json_t *placement);
char *column_placement_proof(const json_t *placement);
