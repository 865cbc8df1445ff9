#include "runtime/spec/manifest.c"

#include "tests/test.h"

static void takes_yaml_json_and_lists(void)
{
    static const struct {
        const char *text;
        const char *objects;
    } CASES[] = {
        {"", "[]"},
        {"\n# nothing\n---\n", "[]"},
        {"a: 1\n---\nb: 2\n", "[{\"a\":1},{\"b\":2}]"},
        {"{\"a\":\"\\ud83d\\ude00\"}", "[{\"a\":\"\xf0\x9f\x98\x80\"}]"},
        {" {\"a\":1}\n{\"b\":2} {\"c\":3}", "[{\"a\":1},{\"b\":2},{\"c\":3}]"},
        {"{\"a\":1}\n---\n{\"b\":2}\n", "[{\"a\":1},{\"b\":2}]"},
        {"---\n{a: 1, b: [x]}\n", "[{\"a\":1,\"b\":[\"x\"]}]"},
        {"kind: List\nitems:\n- a: 1\n- kind: VirtualMachineList\n  items: [{b: 2}, {c: 3}]\n---\nd: 4\n",
         "[{\"a\":1},{\"b\":2},{\"c\":3},{\"d\":4}]"},
        {"kind: List\n", "[{\"kind\":\"List\"}]"},
        {"kind: List\nitems: []\n", "[]"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct error err = {0};
        auto_json *objects = manifest_parse(CASES[i].text, strlen(CASES[i].text), &err);
        CHECK_TEXT(err.kind == ERROR_NONE ? "" : err.text, "");
        auto_free char *json = objects ? json_to_text(objects) : NULL;
        CHECK_TEXT(json, CASES[i].objects);
    }
}

static void refuses_the_rest(void)
{
    static const struct {
        const char *text;
        const char *part;
    } CASES[] = {
        {"hello\n", "document 1 is not an object"},
        {"a: 1\n---\n- b\n", "document 2 is not an object"},
        {"[{\"a\":1}]", "document 1 is not an object"},
        {"{\"a\":1,\"a\":2}", "JSON, line 1 column 10: duplicate object key"},
        {"{\"a\":1}\n\n{\"b\":}", "JSON, line 3 column "},
        {"{\"a\":\"\\u0000\"}", "JSON, line 1 column "},
        {"{\"a\":99999999999999999999}", "JSON, line 1 column "},
        {"a: &x 1\n", "anchors"},
        {"kind: List\nitems: [1]\n", "document 1 is not an object"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct error err = {0};
        auto_json *objects = manifest_parse(CASES[i].text, strlen(CASES[i].text), &err);
        CHECK(objects == NULL);
        CHECK_INT(err.kind, ERROR_BAD_REQUEST);
        if (!strstr(err.text, CASES[i].part))
            CHECK_TEXT(err.text, CASES[i].part);
    }
}

static void json_has_the_same_limits(void)
{
    auto_text deep = {0};
    for (unsigned i = 0; i <= LIMIT_MANIFEST_DEPTH; i++)
        text_append(&deep, "{\"a\":");
    text_append(&deep, "1");
    for (unsigned i = 0; i <= LIMIT_MANIFEST_DEPTH; i++)
        text_append(&deep, "}");
    auto_text many = {0};
    text_append(&many, "{\"a\":[1");
    for (unsigned i = 0; i < LIMIT_MANIFEST_NODES; i++)
        text_append(&many, ",1");
    text_append(&many, "]}");
    auto_text documents = {0};
    for (unsigned i = 0; i <= LIMIT_MANIFEST_DOCUMENTS; i++)
        text_append(&documents, "{}\n");
    auto_text large = {0};
    while (large.length <= LIMIT_MANIFEST_BYTES)
        text_append(&large, "# a comment that says nothing at all, again and again\n");
    const struct text *const cases[] = {&deep, &many, &documents, &large};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error err = {0};
        auto_json *objects = manifest_parse(cases[i]->data, cases[i]->length, &err);
        CHECK(objects == NULL);
        CHECK_INT(err.kind, ERROR_TOO_LARGE);
    }
}

int main(void)
{
    RUN(takes_yaml_json_and_lists);
    RUN(refuses_the_rest);
    RUN(json_has_the_same_limits);
    return test_end();
}
