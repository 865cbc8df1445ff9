#include "runtime/spec/yaml_read.c"

#include "runtime/spec/yaml_scalar.c"
#include "tests/test.h"

static json_t *read_text(const char *text, struct error *err)
{
    json_t *documents = json_array();
    if (yaml_read(text, strlen(text), documents, err) < 0) {
        json_decref(documents);
        return NULL;
    }
    return documents;
}

static void reads_as_kubernetes_does(void)
{
    static const struct {
        const char *yaml;
        const char *json; /* of all documents */
    } CASES[] = {
        {"", "[]"},
        {"---\n---\n", "[]"},
        {"# only a comment\n", "[]"},
        {"a: 1\nb: [x, \"2\", '3']\n", "[{\"a\":1,\"b\":[\"x\",\"2\",\"3\"]}]"},
        {"a: {b: {c: []}}\n---\nd: ~\n", "[{\"a\":{\"b\":{\"c\":[]}}},{\"d\":null}]"},
        {"a: yes\nb: Off\nc: TRUE\nd: nO\ne: y\nf: tRue\n",
         "[{\"a\":true,\"b\":false,\"c\":true,\"d\":\"nO\",\"e\":true,\"f\":\"tRue\"}]"},
        {"a: 0x1F\nb: 0o17\nc: 017\nd: 0b101\ne: 1_000\nf: -7\ng: +7\nh: 08\ni: 0\nj: -0x10\n",
         "[{\"a\":31,\"b\":15,\"c\":15,\"d\":5,\"e\":1000,\"f\":-7,\"g\":7,\"h\":8.0,\"i\":0,\"j\":-16}]"},
        {"a: 1.5\nb: .5\nc: 1e3\nd: 1.\ne: -2.5E-1\n", "[{\"a\":1.5,\"b\":0.5,\"c\":1000.0,\"d\":1.0,\"e\":-0.25}]"},
        {"a: 1Gi\nb: 02:00:00:00:00:01\nc: 2021-10-13\nd: .\ne: -\tx\nf: 1.2.3\ng: 1e\nh: 0x\ni: '1'\nj: -\n",
         NULL}, /* "-\tx" opens a sequence: refused by the syntax */
        {"a: 1Gi\nb: 02:00:00:00:00:01\nc: 2021-10-13\nd: .\ne: ..\nf: 1.2.3\ng: 1e\nh: 0x\ni: '1'\nj: -a\n",
         "[{\"a\":\"1Gi\",\"b\":\"02:00:00:00:00:01\",\"c\":\"2021-10-13\",\"d\":\".\",\"e\":\"..\",\"f\":\"1.2.3\","
         "\"g\":\"1e\",\"h\":\"0x\",\"i\":\"1\",\"j\":\"-a\"}]"},
        {"1: a\ntrue: b\n", "[{\"1\":\"a\",\"true\":\"b\"}]"},
        {"a: |\n  x\n  y\nb: >-\n  p\n  q\n", "[{\"a\":\"x\\ny\\n\",\"b\":\"p q\"}]"},
        {"a: 9223372036854775807\nb: -9223372036854775808\n",
         "[{\"a\":9223372036854775807,\"b\":-9223372036854775808}]"},
        {"\xef\xbb\xbf"
         "a: \xe2\x82\xac\n",
         "[{\"a\":\"\xe2\x82\xac\"}]"},
        {"a:\nb: ''\n", "[{\"a\":null,\"b\":\"\"}]"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct error err = {0};
        auto_json *documents = read_text(CASES[i].yaml, &err);
        if (!CASES[i].json) {
            CHECK(documents == NULL);
            continue;
        }
        CHECK_TEXT(err.text, "");
        auto_free char *json = documents ? json_to_text(documents) : NULL;
        CHECK_TEXT(json, CASES[i].json);
    }
}

static void refuses_with_line_and_column(void)
{
    static const struct {
        const char *yaml;
        const char *start;
    } CASES[] = {
        {"a: &x 1\n", "YAML, line 1 column 4: anchors are not supported"},
        {"a: &x [1]\n", "YAML, line 1 column 4: anchors are not supported"},
        {"a: &x {b: 1}\n", "YAML, line 1 column 4: anchors are not supported"},
        {"a: 1\nb: *a\n", "YAML, line 2 column 4: aliases are not supported"},
        {"*a : 1\n", "YAML, line 1 column 1: aliases are not supported"},
        {"a: !!str 1\n", "YAML, line 1 column 4: tags are not supported"},
        {"a: !x {}\n", "YAML, line 1 column 4: tags are not supported"},
        {"a: ! 1\n", "YAML, line 1 column 4: tags are not supported"},
        {"a: !!seq []\n", "YAML, line 1 column 4: tags are not supported"},
        {"a: 1\nb: 2\na: 3\n", "YAML, line 3 column 1: key \"a\" is there twice"},
        {"<<: {a: 1}\n", "YAML, line 1 column 1: merge keys"},
        {"[a]: 1\n", "YAML, line 1 column 1: a key must be a plain string"},
        {"? {a: 1}\n: 2\n", "YAML, line 1 column 3: a key must be a plain string"},
        {"a: .inf\n", "YAML, line 1 column 4: this number has no JSON form"},
        {"a: -.INF\n", "YAML, line 1 column 4: this number has no JSON form"},
        {"a: .NaN\n", "YAML, line 1 column 4: this number has no JSON form"},
        {"a: 1e999\n", "YAML, line 1 column 4: this number has no JSON form"},
        {"a: 9223372036854775808\n", "YAML, line 1 column 4: this number has no JSON form"},
        {"a: \"x\\0y\"\n", "YAML, line 1 column 4: a string may not hold NUL"},
        {"a: b\n c: d\n", "YAML, line 2 column 3: "},
        {"a: 'x\n", "YAML, line 2 column 1: found unexpected end of stream"},
        {"a: \xff\n", "YAML, byte 3: "},
        {"%TAG ! tag:x,2000:\n---\na: 1\n", "YAML, line 1 column 1: %TAG is not supported"},
        {"a:\n\t- b\n", "YAML, line 2 column 1: "},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct error err = {0};
        auto_json *documents = read_text(CASES[i].yaml, &err);
        CHECK(documents == NULL);
        CHECK_INT(err.kind, ERROR_BAD_REQUEST);
        if (!text_starts_with(err.text, CASES[i].start)) {
            CHECK_TEXT(err.text, CASES[i].start);
        }
    }
}

/* One past each limit is refused, the limit itself is fine. */
static void check_limit(const struct text *fits, const struct text *too_much, const char *names)
{
    struct error err = {0};
    auto_json *documents = json_array();
    CHECK_INT(yaml_read(fits->data, fits->length, documents, &err), 0);
    CHECK_TEXT(err.text, "");
    CHECK_INT(yaml_read(too_much->data, too_much->length, documents, &err), -1);
    CHECK_INT(err.kind, ERROR_TOO_LARGE);
    CHECK(strstr(err.text, names) != NULL);
}

static void refuses_depth_bombs(void)
{
    auto_text fits = {0};
    auto_text too_much = {0};
    for (unsigned i = 0; i < LIMIT_MANIFEST_DEPTH; i++)
        text_append(&fits, "[");
    for (unsigned i = 0; i < LIMIT_MANIFEST_DEPTH; i++)
        text_append(&fits, "]");
    text_printf(&too_much, "[%s]", fits.data);
    check_limit(&fits, &too_much, "deeper than 64 levels");
}

static void refuses_value_bombs(void)
{
    auto_text fits = {0};
    auto_text too_much = {0};
    for (unsigned i = 0; i < LIMIT_MANIFEST_NODES - 1; i++)
        text_append(&fits, "- 1\n");
    text_printf(&too_much, "%s- 1\n", fits.data);
    check_limit(&fits, &too_much, "more than 200000 values");
}

static void refuses_document_bombs(void)
{
    auto_text fits = {0};
    auto_text too_much = {0};
    for (unsigned i = 0; i < LIMIT_MANIFEST_DOCUMENTS; i++)
        text_append(&fits, "--- {}\n");
    text_printf(&too_much, "%s--- {}\n", fits.data);
    check_limit(&fits, &too_much, "more than 1000 documents");
}

static void refuses_size_bombs(void)
{
    auto_text fits = {0};
    auto_text too_much = {0};
    text_append(&fits, "a: ");
    while (fits.length < LIMIT_MANIFEST_BYTES)
        text_append(&fits, "x");
    text_printf(&too_much, "%sx", fits.data);
    check_limit(&fits, &too_much, "more than 3145728");
}

static void writes_what_reads_back_equal(void)
{
    static const char *const CASES[] = {
        "{}",
        "[]",
        "{\"a\":{}}",
        "{\"a\":[]}",
        "[[],[[]],{}]",
        "\"\"",
        "null",
        "1.5",
        "1e30",
        "-7",
        "\"1\"",
        "\"~\"",
        "{\"a\":\"yes\",\"b\":\"No\",\"c\":\"1_0\",\"d\":\"0x1\",\"e\":\".5\",\"f\":\"\",\"g\":\" x\",\"h\":\"x \"}",
        "{\"yes\":1,\"1\":2,\"\":3,\"a b\":4,\"a: b\":5,\"#c\":6,\"<<\":7,\"- x\":8,\"m\\nn\":9}",
        "{\"a\":\"x\\ny\\n\",\"b\":\"x\\ny\",\"c\":\"x\\n\\n\",\"d\":\"\\nx\",\"e\":\"  x\\ny\",\"f\":\"x\\n y\\n\"}",
        "{\"a\":\"\\u20ac\\ud83d\\ude00\",\"b\":\"\\u0007\\t\",\"c\":\"\\u0085\\u2028\\ufeff\",\"d\":\"\\r\\n\"}",
        "{\"a\":\"*x\",\"b\":\"&x\",\"c\":\"!x\",\"d\":\"%x\",\"e\":\"@x\",\"f\":\"`x\",\"g\":\"{\",\"h\":\"]\"}",
        "{\"a\":\"---\",\"b\":\"...\",\"c\":\"- a\",\"d\":\"? b\",\"e\":\": c\",\"f\":\"x: y\",\"g\":\"x #y\"}",
        "{\"a\":\"--- x\\n...\\n\",\"b\":[{\"c\":1,\"d\":[true,false,null]},[2]],\"e\":\"2021-10-13\"}",
        "{\"a\":9223372036854775807,\"b\":-0.0,\"c\":\"\\\\ \\\" '\",\"d\":\"trailing\\n \",\"e\":\"\\n\"}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct error err = {0};
        auto_json *value = json_from_text(CASES[i], strlen(CASES[i]), &err);
        auto_text yaml = {0};
        yaml_write(value, &yaml);
        auto_json *documents = json_array();
        CHECK_INT(yaml_read(yaml.data, yaml.length, documents, &err), 0);
        const json_t *again = json_array_get(documents, 0);
        if (!json_equal(value, again ? again : json_null())) {
            printf("# %s became\n%s# %s\n", CASES[i], yaml.data, err.text);
            CHECK(false);
        }
    }
}

static void writes_what_people_expect(void)
{
    static const char JSON[] =
        "{\"kind\":\"VM\",\"count\":1,\"on\":\"on\",\"list\":[{\"a\":1,\"b\":\"x\"},2],\"script\":\"#!/bin/sh\\n"
        "echo hi\\n\",\"none\":{}}";
    struct error err;
    auto_json *value = json_from_text(JSON, strlen(JSON), &err);
    auto_text yaml = {0};
    yaml_write(value, &yaml);
    CHECK_TEXT(yaml.data,
               "kind: VM\ncount: 1\n\"on\": \"on\"\nlist:\n- a: 1\n  b: x\n- 2\nscript: |\n  #!/bin/sh\n  echo hi\n"
               "none: {}\n");
}

int main(void)
{
    RUN(reads_as_kubernetes_does);
    RUN(refuses_with_line_and_column);
    RUN(refuses_depth_bombs);
    RUN(refuses_value_bombs);
    RUN(refuses_document_bombs);
    RUN(refuses_size_bombs);
    RUN(writes_what_reads_back_equal);
    RUN(writes_what_people_expect);
    return test_end();
}
