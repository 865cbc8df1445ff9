/* What an unquoted YAML scalar is. Kubernetes reads YAML with the 1.1 habits of its Go library, and manifests in the
 * wild rely on them (`running: yes`), so the same table is used here: words first, then integers with Go's prefixes and
 * underscores, then floats; everything else, dates included, is a string. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/spec/yaml.h"

enum word { WORD_NULL, WORD_TRUE, WORD_FALSE, WORD_NO_VALUE };

/* Each word counts in these three ways of writing it: all small, Capitalized, ALL CAPITALS. */
static const struct {
    const char *text;
    enum word word;
} WORDS[] = {
    {"", WORD_NULL},         {"~", WORD_NULL},         {"null", WORD_NULL},      {"y", WORD_TRUE},
    {"yes", WORD_TRUE},      {"true", WORD_TRUE},      {"on", WORD_TRUE},        {"n", WORD_FALSE},
    {"no", WORD_FALSE},      {"false", WORD_FALSE},    {"off", WORD_FALSE},      {".nan", WORD_NO_VALUE},
    {".inf", WORD_NO_VALUE}, {"+.inf", WORD_NO_VALUE}, {"-.inf", WORD_NO_VALUE},
};

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool evenly_written(const char *s)
{
    while (*s && !is_upper(*s) && !is_lower(*s))
        s++;
    bool first_upper = is_upper(*s);
    bool has_upper = false;
    bool has_lower = false;
    for (s += *s != '\0'; *s; s++) {
        has_upper |= is_upper(*s);
        has_lower |= is_lower(*s);
    }
    return !has_upper || (first_upper && !has_lower);
}

/* Go's strconv with base 0, underscores already dropped. 1: an integer; 0: not one; -1: one that is too large. */
static int read_integer(const char *s, json_int_t *ret_value)
{
    bool negative = *s == '-';
    const char *digits = s + (*s == '-' || *s == '+');
    int base = 10;
    if (digits[0] == '0' && digits[1] != '\0') {
        char prefix = (char)(digits[1] | 0x20);
        base = prefix == 'x' ? 16 : prefix == 'b' ? 2 : 8;
        digits += base == 8 && prefix != 'o' ? 1 : 2;
    }
    if (*digits == '\0')
        return 0;
    uint64_t value = 0;
    bool overflow = false;
    for (; *digits; digits++) {
        int digit = *digits >= '0' && *digits <= '9' ? *digits - '0' : (*digits | 0x20) - 'a' + 10;
        if (digit < 0 || digit >= base)
            return 0;
        overflow |= __builtin_mul_overflow(value, (uint64_t)base, &value);
        overflow |= __builtin_add_overflow(value, (uint64_t)digit, &value);
    }
    if (overflow || value > (uint64_t)INT64_MAX + negative)
        return -1;
    *ret_value = negative ? (json_int_t)(0 - value) : (json_int_t)value;
    return 1;
}

static const char *skip_digits(const char *s)
{
    while (*s >= '0' && *s <= '9')
        s++;
    return s;
}

static bool looks_like_float(const char *s)
{
    s += *s == '-' || *s == '+';
    const char *end = skip_digits(s);
    bool whole = end > s;
    if (*end == '.') {
        const char *fraction = end + 1;
        end = skip_digits(fraction);
        if (!whole && end == fraction)
            return false;
    } else if (!whole) {
        return false;
    }
    if (*end == 'e' || *end == 'E') {
        end += 1 + (end[1] == '-' || end[1] == '+');
        if (skip_digits(end) == end)
            return false;
        end = skip_digits(end);
    }
    return *end == '\0';
}

static json_t *read_number(const char *text, size_t length)
{
    auto_free char *plain = must_calloc(length + 1, 1);
    size_t n = 0;
    for (size_t i = 0; i < length; i++)
        if (text[i] != '_')
            plain[n++] = text[i];
    json_int_t integer;
    int is_integer = read_integer(plain, &integer);
    if (is_integer > 0)
        return json_integer(integer);
    if (is_integer < 0)
        return NULL;
    if (looks_like_float(plain)) {
        errno = 0;
        double value = strtod(plain, NULL); /* the locale is never set: always a point */
        return value > -1e308 && value < 1e308 ? json_real(value) : NULL;
    }
    return json_stringn(text, length);
}

json_t *yaml_plain_value(const char *text, size_t length)
{
    if (memchr(text, '\0', length))
        return json_stringn(text, length);
    auto_free char *word = must_strndup(text, length);
    for (size_t i = 0; i < ARRAY_SIZE(WORDS); i++) {
        if (strcasecmp(word, WORDS[i].text) != 0 || !(evenly_written(word) || strcmp(word, ".NaN") == 0))
            continue;
        switch (WORDS[i].word) {
        case WORD_NULL:
            return json_null();
        case WORD_TRUE:
            return json_true();
        case WORD_FALSE:
            return json_false();
        case WORD_NO_VALUE:
            return NULL;
        }
    }
    /* ".5" but not "." or ".hidden": the check for digits is in read_number */
    if ((*text >= '0' && *text <= '9') || *text == '-' || *text == '+' || *text == '.')
        return read_number(text, length);
    return json_stringn(text, length);
}
