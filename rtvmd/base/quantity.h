/* Kubernetes quantities: "1Gi", "1500m", "2", "1e9". An exact fixed-point number of nano-units; anything finer is
 * rounded up and anything past 2^63-1 units is capped, as Kubernetes does. A plain value: copy with =. */
#pragma once

#include "rtvmd/base/json.h"

/* How it was written, which is how it is printed: 1000 -> "1k", 1024 -> "1Ki" when it came with a binary suffix. */
enum quantity_style { QUANTITY_DECIMAL, QUANTITY_BINARY, QUANTITY_EXPONENT };

__extension__ typedef __int128 quantity_nano;

struct quantity {
    quantity_nano nano;
    enum quantity_style style;
};

/* Both grammars must agree: the schema's pattern (sign, digits with an optional fraction, a suffix of
 * Ki Mi Gi Ti Pi Ei n u m k M G T P E, or e/E with an exponent) and the parser's. ERROR_INVALID carries the sentence
 * Kubernetes has for it, without field or value. */
int quantity_parse(const char *s, struct quantity *ret_quantity, struct error *err);
/* A JSON string (blanks around it are ignored) or number. Also ERROR_INVALID for other types and NULL. */
int quantity_from_json(const json_t *value, struct quantity *ret_quantity, struct error *err);

struct quantity quantity_of(int64_t units, enum quantity_style style);

/* Canonical form ("1536Mi", "1500m", "5e9"): no fraction, the largest suffix that loses nothing. */
enum { QUANTITY_TEXT_MAX = 48 };
struct quantity_text {
    char text[QUANTITY_TEXT_MAX];
};
const char *quantity_format(const struct quantity *q, struct quantity_text *buffer);

/* Whole units and thousandths, rounded away from zero, saturating. */
int64_t quantity_value(const struct quantity *q);
int64_t quantity_milli(const struct quantity *q);
int quantity_compare(const struct quantity *a, const struct quantity *b);
