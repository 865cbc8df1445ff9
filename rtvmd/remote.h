/* What the client verbs share: the words for resources, paths, common options, printing. */
#pragma once

#include "rtvmd/client.h"
#include "rtvmd/verb.h"

struct remote_resource {
    const char *words; /* " vm vms virtualmachine virtualmachines " */
    const char *base;  /* "/apis/kubevirt.io/v1" */
    const char *plural;
    const char *kind;
    bool namespaced;
};
/* ERROR_BAD_REQUEST lists what there is. */
const struct remote_resource *remote_resource(const char *word, struct error *err);
const struct remote_resource *remote_resource_of(const json_t *object, struct error *err);
/* BASE[/namespaces/NS]/PLURAL[/NAME][/SUBRESOURCE]; namespace_ NULL: all. */
char *remote_path(const struct remote_resource *resource, const char *namespace_, const char *name,
                  const char *subresource);
/* The same below subresources.kubevirt.io. */
char *remote_subresource_path(const char *plural, const char *namespace_, const char *name, const char *subresource);

enum remote_output { REMOTE_TABLE, REMOTE_WIDE, REMOTE_JSON, REMOTE_YAML, REMOTE_NAME };

/* Options every client verb has; their rows come from the macros below. */
struct remote_options {
    const char *socket;
    const char *namespace_;
    const char *output;
};
#define REMOTE_SOCKET_OPTION(o)                                                                                   \
    {                                                                                                             \
        .name = "socket", .value = "PATH", .text = &(o).socket, .help = "The daemon's socket; else $RTVMD_SOCKET" \
    }
#define REMOTE_NAMESPACE_OPTION(o)                                                                                  \
    {                                                                                                               \
        .letter = 'n', .name = "namespace", .value = "NAME", .text = &(o).namespace_, .help = "Namespace (default)" \
    }
#define REMOTE_OUTPUT_OPTION(o)                                                                                     \
    {                                                                                                               \
        .letter = 'o', .name = "output", .value = "FORMAT", .text = &(o).output, .help = "json, yaml, wide or name" \
    }

int remote_output(const char *text, enum remote_output *ret_output, struct error *err);
/* One object or list as JSON, YAML or names on stdout. */
void remote_print(const json_t *value, enum remote_output output);
/* A meta.k8s.io Table. */
void remote_print_table(const json_t *table, bool wide, bool with_namespace, bool with_header);
#define REMOTE_ACCEPT_TABLE "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
/* "kind.group/name" as kubectl says it. */
char *remote_name(const json_t *object);
/* Percent-encodes for a query value; appends. */
void remote_escape(struct text *out, const char *value);

/* Prints warnings and, on failure, the error; gives the exit code. */
int remote_finish(const char *verb, const struct client_reply *reply, int result, const struct error *err);
/* The objects of all -f files, as one new array. */
json_t *remote_read_files(const char *const *files, struct error *err);
enum { REMOTE_FILES_MAX = 64 };
