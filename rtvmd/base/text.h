/* Growing text. Appending never fails (see base.h on memory); data is always NUL-terminated, NULL only when empty and
 * fresh (text_cstr() gives "" then). */
#pragma once

#include "rtvmd/base/base.h"

struct text {
    char *data;
    size_t length;
    size_t capacity;
};

#define auto_text __attribute__((cleanup(text_finish))) struct text

void text_finish(struct text *t);
void text_clear(struct text *t);
void text_append(struct text *t, const char *s);
void text_append_n(struct text *t, const void *bytes, size_t n);
void text_printf(struct text *t, const char *format, ...) PRINTF_LIKE(2, 3);
const char *text_cstr(const struct text *t);
/* Gives the heap string away (never NULL; the caller frees) and leaves *t empty. */
char *text_take(struct text *t);

/* Text that several hold: it never changes and goes with its last holder. Of one thread. */
struct shared_text {
    size_t holders;
    size_t length;
    char *data;
};
struct shared_text *shared_text_new(char *data); /* takes the heap string; the caller is its first holder */
struct shared_text *shared_text_hold(struct shared_text *text);
void shared_text_release(struct shared_text *text); /* NULL is fine */

bool text_starts_with(const char *s, const char *prefix);
bool text_ends_with(const char *s, const char *suffix);
/* NULL-safe equality; NULL equals only NULL. */
bool text_equal(const char *a, const char *b);
/* FNV-1a of a string, begun with TEXT_HASH_BEGIN or going on from the hash of what came before. The same in every
 * release: names of folders are made from it. */
#define TEXT_HASH_BEGIN UINT64_C(14695981039346656037)
uint64_t text_hash(uint64_t hash, const char *s);
/* Whole string as unsigned decimal: digits only, no sign, no blanks, no overflow. */
bool text_to_u64(const char *s, uint64_t *ret_value);
/* Such a number at the start of s, of at most max. Returns what stands behind it, or NULL. */
const char *text_number(const char *s, uint64_t max, uint64_t *ret_value);

/* "2 MiB", "1.5 GiB": the largest unit that leaves at least 1, for people. Returns a pointer into buffer. */
struct size_text {
    char text[32];
};
const char *size_format(uint64_t bytes, struct size_text *buffer);

/* A table for people: cells are copied, columns are padded on output, the last column is not. */
struct text_table {
    unsigned columns;
    size_t cells;
    char **cell;
};
void text_table_cell(struct text_table *table, const char *format, ...) PRINTF_LIKE(2, 3);
/* Writes the rows (the first `columns` cells are the head) and frees the cells. */
void text_table_write(struct text_table *table, struct text *out);
