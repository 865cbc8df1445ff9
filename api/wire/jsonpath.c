#include "api/wire/jsonpath.h"

#include <stdlib.h>
#include <string.h>

/* A path is read step by step while it is followed: a step is a key, an index, every element, or the elements whose
 * field equals a text. Paths are our own tables' or short words of a client; they are not compiled. */

enum step_kind { STEP_END, STEP_KEY, STEP_INDEX, STEP_EACH, STEP_FILTER, STEP_BAD };

struct step {
    enum step_kind kind;
    const char *name; /* key, or the filter's field */
    size_t name_length;
    const char *value; /* of the filter */
    size_t value_length;
    long index;
};

static const char *read_word(const char *at, const char *stops, struct step *step)
{
    step->name = at;
    step->name_length = strcspn(at, stops);
    return at + step->name_length;
}

static const char *read_quoted(const char *at, const char **ret_text, size_t *ret_length)
{
    char quote = *at;
    if (quote != '\'' && quote != '"')
        return NULL;
    const char *end = strchr(at + 1, quote);
    if (!end)
        return NULL;
    *ret_text = at + 1;
    *ret_length = (size_t)(end - at - 1);
    return end + 1;
}

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " ");
}

/* "?(@.type=='Ready')]", with or without the parentheses. */
static const char *read_filter(const char *at, struct step *step)
{
    at = skip_blanks(at + 1);
    bool parentheses = *at == '(';
    at = skip_blanks(at + parentheses);
    if (strncmp(at, "@.", 2) != 0)
        return NULL;
    at = skip_blanks(read_word(at + 2, "=)] ", step));
    if (strncmp(at, "==", 2) != 0)
        return NULL;
    at = read_quoted(skip_blanks(at + 2), &step->value, &step->value_length);
    if (!at)
        return NULL;
    at = skip_blanks(at);
    if (parentheses && *at++ != ')')
        return NULL;
    step->kind = STEP_FILTER;
    return *at == ']' ? at + 1 : NULL;
}

static const char *read_bracket(const char *at, struct step *step)
{
    if (*at == '?')
        return read_filter(at, step);
    if (*at == '*') {
        step->kind = STEP_EACH;
        return at[1] == ']' ? at + 2 : NULL;
    }
    if (*at == '\'' || *at == '"') {
        step->kind = STEP_KEY;
        at = read_quoted(at, &step->name, &step->name_length);
        return at && *at == ']' ? at + 1 : NULL;
    }
    char *end;
    step->kind = STEP_INDEX;
    step->index = strtol(at, &end, 10);
    return end != at && *end == ']' ? end + 1 : NULL;
}

static struct step next_step(const char **at)
{
    struct step step = {.kind = STEP_END};
    const char *next = *at;
    if (*next == '\0' || strcmp(next, "}") == 0)
        return step;
    if (*next == '[') {
        next = read_bracket(next + 1, &step);
    } else if (*next == '.') {
        step.kind = STEP_KEY;
        next++;
        if (*next == '[')
            next = read_bracket(next + 1, &step);
        else
            next = read_word(next, ".[}", &step);
        if (step.kind == STEP_KEY && step.name_length == 1 && *step.name == '*')
            step.kind = STEP_EACH;
    } else {
        next = NULL;
    }
    if (!next || (step.kind == STEP_KEY && step.name_length == 0))
        step.kind = STEP_BAD;
    else
        *at = next;
    return step;
}

static const char *path_begin(const char *path)
{
    path += *path == '{';
    return path + (*path == '$');
}

static bool filter_matches(const struct step *step, json_t *element)
{
    auto_free char *field = must_strndup(step->name, step->name_length);
    const json_t *found = json_at(element, field);
    return json_is_string(found) && json_string_length(found) == step->value_length &&
           memcmp(json_string_value(found), step->value, step->value_length) == 0;
}

/* Appends matches to *all, or stops at the first one when all is NULL. */
static json_t *follow(json_t *value, const char *path, json_t *all)
{
    for (;;) {
        struct step step = next_step(&path);
        if (!value || step.kind == STEP_BAD)
            return NULL;
        if (step.kind == STEP_END) {
            if (all)
                json_array_append(all, value);
            return value;
        }
        if (step.kind == STEP_KEY) {
            value = json_object_getn(value, step.name, step.name_length);
            continue;
        }
        if (step.kind == STEP_INDEX) {
            long index = step.index < 0 ? (long)json_array_size(value) + step.index : step.index;
            value = index < 0 ? NULL : json_array_get(value, (size_t)index);
            continue;
        }
        json_t *first = NULL;
        for (size_t i = 0; i < json_array_size(value); i++) {
            json_t *element = json_array_get(value, i);
            json_t *found =
                step.kind == STEP_EACH || filter_matches(&step, element) ? follow(element, path, all) : NULL;
            first = first ? first : found;
            if (first && !all)
                return first;
        }
        return first;
    }
}

const json_t *jsonpath_first(const json_t *value, const char *path)
{
    return follow((json_t *)value, path_begin(path), NULL);
}

json_t *jsonpath_all(const json_t *value, const char *path)
{
    json_t *all = json_array();
    follow((json_t *)value, path_begin(path), all);
    return all;
}

int jsonpath_check(const char *path, struct error *err)
{
    const char *at = path_begin(path);
    for (;;) {
        struct step step = next_step(&at);
        if (step.kind == STEP_BAD)
            return fail(err, ERROR_BAD_REQUEST,
                        "JSONPath \"%s\": cannot read \"%s\"; .key, [0], [*] and [?(@.key==\"value\")] are understood",
                        path, at);
        if (step.kind == STEP_END)
            return 0;
    }
}
