/* The value is a whole number of nano-units in 128 bits: the cap of 2^63-1 units needs 94 of them, so sums and the
 * intermediate products below cannot overflow.
 *
 * Decimal suffixes only move the decimal point, so the digits are read with their weight in nano-units and the rest is
 * rounded up. Binary suffixes multiply: the digits before the point exactly, those after it by Horner's rule from the
 * last digit (x = (x + digit * unit) / 10), where every remainder means "round up". */
#include "rtvmd/base/quantity.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const quantity_nano NANO = 1000000000;
static const quantity_nano CAP = (quantity_nano)INT64_MAX * 1000000000;

static const char WRONG_FORMAT[] =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
static const char WRONG_SUFFIX[] = "unable to parse quantity's suffix";

static const struct suffix {
    const char *text;
    enum quantity_style style;
    int exponent; /* of ten, or of two */
} SUFFIXES[] = {
    {"n", QUANTITY_DECIMAL, -9}, {"u", QUANTITY_DECIMAL, -6}, {"m", QUANTITY_DECIMAL, -3}, {"", QUANTITY_DECIMAL, 0},
    {"k", QUANTITY_DECIMAL, 3},  {"M", QUANTITY_DECIMAL, 6},  {"G", QUANTITY_DECIMAL, 9},  {"T", QUANTITY_DECIMAL, 12},
    {"P", QUANTITY_DECIMAL, 15}, {"E", QUANTITY_DECIMAL, 18}, {"Ki", QUANTITY_BINARY, 10}, {"Mi", QUANTITY_BINARY, 20},
    {"Gi", QUANTITY_BINARY, 30}, {"Ti", QUANTITY_BINARY, 40}, {"Pi", QUANTITY_BINARY, 50}, {"Ei", QUANTITY_BINARY, 60},
};

/* The written number, cut into its parts. */
struct written {
    bool negative;
    const char *whole; /* digits before the point, leading zeros skipped */
    size_t whole_count;
    const char *fraction;
    size_t fraction_count;
    enum quantity_style style;
    int64_t exponent;
};

static const char *skip_digits(const char *s)
{
    while (*s >= '0' && *s <= '9')
        s++;
    return s;
}

static int read_exponent(const char *s, int64_t *ret_exponent)
{
    bool negative = *s == '-';
    if (*s == '-' || *s == '+')
        s++;
    if (*s == '\0' || *skip_digits(s) != '\0')
        return -1;
    int64_t value = 0;
    for (; *s; s++)
        value = value > 100000 ? value : value * 10 + (*s - '0'); /* far past the cap already */
    *ret_exponent = negative ? -value : value;
    return 0;
}

static int read_suffix(const char *s, struct written *w, struct error *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(SUFFIXES); i++) {
        if (strcmp(s, SUFFIXES[i].text) == 0) {
            w->style = SUFFIXES[i].style;
            w->exponent = SUFFIXES[i].exponent;
            return 0;
        }
    }
    if (*s == 'e' || *s == 'E') {
        w->style = QUANTITY_EXPONENT;
        if (read_exponent(s + 1, &w->exponent) == 0)
            return 0;
    }
    const char *letters = s + strspn(s, "eEinumkKMGTP");
    const char *rest = skip_digits(letters + (*letters == '-' || *letters == '+'));
    return fail(err, ERROR_INVALID, "%s", *rest == '\0' ? WRONG_SUFFIX : WRONG_FORMAT);
}

static int read_parts(const char *s, struct written *w, struct error *err)
{
    w->negative = *s == '-';
    if (*s == '-' || *s == '+')
        s++;
    const char *end = skip_digits(s);
    size_t digits = (size_t)(end - s);
    w->whole = s + strspn(s, "0");
    w->whole_count = w->whole < end ? (size_t)(end - w->whole) : 0;
    if (*end == '.') {
        w->fraction = end + 1;
        end = skip_digits(w->fraction);
        w->fraction_count = (size_t)(end - w->fraction);
        digits += w->fraction_count;
    }
    if (digits == 0)
        return fail(err, ERROR_INVALID, "%s", WRONG_FORMAT);
    return read_suffix(end, w, err);
}

static int digit_at(const struct written *w, size_t i)
{
    if (i < w->whole_count)
        return w->whole[i] - '0';
    return w->fraction[i - w->whole_count] - '0';
}

static quantity_nano decimal_nano(const struct written *w)
{
    size_t count = w->whole_count + w->fraction_count;
    size_t first = 0; /* leading zeros of "0.000…1" have no weight worth capping for */
    while (first < count && digit_at(w, first) == 0)
        first++;
    if (first == count)
        return 0;
    int64_t weight = (int64_t)w->whole_count - 1 - (int64_t)first + w->exponent; /* power of ten of that digit */
    if (weight > 18)
        return CAP;
    quantity_nano nano = 0;
    size_t i = first;
    for (; weight >= -9; weight--, i++)
        nano = nano * 10 + (i < count ? digit_at(w, i) : 0);
    for (; i < count; i++)
        if (digit_at(w, i) != 0)
            return nano + 1;
    return nano;
}

static quantity_nano binary_nano(const struct written *w)
{
    if (w->whole_count > 19)
        return CAP;
    quantity_nano whole = 0;
    for (size_t i = 0; i < w->whole_count; i++)
        whole = whole * 10 + (w->whole[i] - '0');
    quantity_nano unit = (quantity_nano)1 << w->exponent;
    if (whole > INT64_MAX / unit)
        return CAP;
    quantity_nano rest = 0;
    bool inexact = false;
    for (size_t i = w->fraction_count; i-- > 0;) {
        rest += (w->fraction[i] - '0') * unit * NANO;
        inexact |= rest % 10 != 0;
        rest /= 10;
    }
    return whole * unit * NANO + rest + inexact;
}

int quantity_parse(const char *s, struct quantity *ret_quantity, struct error *err)
{
    struct written w = {.fraction = ""};
    if (read_parts(s, &w, err) < 0)
        return -1;
    quantity_nano nano = w.style == QUANTITY_BINARY ? binary_nano(&w) : decimal_nano(&w);
    if (nano > CAP)
        nano = CAP;
    if (w.style == QUANTITY_BINARY && nano > 0 && nano < NANO)
        w.style = QUANTITY_DECIMAL;
    *ret_quantity = (struct quantity){w.negative ? -nano : nano, w.style};
    return 0;
}

int quantity_from_json(const json_t *value, struct quantity *ret_quantity, struct error *err)
{
    if (json_is_string(value)) {
        const char *s = json_string_value(value);
        size_t start = strspn(s, " \t\r\n");
        size_t length = strlen(s + start);
        while (length > 0 && strchr(" \t\r\n", s[start + length - 1]))
            length--;
        auto_free char *trimmed = must_strndup(s + start, length);
        return quantity_parse(trimmed, ret_quantity, err);
    }
    if (!json_is_number(value))
        return fail(err, ERROR_INVALID, "%s", WRONG_FORMAT);
    auto_free char *text = json_to_text(value);
    return quantity_parse(text, ret_quantity, err);
}

struct quantity quantity_of(int64_t units, enum quantity_style style)
{
    return (struct quantity){units * NANO, style};
}

static const char *suffix_text(enum quantity_style style, int exponent)
{
    for (size_t i = 0; i < ARRAY_SIZE(SUFFIXES); i++)
        if (SUFFIXES[i].style == style && SUFFIXES[i].exponent == exponent)
            return SUFFIXES[i].text;
    return "";
}

static void format_number(char *out, size_t size, bool negative, quantity_nano number)
{
    /* Only a capped value in nano-units is wider than 64 bits, and it ends in zeros: never printed in full. */
    uint64_t high = (uint64_t)(number / 10000000000);
    uint64_t low = (uint64_t)(number % 10000000000);
    if (high)
        snprintf(out, size, "%s%" PRIu64 "%010" PRIu64, negative ? "-" : "", high, low);
    else
        snprintf(out, size, "%s%" PRIu64, negative ? "-" : "", low);
}

static const char *format_decimal(const struct quantity *q, quantity_nano nano, struct quantity_text *buffer)
{
    int exponent = -9;
    while (exponent < 18 && nano % 1000 == 0) {
        nano /= 1000;
        exponent += 3;
    }
    format_number(buffer->text, sizeof buffer->text, q->nano < 0, nano);
    size_t used = strlen(buffer->text);
    if (q->style == QUANTITY_EXPONENT && exponent != 0)
        snprintf(buffer->text + used, sizeof buffer->text - used, "e%d", exponent);
    else if (exponent != 0)
        snprintf(buffer->text + used, sizeof buffer->text - used, "%s", suffix_text(QUANTITY_DECIMAL, exponent));
    return buffer->text;
}

const char *quantity_format(const struct quantity *q, struct quantity_text *buffer)
{
    quantity_nano nano = q->nano < 0 ? -q->nano : q->nano;
    if (nano == 0) {
        snprintf(buffer->text, sizeof buffer->text, "0");
        return buffer->text;
    }
    if (q->style != QUANTITY_BINARY || nano < 1024 * NANO || nano % NANO != 0)
        return format_decimal(q, nano, buffer);
    quantity_nano units = nano / NANO;
    int exponent = 0;
    while (exponent < 60 && units % 1024 == 0) {
        units /= 1024;
        exponent += 10;
    }
    format_number(buffer->text, sizeof buffer->text, q->nano < 0, units);
    size_t used = strlen(buffer->text);
    snprintf(buffer->text + used, sizeof buffer->text - used, "%s", suffix_text(QUANTITY_BINARY, exponent));
    return buffer->text;
}

static int64_t rounded(quantity_nano nano, quantity_nano unit)
{
    quantity_nano value = nano / unit;
    if (nano % unit != 0)
        value += nano < 0 ? -1 : 1;
    if (value > INT64_MAX)
        return INT64_MAX;
    return value < INT64_MIN ? INT64_MIN : (int64_t)value;
}

int64_t quantity_value(const struct quantity *q)
{
    return rounded(q->nano, NANO);
}

int64_t quantity_milli(const struct quantity *q)
{
    return rounded(q->nano, NANO / 1000);
}

int quantity_compare(const struct quantity *a, const struct quantity *b)
{
    return (a->nano > b->nano) - (a->nano < b->nano);
}
