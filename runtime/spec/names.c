#include "runtime/spec/names.h"

#include <string.h>

#define LABEL_PATTERN "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
#define NAME_PATTERN "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"

enum { LABEL_MAX = 63, SUBDOMAIN_MAX = 253, PORT_MAX = 15 };

static bool is_lower(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

static bool is_label(const char *s, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!is_lower(s[i]) && !(s[i] == '-' && i > 0 && i + 1 < length))
            return false;
    return length > 0;
}

static bool is_subdomain(const char *s)
{
    for (;;) {
        size_t length = strcspn(s, ".");
        if (!is_label(s, length))
            return false;
        if (s[length] == '\0')
            return true;
        s += length + 1;
    }
}

static bool is_qualified(const char *s, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!is_alnum(s[i]) && !(strchr("-_.", s[i]) && i > 0 && i + 1 < length))
            return false;
    return length > 0;
}

static void complain(struct text *out, size_t *count, const char *sentence)
{
    text_printf(out, "%s%s", *count ? ", " : "", sentence);
    (*count)++;
}

static void complain_length(struct text *out, size_t *count, const char *part, size_t length, size_t max)
{
    if (length <= max)
        return;
    auto_free char *sentence = must_format("%smust be no more than %zu characters", part, max);
    complain(out, count, sentence);
}

static void check_label(const char *name, struct text *out, size_t *count)
{
    complain_length(out, count, "", strlen(name), LABEL_MAX);
    if (is_label(name, strlen(name)))
        return;
    if (is_subdomain(name))
        complain(out, count, "must not contain dots");
    else
        complain(out, count,
                 "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must "
                 "start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for "
                 "validation is '" LABEL_PATTERN "')");
}

static void check_subdomain(const char *name, struct text *out, size_t *count)
{
    complain_length(out, count, "", strlen(name), SUBDOMAIN_MAX);
    if (!is_subdomain(name))
        complain(out, count,
                 "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and "
                 "must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
                 "'" LABEL_PATTERN "(\\." LABEL_PATTERN ")*')");
}

static void check_port(const char *name, struct text *out, size_t *count)
{
    size_t length = strlen(name);
    bool charset = true;
    bool letter = false;
    for (size_t i = 0; i < length; i++) {
        charset &= is_lower(name[i]) || name[i] == '-';
        letter |= name[i] >= 'a' && name[i] <= 'z';
    }
    complain_length(out, count, "", length, PORT_MAX);
    if (!charset || length == 0)
        complain(out, count, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
    if (!letter)
        complain(out, count, "must contain at least one letter (a-z)");
    if (strstr(name, "--"))
        complain(out, count, "must not contain consecutive hyphens");
    if (length > 0 && (name[0] == '-' || name[length - 1] == '-'))
        complain(out, count, "must not begin or end with a hyphen");
}

static void check_key(const char *key, struct text *out, size_t *count)
{
    const char *slash = strchr(key, '/');
    const char *name = slash ? slash + 1 : key;
    if (slash) {
        auto_free char *prefix = must_strndup(key, (size_t)(slash - key));
        auto_text inner = {0};
        if (name_complaints(NAME_DNS_SUBDOMAIN, prefix, &inner)) {
            auto_free char *sentence = must_format("prefix part %s", *prefix ? text_cstr(&inner) : "must be non-empty");
            complain(out, count, sentence);
        }
    }
    if (*name == '\0')
        complain(out, count, "name part must be non-empty");
    complain_length(out, count, "name part ", strlen(name), LABEL_MAX);
    if (!is_qualified(name, strlen(name)))
        complain(out, count,
                 "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
                 "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
                 "'" NAME_PATTERN "')");
}

static void check_value(const char *value, struct text *out, size_t *count)
{
    complain_length(out, count, "", strlen(value), LABEL_MAX);
    if (*value && !is_qualified(value, strlen(value)))
        complain(out, count,
                 "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and "
                 "must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', "
                 "regex used for validation is '(" NAME_PATTERN ")?')");
}

size_t name_complaints(enum name_kind kind, const char *name, struct text *ret_text)
{
    static void (*const CHECKS[])(const char *, struct text *, size_t *) = {
        [NAME_DNS_LABEL] = check_label, [NAME_DNS_SUBDOMAIN] = check_subdomain, [NAME_PORT] = check_port,
        [NAME_LABEL_KEY] = check_key,   [NAME_LABEL_VALUE] = check_value,
    };
    size_t count = 0;
    CHECKS[kind](name, ret_text, &count);
    return count;
}

bool name_is_valid(enum name_kind kind, const char *name)
{
    auto_text ignored = {0};
    return name_complaints(kind, name, &ignored) == 0;
}
