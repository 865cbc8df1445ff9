#include "api/wire/status.h"

#include <string.h>

enum { CAUSES_IN_MESSAGE = 10 };

static json_t *details(const struct status_about *about)
{
    json_t *d = json_object();
    const struct {
        const char *key;
        const char *value;
    } rows[] = {{"name", about->name}, {"group", about->group}, {"kind", about->kind}, {"uid", about->uid}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].value && rows[i].value[0])
            json_object_set_new(d, rows[i].key, json_string(rows[i].value));
    return d;
}

static json_t *status(const char *word, const struct status_about *about, int code)
{
    json_t *s = json_pack("{s:s, s:s, s:{}, s:s}", "kind", "Status", "apiVersion", "v1", "metadata", "status", word);
    if (about)
        json_object_set_new(s, "details", details(about));
    json_object_set_new(s, "code", json_integer(code));
    return s;
}

json_t *status_failure(const struct error *failure, const struct status_about *about, json_t *causes)
{
    const struct error_kind_info *info = error_kind_info(failure->kind);
    /* kubectl shows the causes of an invalid object in place of the message: without causes, no details */
    json_t *s = status("Failure", failure->kind == ERROR_INVALID ? NULL : about, info->http_status);
    json_t *message = json_string(failure->text);
    json_object_set_new(s, "message", message ? message : json_string("(the message is not UTF-8)"));
    json_object_set_new(s, "reason", json_string(info->reason));
    if (causes) {
        json_object_set_new(s, "details", details(about));
        json_object_set(json_object_get(s, "details"), "causes", causes);
    }
    return s;
}

/* Clients write the field before the message; many of KubeVirt's begin with it. */
static const char *message_alone(const struct cause *cause)
{
    const char *rest = cause->message + strlen(cause->field);
    return cause->field[0] && text_starts_with(cause->message, cause->field) && text_starts_with(rest, ": ")
               ? rest + 2
               : cause->message;
}

json_t *status_invalid(const struct findings *findings, const struct status_about *about, const char *kind,
                       struct error *ret_failure)
{
    auto_text message = {0};
    text_printf(&message, "%s \"%s\" is invalid: ", kind, about->name ? about->name : "");
    auto_json *causes = json_array();
    for (size_t i = 0; i < findings->cause_count; i++) {
        const struct cause *c = &findings->cause[i];
        if (i < CAUSES_IN_MESSAGE)
            text_printf(&message, "%s%s", i ? ", " : "", c->message);
        json_array_append_new(
            causes, json_pack("{s:s, s:s, s:s}", "reason", c->reason, "message", message_alone(c), "field", c->field));
    }
    if (findings->cause_count > CAUSES_IN_MESSAGE)
        text_printf(&message, ", and %zu more validation errors", findings->cause_count - CAUSES_IN_MESSAGE);
    fail(ret_failure, ERROR_INVALID, "%s", text_cstr(&message));
    json_t *s = status_failure(ret_failure, about, causes);
    json_object_set_new(s, "message", json_string(text_cstr(&message))); /* whole: the error's text may be cut */
    return s;
}

json_t *status_success(const struct status_about *about)
{
    return status("Success", about, 200);
}
