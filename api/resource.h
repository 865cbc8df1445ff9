/* api/resource: the table of what is served under /api and /apis, one row per resource. Adding a kind is one row in
 * resource.c (and, when it is not simply kept in the store, the function that makes it). */
#pragma once

#include "rtvmd/base/json.h"

enum {
    VERB_CREATE = 1,
    VERB_DELETE = 2,
    VERB_DELETECOLLECTION = 4,
    VERB_GET = 8,
    VERB_LIST = 16,
    VERB_PATCH = 32,
    VERB_UPDATE = 64,
    VERB_WATCH = 128,
    VERBS_READ = VERB_GET | VERB_LIST | VERB_WATCH,
    VERBS_ALL = 255,
};

/* Where rows come from. */
enum resource_source {
    SOURCE_STORE,
    SOURCE_EVENTS,      /* core Events in the shape of events.k8s.io */
    SOURCE_NODE,        /* runtime_node() */
    SOURCE_PLACEMENT,   /* runtime_placement() */
    SOURCE_HOST_CHANGE, /* runtime_host_change() */
    SOURCE_NOTHING,     /* always empty: what kubectl asks a cluster for and a host of VMs has not */
    SOURCE_ANSWER,      /* nothing is kept: create answers a question (access reviews) */
};

struct resource_column {
    const char *name;
    const char *path; /* JSONPath, or NULL when `text` makes the cell */
    char *(*text)(const json_t *object);
    const char *type;    /* "string", "integer", "date": a time stamp shown as an age */
    unsigned char wide;  /* only with -o wide */
    const char *because; /* what the column says */
};

struct resource {
    const char *group;      /* "" is core */
    const char *version[3]; /* the first is preferred and stored */
    const char *plural;
    const char *singular;
    const char *kind;
    const char *short_name[3];
    bool namespaced;
    bool in_all; /* category "all" */
    unsigned verbs;
    bool has_status; /* a /status subresource: status is not written through the object itself */
    bool has_spec;   /* metadata.generation counts the changes of the spec */
    bool strategic;  /* takes strategic merge patches */
    enum resource_source source;
    const struct resource_column *column;
    size_t column_count;
    const char *const *selectable; /* field selectors beyond name and namespace */
};

extern const struct resource RESOURCES[];
extern const size_t RESOURCE_COUNT;

/* NULL when there is none; version NULL: any. */
const struct resource *resource_find(const char *group, const char *version, const char *plural);
const struct resource *resource_by_kind(const char *api_version, const char *kind);
/* By what a person types: plural, singular, short name or kind, any case, optionally with ".group". */
const struct resource *resource_by_word(const char *word);
bool resource_has_version(const struct resource *resource, const char *version);
/* "kubevirt.io/v1", "v1". The caller frees. */
char *resource_api_version(const struct resource *resource, const char *version);
/* "virtualmachines.kubevirt.io", "secrets": the name in messages. The caller frees. */
char *resource_full_name(const struct resource *resource);
