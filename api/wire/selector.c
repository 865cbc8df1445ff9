#include "api/wire/selector.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/limits.h"

/* A selector is a list of requirements, all of which must hold. A label requirement reads metadata.labels[key], a field
 * requirement the text at a path; a missing field counts as "". */

enum operation { IS, IS_NOT, IS_ONE_OF, IS_NONE_OF, EXISTS, EXISTS_NOT, GREATER, LESS };

struct requirement {
    char *key;
    enum operation operation;
    size_t value_count;
    char **value;
};

struct selector {
    bool of_fields;
    size_t count;
    struct requirement *requirement;
};

void selector_free(struct selector *selector)
{
    if (!selector)
        return;
    for (size_t i = 0; i < selector->count; i++) {
        struct requirement *r = &selector->requirement[i];
        for (size_t v = 0; v < r->value_count; v++)
            free(r->value[v]);
        free(r->value);
        free(r->key);
    }
    free(selector->requirement);
    free(selector);
}

void selector_free_p(struct selector **selector)
{
    selector_free(*selector);
}

static void add_value(struct requirement *r, const char *text, size_t length)
{
    while (length > 0 && isspace((unsigned char)*text))
        text++, length--;
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        length--;
    r->value = must_realloc(r->value, r->value_count + 1, sizeof *r->value);
    r->value[r->value_count++] = must_strndup(text, length);
}

static const char *skip_blanks(const char *at)
{
    while (isspace((unsigned char)*at))
        at++;
    return at;
}

static struct requirement *add_requirement(struct selector *selector)
{
    selector->requirement = must_realloc(selector->requirement, selector->count + 1, sizeof *selector->requirement);
    struct requirement *r = &selector->requirement[selector->count++];
    *r = (struct requirement){0};
    return r;
}

static const char *read_key(const char *at, struct requirement *r)
{
    at = skip_blanks(at);
    size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./");
    r->key = must_strndup(at, length);
    return skip_blanks(at + length);
}

/* "(a, b)" */
static const char *read_set(const char *at, struct requirement *r)
{
    at = skip_blanks(at);
    if (*at++ != '(')
        return NULL;
    for (;;) {
        size_t length = strcspn(at, ",)");
        if (at[length] == '\0')
            return NULL;
        add_value(r, at, length);
        at += length + 1;
        if (at[-1] == ')')
            return at;
    }
}

static const char *read_word(const char *at, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(at, word, length) != 0)
        return NULL;
    return isspace((unsigned char)at[length]) || at[length] == '(' ? at + length : NULL;
}

static const struct {
    const char *sign;
    enum operation operation;
} SIGNS[] = {{"==", IS}, {"!=", IS_NOT}, {"=", IS}, {">", GREATER}, {"<", LESS}};

static const char *read_operation(const char *at, struct requirement *r)
{
    const char *set;
    if ((set = read_word(at, "in")) || (set = read_word(at, "notin"))) {
        r->operation = *at == 'i' ? IS_ONE_OF : IS_NONE_OF;
        return read_set(set, r);
    }
    for (size_t i = 0; i < ARRAY_SIZE(SIGNS); i++) {
        size_t sign = strlen(SIGNS[i].sign);
        if (strncmp(at, SIGNS[i].sign, sign) != 0)
            continue;
        r->operation = SIGNS[i].operation;
        size_t length = strcspn(at + sign, ",");
        add_value(r, at + sign, length);
        return at + sign + length;
    }
    r->operation = EXISTS;
    return at;
}

static int parse(const char *text, struct selector *selector, struct error *err)
{
    const char *at = text;
    for (;;) {
        struct requirement *r = add_requirement(selector);
        if (selector->count > LIMIT_SELECTOR_TERMS)
            return fail(err, ERROR_BAD_REQUEST, "selector: more than %u requirements", LIMIT_SELECTOR_TERMS);
        at = skip_blanks(at);
        bool negated = *at == '!';
        at = read_key(at + negated, r);
        if (r->key[0] == '\0')
            return fail(err, ERROR_BAD_REQUEST, "unable to parse requirement: found '%.40s', expected: a key", at);
        if (negated)
            r->operation = EXISTS_NOT;
        else
            at = read_operation(at, r);
        if (!at)
            return fail(err, ERROR_BAD_REQUEST,
                        "unable to parse requirement in \"%.100s\": expected (value, …) after %s", text, r->key);
        at = skip_blanks(at);
        if (*at == '\0')
            return 0;
        if (*at != ',')
            return fail(err, ERROR_BAD_REQUEST,
                        "unable to parse requirement: found '%.40s', expected: '=', '!=', '==', 'in', 'notin' or ','",
                        at);
        at++;
    }
}

int selector_parse_labels(const char *text, struct selector **ret_selector, struct error *err)
{
    *ret_selector = NULL;
    if (!text || *skip_blanks(text) == '\0')
        return 0;
    auto_selector *selector = must_calloc(1, sizeof *selector);
    if (parse(text, selector, err) < 0)
        return -1;
    *ret_selector = take(selector);
    return 0;
}

static bool is_known_field(const char *path, const char *const *known)
{
    if (strcmp(path, "metadata.name") == 0 || strcmp(path, "metadata.namespace") == 0)
        return true;
    for (; known && *known; known++)
        if (strcmp(*known, path) == 0)
            return true;
    return false;
}

int selector_parse_fields(const char *text, const char *const *known, struct selector **ret_selector, struct error *err)
{
    if (selector_parse_labels(text, ret_selector, err) < 0)
        return -1;
    struct selector *selector = *ret_selector;
    if (!selector)
        return 0;
    selector->of_fields = true;
    for (size_t i = 0; i < selector->count; i++) {
        const struct requirement *r = &selector->requirement[i];
        if (r->operation != IS && r->operation != IS_NOT)
            fail(err, ERROR_BAD_REQUEST, "invalid field selector: \"%.100s\"; only = and != are understood", text);
        else if (!is_known_field(r->key, known))
            fail(err, ERROR_BAD_REQUEST, "field label not supported: %s", r->key);
        else
            continue;
        selector_free(take(*ret_selector));
        return -1;
    }
    return 0;
}

static bool has_value(const struct requirement *r, const char *value)
{
    for (size_t i = 0; i < r->value_count; i++)
        if (strcmp(r->value[i], value) == 0)
            return true;
    return false;
}

static bool compare(const struct requirement *r, const char *value)
{
    char *end, *wanted_end;
    long long found = strtoll(value, &end, 10);
    long long wanted = strtoll(r->value[0], &wanted_end, 10);
    if (end == value || *end || wanted_end == r->value[0] || *wanted_end)
        return false;
    return r->operation == GREATER ? found > wanted : found < wanted;
}

static bool holds(const struct requirement *r, const char *value)
{
    switch (r->operation) {
    case IS:
    case IS_ONE_OF:
        return value && has_value(r, value);
    case IS_NOT:
    case IS_NONE_OF:
        return !value || !has_value(r, value);
    case EXISTS:
        return value != NULL;
    case EXISTS_NOT:
        return value == NULL;
    case GREATER:
    case LESS:
        return value && compare(r, value);
    }
    return false;
}

bool selector_matches(const struct selector *selector, const json_t *object)
{
    if (!selector)
        return true;
    const json_t *labels = json_at(object, "metadata.labels");
    for (size_t i = 0; i < selector->count; i++) {
        const struct requirement *r = &selector->requirement[i];
        const char *value =
            selector->of_fields ? json_text_at(object, r->key, "") : json_string_value(json_object_get(labels, r->key));
        if (!holds(r, value))
            return false;
    }
    return true;
}
