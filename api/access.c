#include "api/access.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>

struct identity access_identity(const struct http_peer *peer)
{
    struct identity who = {.groups = {"system:masters", "system:authenticated", NULL}};
    if (!peer->local) {
        snprintf(who.user, sizeof who.user, "system:loopback");
        return who;
    }
    char buffer[1024];
    struct passwd entry, *found = NULL;
    if (getpwuid_r(peer->uid, &entry, buffer, sizeof buffer, &found) == 0 && found)
        snprintf(who.user, sizeof who.user, "%s", found->pw_name);
    else
        snprintf(who.user, sizeof who.user, "uid:%u", peer->uid);
    return who;
}

static json_t *user_info(const struct http_peer *peer)
{
    struct identity who = access_identity(peer);
    json_t *groups = json_array();
    for (size_t i = 0; who.groups[i]; i++)
        json_array_append_new(groups, json_string(who.groups[i]));
    return json_pack("{s:s, s:o}", "username", who.user, "groups", groups);
}

static json_t *everything(void)
{
    return json_pack("{s:[{s:[s], s:[s], s:[s]}], s:[{s:[s], s:[s]}], s:b}", "resourceRules", "verbs", "*", "apiGroups",
                     "*", "resources", "*", "nonResourceRules", "verbs", "*", "nonResourceURLs", "*", "incomplete", 0);
}

int access_review(struct call *call, struct error *err)
{
    auto_json *review = call_body(call, false, err);
    if (!review)
        return -1;
    const char *kind = call->target.resource->kind;
    if (strcmp(json_text_at(review, "kind", kind), kind) != 0)
        return fail(err, ERROR_BAD_REQUEST, "kind: \"%s\": the path takes %s", json_text_at(review, "kind", ""), kind);
    json_t *status;
    if (strcmp(kind, "SelfSubjectReview") == 0)
        status = json_pack("{s:o}", "userInfo", user_info(http_peer(call->http)));
    else if (strcmp(kind, "SelfSubjectRulesReview") == 0)
        status = everything();
    else
        status = json_pack("{s:b, s:s}", "allowed", 1, "reason", "whoever gets in may do everything");
    json_object_set_new(review, "status", status);
    json_object_set_new(review, "kind", json_string(kind));
    auto_free char *api_version = resource_api_version(call->target.resource, call->target.version);
    json_object_set_new(review, "apiVersion", json_string(api_version));
    call_answer(call, 201, take(review));
    return 0;
}
