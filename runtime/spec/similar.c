#include "runtime/spec/similar.h"

#include <string.h>

enum { WORD_MAX = 64 };

struct similar similar_to(const char *word)
{
    size_t length = strlen(word);
    return (struct similar){word, NULL, length <= WORD_MAX ? (unsigned)length / 3 + 1 : 0};
}

static char small(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: rows of the table of distances between the beginnings of both words. */
static unsigned distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    unsigned rows[3][WORD_MAX + 1];
    for (unsigned j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3];
        const unsigned *two_above = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_length; j++) {
            unsigned differs = small(a[i - 1]) != small(b[j - 1]);
            row[j] = least(least(above[j] + 1, row[j - 1] + 1), above[j - 1] + differs);
            if (i > 1 && j > 1 && small(a[i - 1]) == small(b[j - 2]) && small(a[i - 2]) == small(b[j - 1]))
                row[j] = least(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

void similar_consider(struct similar *similar, const char *candidate)
{
    size_t length = strlen(candidate);
    size_t word_length = strlen(similar->word);
    if (length > WORD_MAX || word_length > WORD_MAX)
        return;
    unsigned d = distance(similar->word, word_length, candidate, length);
    if (d < similar->distance) {
        similar->distance = d;
        similar->best = candidate;
    }
}
