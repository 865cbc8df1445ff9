/* api/call: one request on its way through api/, and how it is answered. Private to api/. */
#pragma once

#include "api/api.h"
#include "api/identity/auth.h"
#include "api/target.h"
#include "api/wire/media.h"
#include "api/wire/status.h"

struct meter;
struct watches;
struct tunnels;
struct quiet;

struct api {
    struct loop *loop;
    struct store *store;
    struct runtime *runtime;
    struct http_server *http;
    struct meter *meter;
    struct watches *watches;
    struct tunnels *tunnels;
    struct quiet *quiet;
    json_t *openapi_hashes;        /* of "apis/GROUP/VERSION": text; NULL until somebody asks (openapi.c) */
    json_t *openapi_v2_hash;       /* text; NULL until then */
    struct store_watch *collector; /* follows deletions: see collect.c */
};

struct call {
    struct api *api;
    struct http_request *http;
    struct target target; /* .resource is NULL for paths that name no resource */
    enum media_form form;
    struct auth_identity who;
    const char *verb;    /* what it does, once that is known to be allowed or not; NULL: a page that is no resource */
    const char *audited; /* the verb of a write: its answer gets a line in the log; NULL: none */
    char *created;       /* of a create: the name that was asked for, or "STEM*"; for the log, may be NULL */
    uint64_t began_ns;
};

/* A handler answers, or arranges for an answer, and returns 0; or returns -1 with the error, which is answered for it.
 * A call ends with exactly one answer. */
typedef int call_handler(struct call *call, struct error *err);

/* Each steals `value` or `text`, and ends the call. */
void call_answer(struct call *call, int status, json_t *value);
/* A list: `list` is everything about it but its items, which stay the caller's. */
void call_answer_list(struct call *call, json_t *list, json_t *items);
void call_answer_error(struct call *call, const struct error *failure);
void call_answer_causes(struct call *call, const struct error *failure,
                        json_t *causes); /* for the details; may be NULL */
void call_answer_invalid(struct call *call, const struct findings *findings, const char *name);
void call_answer_text(struct call *call, int status, const char *text);
void call_answer_empty(struct call *call, int status);
/* Answers once everything written so far is durable, or with the failure to make it so. */
void call_answer_after_commit(struct call *call, int status, json_t *value);
void call_answer_take(struct call *call, int status, const char *content_type, char *text);
/* Ends the call, whose request has its answer or was taken over by a stream or a tunnel (101), and counts it. */
void call_end(struct call *call, int status);
/* The same for a web socket: what goes through it may change the guest, so it gets its line in the log. */
void call_end_upgraded(struct call *call);

/* The body as one object: JSON or YAML by reading; NULL with an error when it is none or several. An empty body is an
 * error unless allowed: then an empty object comes back. */
json_t *call_body(struct call *call, bool may_be_empty, struct error *err);
/* A switch in the query: "true" or "1" (and empty: ?watch). */
bool call_flag(const struct call *call, const char *name);
/* A number in the query. -1 with ERROR_BAD_REQUEST when it is none or over the limit; 0 when absent. */
int call_number(const struct call *call, const char *name, uint64_t limit, uint64_t *ret_value, struct error *err);
/* Adds a Warning header; quotes and line breaks are made harmless. */
void call_warn(struct call *call, const char *sentence);
/* Who changes things: fieldManager of the query, else the first word of the User-Agent. The caller frees. */
char *call_manager(const struct call *call);
