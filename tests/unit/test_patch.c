#include "api/wire/patch.c"
#include "tests/test.h"

typedef json_t *patcher(const json_t *object, const json_t *patch, struct error *err);

static void check(patcher *patch, const char *object, const char *change, const char *wanted, int line)
{
    struct error err = {0};
    auto_json *o = json_from_text(object, strlen(object), &err);
    auto_json *p = json_from_text(change, strlen(change), &err);
    auto_json *before = json_deep_copy(o);
    auto_json *result = patch(o, p, &err);
    auto_free char *text = result ? json_to_text(result) : must_strdup(error_kind_info(err.kind)->reason);
    if (strcmp(text, wanted) != 0) {
        printf("# line %d: %s + %s is %s, wanted %s (%s)\n", line, object, change, text, wanted, err.text);
        test_failures++;
    }
    CHECK(json_equal(o, before));
}
#define JSON_PATCH(object, change, wanted) check(patch_json, object, change, wanted, __LINE__)
#define MERGE(object, change, wanted) check(patch_merge, object, change, wanted, __LINE__)
#define STRATEGIC(object, change, wanted) check(patch_strategic, object, change, wanted, __LINE__)

static void json_patches(void)
{
    JSON_PATCH("{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/b\",\"value\":2}]", "{\"a\":1,\"b\":2}");
    JSON_PATCH("{\"a\":[1,2]}", "[{\"op\":\"add\",\"path\":\"/a/1\",\"value\":9}]", "{\"a\":[1,9,2]}");
    JSON_PATCH("{\"a\":[1]}", "[{\"op\":\"add\",\"path\":\"/a/-\",\"value\":9}]", "{\"a\":[1,9]}");
    JSON_PATCH("{\"a\":[1]}", "[{\"op\":\"add\",\"path\":\"/a/2\",\"value\":9}]", "Invalid");
    JSON_PATCH("{\"a\":[1]}", "[{\"op\":\"add\",\"path\":\"/a/01\",\"value\":9}]", "Invalid");
    JSON_PATCH("{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"/a\"}]", "{}");
    JSON_PATCH("{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"/b\"}]", "Invalid");
    JSON_PATCH("{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"/b\",\"value\":1}]", "Invalid");
    JSON_PATCH("{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"\",\"value\":{\"z\":1}}]", "{\"z\":1}");
    JSON_PATCH("{\"a/b\":{\"m~n\":1}}", "[{\"op\":\"replace\",\"path\":\"/a~1b/m~0n\",\"value\":2}]",
               "{\"a/b\":{\"m~n\":2}}");
    JSON_PATCH("{\"a\":{\"x\":1}}", "[{\"op\":\"move\",\"from\":\"/a/x\",\"path\":\"/b\"}]", "{\"a\":{},\"b\":1}");
    JSON_PATCH("{\"a\":{\"x\":1}}", "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/y\"}]",
               "{\"a\":{\"x\":1,\"y\":{\"x\":1}}}");
    JSON_PATCH("{\"a\":{\"x\":1}}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a/y\"}]", "Invalid");
    JSON_PATCH("{\"a\":1}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":1},{\"op\":\"remove\",\"path\":\"/a\"}]",
               "{}");
    JSON_PATCH("{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"/a\"},{\"op\":\"test\",\"path\":\"/a\",\"value\":1}]",
               "Invalid");
    JSON_PATCH("{}", "[{\"op\":\"brew\",\"path\":\"/a\",\"value\":1}]", "BadRequest");
    JSON_PATCH("{}", "[{\"op\":\"add\",\"path\":\"/a\"}]", "BadRequest");
    JSON_PATCH("{}", "[{\"op\":\"add\",\"path\":\"a\",\"value\":1}]", "BadRequest");
    JSON_PATCH("{}", "[{\"op\":\"add\",\"value\":1}]", "BadRequest");
    JSON_PATCH("{}", "[1]", "BadRequest");
    JSON_PATCH("{}", "{}", "BadRequest");
}

static void json_patches_cannot_grow_without_end(void)
{
    auto_json *patch = json_array();
    for (unsigned i = 0; i < 30; i++) /* doubles each time */
        json_array_append_new(patch,
                              json_pack("{s:s, s:s, s:o}", "op", "copy", "from", "", "path", json_sprintf("/a%u", i)));
    struct error err = {0};
    auto_json *object = json_pack("{s:i}", "x", 1);
    CHECK(patch_json(object, patch, &err) == NULL);
    CHECK_INT(err.kind, ERROR_TOO_LARGE);

    auto_json *deep = json_array();
    auto_text path = {0};
    for (unsigned i = 0; i <= LIMIT_MANIFEST_DEPTH; i++) {
        text_append(&path, "/d");
        json_array_append_new(deep, json_pack("{s:s, s:s, s:{}}", "op", "add", "path", path.data, "value"));
    }
    CHECK(patch_json(object, deep, &err) == NULL);
    CHECK_INT(err.kind, ERROR_TOO_LARGE);
    json_array_remove(deep, LIMIT_MANIFEST_DEPTH);
    auto_json *fits = patch_json(object, deep, &err);
    CHECK(fits != NULL);

    auto_json *many = json_array();
    for (unsigned i = 0; i <= LIMIT_PATCH_OPERATIONS; i++)
        json_array_append_new(many, json_pack("{s:s, s:s, s:i}", "op", "test", "path", "/x", "value", 1));
    CHECK(patch_json(object, many, &err) == NULL);
    CHECK_INT(err.kind, ERROR_TOO_LARGE);
    json_array_remove(many, 0);
    auto_json *enough = patch_json(object, many, &err);
    CHECK(enough != NULL);
}

static void merge_patches(void)
{
    MERGE("{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}");
    MERGE("{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}");
    MERGE("{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}");
    MERGE("{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"b\":null,\"d\":3}}", "{\"a\":{\"c\":2,\"d\":3}}");
    MERGE("{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}");
    MERGE("{\"a\":1}", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}");
    MERGE("{\"a\":1}", "[]", "BadRequest");
}

static void strategic_patches(void)
{
    STRATEGIC("{\"data\":{\"a\":\"1\",\"b\":\"2\"}}", "{\"data\":{\"a\":null,\"c\":\"3\"}}",
              "{\"data\":{\"b\":\"2\",\"c\":\"3\"}}");
    STRATEGIC("{\"data\":{\"a\":\"1\"}}", "{\"data\":{\"$patch\":\"replace\",\"c\":\"3\"}}",
              "{\"data\":{\"c\":\"3\"}}");
    STRATEGIC("{\"m\":{\"finalizers\":[\"a\"]}}",
              "{\"m\":{\"$setElementOrder/finalizers\":[\"b\"],\"finalizers\":[\"b\",\"a\"]}}",
              "{\"m\":{\"finalizers\":[\"a\",\"b\"]}}");
    STRATEGIC("{\"m\":{\"finalizers\":[\"a\",\"b\"]}}", "{\"m\":{\"$deleteFromPrimitiveList/finalizers\":[\"a\"]}}",
              "{\"m\":{\"finalizers\":[\"b\"]}}");
    STRATEGIC("{\"ownerReferences\":[{\"uid\":\"1\",\"name\":\"a\"}]}",
              "{\"ownerReferences\":[{\"uid\":\"1\",\"kind\":\"K\"},{\"uid\":\"2\"}]}",
              "{\"ownerReferences\":[{\"uid\":\"1\",\"name\":\"a\",\"kind\":\"K\"},{\"uid\":\"2\"}]}");
    STRATEGIC("{\"ownerReferences\":[{\"uid\":\"1\"}]}",
              "{\"ownerReferences\":[{\"uid\":\"1\",\"$patch\":\"delete\"}]}", "{\"ownerReferences\":[]}");
    STRATEGIC("{\"a\":{\"x\":1,\"y\":2}}", "{\"a\":{\"$retainKeys\":[\"y\"],\"y\":3}}", "{\"a\":{\"y\":3}}");
    STRATEGIC("{}", "1", "BadRequest");
}

int main(void)
{
    RUN(json_patches);
    RUN(json_patches_cannot_grow_without_end);
    RUN(merge_patches);
    RUN(strategic_patches);
    return test_end();
}
