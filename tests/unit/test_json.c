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

int main(void)
{
    RUN(refuses_what_is_not_json);
    RUN(walks_and_changes_paths);
    RUN(a_clone_shares_nothing);
    return test_end();
}
