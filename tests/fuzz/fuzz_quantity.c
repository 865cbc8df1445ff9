/* Quantities: the canonical form of what is read must mean the same and be canonical itself (843.75Ki prints as 864000,
 * which reads as decimal and then prints as 864k: Kubernetes does so too). */
#include <stdlib.h>
#include <string.h>

#include "rtvmd/base/quantity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free char *text = must_strndup((const char *)data, size);
    struct quantity q;
    struct quantity again;
    struct error err;
    struct quantity_text first;
    struct quantity_text second;
    if (quantity_parse(text, &q, &err) < 0)
        return 0;
    quantity_format(&q, &first);
    if (quantity_parse(first.text, &again, &err) < 0 || quantity_compare(&q, &again) != 0)
        abort();
    if (q.style == again.style && strcmp(first.text, quantity_format(&again, &second)) != 0)
        abort();
    if ((q.nano > 0) != (quantity_value(&q) > 0) || (q.nano > 0) != (quantity_milli(&q) > 0))
        abort();
    return 0;
}
