/* The kernel's trace, whose lines hold thread names that anybody chooses: the reader must stay inside the line and
 * count the same however the text is cut. */
#include "runtime/latency/noise.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free struct noise *whole = must_calloc(1, sizeof *whole);
    auto_free struct noise *pieces = must_calloc(1, sizeof *pieces);
    noise_feed(whole, (const char *)data, size);
    for (size_t at = 0; at < size; at += 7)
        noise_feed(pieces, (const char *)data + at, size - at < 7 ? size - at : 7);
    auto_json *a = noise_json(whole);
    auto_json *b = noise_json(pieces);
    if (!a || !json_equal(a, b))
        abort();
    return 0;
}
