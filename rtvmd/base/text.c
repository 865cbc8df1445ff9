#include "rtvmd/base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_finish(struct text *t)
{
    free(t->data);
    *t = (struct text){0};
}

void text_clear(struct text *t)
{
    t->length = 0;
    if (t->data)
        t->data[0] = '\0';
}

static void reserve(struct text *t, size_t more)
{
    size_t need = t->length + more + 1;
    if (need <= t->capacity)
        return;
    size_t capacity = t->capacity ? t->capacity : 64;
    while (capacity < need)
        capacity *= 2;
    t->data = must_realloc(t->data, capacity, 1);
    t->capacity = capacity;
}

void text_append_n(struct text *t, const void *bytes, size_t n)
{
    reserve(t, n);
    if (n > 0)
        memcpy(t->data + t->length, bytes, n);
    t->length += n;
    t->data[t->length] = '\0';
}

void text_append(struct text *t, const char *s)
{
    text_append_n(t, s, strlen(s));
}

void text_printf(struct text *t, const char *format, ...)
{
    va_list args;
    va_list again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n > 0) {
        reserve(t, (size_t)n);
        vsnprintf(t->data + t->length, (size_t)n + 1, format, again);
        t->length += (size_t)n;
    }
    va_end(again);
}

const char *text_cstr(const struct text *t)
{
    return t->data ? t->data : "";
}

char *text_take(struct text *t)
{
    char *s = t->data ? t->data : must_strdup("");
    *t = (struct text){0};
    return s;
}

struct shared_text *shared_text_new(char *data)
{
    struct shared_text *text = must_calloc(1, sizeof *text);
    *text = (struct shared_text){1, strlen(data), data};
    return text;
}

struct shared_text *shared_text_hold(struct shared_text *text)
{
    text->holders++;
    return text;
}

void shared_text_release(struct shared_text *text)
{
    if (!text || --text->holders > 0)
        return;
    free(text->data);
    free(text);
}

bool text_starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool text_ends_with(const char *s, const char *suffix)
{
    size_t n = strlen(s);
    size_t m = strlen(suffix);
    return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

bool text_equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

uint64_t text_hash(uint64_t hash, const char *s)
{
    for (; *s; s++)
        hash = (hash ^ (unsigned char)*s) * 1099511628211u;
    return (hash ^ 0xff) * 1099511628211u; /* a byte no text has: "ab", "c" is not "a", "bc" */
}

const char *text_number(const char *s, uint64_t max, uint64_t *ret_value)
{
    if (*s < '0' || *s > '9')
        return NULL;
    uint64_t value = 0;
    for (; *s >= '0' && *s <= '9'; s++) {
        uint64_t digit = (uint64_t)(*s - '0');
        if (digit > max || value > (max - digit) / 10)
            return NULL;
        value = value * 10 + digit;
    }
    *ret_value = value;
    return s;
}

bool text_to_u64(const char *s, uint64_t *ret_value)
{
    uint64_t value;
    const char *end = text_number(s, UINT64_MAX, &value);
    if (!end || *end)
        return false;
    *ret_value = value;
    return true;
}

void text_table_cell(struct text_table *table, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *s = NULL;
    if (vasprintf(&s, format, args) < 0)
        abort();
    va_end(args);
    table->cell = must_realloc(table->cell, table->cells + 1, sizeof *table->cell);
    table->cell[table->cells++] = s;
}

/* Terminal columns of UTF-8 text: every byte that does not continue a character counts one. */
static size_t display_width(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

void text_table_write(struct text_table *table, struct text *out)
{
    for (size_t i = 0; i < table->cells; i++) {
        unsigned column = (unsigned)(i % table->columns);
        size_t width = 0;
        for (size_t j = column; j < table->cells; j += table->columns) {
            size_t w = display_width(table->cell[j]);
            width = w > width ? w : width;
        }
        text_append(out, table->cell[i]);
        if (column + 1 == table->columns)
            text_append(out, "\n");
        else
            text_printf(out, "%*s", (int)(width - display_width(table->cell[i]) + 2), "");
    }
    for (size_t i = 0; i < table->cells; i++)
        free(table->cell[i]);
    free(table->cell);
    table->cell = NULL;
    table->cells = 0;
}

const char *size_format(uint64_t bytes, struct size_text *buffer)
{
    static const char *const UNITS[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    double value = (double)bytes;
    for (; value >= 1024 && unit + 1 < ARRAY_SIZE(UNITS); unit++)
        value /= 1024;
    bool whole = value >= 100 || value == (double)(uint64_t)value;
    snprintf(buffer->text, sizeof buffer->text, whole ? "%.0f %s" : "%.1f %s", value, UNITS[unit]);
    return buffer->text;
}
