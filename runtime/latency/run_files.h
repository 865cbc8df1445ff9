/* Stored runs: one JSON file each, in STATE/latency; verbs and the daemon share them. Files and not the store, because
 * that belongs to the daemon, and measuring works without one. The oldest of more than LIMIT_LATENCY_RUNS are removed.
 */
#pragma once

#include "rtvmd/base/json.h"

/* Writes "name" into the run and the run into the folder; an empty name becomes TARGET-TIME. The caller frees the
 * name. ERROR_ALREADY_EXISTS for a name that was given and is taken. */
char *run_files_add(const char *folder, const char *name, json_t *run, struct error *err);
/* By name, or by path when it holds a slash. New reference. */
json_t *run_files_get(const char *folder, const char *name, struct error *err);
/* The names, oldest first, NULL-terminated; a folder that is not there has none. Free each and the list. */
char **run_files_list(const char *folder);
void run_files_list_free(char **names);
