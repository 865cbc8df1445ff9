/* api/selector: label and field selectors of list and watch, in Kubernetes' grammar. Pure. */
#pragma once

#include "rtvmd/base/json.h"

struct selector;

/* "a=b,c!=d,e in (x,y),f notin (z),g,!h". NULL or "" matches everything: *ret_selector is NULL then. */
int selector_parse_labels(const char *text, struct selector **ret_selector, struct error *err);
/* "metadata.name=x,involvedObject.kind!=Pod". Only metadata.name, metadata.namespace and the paths in `known` (NULL
 * terminated, may be NULL) may be asked for. */
int selector_parse_fields(const char *text, const char *const *known, struct selector **ret_selector,
                          struct error *err);
void selector_free(struct selector *selector);
void selector_free_p(struct selector **selector);
#define auto_selector __attribute__((cleanup(selector_free_p))) struct selector

/* NULL matches. */
bool selector_matches(const struct selector *selector, const json_t *object);
