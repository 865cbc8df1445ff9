#include "rtvmd/base/bytes.c"

#include "tests/test.h"

static void digests_known_answers(void)
{
    /* FIPS 180-4 examples */
    char hex[DIGEST_TEXT_MAX];
    struct digest *d = digest_new();
    digest_finish(d, hex);
    CHECK_TEXT(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    d = digest_new();
    digest_add(d, "a", 1);
    digest_add(d, "bc", 2);
    digest_finish(d, hex);
    CHECK_TEXT(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_finish(digest_new(), NULL);
}

static void decodes_base64(void)
{
    static const struct {
        const char *text;
        const char *bytes; /* NULL: refused */
    } CASES[] = {
        {"", ""},       {"Zg==", "f"},      {"Zm8=", "fo"},     {"Zm9v", "foo"}, {"Zm9v\nYmFy\r\n", "foobar"},
        {"Zg", NULL},   {"Zg=", NULL},      {"Zg==Zg==", NULL}, {"Zm9*", NULL},  {"Z m9", NULL},
        {"====", NULL}, {"Zm9v Zm9", NULL}, {"_-8=", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        auto_text bytes = {0};
        struct error err;
        int r = base64_decode(CASES[i].text, strlen(CASES[i].text), &bytes, &err);
        CHECK_INT(r, CASES[i].bytes ? 0 : -1);
        if (CASES[i].bytes)
            CHECK_TEXT(text_cstr(&bytes), CASES[i].bytes);
    }
}

static void encodes_base64(void)
{
    auto_text text = {0};
    base64_encode("", 0, &text);
    CHECK_TEXT(text_cstr(&text), "");
    base64_encode("fo\0b", 4, &text);
    CHECK_TEXT(text_cstr(&text), "Zm8AYg==");
}

int main(void)
{
    RUN(digests_known_answers);
    RUN(decodes_base64);
    RUN(encodes_base64);
    return test_end();
}
