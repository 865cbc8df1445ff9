#include "api/http/frames.c"
#include "rtvmd/base/base.h"
#include "tests/test.h"

static struct text heard;

static void on_frame(enum frame_kind kind, const unsigned char *bytes, size_t length, bool final, void *arg)
{
    (void)arg;
    if (kind != FRAME_DATA)
        text_printf(&heard, "<%d:", (int)kind);
    text_append_n(&heard, bytes, length);
    text_append(&heard, kind != FRAME_DATA ? ">" : final ? "." : "");
}

static int feed(struct frame_reader *reader, const void *bytes, size_t length, size_t piece)
{
    for (size_t at = 0; at < length; at += piece) {
        unsigned char copy[70000];
        size_t n = length - at < piece ? length - at : piece;
        memcpy(copy, (const char *)bytes + at, n);
        int wrong = frame_read(reader, copy, n);
        if (wrong)
            return wrong;
    }
    return 0;
}

static void frames_survive_any_cut(void)
{
    static const size_t sizes[] = {0, 1, 125, 126, 65535, 65536};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        for (int from_client = 0; from_client < 2; from_client++) {
            auto_free char *payload = must_calloc(sizes[i] + 1, 1);
            memset(payload, 'x', sizes[i]);
            auto_text wire = {0};
            frame_write(FRAME_DATA, from_client, payload, sizes[i], &wire);
            frame_write(FRAME_PING, from_client, "hi", 2, &wire);
            frame_write_close(from_client, 1000, &wire);
            static const size_t pieces[] = {1, 3, 70000};
            for (size_t p = 0; p < ARRAY_SIZE(pieces); p++) {
                struct frame_reader reader = {.from_client = from_client, .on_frame = on_frame};
                text_clear(&heard);
                CHECK_INT(feed(&reader, wire.data, wire.length, pieces[p]), 0);
                CHECK_INT(heard.length, sizes[i] + 1 + 6 + 6);
                CHECK(memcmp(text_cstr(&heard), payload, sizes[i]) == 0);
                CHECK(strstr(text_cstr(&heard) + sizes[i], ".<1:hi><3:\x03\xe8>") != NULL);
            }
        }
    }
}

static void fragments_are_one_message(void)
{
    const unsigned char wire[] = {0x02, 2, 'a', 'b', 0x89, 1, 'p', 0x00, 1, 'c', 0x80, 1, 'd'};
    struct frame_reader reader = {.on_frame = on_frame};
    text_clear(&heard);
    CHECK_INT(feed(&reader, wire, sizeof wire, 1), 0);
    CHECK_TEXT(text_cstr(&heard), "ab<1:p>cd.");
}

static void broken_frames_are_refused(void)
{
    static const struct {
        unsigned char wire[16];
        size_t length;
        bool from_client;
    } cases[] = {
        {{0x82, 1, 'x'}, 3, true},                           /* not masked */
        {{0x82, 0x81, 0, 0, 0, 0, 'x'}, 7, false},           /* masked */
        {{0xc2, 1, 'x'}, 3, false},                          /* reserved bit */
        {{0x83, 1, 'x'}, 3, false},                          /* reserved opcode */
        {{0x8b, 0}, 2, false},                               /* reserved control opcode */
        {{0x09, 0}, 2, false},                               /* fragmented ping */
        {{0x89, 126, 0, 126}, 4, false},                     /* long ping */
        {{0x80, 1, 'x'}, 3, false},                          /* continuation of nothing */
        {{0x02, 1, 'x', 0x82, 1, 'y'}, 6, false},            /* a new message inside one */
        {{0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0}, 10, false}, /* 2^63 bytes */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct frame_reader reader = {.from_client = cases[i].from_client, .on_frame = on_frame};
        if (feed(&reader, cases[i].wire, cases[i].length, 1) != 1002) {
            printf("# case %zu was taken\n", i);
            test_failures++;
        }
    }
}

int main(void)
{
    RUN(frames_survive_any_cut);
    RUN(fragments_are_one_message);
    RUN(broken_frames_are_refused);
    text_finish(&heard);
    return test_end();
}
