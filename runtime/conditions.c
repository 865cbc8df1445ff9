#include <string.h>

#include "runtime/inside.h"

/* status.conditions as Kubernetes keeps them: one per type, lastTransitionTime moves with the status only. */

static json_t *list_of(json_t *object)
{
    json_t *list = json_at(object, "status.conditions");
    if (json_is_array(list))
        return list;
    json_put_at(object, "status.conditions", json_array());
    return json_at(object, "status.conditions");
}

json_t *condition_get(const json_t *object, const char *type)
{
    size_t i;
    json_t *condition;
    json_array_foreach(json_at(object, "status.conditions"), i, condition)
    {
        if (strcmp(json_text_at(condition, "type", ""), type) == 0)
            return condition;
    }
    return NULL;
}

bool condition_is(const json_t *object, const char *type, const char *status)
{
    return strcmp(json_text_at(condition_get(object, type), "status", ""), status) == 0;
}

static void set_or_drop(json_t *condition, const char *key, const char *value)
{
    if (value)
        json_object_set_new(condition, key, json_string(value));
    else
        json_object_del(condition, key);
}

void condition_set(json_t *object, const char *type, const char *status, const char *reason, const char *message,
                   int64_t now_s)
{
    json_t *condition = condition_get(object, type);
    if (!condition) {
        condition = json_pack("{s:n, s:n}", "lastProbeTime", "lastTransitionTime");
        json_array_append_new(list_of(object), condition);
        json_object_set_new(condition, "type", json_string(type));
    }
    if (strcmp(json_text_at(condition, "status", ""), status) != 0) {
        char now[TIMESTAMP_TEXT_MAX];
        json_object_set_new(condition, "lastTransitionTime", json_string(timestamp_format(now_s, now)));
    }
    json_object_set_new(condition, "status", json_string(status));
    set_or_drop(condition, "reason", reason);
    set_or_drop(condition, "message", message);
}

void condition_drop(json_t *object, const char *type)
{
    size_t i;
    json_t *condition;
    json_t *list = json_at(object, "status.conditions");
    json_array_foreach(list, i, condition)
    {
        if (strcmp(json_text_at(condition, "type", ""), type) == 0) {
            json_array_remove(list, i);
            return;
        }
    }
}
