#include "rtvmd/base/json.c"

#include "tests/test.h"

static json_t *parse(const char *text)
{
    struct error err;
    return json_from_text(text, strlen(text), &err);
}

static void refuses_what_is_not_json(void)
{
    static const char *const BAD[] = {"",     "{", "{\"a\":1,\"a\":2}", "[1,]", "\"\xff\"", "99999999999999999999",
                                      "{} {}"};
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        struct error err = {0};
        auto_json *value = json_from_text(BAD[i], strlen(BAD[i]), &err);
        CHECK(value == NULL);
        CHECK_INT(err.kind, ERROR_BAD_REQUEST);
    }
}

static void walks_and_changes_paths(void)
{
    auto_json *value = parse("{\"spec\":{\"items\":[{\"name\":\"a\"},{\"name\":\"b\"}],\"n\":7,\"on\":true}}");
    CHECK_TEXT(json_text_at(value, "spec.items.1.name", ""), "b");
    CHECK_TEXT(json_text_at(value, "spec.items.2.name", "none"), "none");
    CHECK_TEXT(json_text_at(value, "spec.n", "none"), "none"); /* of another type */
    CHECK_INT(json_int_at(value, "spec.n", 0), 7);
    CHECK(json_bool_at(value, "spec.on", false));
    json_put_at(value, "status.phase.deep", json_string("x"));
    CHECK_TEXT(json_text_at(value, "status.phase.deep", ""), "x");
    json_drop_at(value, "status.phase.deep");
    json_drop_at(value, "no.such.path");
    CHECK(json_at(value, "status.phase.deep") == NULL);
    json_drop_at(value, "spec");
    auto_free char *text = json_to_text(value);
    CHECK_TEXT(text, "{\"status\":{\"phase\":{}}}");
}

static void a_clone_shares_nothing(void)
{
    const char *text = "{\"a\":[1,{\"b\":\"x\"},null,true,1.5],\"c\":{}}";
    struct error err;
    auto_json *value = json_from_text(text, strlen(text), &err);
    auto_json *clone = json_clone(value);
    auto_free char *before = json_to_text(clone);
    CHECK_TEXT(before, text);
    json_put_at(json_at(value, "a.1"), "b", json_string("y"));
    json_put_at(value, "c.d", json_integer(1));
    json_array_clear(json_at(value, "a"));
    auto_free char *after = json_to_text(clone);
    CHECK_TEXT(after, text);
    CHECK(json_clone(NULL) == NULL);
}

static void writes_what_jansson_writes(void)
{
    static const char *const VALUES[] = {
        "{}",
        "[]",
        "\"\"",
        "null",
        "true",
        "false",
        "-9223372036854775808",
        "9223372036854775807",
        "0.1",
        "-1.5e300",
        "[[],{},[{}],\"a\",1,null]",
        "{\"a\":{\"b\":{\"c\":[1,2.5,{\"d\":false}]}},\"\":\"\",\"\\n\":1}",
        "\"\\u0001\\u001f \\\"\\\\/\\b\\f\\n\\r\\t\\u007f bfnrt \\u00e9\\u20ac\\ud83d\\ude00\"",
    };
    for (size_t i = 0; i < ARRAY_SIZE(VALUES); i++) {
        auto_json *value = parse(VALUES[i]);
        auto_free char *ours = json_to_text(value);
        auto_free char *theirs = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        CHECK_TEXT(ours, theirs);
        auto_json *again = parse(ours);
        CHECK(json_equal(again, value));
    }
    for (int c = 1; c < 256; c++) { /* every byte a string may hold, alone and between others */
        char text[8];
        snprintf(text, sizeof text, c < 128 ? "a%cb%c" : "a\xc3%cb%c", c < 128 ? c : 128 + c % 64, c < 128 ? c : 'z');
        auto_json *value = json_string(text);
        auto_free char *ours = json_to_text(value);
        auto_free char *theirs = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        CHECK_TEXT(ours, theirs);
    }
}

int main(void)
{
    RUN(writes_what_jansson_writes);
    RUN(refuses_what_is_not_json);
    RUN(walks_and_changes_paths);
    RUN(a_clone_shares_nothing);
    return test_end();
}
